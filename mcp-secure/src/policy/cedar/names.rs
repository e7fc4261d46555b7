//! What a policy names. Cedar's validator knows types and actions; it does not know that a tool
//! has this id, and `has` on a misspelled name is false to it and no mistake.

use cedar_policy::Policy;
use serde_json::Value;

use super::{
    types::{Found, Record},
    world::{Action, GROUPS, PRINCIPAL, World, kind_name},
};
use crate::{Error, Result, policy::Kind, server::suggest};

/// The names in one policy.
#[derive(Debug, Default)]
pub(super) struct Named {
    /// `context.args.amount` is `("context", ["args", "amount"])`.
    paths: Vec<(String, Vec<String>)>,
    /// Type and id.
    entities: Vec<(String, String)>,
    /// The function with which partial evaluation stands for what is not known. Cedar takes it in
    /// a policy as well, and a policy that says it is never decided.
    unknown: bool,
    /// A group of actions of which it is asked whether an action *is* it: never.
    group: Option<String>,
}

impl Named {
    /// # Errors
    ///
    /// When the policy has no JSON form.
    pub(super) fn of(policy: &Policy) -> Result<Self> {
        let json = policy.to_json().map_err(|e| Error::new(e.to_string()))?;
        let mut named = Self::default();
        named.walk(&json);
        Ok(named)
    }

    /// Whether the outermost argument of this name may be looked at. In doubt it is.
    pub(super) fn reads(&self, argument: &str) -> bool {
        self.paths.iter().any(|(root, path)| {
            root == "context"
                && match path.as_slice() {
                    [] => true,
                    [first] => first == "args",
                    [first, second, ..] => first == "args" && second == argument,
                }
        })
    }

    /// Whether the time may be looked at.
    pub(super) fn asks_time(&self) -> bool {
        self.paths.iter().any(|(root, path)| {
            root == "context" && path.first().is_none_or(|first| first == "now")
        })
    }

    /// Holds the names against what is served. `slice` are the actions that the policy is about.
    ///
    /// # Errors
    ///
    /// When one of them does not exist, or is an argument that policies cannot see.
    pub(super) fn check(&self, world: &World, slice: &[(&String, &Action)]) -> Result<()> {
        if self.unknown {
            return Err(Error::new("`unknown` is not for policies")
                .help("a policy that says it could never be decided: take it out"));
        }
        if let Some(group) = &self.group {
            return Err(Error::new(format!(
                "`Action::\"{group}\"` is a group, and no action is equal to it"
            ))
            .help(format!("write `action in Action::\"{group}\"`")));
        }
        for (kind, id) in &self.entities {
            check_entity(world, kind, id)?;
        }
        for (root, path) in &self.paths {
            check_path(world, slice, root, path)?;
        }
        Ok(())
    }

    fn walk(&mut self, node: &Value) {
        match node {
            Value::Array(items) => items.iter().for_each(|item| self.walk(item)),
            Value::Object(object) => {
                if let Some((root, path)) = chain(node) {
                    self.paths.push((root, path));
                    return;
                }
                if let (Some(Value::String(kind)), Some(Value::String(id))) =
                    (object.get("type"), object.get("id"))
                {
                    self.entities.push((kind.clone(), id.clone()));
                    return;
                }
                if let Some(has) = object.get("has")
                    && let Some((root, mut path)) = has.get("left").and_then(chain)
                {
                    for attribute in attributes(has.get("attr")) {
                        path.push(attribute);
                        self.paths.push((root.clone(), path.clone()));
                    }
                    return;
                }
                self.group = self.group.take().or_else(|| compared_group(object));
                self.unknown |= object.contains_key("unknown");
                object.values().for_each(|value| self.walk(value));
            }
            _ => {}
        }
    }
}

/// `principal.client` as a root and names, if it is nothing but that.
fn chain(node: &Value) -> Option<(String, Vec<String>)> {
    let object = node.as_object().filter(|object| object.len() == 1)?;
    if let Some(root) = object.get("Var") {
        return Some((root.as_str()?.to_owned(), Vec::new()));
    }
    let dot = object.get(".")?;
    let (root, mut path) = chain(dot.get("left")?)?;
    path.push(dot.get("attr")?.as_str()?.to_owned());
    Some((root, path))
}

/// `action == Action::"call"`, in a scope or in a condition.
fn compared_group(object: &serde_json::Map<String, Value>) -> Option<String> {
    let scope = object
        .get("op")
        .filter(|op| *op == "==")
        .map(|_| object.get("entity"));
    let condition = || {
        let sides = object.get("==").or_else(|| object.get("!="))?;
        Some([sides.get("left"), sides.get("right")])
    };
    let entities = match scope {
        Some(entity) => vec![entity],
        None => condition()?.to_vec(),
    };
    entities.into_iter().flatten().find_map(|entity| {
        let entity = entity.get("Value").unwrap_or(entity);
        let entity = entity.get("__entity").unwrap_or(entity);
        let id = entity.get("id")?.as_str()?;
        (entity.get("type")? == "Action" && GROUPS.contains(&id)).then(|| id.to_owned())
    })
}

/// `has a.b` names two.
fn attributes(attr: Option<&Value>) -> Vec<String> {
    match attr {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(several)) => {
            let names = several.iter().filter_map(Value::as_str);
            names.map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

fn check_entity(world: &World, kind: &str, id: &str) -> Result<()> {
    if kind == PRINCIPAL {
        return Err(Error::new(format!(
            "`{PRINCIPAL}::\"{id}\"` names a principal by its id"
        ))
        .help(
            "ask for what it is known by: \
                 `principal.issuer == \"…\" && principal.subject == \"…\"`",
        ));
    }
    if kind == "Action" {
        let known: Vec<&str> = world
            .actions
            .keys()
            .map(String::as_str)
            .chain(GROUPS)
            .collect();
        return match known.contains(&id) {
            true => Ok(()),
            false => Err(nothing("action", id, "actions", known)),
        };
    }
    for (one, what, several) in [
        (Kind::Tool, "tool", "tools"),
        (Kind::Prompt, "prompt", "prompts"),
        (Kind::Resource, "resource", "resources"),
    ] {
        if kind_name(one) == kind {
            let offers = world.actions.values().flat_map(|action| &action.offers);
            let known: Vec<&str> = offers
                .filter(|(kind, ..)| *kind == one)
                .map(|(_, uid, _)| uid.id().unescaped())
                .collect();
            return match known.contains(&id) {
                true => Ok(()),
                false => Err(nothing(what, id, several, known)),
            };
        }
    }
    // Other types are the validator's, which says that they do not exist.
    Ok(())
}

/// A name must be there in one action at least of those that the policy is about, and be seen in
/// all that have it. Where it is missing is the business of `has`.
fn check_path(
    world: &World,
    slice: &[(&String, &Action)],
    root: &str,
    path: &[String],
) -> Result<()> {
    let mut nothing_found = None;
    for (action, shown) in slice {
        let record: &Record = match root {
            "principal" => &world.principal,
            "resource" => &shown.resource,
            "context" => &shown.context,
            _ => return Ok(()),
        };
        match record.find(path) {
            Found::Typed => nothing_found = Some(None),
            Found::Untyped(name) => {
                return Err(Error::new(format!(
                    "`{root}.{}`: the argument `{name}` of `{action}` has no type of Cedar's",
                    path.join("."),
                ))
                .help(
                    "policies see whole numbers, texts, truths, decimals, sets and closed \
                     objects: change the parameter, or leave it to the tool",
                ));
            }
            Found::Nothing(name) => {
                if nothing_found.is_none() {
                    nothing_found = Some(Some((name, record)));
                }
            }
        }
    }
    match nothing_found {
        Some(Some((name, record))) => {
            let mut record = record;
            // The members of the object in which the name was looked for.
            for step in path.iter().take_while(|step| step.as_str() != name) {
                if let Some(super::types::Type::Record(inner)) =
                    record.0.get(step).and_then(|field| field.kind.as_ref())
                {
                    record = inner;
                }
            }
            let known: Vec<&str> = record.0.keys().map(String::as_str).collect();
            Err(
                Error::new(format!("`{root}.{}`: there is no `{name}`", path.join("."),))
                    .help(suggest::help(name, "names there", known.into_iter())),
            )
        }
        Some(None) | None => Ok(()),
    }
}

fn nothing(what: &str, id: &str, several: &str, mut known: Vec<&str>) -> Error {
    known.sort_unstable();
    known.dedup();
    Error::new(format!("there is no {what} `{id}`")).help(suggest::help(
        id,
        several,
        known.into_iter(),
    ))
}
