//! The engine for policies in the Cedar language.
//!
//! Cedar skips a policy that fails: a `forbid` whose condition overflows forbids nothing. Here
//! one that fails denies the request.

mod decide;
mod names;
mod read;
#[cfg(test)]
mod tests;
mod types;
mod value;
mod world;

use std::path::{Path, PathBuf};

use cedar_policy::{ActionConstraint, Effect, PolicySet, ValidationMode, Validator};

use self::{
    decide::{Cedar, Slice},
    names::Named,
    read::{Placed, Source, Text},
    world::{Action, World},
};
use super::{PolicyEngine, Prepared, Surface};
use crate::{Error, Result};

/// Policies in the [Cedar](https://docs.cedarpolicy.com) language.
///
/// They are held against a schema that is made from the tools themselves: a policy that names a
/// tool, an argument or an attribute that does not exist, or compares what has different types,
/// stops the start. What they can name is in the book, on the page about policies.
///
/// Nothing is permitted that no policy permits. A `forbid` wins over any `permit`. A policy that
/// cannot be evaluated denies the request.
///
/// ```no_run
/// use mcp_secure::prelude::*;
///
/// struct Bank;
///
/// #[secure_server]
/// impl Bank {
///     /// Pay somebody.
///     #[tool(scope = "pay")]
///     async fn pay(&self, to: String, amount: u32) -> String {
///         format!("paid {amount} to {to}")
///     }
/// }
///
/// const POLICIES: &str = r#"
///     @id("everybody")
///     permit(principal, action, resource);
///
///     @id("small-amounts")
///     forbid(principal, action == Action::"call:pay", resource)
///     when { context.args.amount >= 1000 };
///
///     @id("no-agents")
///     forbid(principal, action == Action::"call:pay", resource)
///     unless { principal.actors.isEmpty() };
/// "#;
///
/// fn main() -> mcp_secure::Result<()> {
///     SecureServer::new(Bank)
///         .policies(CedarPolicies::from_str(POLICIES))
///         .stdio(Principal::local_user().scopes(["pay"]))
///         .run()
/// }
/// ```
#[derive(Clone, Debug)]
pub struct CedarPolicies {
    source: Source,
}

impl CedarPolicies {
    /// Policies that are part of the program: `from_str(include_str!("policies.cedar"))`.
    #[allow(
        clippy::should_implement_trait,
        reason = "it cannot fail: what is wrong is said at start, with what is served at hand"
    )]
    pub fn from_str(text: impl Into<String>) -> Self {
        Self {
            source: Source::Text(text.into()),
        }
    }

    /// Policies of one file, read at start. The path is absolute, and nobody but the user and root
    /// may write the file.
    pub fn from_file(path: impl Into<PathBuf>) -> Self {
        Self {
            source: Source::File(path.into()),
        }
    }

    /// Policies of all files `*.cedar` in a folder, read at start. The path is absolute, and
    /// nobody but the user and root may write the folder or a file.
    pub fn from_dir(path: impl Into<PathBuf>) -> Self {
        Self {
            source: Source::Folder(path.into()),
        }
    }

    /// The digest of what there is to read now.
    pub(crate) fn digest(&self) -> Result<String> {
        Ok(read::digest(&self.source.read()?))
    }

    /// A file or a folder, whichever it is.
    pub(crate) fn at(path: &Path) -> Self {
        if path.is_dir() {
            Self::from_dir(path)
        } else {
            Self::from_file(path)
        }
    }
}

impl PolicyEngine for CedarPolicies {
    fn row(&self) -> String {
        match &self.source {
            Source::Text(_) => match self.source.read() {
                Ok(texts) => format!("cedar, in the code, {}", read::digest(&texts)),
                Err(_) => "cedar, in the code".to_owned(),
            },
            Source::File(path) | Source::Folder(path) => {
                format!("cedar, read at start from `{}`", path.display())
            }
        }
    }

    fn files(&self) -> Vec<PathBuf> {
        match &self.source {
            Source::Text(_) => Vec::new(),
            Source::File(path) | Source::Folder(path) => vec![path.clone()],
        }
    }

    fn prepare(&self, surface: &Surface) -> Result<Prepared> {
        let texts = self.source.read()?;
        let placed = read::parse(&texts)?;
        let world = World::of(surface)?;
        let mut named = Vec::new();
        for one in &placed {
            named.push(check(&world, one, &texts)?);
        }
        let mut warnings = validate(&world, &placed, &texts)?;
        if !placed
            .iter()
            .any(|one| one.policy.effect() == Effect::Permit)
        {
            warnings.push("no policy permits anything: every request is denied".to_owned());
        }
        let row = format!("cedar, {} policies, {}", placed.len(), read::digest(&texts));
        let slices = slices(&world, &placed, &named)?;
        Ok(Prepared {
            decider: Box::new(Cedar::new(world, slices)),
            row,
            warnings,
        })
    }
}

/// Holds the names of a policy against what is served.
fn check(world: &World, placed: &Placed, texts: &[Text]) -> Result<Named> {
    let policy = &placed.policy;
    let place = texts.get(placed.text).map_or("", |text| &text.place);
    let at = |e: Error| e.before(&format!("{place}: policy `{}`: ", policy.id()));
    let named = Named::of(policy).map_err(at)?;
    let slice: Vec<(&String, &Action)> = world
        .actions
        .iter()
        .filter(|(_, action)| is_about(policy, action))
        .collect();
    named.check(world, &slice).map_err(at)?;
    Ok(named)
}

/// Cedar's own validation, strict: types, and optional attributes that nobody asked `has` of.
fn validate(world: &World, placed: &[Placed], texts: &[Text]) -> Result<Vec<String>> {
    let set = set_of(placed.iter())?;
    let result = Validator::new(world.schema.clone()).validate(&set, ValidationMode::Strict);
    let text_of = |id: &cedar_policy::PolicyId| {
        let placed = placed.iter().find(|one| one.policy.id() == id);
        placed.and_then(|one| texts.get(one.text))
    };
    // One at a time, and the same one at each start.
    let mut errors: Vec<_> = result.validation_errors().collect();
    errors.sort_by_key(|error| error.to_string());
    if let Some(error) = errors.first() {
        return Err(match text_of(error.policy_id()) {
            Some(text) => text.error(*error),
            None => Error::new(error.to_string()),
        });
    }
    Ok(result
        .validation_warnings()
        .map(ToString::to_string)
        .collect())
}

/// The policies of each action, so that a decision costs what is about it and no more.
fn slices(world: &World, placed: &[Placed], named: &[Named]) -> Result<Vec<(String, Slice)>> {
    let mut slices = Vec::new();
    for (name, action) in &world.actions {
        let about = || {
            let both = placed.iter().zip(named);
            both.filter(|(one, _)| is_about(&one.policy, action))
        };
        let arguments = action.args.iter().flat_map(|args| args.0.keys());
        let read = arguments
            .filter(|argument| about().any(|(_, named)| named.reads(argument)))
            .cloned();
        slices.push((
            name.clone(),
            Slice {
                policies: set_of(about().map(|(one, _)| one))?,
                reads: read.collect(),
                timed: about().any(|(_, named)| named.asks_time()),
            },
        ));
    }
    Ok(slices)
}

/// By its scope alone. What a condition says of the action is evaluated.
fn is_about(policy: &cedar_policy::Policy, action: &Action) -> bool {
    let matches =
        |uid: &cedar_policy::EntityUid| *uid == action.uid || uid.id().unescaped() == action.group;
    match policy.action_constraint() {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(uid) => uid == action.uid,
        ActionConstraint::In(uids) => uids.iter().any(matches),
    }
}

fn set_of<'a>(placed: impl Iterator<Item = &'a Placed>) -> Result<PolicySet> {
    PolicySet::from_policies(placed.map(|one| one.policy.clone()))
        .map_err(|e| Error::new(format!("the policies do not go together: {e}")))
}
