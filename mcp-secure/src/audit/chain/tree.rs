//! The tree of RFC 6962, grown at its right edge.

use std::{cell::RefCell, collections::HashMap};

pub(in crate::audit) use crate::sha256::Hash;
use crate::sha256::hash;

/// The roots of the full trees that a tree of this size is made of, the largest first: all that
/// is needed to grow it, 64 hashes at most.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::audit) struct Frontier {
    size: u64,
    nodes: Vec<Hash>,
}

impl Frontier {
    /// `None`: there are not as many nodes as a tree of this size has.
    pub(in crate::audit) fn of(size: u64, nodes: Vec<Hash>) -> Option<Self> {
        (nodes.len() == size.count_ones() as usize).then_some(Self { size, nodes })
    }

    pub(in crate::audit) fn size(&self) -> u64 {
        self.size
    }

    pub(in crate::audit) fn nodes(&self) -> &[Hash] {
        &self.nodes
    }

    pub(in crate::audit) fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        let mut size = self.size;
        while size & 1 == 1 {
            if let Some(left) = self.nodes.pop() {
                hash = node(&left, &hash);
            }
            size >>= 1;
        }
        self.nodes.push(hash);
        self.size += 1;
    }

    pub(in crate::audit) fn root(&self) -> Hash {
        let mut nodes = self.nodes.iter().rev();
        match nodes.next() {
            None => hash(&[]),
            Some(last) => nodes.fold(*last, |right, left| node(left, &right)),
        }
    }

    /// Its nodes by the leaves they stand for.
    pub(in crate::audit) fn spans(&self) -> HashMap<(u64, u64), Hash> {
        let mut from = 0;
        let mut spans = HashMap::new();
        let bits = (0..u64::BITS).rev().map(|bit| 1_u64 << bit);
        let sizes = bits.filter(|size| self.size & size != 0);
        for (size, hash) in sizes.zip(&self.nodes) {
            spans.insert((from, from + size), *hash);
            from += size;
        }
        spans
    }
}

/// Of the content of a line.
pub(in crate::audit) fn leaf(content: &[u8]) -> Hash {
    thread_local! {
        static ROOM: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }
    // What is in one piece is hashed without a state on the heap.
    ROOM.with_borrow_mut(|room| {
        room.clear();
        room.push(0);
        room.extend_from_slice(content);
        let hash = hash(room);
        room.shrink_to(64 * 1024);
        hash
    })
}

fn node(left: &Hash, right: &Hash) -> Hash {
    let mut both = [1_u8; 65];
    let (_, rest) = both.split_at_mut(1);
    let (l, r) = rest.split_at_mut(32);
    l.copy_from_slice(left);
    r.copy_from_slice(right);
    hash(&both)
}

/// The hash of leaves `from..to`, from leaves that begin at `base` and the frontier before.
/// `None`: it would take leaves that are not there any more.
#[cfg(test)]
pub(super) fn subtree((from, to): (u64, u64), base: &Frontier, leaves: &[Hash]) -> Option<Hash> {
    under((from, to), base.size(), &base.spans(), leaves)
}

fn under(
    (from, to): (u64, u64),
    base: u64,
    spans: &HashMap<(u64, u64), Hash>,
    leaves: &[Hash],
) -> Option<Hash> {
    if let Some(known) = spans.get(&(from, to)) {
        return Some(*known);
    }
    match to.checked_sub(from)? {
        0 => None,
        1 => leaves
            .get(usize::try_from(from.checked_sub(base)?).ok()?)
            .copied(),
        size => {
            let middle = from + split_at(size);
            let left = under((from, middle), base, spans, leaves)?;
            Some(node(&left, &under((middle, to), base, spans, leaves)?))
        }
    }
}

/// The path from a leaf to the root of a tree of `size` (RFC 9162, 2.1.3.1).
pub(in crate::audit) fn inclusion(
    index: u64,
    size: u64,
    base: &Frontier,
    leaves: &[Hash],
) -> Option<Vec<Hash>> {
    let spans = base.spans();
    let (mut from, mut to) = (0, size);
    let mut path = Vec::new();
    if index >= size {
        return None;
    }
    while to - from > 1 {
        let middle = from + split_at(to - from);
        let other = if index < middle {
            let other = (middle, to);
            to = middle;
            other
        } else {
            let other = (from, middle);
            from = middle;
            other
        };
        path.push(under(other, base.size(), &spans, leaves)?);
    }
    path.reverse();
    Some(path)
}

/// The root that a path leads to (RFC 9162, 2.1.3.2). `None`: it is not of this length.
pub(in crate::audit) fn root_from(
    leaf: Hash,
    index: u64,
    size: u64,
    path: &[Hash],
) -> Option<Hash> {
    if index >= size {
        return None;
    }
    let mut hash = leaf;
    let at_top = climb(index, size - 1, path, |side, sibling| {
        hash = match side {
            Side::Left => node(sibling, &hash),
            Side::Right => node(&hash, sibling),
        };
    });
    at_top.then_some(hash)
}

/// Where a sibling stands.
enum Side {
    Left,
    Right,
}

/// Goes up from the node `at` of a row that ends with `last`, sibling by sibling (the loop that
/// both algorithms of RFC 9162 have). Whether the path ends at the root.
fn climb<'a>(
    mut at: u64,
    mut last: u64,
    path: impl IntoIterator<Item = &'a Hash>,
    mut meet: impl FnMut(Side, &Hash),
) -> bool {
    for sibling in path {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            meet(Side::Left, sibling);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            meet(Side::Right, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0
}

/// That the tree of `old` leaves is the beginning of the one of `new` (RFC 6962, 2.1.2).
pub(in crate::audit) fn consistency(
    old: u64,
    new: u64,
    base: &Frontier,
    leaves: &[Hash],
) -> Option<Vec<Hash>> {
    if old == 0 || old > new {
        return None;
    }
    let spans = base.spans();
    let (mut from, mut to) = (0, new);
    let mut path = Vec::new();
    // Whether what is left of the old tree is a tree that its root was made of as a whole.
    let mut is_whole = true;
    while to != old {
        let middle = from + split_at(to - from);
        let other = if old <= middle {
            let other = (middle, to);
            to = middle;
            other
        } else {
            let other = (from, middle);
            from = middle;
            is_whole = false;
            other
        };
        path.push(under(other, base.size(), &spans, leaves)?);
    }
    if !is_whole {
        path.push(under((from, to), base.size(), &spans, leaves)?);
    }
    path.reverse();
    Some(path)
}

/// Whether a path proves that (RFC 9162, 2.1.4.2).
pub(in crate::audit) fn is_consistent(
    (old, old_root): (u64, &Hash),
    (new, new_root): (u64, &Hash),
    path: &[Hash],
) -> bool {
    if old == 0 || old > new {
        return false;
    }
    if old == new {
        return path.is_empty() && old_root == new_root;
    }
    let (mut at, mut last) = (old - 1, new - 1);
    while at & 1 == 1 {
        at >>= 1;
        last >>= 1;
    }
    let mut rest = path.iter();
    // A tree that is whole is its own first node.
    let first = match old.is_power_of_two() {
        true => Some(old_root),
        false => rest.next(),
    };
    let Some(first) = first else { return false };
    let (mut was, mut is) = (*first, *first);
    let at_top = climb(at, last, rest, |side, sibling| match side {
        Side::Left => {
            was = node(sibling, &was);
            is = node(sibling, &is);
        }
        Side::Right => is = node(&is, sibling),
    });
    at_top && was == *old_root && is == *new_root
}

/// The largest power of two below a size of at least two.
fn split_at(size: u64) -> u64 {
    1 << (u64::BITS - 1 - (size - 1).leading_zeros())
}
