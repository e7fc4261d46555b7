//! From what an issuer wrote to the scopes that tools name: grammar, bounds, roles, hierarchy.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// How scopes are read from a token.
#[derive(Debug, Default)]
pub(super) struct Scopes {
    /// The claim; `scope` unless the issuer has another.
    pub(super) claim: String,
    /// Where roles are, one name for each level.
    pub(super) roles_at: Vec<String>,
    /// What a role is worth. A role that is not in here is worth nothing.
    pub(super) roles: BTreeMap<String, Vec<String>>,
    /// What a scope includes, and what that includes.
    pub(super) implied: BTreeMap<String, BTreeSet<String>>,
}

/// Of one token.
const MAX_SCOPES: usize = 128;
const MAX_ROLES: usize = 512;
const MAX_LEN: usize = 256;

impl Scopes {
    /// Closes the hierarchy.
    ///
    /// # Errors
    ///
    /// When a scope includes itself, directly or by others: it would not be clear which one
    /// is the broader.
    pub(super) fn with_hierarchy(
        mut self,
        written: &BTreeMap<String, Vec<String>>,
    ) -> Result<Self> {
        for scope in written.keys() {
            let mut all = BTreeSet::new();
            let mut rest: Vec<&str> = vec![scope];
            while let Some(next) = rest.pop() {
                for below in written.get(next).into_iter().flatten() {
                    if below == scope {
                        return Err(Error::new(format!("the scope `{scope}` implies itself"))
                            .help("remove one of the `.implies(…)` of the circle"));
                    }
                    if all.insert(below.clone()) {
                        rest.push(below);
                    }
                }
            }
            self.implied.insert(scope.clone(), all);
        }
        Ok(self)
    }

    /// What the token holds, with all that is implied.
    pub(super) fn read(
        &self,
        claims: &Map<String, Value>,
    ) -> Result<BTreeSet<String>, &'static str> {
        let mut held = BTreeSet::new();
        match claims.get(&self.claim) {
            // No claim, no scope: what is public is all that is left.
            None => {}
            Some(Value::String(all)) => {
                for scope in all.split(' ').filter(|scope| !scope.is_empty()) {
                    hold(&mut held, scope)?;
                }
            }
            Some(Value::Array(all)) => {
                for scope in all {
                    hold(&mut held, scope.as_str().ok_or("a scope is not text")?)?;
                }
            }
            Some(_) => return Err("the scopes are not text"),
        }
        for role in self.roles_of(claims)? {
            for scope in self.roles.get(role).into_iter().flatten() {
                held.insert(scope.clone());
            }
        }
        let implied: Vec<&String> = held
            .iter()
            .filter_map(|scope| self.implied.get(scope))
            .flatten()
            .collect();
        let implied: Vec<String> = implied.into_iter().cloned().collect();
        held.extend(implied);
        Ok(held)
    }

    fn roles_of<'a>(&self, claims: &'a Map<String, Value>) -> Result<Vec<&'a str>, &'static str> {
        let Some((first, rest)) = self.roles_at.split_first() else {
            return Ok(Vec::new());
        };
        let mut here = claims.get(first);
        for name in rest {
            here = match here {
                Some(Value::Object(object)) => object.get(name),
                Some(_) => return Err("the roles are not where they should be"),
                None => None,
            };
        }
        match here {
            None => Ok(Vec::new()),
            Some(Value::String(role)) => Ok(vec![role]),
            Some(Value::Array(roles)) if roles.len() <= MAX_ROLES => roles
                .iter()
                .map(|role| role.as_str().ok_or("a role is not text"))
                .collect(),
            Some(_) => Err("the roles are not a short list of texts"),
        }
    }
}

/// RFC 6749 section 3.3: visible ASCII without `"` and `\`. Anything else could not be named in
/// a challenge.
pub(super) fn is_scope(scope: &str) -> bool {
    !scope.is_empty()
        && scope.len() <= MAX_LEN
        && scope
            .bytes()
            .all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

fn hold(held: &mut BTreeSet<String>, scope: &str) -> Result<(), &'static str> {
    if !is_scope(scope) {
        return Err("a scope is not one that there can be");
    }
    held.insert(scope.to_owned());
    if held.len() > MAX_SCOPES {
        return Err("there are too many scopes");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn scopes() -> Scopes {
        let hierarchy = [
            ("admin", vec!["write", "publish"]),
            ("write", vec!["read"]),
            ("publish", vec!["read"]),
        ];
        let hierarchy = hierarchy
            .into_iter()
            .map(|(a, b)| (a.to_owned(), b.into_iter().map(str::to_owned).collect()))
            .collect();
        Scopes {
            claim: "scp".to_owned(),
            roles_at: vec!["realm_access".to_owned(), "roles".to_owned()],
            roles: BTreeMap::from([("editor".to_owned(), vec!["write".to_owned()])]),
            ..Scopes::default()
        }
        .with_hierarchy(&hierarchy)
        .unwrap()
    }

    fn read(claims: Value) -> Result<String, &'static str> {
        let held = scopes().read(claims.as_object().unwrap())?;
        Ok(held.into_iter().collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn a_broader_scope_holds_the_narrower_ones_and_nothing_else_does() {
        for (claims, held) in [
            (json!({}), ""),
            (json!({"scope": "admin"}), ""),
            (json!({"scp": ""}), ""),
            (json!({"scp": "  x  y "}), "x y"),
            (json!({"scp": ["x", "y"]}), "x y"),
            (json!({"scp": "read"}), "read"),
            (json!({"scp": "write"}), "read write"),
            (json!({"scp": "admin"}), "admin publish read write"),
            (json!({"scp": "Admin"}), "Admin"),
            (
                json!({"realm_access": {"roles": ["editor", "admin"]}}),
                "read write",
            ),
            (json!({"realm_access": {"roles": "editor"}}), "read write"),
            (json!({"realm_access": {"roles": []}, "scp": "x"}), "x"),
            (json!({"realm_access.roles": ["editor"]}), ""),
            (json!({"roles": ["editor"]}), ""),
        ] {
            assert_eq!(read(claims.clone()).unwrap(), held, "{claims}");
        }
    }

    #[test]
    fn a_claim_of_another_form_is_no_smaller_set_but_none() {
        let many: Vec<String> = (0..129).map(|n| n.to_string()).collect();
        let roles: Vec<String> = (0..513).map(|n| n.to_string()).collect();
        for claims in [
            json!({"scp": 1}),
            json!({"scp": null}),
            json!({"scp": {"read": true}}),
            json!({"scp": ["read", 1]}),
            json!({"scp": ["read write"]}),
            json!({"scp": [""]}),
            json!({"scp": "a\tb"}),
            json!({"scp": "a\"b"}),
            json!({"scp": "a\\b"}),
            json!({"scp": "ä"}),
            json!({"scp": "x".repeat(257)}),
            json!({"scp": many.join(" ")}),
            json!({"realm_access": []}),
            json!({"realm_access": {"roles": {"editor": true}}}),
            json!({"realm_access": {"roles": ["editor", null]}}),
            json!({"realm_access": {"roles": roles}}),
        ] {
            assert!(read(claims.clone()).is_err(), "{claims}");
        }
    }

    #[test]
    fn a_circle_stops_the_start() {
        let circle = |pairs: &[(&str, &str)]| {
            let mut written = BTreeMap::<String, Vec<String>>::new();
            for (a, b) in pairs {
                written.entry((*a).into()).or_default().push((*b).into());
            }
            Scopes::default().with_hierarchy(&written).is_err()
        };
        assert!(circle(&[("a", "a")]));
        assert!(circle(&[("a", "b"), ("b", "c"), ("c", "a")]));
        assert!(circle(&[("x", "a"), ("a", "b"), ("b", "a")]));
        assert!(!circle(&[("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")]));
    }
}
