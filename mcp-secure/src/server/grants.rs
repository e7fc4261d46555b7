//! Who binds what: the command line, the config file and the code, into one list.

use std::path::{Component, Path, PathBuf};

use super::{
    config::{Config, absolute},
    suggest,
};
use crate::{
    Error, Result,
    capability::{Grant, GrantSource},
    manifest::{BoundBy, BoundGrant},
};

/// `--grant NAME=PATH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GrantOption {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
}

/// Binds each declared capability to one path, in the order of declaration.
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
    let asked = asked(options, config, cwd)?;
    for (index, one) in asked.iter().enumerate() {
        if !declared.iter().any(|grant| grant.name == one.name) {
            let known = declared.iter().map(|grant| grant.name);
            return Err(Error::new(format!(
                "{}: nothing asks for a grant `{}`",
                one.by, one.name
            ))
            .help(suggest::help(&one.name, "grants", known)));
        }
        if let Some(first) = asked
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
        .filter(|grant| matches!(grant.source, GrantSource::Operator))
        .filter(|grant| !asked.iter().any(|one| one.name == grant.name))
        .collect();
    if !unbound.is_empty() {
        return Err(missing(&unbound));
    }
    declared
        .iter()
        .map(|grant| bind_one(grant, asked.iter().find(|one| one.name == grant.name), cwd))
        .collect()
}

/// One binding by the operator.
struct Asked {
    name: String,
    path: PathBuf,
    by: BoundBy,
}

fn asked(options: &[GrantOption], config: Option<&Config>, cwd: &Path) -> Result<Vec<Asked>> {
    let mut asked = Vec::new();
    for option in options {
        let path = absolute(cwd, &option.path)
            .map_err(|error| error.before(&format!("--grant {}: ", option.name)))?;
        asked.push(Asked {
            name: option.name.clone(),
            path,
            by: BoundBy::CommandLine,
        });
    }
    if let Some(config) = config {
        for (name, path) in &config.grants {
            let by = BoundBy::ConfigFile(path.place(&config.file));
            asked.push(Asked {
                name: name.clone(),
                path: path.value.clone(),
                by,
            });
        }
    }
    Ok(asked)
}

fn missing(unbound: &[&Grant]) -> Error {
    let names: Vec<String> = unbound
        .iter()
        .map(|grant| format!("`{}`", grant.name))
        .collect();
    let options: Vec<String> = unbound
        .iter()
        .map(|grant| format!("--grant {}=PATH", grant.name))
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

fn bind_one(grant: &Grant, asked: Option<&Asked>, cwd: &Path) -> Result<BoundGrant> {
    let name = grant.name.to_owned();
    let fixed = match &grant.source {
        GrantSource::Operator => None,
        GrantSource::Path(path) => Some(cwd.join(path)),
    };
    match (fixed, asked) {
        (None, Some(asked)) => Ok(BoundGrant {
            name,
            path: asked.path.clone(),
            ceiling: None,
            bound_by: asked.by.clone(),
        }),
        (Some(path), None) => Ok(BoundGrant {
            name,
            path,
            ceiling: None,
            bound_by: BoundBy::Code,
        }),
        (Some(ceiling), Some(asked)) if is_inside(&asked.path, &ceiling) => Ok(BoundGrant {
            name,
            path: asked.path.clone(),
            ceiling: Some(ceiling),
            bound_by: asked.by.clone(),
        }),
        (Some(ceiling), Some(asked)) => Err(Error::new(format!(
            "{}: `{name}` is fixed in code at `{}`, and `{}` is not inside of it",
            asked.by,
            ceiling.display(),
            asked.path.display()
        ))
        .help("leave the grant out, or name a folder inside")),
        // `bind` has answered this already.
        (None, None) => Err(missing(&[grant])),
    }
}

/// By the text alone; a `..` is never inside.
fn is_inside(path: &Path, ceiling: &Path) -> bool {
    !path.components().any(|part| part == Component::ParentDir) && path.starts_with(ceiling)
}

#[cfg(test)]
mod tests;
