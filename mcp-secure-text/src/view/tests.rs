//! Each reading on texts made for it, and what holds for all of them.

use super::*;

#[track_caller]
fn folds(text: &str, to: &str) {
    let reading = fold(text);
    assert_eq!(reading.text, to, "{text:?}");
    assert_eq!(fold(&reading.text).text, to, "a second time");
}

#[test]
fn case_and_whitespace_alone_are_the_text_itself() {
    let reading = fold("Reads  a\tFile.\r\n\r\nReturns it. ");
    assert_eq!(reading.text, "reads a file.\nreturns it. ");
    assert_eq!(reading.view, View::Text);
    let at = reading.text.find("returns").unwrap();
    assert_eq!(reading.span(at..at + 7), 18..25);
    assert_eq!(fold("Prüft  nichts").view, View::Folded);
    assert_eq!(fold("日本語  API").view, View::Text);
}

#[test]
fn hidden_characters_split_no_word() {
    folds(
        "re\u{200B}ve\u{AD}al it\u{202E} no\u{FE0F}w\0",
        "reveal it now",
    );
    folds("a \u{200B} b\u{2060}\n \u{200B}\nc", "a b\nc");
    folds("ok\u{E0068}\u{E0049}\u{E0020}\u{E0061}", "okhi a");
    folds("re\u{3164}ve\u{115F}al", "reveal");
}

#[test]
fn accents_are_dropped_where_they_are_no_letters() {
    folds(
        "RÉVÉLER ça, Straße, Ærø, Łódź, đường",
        "reveler ca, strasse, aero, lodz, duong",
    );
    folds(
        "re\u{301}ve\u{301}ler I\u{307}stanbul İ ı",
        "reveler istanbul i i",
    );
    folds("s\u{335}\u{321}e\u{336}\u{20DD}n\u{338}d", "send");
    folds("Ελλάδα Отчёт Мой", "ελλαδα отчет мой");
    folds("Мои\u{306} сло\u{301}во", "мой слово");
    folds(
        "कि\u{200D}ताब ガギ ｶﾞ가 שָׁלוֹם ผู้",
        "किताब ガギ ガ가 ש\u{5B8}\u{5C1}לוֹם ผู้",
    );
}

#[test]
fn look_alikes_are_respelled_in_latin_words_and_stay_in_their_own() {
    folds("sуstеm prоmрt", "system prompt");
    folds("Ѕend ΗΟΜΕ fιle", "send home file");
    folds("delete аll сору now", "delete all copy now");
    folds("ѕесо рау саре", "seco pay cape");
    folds("Сохраняет отчет в файл", "сохраняет отчет в файл");
    folds("отчет о API и сборке", "отчет о api и сборке");
    folds("使用API的о和", "使用api的о和");
    folds("вызывает мcр", "вызывает mcp");
}

#[test]
fn fancy_letters_are_letters() {
    folds(
        "ｒｕｎ 𝓲𝓽 𝖓𝖔𝔴 ⓐⓛⓛ 🅸🅳 🅢🅞 🇴🇰 ᴘʀᴏᴍᴘᴛ ⒜ ﬁle ①",
        "run it now all id so ok prompt (a) file 1",
    );
    folds("“quoted” – it’s…", "\"quoted\" - it's...");
    folds("a\u{3000}b\u{2003}\u{A0}c\u{2028}d\u{85}e", "a b c\nd\ne");
}
