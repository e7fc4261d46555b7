//! "Did you mean": the nearest of the names that exist.

/// The help for a name that does not exist: the nearest one if it is near, then all.
pub(crate) fn help<'a>(wrong: &str, what: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.collect();
    if known.is_empty() {
        return format!("there are no {what}");
    }
    let all = known
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ");
    match nearest(wrong, &known) {
        Some(name) => format!("did you mean `{name}`? the {what} are {all}"),
        None => format!("the {what} are {all}"),
    }
}

fn nearest<'a>(wrong: &str, known: &[&'a str]) -> Option<&'a str> {
    // What is far off is no suggestion; what is long is not compared at all.
    let most = (wrong.chars().count() / 3).max(1);
    known
        .iter()
        .filter(|_| wrong.len() <= 64)
        .map(|name| (distance(wrong, name), *name))
        .filter(|(distance, _)| *distance <= most)
        .min()
        .map(|(_, name)| name)
}

/// Insertions, deletions, replacements and swaps of neighbours.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let mut previous = None;
    for (i, x) in a.chars().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let cost = usize::from(x != *y);
            let at =
                |row: &[usize], index: usize| row.get(index).copied().unwrap_or(usize::MAX / 2);
            let mut best = (at(&last, j + 1) + 1)
                .min(at(&row, j) + 1)
                .min(at(&last, j) + cost);
            let swapped = j > 0 && previous == Some(*y) && b.get(j - 1) == Some(&x);
            if swapped {
                best = best.min(at(&before, j - 1) + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
        previous = Some(x);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_recognised_and_a_foreign_word_is_not() {
        assert_eq!(distance("tiemout", "timeout"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("notes", "notes"), 0);
        let known = ["timeout", "concurrency"];
        assert_eq!(nearest("tiemout", &known), Some("timeout"));
        assert_eq!(nearest("currency", &known), None);
        assert_eq!(nearest("x", &[]), None);
    }
}
