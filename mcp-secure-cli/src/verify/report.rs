//! What was found, crate by crate, and what the lock has to say about it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::Serialize;

use super::{
    authority::Authority,
    build::{Built, Unit},
    lock::Lock,
    names::Owner,
    object_file::{self, Mention},
    source,
};

/// A crate in a version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Key {
    pub(super) name: String,
    pub(super) version: String,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.version)
    }
}

/// All crates of a server.
#[derive(Serialize)]
pub(super) struct Report {
    pub(super) package: String,
    pub(super) crates: Vec<Crate>,
    pub(super) faults: Vec<Fault>,
}

#[derive(Serialize)]
pub(super) struct Crate {
    #[serde(flatten)]
    pub(super) key: Key,
    /// Its authors are the server's.
    pub(super) own: bool,
    /// For each, one mention.
    pub(super) can: BTreeMap<Authority, Evidence>,
}

/// The first mention in the order of the alphabet, so that two runs say the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Evidence {
    pub(super) symbol: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) within: Option<String>,
}

/// Something that a person must look at.
#[derive(Serialize)]
pub(super) struct Fault {
    #[serde(flatten)]
    pub(super) key: Key,
    pub(super) message: String,
    pub(super) help: &'static str,
}

impl Report {
    /// Reads every object.
    pub(super) fn of(built: &Built) -> Result<Self, String> {
        let mut crates: BTreeMap<Key, Crate> = BTreeMap::new();
        for unit in &built.units {
            let found = crates.entry(unit.key()).or_insert_with(|| Crate {
                key: unit.key(),
                own: unit.own,
                can: BTreeMap::new(),
            });
            if unit.at_build {
                found.add(
                    Authority::Build,
                    "runs while the server is built".to_owned(),
                    None,
                );
            } else if let Some(file) = source::first_asm(&unit.sources) {
                found.add(Authority::Asm, format!("has `asm!` in {file}"), None);
            }
        }
        let mut hashes = BTreeMap::new();
        let mut mentions = Vec::new();
        for unit in &built.units {
            for object in &unit.objects {
                let named = |error| format!("`{}` cannot be read: {error}", object.display());
                let data = std::fs::read(object).map_err(|error| named(error.to_string()))?;
                let read = object_file::read(&data, &unit.krate).map_err(named)?;
                if let Some(hash) = read.own_hash {
                    hashes.insert((unit.krate.clone(), hash), unit.key());
                }
                mentions.extend(read.mentions.into_iter().map(|mention| (unit, mention)));
            }
        }
        for (unit, mention) in mentions {
            let key = owner(&mention, unit, &hashes, &built.units);
            if let Some(found) = crates.get_mut(&key) {
                found.add(mention.authority, mention.symbol, mention.within);
            }
        }
        Ok(Self {
            package: built.package.clone(),
            crates: crates.into_values().collect(),
            faults: Vec::new(),
        })
    }

    /// Holds it against the lock.
    pub(super) fn compare(&mut self, lock: &Lock, name: &str) {
        for found in &self.crates {
            let row = lock.row(&found.key);
            for (authority, evidence) in &found.can {
                if row.as_ref().is_some_and(|row| row.can.contains(authority)) {
                    continue;
                }
                self.faults.push(Fault {
                    key: found.key.clone(),
                    message: format!(
                        "{} {} ({authority}), which {name} does not have",
                        found.key,
                        evidence.told()
                    ),
                    help: if found.own {
                        "use a handle instead (`Fs`, `Net`, `Exec`, ...), or write the authority \
                         and its reason into the lock"
                    } else {
                        "read what the crate does with it; `mcp-secure verify --update` accepts it"
                    },
                });
            }
            let unexplained = row.is_some_and(|row| row.reason.trim().is_empty());
            if found.own && !found.can.is_empty() && unexplained {
                self.faults.push(Fault {
                    key: found.key.clone(),
                    message: format!(
                        "{} is the server's own and has authority, and {name} gives no reason",
                        found.key
                    ),
                    help: "write `reason = \"...\"` into its row, or use a handle instead",
                });
            }
        }
    }

    /// What a lock of it has.
    pub(super) fn found(&self) -> impl Iterator<Item = (Key, BTreeSet<Authority>)> {
        self.crates
            .iter()
            .filter(|found| !found.can.is_empty())
            .map(|found| (found.key.clone(), found.can.keys().copied().collect()))
    }
}

/// The crate that a mention is to be laid at the door of.
fn owner(
    mention: &Mention,
    unit: &Unit,
    hashes: &BTreeMap<(String, String), Key>,
    units: &[Unit],
) -> Key {
    let Some(Owner { krate, hash }) = &mention.owner else {
        return unit.key();
    };
    if let Some(key) = hashes.get(&(krate.clone(), hash.clone())) {
        return key.clone();
    }
    if *krate == unit.krate {
        return unit.key();
    }
    // Names that do not say which version: any is better than none.
    let mut named = units
        .iter()
        .filter(|other| other.krate == *krate && !other.at_build);
    named.next().map_or_else(|| unit.key(), Unit::key)
}

impl Unit {
    pub(super) fn key(&self) -> Key {
        Key {
            name: self.name.clone(),
            version: self.version.clone(),
        }
    }
}

impl Crate {
    fn add(&mut self, authority: Authority, symbol: String, within: Option<String>) {
        let evidence = Evidence { symbol, within };
        match self.can.get_mut(&authority) {
            Some(known) if *known <= evidence => {}
            Some(known) => *known = evidence,
            None => drop(self.can.insert(authority, evidence)),
        }
    }
}

impl Evidence {
    /// As a sentence without its subject.
    pub(super) fn told(&self) -> String {
        match &self.within {
            Some(within) => format!("uses `{}` in `{within}`", self.symbol),
            // Not a symbol but a sentence.
            None if self.symbol.contains(' ') => self.symbol.clone(),
            None => format!("uses `{}`", self.symbol),
        }
    }
}
