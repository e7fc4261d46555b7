//! What a symbol's name says: which crate has the function's text, and what it is called.

/// A demangled symbol.
pub(super) struct Name {
    /// The crate whose source has this function. `None` for a name that Rust did not mangle.
    pub(super) owner: Option<Owner>,
    /// The path as compilers write it, without hashes: `<std::fs::File>::open::<&str>`.
    pub(super) path: String,
}

/// A crate as symbols name it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Owner {
    /// The library's name, with underscores.
    pub(super) krate: String,
    /// Tells two versions of one name apart. Empty where the name does not say it.
    pub(super) hash: String,
}

/// Crates of the compiler's own. What they do in here is done for whoever named it.
const LANGUAGE: [&str; 6] = [
    "std",
    "core",
    "alloc",
    "__rustc",
    "compiler_builtins",
    "panic_unwind",
];

impl Owner {
    pub(super) fn is_language(&self) -> bool {
        LANGUAGE.contains(&self.krate.as_str())
    }
}

/// Reads a symbol of either mangling.
pub(super) fn read(symbol: &str) -> Name {
    let Ok(demangled) = rustc_demangle::try_demangle(symbol) else {
        return Name {
            owner: None,
            path: symbol.to_owned(),
        };
    };
    let path = format!("{demangled:#}");
    let owner = symbol
        .trim_start_matches('_')
        .strip_prefix('R')
        .and_then(v0_owner)
        .or_else(|| Some(text_owner(&path)?.into()));
    Name { owner, path }
}

/// The crate of the innermost path of a v0 name (RFC 2603). For `<T as Trait>::f` that is the
/// crate that has the `impl`, which the demangled text does not show.
fn v0_owner(mut rest: &str) -> Option<Owner> {
    loop {
        let tag = rest.chars().next()?;
        rest = rest.get(1..)?;
        match tag {
            'N' => rest = rest.get(1..)?,
            'I' => {}
            'M' | 'X' => rest = disambiguator(rest)?.1,
            'C' => {
                let (hash, rest) = disambiguator(rest)?;
                let digits = rest.find(|c: char| !c.is_ascii_digit())?;
                let length: usize = rest.get(..digits)?.parse().ok()?;
                let name = rest.get(digits..)?;
                let name = name.strip_prefix('_').unwrap_or(name).get(..length)?;
                return Some(Owner {
                    krate: name.to_owned(),
                    hash: hash.to_owned(),
                });
            }
            // `Y`: a trait's own text for a type of others; the demangled name has its crate.
            _ => return None,
        }
    }
}

fn disambiguator(text: &str) -> Option<(&str, &str)> {
    match text.strip_prefix('s') {
        Some(after) => after.split_once('_'),
        None => Some(("", text)),
    }
}

/// The first crate of a demangled path; of `<T as Trait>` the trait's.
fn text_owner(path: &str) -> Option<&str> {
    let path = match path.strip_prefix('<') {
        Some(_) => match halves(path) {
            (_, Some(of)) => of,
            (itself, None) => itself,
        },
        None => path,
    };
    let start = path.find(|c: char| c.is_alphabetic() || c == '_')?;
    let path = path.get(start..)?;
    let end = path.find(|c: char| !(c.is_alphanumeric() || c == '_'));
    Some(path.get(..end.unwrap_or(path.len()))?).filter(|name| !name.is_empty())
}

impl From<&str> for Owner {
    fn from(name: &str) -> Self {
        Self {
            krate: name.to_owned(),
            hash: String::new(),
        }
    }
}

/// A path without type arguments, by the type and, where there is one, by the trait:
/// `<str as std::net::socket_addr::ToSocketAddrs>::to_socket_addrs` has both.
pub(super) struct Plain {
    pub(super) by_type: String,
    pub(super) by_trait: Option<String>,
}

pub(super) fn plain(path: &str) -> Plain {
    if !path.starts_with('<') {
        return Plain {
            by_type: without_arguments(path),
            by_trait: None,
        };
    }
    let (itself, of) = halves(path);
    let method = match closing(path) {
        Some(end) => path.get(end + 1..).unwrap_or_default(),
        None => "",
    };
    let join = |head: &str| without_arguments(&format!("{}{method}", without_arguments(head)));
    Plain {
        by_type: join(itself),
        by_trait: of.map(join),
    }
}

/// `T` and `Trait` of `<T as Trait>::…`.
fn halves(path: &str) -> (&str, Option<&str>) {
    let end = closing(path).unwrap_or(path.len());
    let inside = path.get(1..end).unwrap_or_default();
    let mut depth = 0_usize;
    for (at, c) in inside.char_indices() {
        match c {
            '<' | '(' | '[' => depth += 1,
            '>' | ')' | ']' if !inside.get(..at).is_some_and(|b| b.ends_with('-')) => {
                depth = depth.saturating_sub(1);
            }
            ' ' if depth == 0 => {
                if let Some(of) = inside.get(at..).and_then(|rest| rest.strip_prefix(" as ")) {
                    return (inside.get(..at).unwrap_or_default(), Some(of));
                }
            }
            _ => {}
        }
    }
    (inside, None)
}

/// Where the first `<` of a path is closed.
fn closing(path: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut before = ' ';
    for (at, c) in path.char_indices() {
        match c {
            '<' => depth += 1,
            '>' if before != '-' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
        before = c;
    }
    None
}

fn without_arguments(path: &str) -> String {
    let mut plain = String::with_capacity(path.len());
    let mut depth = 0_usize;
    let mut before = ' ';
    for c in path.chars() {
        match c {
            '<' => depth += 1,
            '>' if before != '-' => depth = depth.saturating_sub(1),
            _ if depth == 0 => plain.push(c),
            _ => {}
        }
        before = c;
    }
    while let Some(at) = plain.find("::::") {
        plain.replace_range(at..at + 2, "");
    }
    plain.trim_end_matches("::").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_belongs_to_the_crate_that_has_its_text() {
        for (symbol, owner, path) in [
            (
                "_RINvMs2_NtCsjrHSEGnQ3l9_3std2fsNtB6_4File4openReECsaQRdoOfCXhP_2vp",
                "std",
                "std::fs::File::open",
            ),
            ("_RNCNvCsaQRdoOfCXhP_2vp1d0B3_", "vp", "vp::d::{closure#0}"),
            (
                "_ZN3std2fs4read17h0123456789abcdefE",
                "std",
                "std::fs::read",
            ),
        ] {
            let name = read(symbol);
            assert_eq!(name.owner.unwrap().krate, owner, "{symbol}");
            assert_eq!(plain(&name.path).by_type, path, "{symbol}");
        }
        assert!(read("memcpy").owner.is_none());
    }

    #[test]
    fn type_arguments_are_left_out_and_a_trait_is_told_from_a_type() {
        let both = plain("<str as std::net::socket_addr::ToSocketAddrs>::to_socket_addrs");
        assert_eq!(both.by_type, "str::to_socket_addrs");
        assert_eq!(
            both.by_trait.as_deref(),
            Some("std::net::socket_addr::ToSocketAddrs::to_socket_addrs")
        );
        let nested = "<a::B<fn() -> c::D<u8>> as e::F<g::H>>::i::<std::fs::File>";
        assert_eq!(plain(nested).by_type, "a::B::i");
        assert_eq!(plain(nested).by_trait.as_deref(), Some("e::F::i"));
        assert_eq!(plain("std::fs::read::<&str>").by_type, "std::fs::read");
    }
}
