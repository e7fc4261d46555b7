//! The table that policy, validation, lists and dispatch share. Built once at start from
//! the definition; nothing is added later.

use std::{collections::HashMap, sync::Arc, time::Duration};

use jsonschema::{PatternOptions, Validator};
use rmcp::model::{
    Implementation, JsonObject, Prompt, PromptArgument, Resource, ResourceTemplate,
    ServerCapabilities, ServerConfig, Tool, ToolAnnotations,
};

use crate::{
    Error, Result,
    audit::Audited,
    auth::Principal,
    definition::{About, Access, Definition, Target},
    limits::Limits,
    pipeline::Taint,
    policy::{Kind, Policies, Question, Ruling},
};

pub(crate) struct Registry {
    pub(crate) info: ServerConfig,
    pub(crate) page_size: usize,
    pub(crate) tools: Vec<ToolEntry>,
    pub(crate) prompts: Vec<PromptEntry>,
    pub(crate) resources: Vec<ResourceEntry>,
    pub(crate) completions: Vec<CompletionEntry>,
    /// What must permit as well, where there is any.
    pub(crate) policies: Policies,
    tool_names: HashMap<&'static str, usize>,
    prompt_names: HashMap<&'static str, usize>,
    resource_uris: HashMap<&'static str, usize>,
}

pub(crate) struct ToolEntry {
    pub(crate) about: About,
    pub(crate) model: Tool,
    pub(crate) input: Validator,
    pub(crate) output: Option<Validator>,
    /// Somebody else wrote some of what it answers.
    pub(crate) has_untrusted_parts: bool,
    /// How many calls of it run at once.
    pub(crate) permits: usize,
    pub(crate) timeout: Duration,
    pub(crate) max_output: usize,
    pub(crate) needs_approval: bool,
    pub(crate) writes: bool,
    /// Its arguments that are mirrored into headers.
    #[cfg(feature = "http")]
    pub(crate) mirrored: Vec<crate::layer::validate::mirror::Mirrored>,
    /// Its rights in words, for the person who approves.
    pub(crate) rights: String,
    /// Its arguments whose values are in the audit record.
    pub(crate) audited: Audited,
}

pub(crate) struct PromptEntry {
    pub(crate) about: About,
    pub(crate) model: Prompt,
    pub(crate) input: Validator,
}

pub(crate) struct ResourceEntry {
    pub(crate) about: About,
    pub(crate) kind: ResourceKind,
    pub(crate) uri: &'static str,
    pub(crate) mime_type: Option<&'static str>,
    pub(crate) input: Validator,
}

pub(crate) enum ResourceKind {
    One(Resource),
    Template(ResourceTemplate, UriTemplate),
}

pub(crate) struct CompletionEntry {
    pub(crate) target: Target,
    pub(crate) argument: &'static str,
}

impl ResourceEntry {
    pub(crate) fn template_uri(&self) -> Option<&'static str> {
        matches!(self.kind, ResourceKind::Template(..)).then_some(self.uri)
    }
}

impl Registry {
    pub(crate) fn new<S>(definition: &Definition<S>, limits: &Limits) -> Result<Self> {
        let mut registry = Self {
            info: info(definition),
            page_size: limits.page_size.max(1),
            tools: Vec::new(),
            prompts: Vec::new(),
            resources: Vec::new(),
            completions: Vec::new(),
            policies: Policies::default(),
            tool_names: HashMap::new(),
            prompt_names: HashMap::new(),
            resource_uris: HashMap::new(),
        };
        for tool in &definition.tools {
            registry.add_tool(tool, limits)?;
        }
        for prompt in &definition.prompts {
            registry.add_prompt(prompt)?;
        }
        for resource in &definition.resources {
            registry.add_resource(resource)?;
        }
        for completion in &definition.completions {
            registry.add_completion(completion.target, completion.argument)?;
        }
        Ok(registry)
    }

    pub(crate) fn tool(&self, name: &str) -> Option<(usize, &ToolEntry)> {
        let index = *self.tool_names.get(name)?;
        Some((index, self.tools.get(index)?))
    }

    /// What `server/discover` says beside its fields: the name and version of the server.
    pub(crate) fn discovered_meta(&self) -> Option<rmcp::model::MetaObject> {
        rmcp::model::DiscoverResult::from_server_info(Vec::new(), self.info.clone()).meta
    }

    pub(crate) fn prompt(&self, name: &str) -> Option<(usize, &PromptEntry)> {
        let index = *self.prompt_names.get(name)?;
        Some((index, self.prompts.get(index)?))
    }

    /// The resource of a URI: exact ones first, then templates in order of declaration.
    pub(crate) fn resource(&self, uri: &str) -> Option<(usize, &ResourceEntry, JsonObject)> {
        if let Some(&index) = self.resource_uris.get(uri) {
            return Some((index, self.resources.get(index)?, JsonObject::new()));
        }
        self.resources
            .iter()
            .enumerate()
            .find_map(|(index, entry)| match &entry.kind {
                ResourceKind::Template(_, template) => template
                    .matches(uri)
                    .map(|variables| (index, entry, variables)),
                ResourceKind::One(_) => None,
            })
    }

    /// The entry that a template's URI names, as completions refer to it.
    pub(crate) fn template(&self, template: &str) -> Option<(usize, &ResourceEntry)> {
        self.resources
            .iter()
            .enumerate()
            .find(|(_, entry)| match &entry.kind {
                ResourceKind::Template(model, _) => model.uri_template == template,
                ResourceKind::One(_) => false,
            })
    }

    pub(crate) fn completion(&self, target: &Target, argument: &str) -> Option<usize> {
        self.completions
            .iter()
            .position(|c| c.target == *target && c.argument == argument)
    }

    /// Whether a list shows it to this principal: exactly what a call is not refused for as
    /// unknown.
    pub(crate) fn shows(
        &self,
        kind: Kind,
        about: &About,
        principal: &Principal,
        taint: &Taint,
    ) -> bool {
        let decision = decide(about, principal);
        decision.is_listed()
            && self
                .foresee(kind, about, principal, taint, decision)
                .is_none()
    }

    /// Why the policies permit this principal nothing here whatever the arguments are, if so. It
    /// does not exist for this principal then. Who may still ask for a scope is looked at as who
    /// has it: a policy that asks for the same scope must not hide the way to it.
    pub(crate) fn foresee(
        &self,
        kind: Kind,
        about: &About,
        principal: &Principal,
        taint: &Taint,
        decision: Decision,
    ) -> Option<Ruling> {
        if self.policies.is_empty() {
            return None;
        }
        let stepped_up;
        let principal = match decision {
            Decision::StepUp(scopes) => {
                stepped_up = principal.clone().scopes(scopes.iter().copied());
                &stepped_up
            }
            Decision::Allowed | Decision::Unknown => principal,
        };
        self.policies.foresee(&Question {
            principal,
            kind,
            name: about.name,
            completes: None,
            arguments: None,
            uri: None,
            taint,
            now: std::time::SystemTime::now(),
        })
    }

    fn add_tool<S>(&mut self, tool: &crate::definition::Tool<S>, limits: &Limits) -> Result<()> {
        let about = tool.about.clone();
        let policy = about.policy;
        let writes = about.facts().any(|facts| facts.writes);
        let mut model = Tool::new(
            about.name,
            about.description,
            Arc::new(tool.input.schema.clone()),
        );
        model.title = about.title.map(str::to_owned);
        model.output_schema = tool.output.clone().map(Arc::new);
        model.annotations = Some(annotations(&about, &tool.hints));
        let entry = ToolEntry {
            input: compile(about.name, &tool.input.schema)?,
            output: tool
                .output
                .as_ref()
                .map(|schema| compile(about.name, schema))
                .transpose()?,
            has_untrusted_parts: tool
                .output
                .as_ref()
                .is_some_and(|schema| schema.values().any(crate::output::has_untrusted_parts)),
            permits: policy
                .concurrency
                .unwrap_or(limits.tool_concurrency)
                .min(limits.concurrency),
            timeout: policy
                .timeout
                .unwrap_or(limits.timeout)
                .min(limits.max_timeout),
            max_output: policy.max_output.unwrap_or(limits.max_output),
            needs_approval: about.needs_approval(),
            writes,
            rights: rights(&about),
            audited: match tool.input.audited.is_in_reach() {
                true => tool.input.audited.clone(),
                false => {
                    return Err(Error::new(format!(
                        "a member that is marked `#[arg(audit)]` is behind an enum in the \
                         arguments of `{}`",
                        about.name
                    ))
                    .help(
                        "which member it is depends on the variant: mark the argument as a whole, \
                         or take the mark away",
                    ));
                }
            },
            #[cfg(feature = "http")]
            mirrored: crate::layer::validate::mirror::Mirrored::all(&tool.input.schema)
                .map_err(|e| Error::new(format!("the schema of `{}`: {e}", about.name)))?,
            model,
            about,
        };
        let name = entry.about.name;
        if self.tool_names.insert(name, self.tools.len()).is_some() {
            return Err(Error::new(format!("two tools are named `{name}`")));
        }
        self.tools.push(entry);
        Ok(())
    }

    fn add_prompt<S>(&mut self, prompt: &crate::definition::Prompt<S>) -> Result<()> {
        let about = prompt.about.clone();
        let arguments = prompt.input.arguments.iter().map(|argument| {
            let mut model =
                PromptArgument::new(argument.name.clone()).with_required(argument.required);
            model.description = argument.description.clone();
            model
        });
        let mut model = Prompt::new(
            about.name,
            Some(about.description),
            Some(arguments.collect()),
        );
        model.title = about.title.map(str::to_owned);
        let name = about.name;
        let input = compile(name, &as_text(&prompt.input.schema))?;
        if self.prompt_names.insert(name, self.prompts.len()).is_some() {
            return Err(Error::new(format!("two prompts are named `{name}`")));
        }
        self.prompts.push(PromptEntry {
            about,
            model,
            input,
        });
        Ok(())
    }

    fn add_resource<S>(&mut self, resource: &crate::definition::Resource<S>) -> Result<()> {
        let about = resource.about.clone();
        let input = compile(about.name, &as_text(&resource.input.schema))?;
        let kind = if resource.uri.contains('{') {
            let mut model =
                ResourceTemplate::new(resource.uri, about.name).with_description(about.description);
            model.title = about.title.map(str::to_owned);
            model.mime_type = resource.mime_type.map(str::to_owned);
            ResourceKind::Template(model, UriTemplate::parse(resource.uri)?)
        } else {
            let mut model =
                Resource::new(resource.uri, about.name).with_description(about.description);
            model.title = about.title.map(str::to_owned);
            model.mime_type = resource.mime_type.map(str::to_owned);
            if self
                .resource_uris
                .insert(resource.uri, self.resources.len())
                .is_some()
            {
                return Err(Error::new(format!(
                    "two resources have the URI `{}`",
                    resource.uri
                )));
            }
            ResourceKind::One(model)
        };
        self.resources.push(ResourceEntry {
            about,
            kind,
            uri: resource.uri,
            mime_type: resource.mime_type,
            input,
        });
        Ok(())
    }

    fn add_completion(&mut self, target: Target, argument: &'static str) -> Result<()> {
        let known = match target {
            Target::Prompt(name) => self.prompt(name).is_some(),
            Target::Resource(template) => self.template(template).is_some(),
        };
        if !known {
            return Err(Error::new(format!(
                "the completion of `{argument}` is for {target:?}, which does not exist"
            )));
        }
        self.completions.push(CompletionEntry { target, argument });
        Ok(())
    }
}

/// `write below "notes"`, for people.
fn rights(about: &About) -> String {
    let rights: Vec<String> = about
        .facts()
        .filter(|facts| !facts.capability.is_empty())
        .map(|facts| format!("{} {} `{}`", facts.kind, facts.access, facts.capability))
        .collect();
    rights.join(", ")
}

/// Who may use what: the one decision, for calls and for lists.
pub(crate) fn decide(about: &About, principal: &Principal) -> Decision {
    match about.policy.access {
        Access::Public => Decision::Allowed,
        Access::Scopes(scopes) if scopes.iter().all(|scope| principal.has_scope(scope)) => {
            Decision::Allowed
        }
        Access::Scopes(scopes) if principal.can_step_up() && !about.policy.hidden => {
            Decision::StepUp(scopes)
        }
        Access::Scopes(_) => Decision::Unknown,
    }
}

/// What may become of a request for one primitive. Lists show what is not `Unknown`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// It may be used.
    Allowed,
    /// Only a scope is missing, and the caller's authorization server can give it: all that
    /// this needs, held already or not.
    StepUp(&'static [&'static str]),
    /// It does not exist for this caller.
    Unknown,
}

impl Decision {
    pub(crate) fn is_listed(self) -> bool {
        self != Self::Unknown
    }
}

/// A validator that fetches nothing and matches in linear time.
fn compile(name: &str, schema: &JsonObject) -> Result<Validator> {
    let value = serde_json::Value::Object(schema.clone());
    if let Some(reference) = external_reference(&value) {
        return Err(Error::new(format!(
            "the schema of `{name}` refers to `{reference}`, outside of itself"
        ))
        .help("schemas are never fetched: put the definition under `$defs`"));
    }
    jsonschema::draft202012::options()
        .with_pattern_options(PatternOptions::regex())
        .build(&value)
        .map_err(|e| {
            Error::new(format!(
                "the schema of `{name}` is not valid: {}",
                e.masked()
            ))
        })
}

fn external_reference(schema: &serde_json::Value) -> Option<&str> {
    match schema {
        serde_json::Value::Object(object) => object.iter().find_map(|(key, value)| {
            match (key.as_str(), value) {
                ("$ref" | "$dynamicRef", serde_json::Value::String(to)) if !to.starts_with('#') => {
                    Some(to.as_str())
                }
                // What looks like a schema inside a literal is not one.
                ("const" | "enum" | "default" | "examples", _) => None,
                _ => external_reference(value),
            }
        }),
        serde_json::Value::Array(items) => items.iter().find_map(external_reference),
        _ => None,
    }
}

/// Prompt arguments and template variables arrive as text whatever their type is; names
/// and lengths are enforced here, types when the value is taken.
fn as_text(schema: &JsonObject) -> JsonObject {
    let mut schema = schema.clone();
    if let Some(properties) = schema.get_mut("properties").and_then(|p| p.as_object_mut()) {
        for property in properties.values_mut() {
            let max = property
                .get("maxLength")
                .cloned()
                .unwrap_or_else(|| serde_json::json!(crate::schema::bounds::STRING));
            *property = serde_json::json!({"type": "string", "maxLength": max});
        }
    }
    schema
}

/// What clients are told about a tool; the manifest is made from the same function.
pub(crate) fn annotations(about: &About, hints: &crate::definition::Hints) -> ToolAnnotations {
    let any = |get: fn(&crate::capability::Facts) -> bool| about.facts().any(get);
    let writes = any(|f| f.writes);
    let mut annotations = ToolAnnotations::new()
        .read_only(hints.read_only.unwrap_or(!writes))
        .destructive(hints.destructive.unwrap_or(any(|f| f.destructive)))
        .open_world(hints.open_world.unwrap_or(any(|f| f.open_world)));
    annotations.idempotent_hint = hints.idempotent.or((!writes).then_some(true));
    annotations.title = about.title.map(str::to_owned);
    annotations
}

fn info<S>(definition: &Definition<S>) -> ServerConfig {
    let mut capabilities = ServerCapabilities::default();
    if !definition.tools.is_empty() {
        capabilities.tools = Some(Default::default());
    }
    if !definition.prompts.is_empty() {
        capabilities.prompts = Some(Default::default());
    }
    if !definition.resources.is_empty() {
        capabilities.resources = Some(Default::default());
    }
    if !definition.completions.is_empty() {
        capabilities.completions = Some(Default::default());
    }
    let logs = definition
        .tools
        .iter()
        .any(|t| t.about.facts().any(|f| f.kind == "log"));
    if logs {
        capabilities.logging = Some(Default::default());
    }
    let mut info = ServerConfig::new(capabilities)
        .with_server_info(Implementation::new(definition.name, definition.version));
    info.instructions = definition.instructions.map(str::to_owned);
    info
}

/// A URI template of level 1 (RFC 6570): literal text and `{variables}` that match one
/// path segment each.
pub(crate) struct UriTemplate {
    parts: Vec<Part>,
}

enum Part {
    Literal(String),
    Variable(String),
}

impl UriTemplate {
    pub(crate) fn parse(template: &str) -> Result<Self> {
        let malformed = || Error::new(format!("the URI template `{template}` is malformed"));
        let mut parts = Vec::new();
        let mut rest = template;
        while let Some((literal, tail)) = rest.split_once('{') {
            if !literal.is_empty() {
                parts.push(Part::Literal(literal.to_owned()));
            } else if matches!(parts.last(), Some(Part::Variable(_))) {
                return Err(malformed().help("put literal text between two variables"));
            }
            let (name, tail) = tail.split_once('}').ok_or_else(malformed)?;
            if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                return Err(malformed().help("variables are plain names: `{name}`"));
            }
            parts.push(Part::Variable(name.to_owned()));
            rest = tail;
        }
        if rest.contains('}') {
            return Err(malformed());
        }
        if !rest.is_empty() {
            parts.push(Part::Literal(rest.to_owned()));
        }
        Ok(Self { parts })
    }

    /// The variables of a URI, decoded once. A variable ends at the next literal and never
    /// spans an encoded or plain `/`, `?` or `#`, unless it is the last part of the path.
    pub(crate) fn matches(&self, uri: &str) -> Option<JsonObject> {
        let mut variables = JsonObject::new();
        let mut rest = uri;
        let mut parts = self.parts.iter().peekable();
        while let Some(part) = parts.next() {
            match part {
                Part::Literal(text) => rest = rest.strip_prefix(text.as_str())?,
                Part::Variable(name) => {
                    let (value, tail) = match parts.peek() {
                        Some(Part::Literal(next)) => {
                            rest.split_at_checked(rest.find(next.as_str())?)?
                        }
                        _ => (rest, ""),
                    };
                    if value.is_empty() || value.contains(['?', '#']) {
                        return None;
                    }
                    let value = decode(value)?;
                    variables.insert(name.clone(), serde_json::Value::String(value));
                    rest = tail;
                }
            }
        }
        rest.is_empty().then_some(variables)
    }
}

/// Percent-decoding, once and strictly: an encoded separator, control character or percent
/// sign is refused, so that no second decoder can find another meaning (spec RESOURCES-01).
fn decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let high = char::from(bytes.next()?).to_digit(16)?;
            let low = char::from(bytes.next()?).to_digit(16)?;
            let decoded = u8::try_from(high * 16 + low).ok()?;
            if decoded < 0x20 || matches!(decoded, 0x7f | b'/' | b'\\' | b'%') {
                return None;
            }
            out.push(decoded);
        } else if byte < 0x20 || matches!(byte, 0x7f | b'\\') {
            return None;
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_template_takes_its_variables_apart() {
        let template = UriTemplate::parse("notes://{folder}/n/{name}.md").unwrap();
        let variables = template.matches("notes://a/n/b%20c.md").unwrap();
        assert_eq!(variables["folder"], "a");
        assert_eq!(variables["name"], "b c");
        assert!(template.matches("notes://a/n/.md").is_none());
        assert!(template.matches("other://a/n/b.md").is_none());
    }

    #[test]
    fn an_encoded_separator_or_a_double_encoding_matches_nothing() {
        let template = UriTemplate::parse("notes://{name}").unwrap();
        for attack in [
            "notes://..%2f..%2fetc",
            "notes://%252e%252e",
            "notes://a%5cb",
            "notes://a%00",
            "notes://a?x",
            "notes://a#x",
            "notes://%zz",
            "notes://%ff",
        ] {
            assert!(template.matches(attack).is_none(), "{attack}");
        }
    }

    #[test]
    fn malformed_templates_are_an_error_at_start() {
        for bad in ["a://{", "a://{}", "a://{a}{b}", "a://}", "a://{a b}"] {
            assert!(UriTemplate::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_schema_that_points_elsewhere_stops_the_start() {
        let schema = serde_json::json!({"type": "object", "properties": {"a": {"$ref": "http://127.0.0.1/x"}}});
        assert!(compile("t", schema.as_object().unwrap()).is_err());
    }
}
