//! Who mentions what, read from an object file.
//!
//! The compiler puts each function and each constant into a section of its own. A relocation says
//! which other one it mentions, so that a generic function of a dependency that was compiled into
//! the server's object is not taken for the server's.

use std::collections::{BTreeMap, BTreeSet};

use object::{
    BinaryFormat, Object as _, ObjectSection as _, ObjectSymbol as _, RelocationTarget,
    SectionKind, SymbolKind, read::archive::ArchiveFile,
};

use super::{
    authority::{self, Authority, Hit},
    names::{self, Name, Owner},
};

/// One mention of something that is authority.
#[derive(Clone, Debug)]
pub(super) struct Mention {
    /// The crate whose function it is in. `None`: the crate whose object it is.
    pub(super) owner: Option<Owner>,
    pub(super) authority: Authority,
    /// What is mentioned: `std::fs::read`.
    pub(super) symbol: String,
    /// The function that mentions it, if it has a name.
    pub(super) within: Option<String>,
}

/// What an object file or a library says.
#[derive(Default)]
pub(super) struct Read {
    pub(super) mentions: Vec<Mention>,
    /// How symbols tell this crate from others of its name.
    pub(super) own_hash: Option<String>,
}

/// Reads the object of a crate, or all that its library has.
pub(super) fn read(data: &[u8], krate: &str) -> Result<Read, String> {
    let unreadable = |error: object::Error| error.to_string();
    let mut all = Read::default();
    if !data.starts_with(b"!<arch>\n") {
        of_object(data, krate, &mut all)?;
        return Ok(all);
    }
    let archive = ArchiveFile::parse(data).map_err(unreadable)?;
    for member in archive.members() {
        let member = member.map_err(unreadable)?;
        // The compiler's description of the crate, which has no code.
        if member.name() == b"lib.rmeta" {
            continue;
        }
        of_object(member.data(data).map_err(unreadable)?, krate, &mut all)?;
    }
    Ok(all)
}

fn of_object(data: &[u8], krate: &str, all: &mut Read) -> Result<(), String> {
    let file = object::File::parse(data).map_err(|error| match data.get(..4) {
        Some(b"BC\xC0\xDE" | b"\xDE\xC0\x17\x0B") => {
            "it holds bitcode, not code: it was built with `lto`".to_owned()
        }
        _ => error.to_string(),
    })?;
    let sections = sections(&file);
    let mentions = &mut all.mentions;
    let mut seen = BTreeSet::new();
    // Constants without a name count for the functions that mention them.
    for (index, section) in &sections {
        let Some(within) = section
            .name
            .as_ref()
            .or(section.is_code.then_some(&UNNAMED))
        else {
            continue;
        };
        match &within.owner {
            Some(owner) if owner.is_language() => walk(*index, &sections, &mut seen, None),
            _ => walk(
                *index,
                &sections,
                &mut seen,
                Some(&mut |hit| mentions.push(mention(within, hit))),
            ),
        }
    }
    // And those that nobody mentions may be run all the same (`.init_array`).
    for index in sections.keys() {
        if !seen.contains(index) && sections.get(index).is_some_and(|s| s.name.is_none()) {
            walk(
                *index,
                &sections,
                &mut BTreeSet::new(),
                Some(&mut |hit| mentions.push(mention(&UNNAMED, hit))),
            );
        }
    }
    let owners = sections
        .values()
        .filter_map(|s| s.name.as_ref()?.owner.as_ref());
    if all.own_hash.is_none() {
        // A crate's own functions are in its own object; another version's are rarely too.
        let mut counts = BTreeMap::<_, usize>::new();
        for owner in owners.filter(|owner| owner.krate == krate && !owner.hash.is_empty()) {
            *counts.entry(&owner.hash).or_default() += 1;
        }
        let most = counts.into_iter().max_by_key(|(_, count)| *count);
        all.own_hash = most.map(|(hash, _)| hash.clone());
    }
    Ok(())
}

/// C's functions, and code that has no name.
static UNNAMED: Name = Name {
    owner: None,
    path: String::new(),
};

fn mention(within: &Name, hit: Hit) -> Mention {
    Mention {
        owner: within.owner.clone(),
        authority: hit.authority,
        symbol: hit.symbol,
        within: Some(names::plain(&within.path).by_type).filter(|name| !name.is_empty()),
    }
}

/// A function or a constant.
struct Section {
    /// `None` for a constant that has no name, and for a section that holds several things.
    name: Option<Name>,
    is_code: bool,
    targets: Vec<Target>,
}

enum Target {
    Named(String),
    Section(usize),
}

fn sections(file: &object::File<'_>) -> BTreeMap<usize, Section> {
    let mut names: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for symbol in file.symbols() {
        if let (
            Some(section),
            Ok(name),
            SymbolKind::Text | SymbolKind::Data | SymbolKind::Unknown,
        ) = (symbol.section_index(), symbol.name(), symbol.kind())
        {
            names.entry(section.0).or_default().push(name.to_owned());
        }
    }
    let mut sections = BTreeMap::new();
    for section in file.sections() {
        let is_code = section.kind() == SectionKind::Text;
        if !is_code && !is_data(section.kind(), section.name().unwrap_or_default()) {
            continue;
        }
        let mut those = names
            .get(&section.index().0)
            .into_iter()
            .flatten()
            .map(|name| names::read(name));
        let name = those
            .next()
            .filter(|first| first.owner.is_some() && those.all(|n| n.owner == first.owner));
        let mut targets = Vec::new();
        for (_, relocation) in section.relocations() {
            match relocation.target() {
                RelocationTarget::Section(index) => targets.push(Target::Section(index.0)),
                RelocationTarget::Symbol(index) => {
                    let Ok(symbol) = file.symbol_by_index(index) else {
                        continue;
                    };
                    match (symbol.section_index(), symbol.name()) {
                        (Some(index), _) => targets.push(Target::Section(index.0)),
                        (None, Ok(name)) if !name.is_empty() => {
                            targets.push(Target::Named(spelled(file.format(), name)));
                        }
                        (None, _) => {}
                    }
                }
                _ => {}
            }
        }
        sections.insert(
            section.index().0,
            Section {
                name,
                is_code,
                targets,
            },
        );
    }
    sections
}

/// Debug information and the tables for unwinding mention everything and reach nothing.
fn is_data(kind: SectionKind, name: &str) -> bool {
    use SectionKind::{Data, Other, ReadOnlyData, ReadOnlyDataWithRel, Tls, Unknown};
    let is_table = [".eh_frame", ".gcc_except_table", ".debug", ".note"]
        .iter()
        .any(|table| name.starts_with(table));
    matches!(
        kind,
        Data | ReadOnlyData | ReadOnlyDataWithRel | Tls | Unknown | Other
    ) && !is_table
}

/// macOS puts an underscore before every name.
fn spelled(format: BinaryFormat, name: &str) -> String {
    match format {
        BinaryFormat::MachO => name.strip_prefix('_').unwrap_or(name).to_owned(),
        _ => name.to_owned(),
    }
}

/// All that a section mentions, through constants that have no name. Without `found` it only
/// notes which constants are mentioned.
fn walk(
    start: usize,
    sections: &BTreeMap<usize, Section>,
    seen: &mut BTreeSet<usize>,
    mut found: Option<&mut dyn FnMut(Hit)>,
) {
    let mut visited = BTreeSet::from([start]);
    let mut stack = vec![start];
    while let Some(index) = stack.pop() {
        seen.insert(index);
        let Some(section) = sections.get(&index) else {
            continue;
        };
        for target in &section.targets {
            match target {
                Target::Named(name) => {
                    if let Some(found) = &mut found {
                        of_name(&names::read(name), name, found);
                    }
                }
                Target::Section(index) => match sections.get(index) {
                    Some(Section {
                        name: Some(name), ..
                    }) => {
                        if let Some(found) = &mut found {
                            of_name(name, &name.path, found);
                        }
                    }
                    Some(section) if !section.is_code && visited.insert(*index) => {
                        stack.push(*index);
                    }
                    _ => {}
                },
            }
        }
    }
}

fn of_name(name: &Name, symbol: &str, found: &mut dyn FnMut(Hit)) {
    if name.owner.is_some() {
        authority::of_rust(&name.path).into_iter().for_each(found);
    } else {
        for authority in authority::of_foreign(symbol) {
            found(Hit {
                authority,
                symbol: symbol.to_owned(),
            });
        }
    }
}
