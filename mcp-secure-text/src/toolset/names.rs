//! Names of tools that a person, or a model, takes for one another.

use std::collections::HashMap;

use crate::view;

/// A pair of names that are taken for one another.
pub(super) struct Pair {
    /// The earlier tool.
    pub(super) first: usize,
    /// The later one.
    pub(super) second: usize,
    pub(super) how: How,
}

pub(super) enum How {
    Same,
    LooksAlike,
    Misspelt,
}

impl How {
    pub(super) fn shape(&self) -> &'static str {
        match self {
            Self::Same => "the name of an earlier tool",
            Self::LooksAlike => "a name that reads like that of an earlier tool",
            Self::Misspelt => "the name of an earlier tool with two letters swapped or one doubled",
        }
    }
}

/// Shorter names are all one letter apart.
const SHORTEST: usize = 6;

/// The pairs among `names`: each name with the first that it is taken for.
///
/// One letter more, less or changed makes an honest name of another (`list_tag`, `list_tags`;
/// `lpush`, `rpush`): those are no pairs. Letters swapped or doubled are slips of a person, or of
/// somebody who hopes for one. The work is that of looking up as many spellings as a name has
/// letters.
pub(super) fn pairs(names: &[(usize, &str)]) -> Vec<Pair> {
    let mut exact: HashMap<&str, usize> = HashMap::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    let mut single: HashMap<String, usize> = HashMap::new();
    let mut pairs = Vec::new();
    for &(at, name) in names {
        let mut pair = |first: &usize, how| {
            pairs.push(Pair {
                first: *first,
                second: at,
                how,
            });
        };
        if let Some(first) = exact.get(name) {
            pair(first, How::Same);
            continue;
        }
        let letters = letters(name);
        let key = alike(&letters);
        let once = once(name);
        if let Some(first) = known.get(&key) {
            pair(first, How::LooksAlike);
        } else if letters.len() >= SHORTEST {
            let slip = single
                .get(&once)
                .or_else(|| swapped(&letters).find_map(|other| known.get(&alike(&other))));
            if let Some(first) = slip {
                pair(first, How::Misspelt);
            }
        }
        exact.insert(name, at);
        known.entry(key).or_insert(at);
        single.entry(once).or_insert(at);
    }
    pairs
}

/// Small letters without separators: what names in another case or style have in common.
fn letters(name: &str) -> String {
    let mut folded = view::fold(name).text;
    folded.retain(|c| !is_separator(c));
    folded
}

fn is_separator(c: char) -> bool {
    matches!(c, '_' | '-' | '.' | ' ' | '/' | ':')
}

/// Look-alikes as one.
fn alike(letters: &str) -> String {
    let one = |c| match c {
        '0' => 'o',
        '1' | 'i' | '|' => 'l',
        c => c,
    };
    let letters: String = letters.chars().map(one).collect();
    letters.replace("rn", "m").replace("vv", "w")
}

/// Without letters that follow themselves in a word. Digits stay: `v11` is not `v1`.
fn once(name: &str) -> String {
    let mut last = None;
    let mut folded = view::fold(name).text;
    folded.retain(|c| last.replace(c) != Some(c) || c.is_ascii_digit());
    folded.retain(|c| !is_separator(c));
    folded
}

/// The spellings with two letters next to each other swapped.
fn swapped(letters: &str) -> impl Iterator<Item = String> + '_ {
    let ascii = letters.is_ascii();
    (1..letters.len()).filter_map(move |at| {
        let mut bytes = letters.as_bytes().to_vec();
        let (one, other) = (*bytes.get(at - 1)?, *bytes.get(at)?);
        if !ascii || one == other || !one.is_ascii_lowercase() || !other.is_ascii_lowercase() {
            return None;
        }
        bytes.swap(at - 1, at);
        String::from_utf8(bytes).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confused(one: &str, other: &str) -> bool {
        !pairs(&[(0, one), (1, other)]).is_empty()
    }

    #[test]
    fn look_alikes_and_slips_are_pairs() {
        for (one, other) in [
            ("read_file", "read_file"),
            ("read_file", "readFile"),
            ("read_file", "Read-File"),
            ("read_file", "raed_file"),
            ("read_file", "read_fi1e"),
            ("read_file", "read_flie"),
            ("read_file", "reaad_file"),
            ("send_email", "send_ernail"),
            ("send_email", "send_emai1"),
            ("read_file", "r\u{435}ad_file"),
        ] {
            assert!(confused(one, other), "{one} {other}");
        }
    }

    #[test]
    fn honest_families_are_not() {
        for (one, other) in [
            ("list_tag", "list_tags"),
            ("read_file", "read_files"),
            ("get_item", "set_item"),
            ("lpush", "rpush"),
            ("hget", "hset"),
            ("list_v1", "list_v2"),
            ("im.v1.chat.get", "im.v2.chat.get"),
            ("add_node", "add_code"),
            ("page_1", "page_11"),
            ("log_101", "log_110"),
            ("room.get", "room.mget"),
            ("on", "no"),
        ] {
            assert!(!confused(one, other), "{one} {other}");
        }
    }

    #[test]
    fn a_name_is_paired_with_the_first() {
        let found = pairs(&[(3, "a_b"), (5, "ab"), (6, "a_b"), (9, "other")]);
        let found: Vec<_> = found.iter().map(|pair| (pair.first, pair.second)).collect();
        assert_eq!(found, [(3, 5), (3, 6)]);
    }
}
