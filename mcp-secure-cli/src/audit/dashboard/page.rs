//! The page.

use std::path::Path;

use maud::{DOCTYPE, Markup, html};

use super::{
    chart,
    stats::{Stats, Tool},
};
use mcp_secure::audit;

use crate::audit::lines::shown;

pub(super) fn page(file: &Path, stats: &Stats) -> String {
    let name = shown(&file.display().to_string());
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "Audit log" }
                link rel="stylesheet" href="/style.css";
            }
            body {
                h1 { "Audit log" }
                p { code { (name) } }
                p.state { "Chain: " strong { (verification(file)) } }
                @if stats.cut { p { "Only the newest 16 MiB are shown." } }
                dl {
                    (number("requests", stats.requests))
                    (number("denied", stats.denied))
                    (number("failed", stats.failed))
                    (number("refused without an identity", stats.refused))
                }
                (over_time(stats))
                (denials(stats))
                (tools(stats))
                (limits(stats))
                (newest(stats))
                @if stats.passed > 0 {
                    p { (stats.passed) " lines are no records of a request, and are not shown." }
                }
            }
        }
    }
    .into_string()
}

/// What verification finds now, with the keys that lie beside the log. A key from elsewhere, and
/// a head, say more: that is `audit verify`.
fn verification(file: &Path) -> String {
    match audit::Verify::of(file).run() {
        Err(_) => "not verified: this is no log that was bound, or it cannot be read".to_owned(),
        Ok(seen) => match seen.findings.first() {
            None => format!(
                "as it was written, {} records, the first {} of them signed{}",
                seen.records,
                seen.signed,
                match seen.keyed {
                    true => ", keyed hashes checked",
                    false => "; keyed hashes not checked, their key is elsewhere",
                }
            ),
            Some(first) => format!(
                "NOT as it was written: line {}: {}",
                first.line,
                shown(&first.reason)
            ),
        },
    }
}

fn number(what: &str, value: u64) -> Markup {
    html! { div { dt { (what) } dd { (value) } } }
}

fn over_time(stats: &Stats) -> Markup {
    html! {
        h2 { "Over time" }
        @match stats.over() {
            Some(over) => {
                (chart::over_time(&over))
                p.small {
                    (time(over.from)) " to " (time(over.until)) " UTC · "
                    span.well { "well" } " · " span.failed { "failed" } " · " span.denied { "denied" }
                }
            }
            None => p { "There is no record yet." }
        }
    }
}

fn denials(stats: &Stats) -> Markup {
    let most = stats.denials.values().max().copied().unwrap_or(0);
    let mut sorted: Vec<_> = stats.denials.iter().collect();
    sorted.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    html! {
        h2 { "Denials by control" }
        @if sorted.is_empty() { p { "None." } } @else {
            table {
                tr { th { "control" } th { "count" } th {} }
                @for (control, count) in sorted.into_iter().take(20) {
                    tr { td { code { (shown(control)) } } td.n { (count) } td { (chart::share(*count, most)) } }
                }
            }
        }
    }
}

fn tools(stats: &Stats) -> Markup {
    let mut sorted: Vec<_> = stats.tools.iter().collect();
    sorted.sort_by_key(|(_, tool)| std::cmp::Reverse(tool.percentile(95)));
    html! {
        h2 { "Tools, the slowest first" }
        @if sorted.is_empty() { p { "None was called." } } @else {
            table {
                tr { th { "tool" } th { "calls" } th { "denied" } th { "failed" } th { "p50" } th { "p95" } }
                @for (name, tool) in sorted.into_iter().take(30) {
                    tr {
                        td { code { (shown(name)) } }
                        td.n { (tool.calls) } td.n { (tool.denied) } td.n { (tool.failed) }
                        td.n { (duration(tool, 50)) } td.n { (duration(tool, 95)) }
                    }
                }
            }
        }
    }
}

fn limits(stats: &Stats) -> Markup {
    let mut sorted: Vec<_> = stats.limits.iter().collect();
    sorted.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    html! {
        h2 { "Limits that were reached" }
        @if sorted.is_empty() { p { "None." } } @else {
            table {
                tr { th { "limit" } th { "of" } th { "by" } th { "count" } }
                @for ((control, target, who), count) in sorted.into_iter().take(20) {
                    tr {
                        td { code { (shown(control)) } } td { (shown(target)) }
                        td { (shown(who)) } td.n { (count) }
                    }
                }
            }
        }
    }
}

fn newest(stats: &Stats) -> Markup {
    html! {
        h2 { "The newest denials" }
        @if stats.newest.is_empty() { p { "None." } }
        @for seen in &stats.newest {
            details {
                summary { (shown(&seen.time)) " " code { (shown(&seen.control)) } " " (shown(&seen.what)) }
                p { "by " (shown(&seen.who)) @if !seen.id.is_empty() { ", reference " code { (shown(&seen.id)) } } }
                p { (shown(&seen.reason)) }
            }
        }
    }
}

fn duration(tool: &Tool, of_hundred: usize) -> String {
    match tool.percentile(of_hundred) {
        None => "–".to_owned(),
        Some(us) if us < 1000 => format!("{us} µs"),
        Some(us) if us < 1_000_000 => format!("{:.1} ms", us as f64 / 1e3),
        Some(us) => format!("{:.1} s", us as f64 / 1e6),
    }
}

fn time(millis: i64) -> String {
    chrono::DateTime::from_timestamp_millis(millis)
        .map(|time| time.format("%Y-%m-%d %H:%M:%S").to_string())
        .unwrap_or_default()
}

pub(super) const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1a1a1a;--paper:#fff;--line:#ccc;--well:#2a7f4f;--failed:#b36b00;--denied:#b3261e}
@media(prefers-color-scheme:dark){:root{--ink:#e6e6e6;--paper:#16181b;--line:#444;--well:#5cc28c;--failed:#e0a33a;--denied:#f2857d}}
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:60rem;margin:0 auto;padding:1rem}
h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}
code{overflow-wrap:anywhere}
dl{display:flex;flex-wrap:wrap;gap:1rem}dt{font-size:.85rem}dd{margin:0;font-size:1.6rem}
table{border-collapse:collapse;width:100%;display:block;overflow-x:auto}
th,td{text-align:left;padding:.25rem .6rem .25rem 0;border-bottom:1px solid var(--line)}
td.n{text-align:right;font-variant-numeric:tabular-nums}
svg{width:100%;height:auto;display:block}svg.share{width:6rem;height:.6rem}
rect.well{fill:var(--well)}rect.failed{fill:var(--failed)}rect.denied{fill:var(--denied)}.axis{stroke:var(--line)}
span.well{color:var(--well)}span.failed{color:var(--failed)}span.denied{color:var(--denied)}
.small{font-size:.85rem}details{border-bottom:1px solid var(--line);padding:.3rem 0}summary{cursor:pointer;overflow-wrap:anywhere}
";
