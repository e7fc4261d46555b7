//! Charts as SVG. Numbers only: no text of a log becomes markup here but through the template.

use maud::{Markup, html};

use super::stats::{BARS, Bar, Over};

/// Bars over the time: well, failed and denied on top of each other.
pub(super) fn over_time(over: &Over) -> Markup {
    let most = over.bars.iter().map(sum).max().unwrap_or(1).max(1);
    html! {
        svg viewBox="0 0 480 120" role="img" aria-label="Requests over time" {
            @for (at, bar) in over.bars.iter().enumerate() {
                @let x = at * 480 / BARS;
                @let heights = [("well", bar.well), ("failed", bar.failed), ("denied", bar.denied)];
                @for (class, y, height) in stacked(&heights, most) {
                    rect class=(class) x=(x + 1) y=(y) width=(480 / BARS - 2) height=(height) {
                        title { (class) ": " (part(bar, class)) }
                    }
                }
            }
            line class="axis" x1="0" y1="119.5" x2="480" y2="119.5" {}
        }
    }
}

/// One bar of a table: so much of the most.
pub(super) fn share(value: u64, most: u64) -> Markup {
    let width = value.saturating_mul(100) / most.max(1);
    html! {
        svg.share viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" {
            rect class="denied" x="0" y="0" width=(width.max(1)) height="8" {}
        }
    }
}

fn sum(bar: &Bar) -> u64 {
    bar.well + bar.denied + bar.failed
}

fn part(bar: &Bar, class: &str) -> u64 {
    match class {
        "well" => bar.well,
        "denied" => bar.denied,
        _ => bar.failed,
    }
}

fn stacked(parts: &[(&'static str, u64)], most: u64) -> Vec<(&'static str, u64, u64)> {
    let mut top = 119;
    let mut placed = Vec::new();
    for (class, count) in parts.iter().filter(|(_, count)| *count > 0) {
        let height = (count.saturating_mul(110) / most).max(1).min(top);
        top -= height;
        placed.push((*class, top, height));
    }
    placed
}
