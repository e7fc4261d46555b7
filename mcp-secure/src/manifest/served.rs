//! What is served equals what the manifest says (invariant 8).

use super::{
    Annotations, Entry, Manifest,
    canonical::{digest_of, hex_digest},
    compile::target,
};
use crate::{
    Error, Result,
    pipeline::{Registry, ResourceKind},
};

/// What a client is told of one entry, as the registry would answer it.
struct Served<'a> {
    name: &'a str,
    title: Option<&'a str>,
    description: &'a str,
    uri: Option<&'a str>,
    mime_type: Option<&'a str>,
    input: Option<String>,
    output: Option<String>,
    annotations: Option<Annotations>,
}

impl Manifest {
    /// Compares the table that lists are answered from with this manifest.
    ///
    /// # Errors
    ///
    /// When one has what the other has not, or a text, a schema or an annotation differs: the
    /// server would serve what no reviewer has seen.
    pub(crate) fn check_served(&self, registry: &Registry) -> Result<()> {
        let tools = registry.tools.iter().map(|entry| Served {
            name: &entry.model.name,
            title: entry.model.title.as_deref(),
            description: entry.model.description.as_deref().unwrap_or_default(),
            uri: None,
            mime_type: None,
            input: Some(digest_of(&*entry.model.input_schema)),
            output: entry.model.output_schema.as_deref().map(digest_of),
            annotations: entry.model.annotations.as_ref().map(Annotations::of),
        });
        let prompts = registry.prompts.iter().map(|entry| Served {
            name: &entry.model.name,
            title: entry.model.title.as_deref(),
            description: entry.model.description.as_deref().unwrap_or_default(),
            uri: None,
            mime_type: None,
            input: None,
            output: None,
            annotations: None,
        });
        let resources = registry.resources.iter().map(|entry| match &entry.kind {
            ResourceKind::One(model) => Served {
                name: &model.name,
                title: model.title.as_deref(),
                description: model.description.as_deref().unwrap_or_default(),
                uri: Some(&model.uri),
                mime_type: model.mime_type.as_deref(),
                input: None,
                output: None,
                annotations: None,
            },
            ResourceKind::Template(model, _) => Served {
                name: &model.name,
                title: model.title.as_deref(),
                description: model.description.as_deref().unwrap_or_default(),
                uri: Some(&model.uri_template),
                mime_type: model.mime_type.as_deref(),
                input: None,
                output: None,
                annotations: None,
            },
        });
        all("tool", &self.tools, tools)?;
        all("prompt", &self.prompts, prompts)?;
        all("resource", &self.resources, resources)?;
        let completions = registry
            .completions
            .iter()
            .filter(|served| {
                let target = target(&served.target);
                self.completions
                    .iter()
                    .any(|row| row.target == target && row.argument == served.argument)
            })
            .count();
        if completions != registry.completions.len() || completions != self.completions.len() {
            return Err(differs("the completions"));
        }
        let info = &registry.info;
        let instructions = self
            .server
            .instructions
            .as_ref()
            .map(|text| text.digest.clone());
        if info
            .instructions
            .as_ref()
            .map(|text| hex_digest(text.as_bytes()))
            != instructions
        {
            return Err(differs("the instructions"));
        }
        Ok(())
    }
}

fn all<'a>(
    kind: &str,
    rows: &[Entry],
    served: impl ExactSizeIterator<Item = Served<'a>>,
) -> Result<()> {
    if served.len() != rows.len() {
        return Err(differs(&format!("the number of {kind}s")));
    }
    for one in served {
        let same = rows
            .iter()
            .any(|row| row.name == one.name && row.uri.as_deref() == one.uri && one.is_as(row));
        if !same {
            return Err(differs(&format!("the {kind} `{}`", one.name)));
        }
    }
    Ok(())
}

impl Served<'_> {
    fn is_as(&self, row: &Entry) -> bool {
        row.title.as_deref() == self.title
            && row.description.digest == hex_digest(self.description.as_bytes())
            && row.mime_type.as_deref() == self.mime_type
            // Prompts and resources have no schema on the wire.
            && self.input.as_ref().is_none_or(|digest| *digest == row.input)
            && row.output == self.output
            && row.annotations == self.annotations
    }
}

fn differs(what: &str) -> Error {
    Error::new(format!("{what} would not be served as the manifest says"))
        .help("this is a fault of the server, not of its configuration: report it")
}
