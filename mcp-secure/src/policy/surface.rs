//! What a server offers, as policies are held against it.

use rmcp::model::JsonObject;

use crate::definition::{About, Access, Definition, Target};

/// Everything that can be asked for. Policies may name this and nothing else.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Surface {
    /// The tools, prompts, resources and templates.
    pub offers: Vec<Offer>,
}

/// A tool, a prompt, a resource or a template.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Offer {
    /// Which of them.
    pub kind: Kind,
    /// Its name.
    pub name: &'static str,
    /// The URI of a resource, or the template of one.
    pub uri: Option<&'static str>,
    /// The JSON Schema of its arguments. All arguments of prompts and templates are texts.
    pub schema: JsonObject,
    /// The scopes that it needs.
    pub scopes: &'static [&'static str],
    /// It changes something that outlives the call.
    pub writes: bool,
    /// What it changes may be lost.
    pub destructive: bool,
    /// It reaches beyond this server and its host.
    pub open_world: bool,
    /// It reads what is the user's own.
    pub private: bool,
    /// It can carry data to an address that is chosen at run time.
    pub open_sink: bool,
    /// A person agrees to each call.
    pub needs_approval: bool,
    /// The arguments that can be completed.
    pub completes: Vec<&'static str>,
}

/// What can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A tool.
    Tool,
    /// A prompt.
    Prompt,
    /// A resource or a template.
    Resource,
}

impl Surface {
    /// Of everything in the code, what an operator took away included: a policy may go on naming
    /// it.
    pub(crate) fn of<S>(definition: &Definition<S>) -> Self {
        let tools = definition
            .tools
            .iter()
            .map(|t| Offer::of(Kind::Tool, &t.about, None, &t.input.schema));
        let prompts = definition.prompts.iter().map(|p| Offer {
            completes: completes(definition, Target::Prompt(p.about.name)),
            ..Offer::of(Kind::Prompt, &p.about, None, &p.input.schema)
        });
        let resources = definition.resources.iter().map(|r| Offer {
            completes: completes(definition, Target::Resource(r.uri)),
            ..Offer::of(Kind::Resource, &r.about, Some(r.uri), &r.input.schema)
        });
        Self {
            offers: tools.chain(prompts).chain(resources).collect(),
        }
    }
}

impl Offer {
    fn of(kind: Kind, about: &About, uri: Option<&'static str>, schema: &JsonObject) -> Self {
        let any = |get: fn(&crate::capability::Facts) -> bool| about.facts().any(get);
        Self {
            kind,
            name: about.name,
            uri,
            schema: schema.clone(),
            scopes: match about.policy.access {
                Access::Public => &[],
                Access::Scopes(scopes) => scopes,
            },
            writes: any(|f| f.writes),
            destructive: any(|f| f.destructive),
            open_world: any(|f| f.open_world),
            private: any(|f| f.private),
            open_sink: any(|f| f.open_sink),
            needs_approval: about.needs_approval(),
            completes: Vec::new(),
        }
    }
}

fn completes<S>(definition: &Definition<S>, target: Target) -> Vec<&'static str> {
    let of_target = definition.completions.iter().filter(|c| c.target == target);
    of_target.map(|c| c.argument).collect()
}
