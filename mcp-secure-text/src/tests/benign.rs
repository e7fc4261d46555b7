use crate::{Field, Policy, inspect, sanitize};

#[track_caller]
fn passes(text: &str) {
    let report = inspect(text, Field::Description);
    assert!(report.is_clean(), "{:?} in {text:?}", report.findings);
}

#[test]
fn text_in_many_languages_passes() {
    for text in [
        "Searches notes by title, tag or date.\n\t- newest first\r\n\t- at most 50",
        "Größe, naïve café, “quotes” — and an ellipsis… 5 °C, µs, x₁ ≤ 3",
        "Renvoie la météo\u{A0}: température en °C\u{202F}!",
        "Příliš žluťoučký kůň úpěl ďábelské ódy",
        "Tìm kiếm tài liệu theo từ khóa",
        "Ti\u{302}\u{300}m kie\u{302}\u{301}m",
        "Поиск по конфигурации 1С: имя объекта",
        "Αναζήτηση σε έγγραφα",
        "מחזיר את רשימת הקבצים; בְּרֵאשִׁית",
        "גרסה C++\u{200E} של הספרייה\u{200F}!",
        "ו\u{200C}\u{5B9}",
        "أدخل رقم الطلب (مثال: ORD-2024-001)\u{200F} ثم اضغط",
        "التاريخ ١٤٤٥ه\u{200D} و\u{61C}123",
        "مدیریت فایل\u{200C}ها و پوشه\u{200C}های پروژه",
        "PDF\u{200C}ها را می\u{200C}خواند",
        "दस्तावेज़ खोजने के लिए क्\u{200D}ष और क्\u{200C}ष",
        "র\u{200D}্যাম এবং র\u{200D}্যাংক",
        "ಕ್ಷ್\u{200C}ಮ ಮತ್ತು ರ\u{200D}್ಯ",
        "ශ්\u{200D}රී ලංකා",
        "മലയാളം ന്\u{200D}",
        "ஆவணங்களைத் தேடு",
        "ค้นหาเอกสาร\u{200B}ตามคำสำคัญ",
        "ស្វែងរក\u{200B}ឯកសារ\u{200B}តាម",
        "ຄົ້ນຫາເອກະສານ",
        "ཧྐྵྨླྺྼྻྂ",
        "葛\u{E0100}城市と辻\u{E0101}堂の住所",
        "検索します。ファイル名（必須）",
        "か\u{3099}は\u{309A}",
        "、\u{FE00}。\u{FE01}",
        "비밀번호를 초기화합니다",
        "\u{1112}\u{1161}\u{11AB} \u{115F}\u{1161} \u{1100}\u{1160}\u{11A8}",
        "ᠮᠣᠩᠭᠣᠯ\u{180E}ᠠ ᠪᠢ\u{180B}ᠴᠢᠭ",
        "∩\u{FE00} ≨\u{FE00}",
        "⠓⠑⠇⠇⠕\u{2800}⠺⠕⠗⠇⠙ \u{2800}\u{2800}⠿",
        "\u{13000}\u{13430}\u{13001}",
        "שׁ\u{5C1}\u{34F}\u{5B8}",
        "replaced: \u{FFFD}",
    ] {
        passes(text);
    }
}

#[test]
fn a_family_emoji_passes() {
    passes("\u{1F468}\u{200D}\u{1F469}\u{200D}\u{1F467}\u{200D}\u{1F466}");
    passes("\u{1F469}\u{1F3FD}\u{200D}\u{2764}\u{FE0F}\u{200D}\u{1F48B}\u{200D}\u{1F468}\u{1F3FB}");
    passes(
        "\u{1F469}\u{200D}\u{2695}\u{FE0F} \u{1F3C3}\u{1F3FF}\u{200D}\u{2642}\u{FE0F}\u{200D}\u{27A1}\u{FE0F}",
    );
}

#[test]
fn flags_pass() {
    passes("\u{1F1EB}\u{1F1F7}\u{1F1EF}\u{1F1F5} \u{1F3F3}\u{FE0F}\u{200D}\u{1F308}");
    passes("\u{1F3F4}\u{200D}\u{2620}\u{FE0F}");
    passes("\u{1F3F4}\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F}");
    passes("\u{1F3F4}\u{E0067}\u{E0062}\u{E0073}\u{E0063}\u{E0074}\u{E007F}");
    passes("\u{1F3F4}\u{E0067}\u{E0062}\u{E0077}\u{E006C}\u{E0073}\u{E007F}");
}

#[test]
fn skin_tones_keycaps_and_both_presentations_pass() {
    passes("\u{1F44D}\u{1F3FD} 1\u{FE0F}\u{20E3} #\u{FE0F}\u{20E3} *\u{FE0F}\u{20E3} 7\u{20E3}");
    passes("\u{2705} \u{26A0}\u{FE0F} \u{2139}\u{FE0F} \u{260E}\u{FE0E} \u{A9}\u{FE0F}");
}

#[test]
fn a_clean_string_is_moved_and_not_copied() {
    for text in ["plain", "naïve \u{1F44D}\u{1F3FD} فایل\u{200C}ها"] {
        let text = String::from(text);
        let at = text.as_ptr();
        let clean = sanitize(text, Policy::Strip);
        assert_eq!(clean.changed(), 0);
        let text = clean.into_string();
        assert_eq!(text.as_ptr(), at);
    }
    let text = "borrowed é";
    assert_eq!(
        sanitize(text, Policy::Escape).as_str().as_ptr(),
        text.as_ptr()
    );
}

#[test]
fn every_visible_ascii_character_passes() {
    let text: String = (' '..='~').collect();
    for field in [
        Field::Name,
        Field::Title,
        Field::EnumValue,
        Field::ToolOutput,
    ] {
        assert!(inspect(&text, field).is_clean());
    }
}
