//! What may leave in a request that is allowed: rules over method, path and fields.
//!
//! A host on a list does not say who gets the mail that its API sends. In September 2025 a
//! release of `postmark-mcp` added one line, a blind copy of every message, and each request
//! still went to `api.postmarkapp.com`. A rule holds the *content* against what the call was
//! asked for: a recipient that no argument names does not leave.
//!
//! A rule sees what the tool hands over, decoded: JSON, forms, the text parts of a multipart
//! body, the query. A body that it cannot read (a stream, bytes of another type) does not leave
//! where a rule applies. It does not look into what is encoded once more, such as Base64 in a
//! string.

use std::fmt;

use rmcp::model::JsonObject;
use serde_json::Value;

mod find;

use find::{addresses, links};

/// One rule of a grant. All rules that match a request must hold.
///
/// ```
/// use mcp_secure::capability::net::EgressRule;
///
/// // The recipients of a mail are those of the call, or colleagues.
/// let mail = EgressRule::on("POST", "/email")
///     .addresses_from_arguments(&["example.com"])
///     .without("/Bcc");
/// // A chat message goes to the channel of the call and links to nowhere else.
/// let chat = EgressRule::on("POST", "/chat.postMessage")
///     .from_arguments("/channel")
///     .links_to(&["example.com", "*.example.com"]);
/// assert!(chat.to_string().contains("/channel"));
/// # let _ = mail;
/// ```
#[derive(Clone, Debug)]
pub struct EgressRule {
    method: &'static str,
    path: &'static str,
    checks: Vec<Check>,
}

#[derive(Clone, Debug)]
enum Check {
    Addresses(&'static [&'static str]),
    Links(&'static [&'static str]),
    FromArguments(&'static str),
    OneOf(&'static str, &'static [&'static str]),
    Without(&'static str),
}

impl EgressRule {
    /// For requests of this method (`*` for all) whose path begins with these segments. The path
    /// is what the tool writes, below the prefix of the grant; `{}` matches any one segment.
    #[must_use]
    pub const fn on(method: &'static str, path: &'static str) -> Self {
        Self {
            method,
            path,
            checks: Vec::new(),
        }
    }

    /// Every e-mail address in the request, wherever it stands, is in an argument of the call or
    /// in one of these domains.
    #[must_use]
    pub fn addresses_from_arguments(self, domains: &'static [&'static str]) -> Self {
        self.with(Check::Addresses(domains))
    }

    /// Every link in the request leads to one of these hosts (`*.` for all below): a chat that
    /// shows a preview of a link fetches it, and what stands in its query has left
    /// (CVE-2025-34072).
    #[must_use]
    pub fn links_to(self, hosts: &'static [&'static str]) -> Self {
        self.with(Check::Links(hosts))
    }

    /// The field is, as a whole, a value of an argument of the call. In a form or a query the
    /// field is `/name`.
    #[must_use]
    pub fn from_arguments(self, field: &'static str) -> Self {
        self.with(Check::FromArguments(field))
    }

    /// The field is one of these.
    #[must_use]
    pub fn one_of(self, field: &'static str, values: &'static [&'static str]) -> Self {
        self.with(Check::OneOf(field, values))
    }

    /// The field is not there, or empty.
    #[must_use]
    pub fn without(self, field: &'static str) -> Self {
        self.with(Check::Without(field))
    }

    fn with(mut self, check: Check) -> Self {
        self.checks.push(check);
        self
    }

    fn matches(&self, request: &Outgoing<'_>) -> bool {
        (self.method == "*" || self.method.eq_ignore_ascii_case(request.method))
            && is_below(request.path, self.path)
    }
}

impl fmt::Display for EgressRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)?;
        for (index, check) in self.checks.iter().enumerate() {
            f.write_str(if index == 0 { ": " } else { ", " })?;
            match check {
                Check::Addresses([]) => f.write_str("addresses are those of the call")?,
                Check::Addresses(domains) => {
                    write!(
                        f,
                        "addresses are those of the call or in {}",
                        domains.join(" ")
                    )?;
                }
                Check::Links([]) => f.write_str("no links")?,
                Check::Links(hosts) => write!(f, "links lead to {}", hosts.join(" "))?,
                Check::FromArguments(field) => write!(f, "{field} is an argument")?,
                Check::OneOf(field, values) => write!(f, "{field} is one of {}", values.join(" "))?,
                Check::Without(field) => write!(f, "no {field}")?,
            }
        }
        Ok(())
    }
}

/// The rules of one grant.
#[derive(Clone, Debug, Default)]
pub(super) struct EgressRules {
    pub(super) rules: Vec<EgressRule>,
    /// A request that no rule matches does not leave.
    pub(super) only: bool,
}

/// For the fuzz targets. Not part of the API.
#[cfg(feature = "__bench")]
#[doc(hidden)]
pub mod __found {
    pub fn addresses(text: &str) -> Vec<String> {
        super::find::addresses(text)
    }

    pub fn links(text: &str) -> Vec<String> {
        super::find::links(text)
    }
}

/// A request as a rule sees it.
pub(super) struct Outgoing<'a> {
    pub(super) method: &'a str,
    /// Below the prefix of the grant, segments not encoded.
    pub(super) path: &'a [&'a str],
    pub(super) query: &'a [(String, String)],
    /// What the tool set, without those that the handle sets itself.
    pub(super) headers: &'a [(&'a str, &'a str)],
    pub(super) body: Content<'a>,
}

/// What a rule can read of a body.
pub(super) enum Content<'a> {
    Empty,
    Json(&'a Value),
    /// A form, or the text parts of a multipart body; with files in it, `files` is set.
    Fields {
        fields: &'a [(String, String)],
        files: bool,
    },
    Text(&'a str),
    /// A stream, or bytes of a type that is not read here.
    Opaque,
}

impl EgressRules {
    pub(super) fn is_empty(&self) -> bool {
        self.rules.is_empty() && !self.only
    }

    /// Holds a request against all rules that match it. The error is for the audit log: it names
    /// the rule and the field, never a value.
    pub(super) fn check(
        &self,
        request: &Outgoing<'_>,
        arguments: &JsonObject,
    ) -> Result<(), String> {
        let mut matched = false;
        for rule in self.rules.iter().filter(|rule| rule.matches(request)) {
            matched = true;
            for check in &rule.checks {
                holds(check, request, arguments).map_err(|why| format!("rule `{rule}`: {why}"))?;
            }
        }
        if self.only && !matched {
            return Err("no rule of the grant is for this method and path".to_owned());
        }
        Ok(())
    }
}

fn holds(check: &Check, request: &Outgoing<'_>, arguments: &JsonObject) -> Result<(), String> {
    if matches!(
        request.body,
        Content::Opaque | Content::Fields { files: true, .. }
    ) {
        return Err("its body cannot be read here".to_owned());
    }
    match check {
        Check::Addresses(domains) => {
            let mut asked = Vec::new();
            walk_object(arguments, &mut |text| asked.extend(addresses(text)));
            let mut stranger = false;
            request.texts(&mut |text| {
                stranger |= addresses(text)
                    .iter()
                    .any(|address| !asked.contains(address) && !find::in_domain(address, domains));
            });
            if stranger {
                return Err("it holds an address that no argument names".to_owned());
            }
        }
        Check::Links(hosts) => {
            let mut stranger = false;
            request.texts(&mut |text| {
                stranger |= links(text)
                    .iter()
                    .any(|host| !hosts.iter().any(|allowed| find::is_host(host, allowed)));
            });
            if stranger {
                return Err("it holds a link to another host".to_owned());
            }
        }
        Check::FromArguments(field) => {
            for value in request.field(field) {
                let mut found = false;
                walk_values(arguments, &mut |argument| {
                    found |= match (&value, argument) {
                        (Found::Json(value), argument) => *value == argument,
                        (Found::Text(text), Value::String(argument)) => text == argument,
                        (Found::Text(text), Value::Number(argument)) => {
                            *text == argument.to_string()
                        }
                        (Found::Text(text), Value::Bool(argument)) => *text == argument.to_string(),
                        _ => false,
                    };
                });
                if !found {
                    return Err(format!("`{field}` is no argument of the call"));
                }
            }
        }
        Check::OneOf(field, values) => {
            for value in request.field(field) {
                let text = match &value {
                    Found::Json(Value::String(text)) => text.clone(),
                    Found::Json(other) => other.to_string(),
                    Found::Text(text) => (*text).to_owned(),
                };
                if !values.contains(&text.as_str()) {
                    return Err(format!("`{field}` is another value"));
                }
            }
        }
        Check::Without(field) => {
            let there = request.field(field).iter().any(|value| match value {
                Found::Json(Value::Null) => false,
                Found::Json(Value::String(text)) => !text.is_empty(),
                Found::Json(Value::Array(items)) => !items.is_empty(),
                Found::Json(_) => true,
                Found::Text(text) => !text.is_empty(),
            });
            if there {
                return Err(format!("`{field}` is there"));
            }
        }
    }
    Ok(())
}

/// A field of a request.
enum Found<'a> {
    Json(&'a Value),
    Text(&'a str),
}

impl Outgoing<'_> {
    /// Every text of it: segments, query, headers, body; keys too, because an API may read them.
    fn texts(&self, each: &mut dyn FnMut(&str)) {
        for segment in self.path {
            each(segment);
        }
        for (name, value) in self.query {
            each(name);
            each(value);
        }
        for (name, value) in self.headers {
            each(name);
            each(value);
        }
        match &self.body {
            Content::Json(value) => walk_texts(value, each),
            Content::Fields { fields, .. } => {
                for (name, value) in *fields {
                    each(name);
                    each(value);
                }
            }
            Content::Text(text) => each(text),
            Content::Empty | Content::Opaque => {}
        }
    }

    /// All values under one name. Names are compared without case, because many an API reads
    /// `bcc` like `Bcc`; and `*` stands for any one key or item. In JSON it is a pointer
    /// (RFC 6901), in a form or the query its first part.
    fn field(&self, pointer: &str) -> Vec<Found<'_>> {
        let mut found = Vec::new();
        if let Content::Json(value) = &self.body {
            let parts: Vec<String> = pointer
                .split('/')
                .skip(1)
                .map(|part| part.replace("~1", "/").replace("~0", "~"))
                .collect();
            descend(value, &parts, &mut found);
        }
        let name = pointer.trim_start_matches('/');
        let fields = match &self.body {
            Content::Fields { fields, .. } => *fields,
            _ => &[],
        };
        for (key, value) in fields.iter().chain(self.query) {
            // `to[]` and `to[0]` are `to` to who reads forms that way.
            let key = key.split('[').next().unwrap_or(key);
            if key.eq_ignore_ascii_case(name) {
                found.push(Found::Text(value));
            }
        }
        found
    }
}

fn descend<'a>(value: &'a Value, parts: &[String], found: &mut Vec<Found<'a>>) {
    let Some((part, rest)) = parts.split_first() else {
        found.push(Found::Json(value));
        return;
    };
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                if part == "*" || key.eq_ignore_ascii_case(part) {
                    descend(member, rest, found);
                }
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                if part == "*" || *part == index.to_string() {
                    descend(item, rest, found);
                }
            }
        }
        _ => {}
    }
}

fn walk_texts(value: &Value, each: &mut dyn FnMut(&str)) {
    match value {
        Value::String(text) => each(text),
        Value::Array(items) => items.iter().for_each(|item| walk_texts(item, each)),
        Value::Object(members) => {
            for (key, member) in members {
                each(key);
                walk_texts(member, each);
            }
        }
        _ => {}
    }
}

fn walk_object(object: &JsonObject, each: &mut dyn FnMut(&str)) {
    for value in object.values() {
        walk_texts(value, each);
    }
}

fn walk_values(object: &JsonObject, each: &mut dyn FnMut(&Value)) {
    fn walk(value: &Value, each: &mut dyn FnMut(&Value)) {
        each(value);
        match value {
            Value::Array(items) => items.iter().for_each(|item| walk(item, each)),
            Value::Object(members) => members.values().for_each(|member| walk(member, each)),
            _ => {}
        }
    }
    for value in object.values() {
        walk(value, each);
    }
}

/// Whether the segments begin with those of `rule`.
fn is_below(path: &[&str], rule: &str) -> bool {
    let mut path = path.iter();
    rule.split('/').filter(|part| !part.is_empty()).all(|part| {
        path.next()
            .is_some_and(|segment| part == "{}" || part == *segment)
    })
}

#[cfg(test)]
mod tests;
