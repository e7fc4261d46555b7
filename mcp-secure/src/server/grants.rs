//! Who binds what: the command line, the config file and the code, into one list.

use std::{
    ffi::{OsStr, OsString},
    path::Path,
};

use super::{config::Config, suggest};
use crate::{
    Error, Result,
    capability::{Asked, Grant},
    manifest::{BoundBy, BoundGrant},
};

/// `--grant NAME=VALUE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GrantOption {
    pub(crate) name: String,
    /// What it means depends on the kind of the capability: a path, an address.
    pub(crate) value: OsString,
}

/// Binds each declared capability to one real thing, in the order of declaration.
///
/// Touches no file: whether the folder exists, and whether a narrowed one is really inside
/// of what the code fixed once links are followed, is judged where it is opened.
///
/// # Errors
///
/// When a capability is bound to nothing or twice, when a name is not known, or when the
/// operator would move one that the code has bound.
pub(crate) fn bind(
    declared: &[Grant],
    options: &[GrantOption],
    config: Option<&Config>,
    cwd: &Path,
) -> Result<Vec<BoundGrant>> {
    let given = given(options, config, cwd);
    for (index, one) in given.iter().enumerate() {
        if !declared.iter().any(|grant| grant.name == one.name) {
            let known = declared.iter().map(|grant| grant.name);
            return Err(Error::new(format!(
                "{}: nothing asks for a grant `{}`",
                one.by, one.name
            ))
            .help(suggest::help(one.name, "grants", known)));
        }
        if let Some(first) = given
            .iter()
            .take(index)
            .find(|other| other.name == one.name)
        {
            return Err(Error::new(format!(
                "`{}` is granted twice: by {} and by {}",
                one.name, first.by, one.by
            ))
            .help("keep one of the two"));
        }
    }
    let unbound: Vec<&Grant> = declared
        .iter()
        .filter(|grant| grant.source.in_code().is_none())
        .filter(|grant| !given.iter().any(|one| one.name == grant.name))
        .collect();
    if !unbound.is_empty() {
        return Err(missing(&unbound));
    }
    declared
        .iter()
        .map(|grant| bind_one(grant, given.iter().find(|one| one.name == grant.name), cwd))
        .collect()
}

/// One binding by the operator.
struct Given<'a> {
    name: &'a str,
    asked: Asked<'a>,
    by: BoundBy,
}

fn given<'a>(
    options: &'a [GrantOption],
    config: Option<&'a Config>,
    cwd: &'a Path,
) -> Vec<Given<'a>> {
    let options = options.iter().map(|option| Given {
        name: &option.name,
        asked: Asked {
            written: &option.value,
            base: cwd,
        },
        by: BoundBy::CommandLine,
    });
    let config = config.into_iter().flat_map(|config| {
        config.grants.iter().map(|(name, written)| Given {
            name,
            asked: Asked {
                written: OsStr::new(&written.value),
                base: &config.folder,
            },
            by: BoundBy::ConfigFile(written.place(&config.file)),
        })
    });
    options.chain(config).collect()
}

fn missing(unbound: &[&Grant]) -> Error {
    let names: Vec<String> = unbound
        .iter()
        .map(|grant| format!("`{}`", grant.name))
        .collect();
    let options: Vec<String> = unbound
        .iter()
        .map(|grant| format!("--grant {}={}", grant.name, grant.source.value_name()))
        .collect();
    let docs: Vec<String> = unbound
        .iter()
        .filter_map(|grant| {
            let doc = grant
                .doc
                .trim()
                .lines()
                .next()
                .filter(|line| !line.is_empty())?;
            Some(format!("\n        `{}`: {doc}", grant.name))
        })
        .collect();
    let (are, them) = if unbound.len() == 1 {
        ("is", "it")
    } else {
        ("are", "them")
    };
    Error::new(format!("{} {are} not granted", names.join(", "))).help(format!(
        "bind {them} with `{}`, or under `[grants]` in the config file{}",
        options.join(" "),
        docs.concat()
    ))
}

fn bind_one(grant: &Grant, given: Option<&Given<'_>>, cwd: &Path) -> Result<BoundGrant> {
    let asked = given.map(|given| &given.asked);
    let binding =
        grant
            .source
            .bind(asked, cwd)
            .map_err(|error| match given.map(|given| &given.by) {
                Some(BoundBy::CommandLine) => error.before(&format!("--grant {}: ", grant.name)),
                Some(by) => error.before(&format!("{by}: ")),
                None => error,
            })?;
    Ok(BoundGrant {
        name: grant.name.to_owned(),
        value: binding.value,
        ceiling: binding.ceiling,
        bound_by: given.map_or(BoundBy::Code, |given| given.by.clone()),
    })
}

#[cfg(test)]
mod tests;
