//! Says whatever it is told to say, on every way out that a server has.

use mcp_secure::{
    model::{
        Annotations, AudioContent, ContentBlock, ElicitationSchema, EmbeddedResource, Icon,
        ImageContent, JsonObject, MetaObject, PromptMessage, Resource, ResourceContents, Role,
        TextContent,
    },
    prelude::*,
    serde_json::{self, Value, json},
};

use crate::traces::Traces;

pub(crate) struct Leaky {
    traces: Traces,
}

impl Leaky {
    pub(crate) fn new(traces: Traces) -> Self {
        Self { traces }
    }
}

/// Whatever was put in.
#[mcp_secure::output]
struct Whatever {
    value: Value,
}

#[secure_server(name = "leaky")]
impl Leaky {
    /// Answer with a block of content of this kind.
    #[tool(public)]
    async fn emit(&self, kind: String, text: String) -> ToolResult<Vec<ContentBlock>> {
        Ok(vec![block(&kind, text)?])
    }

    /// Answer with this under this key.
    #[tool(public)]
    async fn emit_structured(&self, key: String, text: String) -> Json<Whatever> {
        let mut value = json!({ "name": "honest" });
        if let Some(members) = value.as_object_mut() {
            members.insert(key, json!([{ "deep": text }]));
        }
        Json(Whatever { value })
    }

    /// Refuse in these words.
    #[tool(public)]
    async fn refuse(&self, text: String) -> ToolResult<String> {
        Err(ToolError::new(text))
    }

    /// Fail, and keep these words for the log.
    #[tool(public)]
    async fn fail(&self, text: String) -> ToolResult<String> {
        Err(ToolError::internal(text))
    }

    /// Say this in a log line and in a report of progress.
    #[tool(public)]
    async fn narrate(&self, text: String, log: Log, progress: Progress) -> ToolResult<String> {
        log.warning(text.clone()).await?;
        progress.report(1.0, Some(2.0), text).await?;
        Ok("narrated".to_owned())
    }

    /// Say this to the operator.
    #[tool(public)]
    async fn trace(&self, text: String) -> String {
        tracing::warn!("{text}");
        "traced".to_owned()
    }

    /// Ask a person this, under this title, with this among the values to choose from.
    #[tool(public)]
    async fn inquire(
        &self,
        text: String,
        title: String,
        value: String,
        elicit: Elicit,
    ) -> ToolResult<String> {
        let schema = json!({
            "type": "object",
            "properties": { "answer": {
                "type": "string", "title": title, "enum": ["yes", value],
            }},
        });
        let schema: ElicitationSchema = serde_json::from_value(schema)?;
        let answer = elicit.ask(text, schema).await?;
        self.traces.leave("inquire:answered");
        Ok(format!("{answer:?}"))
    }

    /// Say this to a model.
    #[prompt(public)]
    async fn say(&self, kind: String, text: String) -> ToolResult<Vec<PromptMessage>> {
        Ok(vec![PromptMessage::new(Role::User, block(&kind, text)?)])
    }

    /// Complete with what was typed.
    #[completion(prompt = "say", arg = "text")]
    async fn texts(&self, prefix: String) -> Vec<String> {
        vec![prefix]
    }

    /// Say this in a resource.
    #[resource(uri = "leaky://text/{text}", mime = "text/plain", public)]
    async fn text(&self, text: String) -> String {
        text
    }

    /// Say this in bytes.
    #[resource(uri = "leaky://bytes/{text}", public)]
    async fn bytes(&self, text: String) -> Vec<u8> {
        text.into_bytes()
    }
}

/// A block with the text wherever this kind has room for one.
fn block(kind: &str, text: String) -> ToolResult<ContentBlock> {
    let encoded = |text: &str| base64(text.as_bytes());
    let meta = |text: &str| {
        let mut object = JsonObject::new();
        object.insert(format!("key-{text}"), json!({ "deep": [text] }));
        Some(MetaObject(object))
    };
    Ok(match kind {
        "text" => ContentBlock::text(text),
        "meta" => {
            let mut block = TextContent::new("fine");
            block.meta = meta(&text);
            ContentBlock::Text(block)
        }
        "annotations" => {
            let mut annotations = Annotations::default();
            annotations.last_modified = Some(text);
            ContentBlock::Text(TextContent::new("fine").with_annotations(annotations))
        }
        "image" => ContentBlock::Image(ImageContent::new("iVBORw0KGgo=", text)),
        "svg" => ContentBlock::Image(ImageContent::new(encoded(&text), "image/svg+xml")),
        "audio" => ContentBlock::Audio(AudioContent::new("SUQz//8=", text)),
        "resource" => resource(ResourceContents::TextResourceContents {
            uri: format!("leaky://{text}"),
            mime_type: Some(text.clone()),
            meta: meta(&text),
            text,
        }),
        "blob" => resource(ResourceContents::BlobResourceContents {
            uri: "leaky://blob".to_owned(),
            mime_type: Some("application/octet-stream".to_owned()),
            blob: encoded(&text),
            meta: None,
        }),
        "link" => {
            let mut link = Resource::new(format!("leaky://{text}"), text.clone());
            link.title = Some(text.clone());
            link.description = Some(text.clone());
            link.mime_type = Some(text.clone());
            link.icons = Some(vec![
                Icon::new(format!("https://example.org/{text}")),
                Icon::new(format!("javascript:alert('{text}')")),
            ]);
            ContentBlock::ResourceLink(link)
        }
        other => return Err(ToolError::new(format!("no kind `{other}`"))),
    })
}

fn resource(contents: ResourceContents) -> ContentBlock {
    ContentBlock::Resource(EmbeddedResource::new(contents))
}

/// The alphabet of RFC 4648: a test needs no more of it than this.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let mut group = [0_u8; 4];
        for (slot, byte) in group.iter_mut().skip(1).zip(chunk) {
            *slot = *byte;
        }
        let bits = u32::from_be_bytes(group);
        for place in 0..4_usize {
            let index = (bits >> (18 - 6 * place)) & 63;
            let letter = ALPHABET.get(index as usize).copied().unwrap_or(b'=');
            out.push(if place <= chunk.len() {
                char::from(letter)
            } else {
                '='
            });
        }
    }
    out
}
