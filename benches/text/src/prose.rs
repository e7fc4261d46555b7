//! What honest servers say: log lines, answers of tools, descriptions, in four scripts.

use crate::{Dice, LARGE, SMALL, Sample, filled};

/// Outputs of tools with nothing to find in them.
pub fn clean() -> Vec<Sample> {
    let english = |size| prose(size, ENGLISH, " ");
    [
        ("English, 64 KiB", english(SMALL)),
        ("English, 1 MiB", english(LARGE)),
        ("JSON, 64 KiB", json(SMALL)),
        ("Russian, 64 KiB", prose(SMALL, RUSSIAN, " ")),
        ("Chinese, 64 KiB", prose(SMALL, CHINESE, "")),
        ("Japanese, 64 KiB", prose(SMALL, JAPANESE, "")),
    ]
    .map(|(name, text)| Sample { name, text })
    .into()
}

/// One hundred descriptions, as `tools/list` would have them.
pub fn descriptions() -> Vec<String> {
    let mut dice = Dice(0x5eed_0001);
    (0..100)
        .map(|_| {
            let (verb, thing) = (dice.pick(VERBS), dice.pick(THINGS));
            let mut text = format!("{verb} {thing} of a project.");
            for _ in 0..dice.roll() % 5 {
                text.push(if dice.roll().is_multiple_of(4) {
                    '\n'
                } else {
                    ' '
                });
                text.push_str(dice.pick(HINTS));
            }
            text
        })
        .collect()
}

fn prose(size: usize, sentences: &[&str], between: &str) -> String {
    let mut dice = Dice(0x5eed_0002);
    filled(size, |text| {
        text.push_str(dice.pick(sentences));
        text.push_str(if dice.roll().is_multiple_of(6) {
            "\n"
        } else {
            between
        });
    })
}

fn json(size: usize) -> String {
    let mut dice = Dice(0x5eed_0003);
    filled(size, |text| {
        let (id, size) = (dice.roll(), dice.roll() % 90_000);
        let (verb, thing) = (dice.pick(VERBS), dice.pick(THINGS));
        text.push_str(&format!(
            "{{\"id\":\"{id:016x}\",\"size\":{size},\"open\":true,\"title\":\"{verb} {thing}\"}},\n"
        ));
    })
}

const ENGLISH: &[&str] = &[
    "The build finished in 41 seconds and produced three artefacts.",
    "Twelve of the fourteen pages were updated since the last release.",
    "Rain is expected towards the evening, with a light wind from the west.",
    "src/parser/lexer.rs:118: unused variable `width`",
    "The invoice of March lists four positions and a discount of 3 percent.",
    "No rows matched; the filter was status = 'open' and owner = 'mina'.",
    "A second reviewer asked for a shorter title and a link to the ticket.",
    "Tables are copied first, then their indexes, then the views.",
    "GET /v2/orders?limit=50 answered 200 in 83 ms with 50 orders.",
    "Most users read the summary and skip the appendix.",
    "The library is open from nine to five, except on public holidays.",
    "Version 3.2 reads the old format but writes only the new one.",
    "There are 17 files in this folder, 204 kB in total.",
    "The train leaves from platform 6 and arrives at 18:42.",
];

const RUSSIAN: &[&str] = &[
    "Сборка завершилась за сорок секунд, создано три файла.",
    "К вечеру ожидается дождь и слабый западный ветер.",
    "В таблице нет строк, которые подходят под этот фильтр.",
    "Счёт за март содержит четыре позиции и скидку 3 процента.",
    "Поезд отправляется с шестого пути и прибывает в 18:42.",
    "Библиотека открыта с девяти до пяти, кроме праздников.",
    "Страница была изменена два раза после последнего выпуска.",
    "Большинство читателей смотрят только краткое содержание.",
];

const CHINESE: &[&str] = &[
    "构建在四十一秒内完成，生成了三个文件。",
    "预计傍晚有雨，西风较小。",
    "没有符合筛选条件的记录。",
    "三月份的账单包含四个项目和百分之三的折扣。",
    "列车从六号站台发车，晚上六点四十二分到达。",
    "图书馆每天上午九点开门，节假日除外。",
    "自上次发布以来，该页面已修改两次。",
    "大多数读者只看摘要。",
];

const JAPANESE: &[&str] = &[
    "ビルドは四十一秒で終わり、三つのファイルができました。",
    "夕方から雨が降り、弱い西風が吹くでしょう。",
    "条件に合う行はありませんでした。",
    "三月の請求書には四つの項目と三パーセントの割引があります。",
    "電車は六番線から出発し、十八時四十二分に到着します。",
    "図書館は祝日を除いて九時から五時まで開いています。",
    "このページは前回のリリースから二回変更されました。",
    "多くの読者は要約だけを読みます。",
];

const VERBS: &[&str] = &[
    "Lists", "Creates", "Reads", "Updates", "Removes", "Counts", "Searches", "Exports", "Compares",
    "Renames",
];

const THINGS: &[&str] = &[
    "the issues",
    "the files",
    "the branches",
    "the invoices",
    "the calendars",
    "the notes",
    "the comments",
    "the dashboards",
    "the tables",
    "the contacts",
    "the builds",
    "the labels",
];

const HINTS: &[&str] = &[
    "Results are ordered by date, newest first.",
    "At most 100 entries are returned; pass `cursor` for the next page.",
    "The answer is JSON with the fields `id`, `title` and `state`.",
    "Requires read access to the project.",
    "Dates are in ISO 8601, for example 2026-03-01.",
    "Fails when the name exists already.",
    "The path is relative to the root of the project.",
    "Use `query` to filter by words of the title.",
    "Returns an empty list when nothing matches.",
];
