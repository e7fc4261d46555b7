//! Blocks of content, resources and links: every string of every variant.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose::STANDARD},
};
use rmcp::model::{Annotations, ContentBlock, Icon, MetaObject, Resource, ResourceContents};

use super::{notes::At, pass::Pass};
use crate::pipeline::Refusal;

impl Pass<'_> {
    pub(super) fn blocks(
        &mut self,
        blocks: &mut [ContentBlock],
        list: &'static str,
    ) -> Result<(), Refusal> {
        blocks
            .iter_mut()
            .enumerate()
            .try_for_each(|(index, block)| self.block(block, At::item(list, index)))
    }

    pub(super) fn block(&mut self, block: &mut ContentBlock, at: At) -> Result<(), Refusal> {
        match block {
            ContentBlock::Text(text) => {
                self.text(&mut text.text, at.of("/text"))?;
                self.sides(&mut text.meta, &mut text.annotations, at)
            }
            ContentBlock::Image(image) => {
                self.text(&mut image.mime_type, at.of("/mimeType"))?;
                self.base64(&mut image.data, Some(&image.mime_type), at.of("/data"))?;
                self.sides(&mut image.meta, &mut image.annotations, at)
            }
            ContentBlock::Audio(audio) => {
                self.text(&mut audio.mime_type, at.of("/mimeType"))?;
                self.base64(&mut audio.data, Some(&audio.mime_type), at.of("/data"))?;
                self.sides(&mut audio.meta, &mut audio.annotations, at)
            }
            ContentBlock::Resource(embedded) => {
                self.contents(&mut embedded.resource, at.of("/resource"))?;
                self.sides(&mut embedded.meta, &mut embedded.annotations, at)
            }
            ContentBlock::ResourceLink(link) => self.link(link, at),
            _ => Err(unknown()),
        }
    }

    pub(super) fn contents(
        &mut self,
        contents: &mut ResourceContents,
        at: At,
    ) -> Result<(), Refusal> {
        match contents {
            ResourceContents::TextResourceContents {
                uri,
                mime_type,
                text,
                meta,
            } => {
                self.text(uri, at)?;
                self.texts(mime_type, at)?;
                self.text(text, at)?;
                self.meta(meta, at)
            }
            ResourceContents::BlobResourceContents {
                uri,
                mime_type,
                blob,
                meta,
            } => {
                self.text(uri, at)?;
                self.texts(mime_type, at)?;
                self.base64(blob, mime_type.as_deref(), at)?;
                self.meta(meta, at)
            }
            _ => Err(unknown()),
        }
    }

    fn link(&mut self, link: &mut Resource, at: At) -> Result<(), Refusal> {
        self.text(&mut link.uri, at.of("/uri"))?;
        self.text(&mut link.name, at.of("/name"))?;
        self.texts(&mut link.title, at.of("/title"))?;
        self.texts(&mut link.description, at.of("/description"))?;
        self.texts(&mut link.mime_type, at.of("/mimeType"))?;
        if let Some(icons) = &mut link.icons {
            self.icons(icons, at.of("/icons"))?;
        }
        self.sides(&mut link.meta, &mut link.annotations, at)
    }

    /// An icon that is no picture of the web is left out: others are scripts and local files
    /// (spec ICONS-01).
    fn icons(&mut self, icons: &mut Vec<Icon>, at: At) -> Result<(), Refusal> {
        for icon in &mut *icons {
            self.text(&mut icon.src, at)?;
            self.texts(&mut icon.mime_type, at)?;
            for size in icon.sizes.iter_mut().flatten() {
                self.text(size, at)?;
            }
        }
        icons.retain(|icon| {
            let shown = is_picture(&icon.src);
            if !shown {
                self.notes.own("guard/icon", at);
            }
            shown
        });
        Ok(())
    }

    fn sides(
        &mut self,
        meta: &mut Option<MetaObject>,
        annotations: &mut Option<Annotations>,
        at: At,
    ) -> Result<(), Refusal> {
        self.meta(meta, at.of("/_meta"))?;
        match annotations {
            Some(annotations) => self.texts(&mut annotations.last_modified, at.of("/annotations")),
            None => Ok(()),
        }
    }

    /// Bytes as base64. If they are text, by their type or by their look, they are guarded as
    /// text is; all others are counted.
    pub(super) fn base64(
        &mut self,
        data: &mut String,
        mime: Option<&str>,
        at: At,
    ) -> Result<(), Refusal> {
        let before = data.len();
        self.count(before)?;
        if !is_base64(data) {
            // Decoders skip what they do not know: it would be a channel of its own.
            return Err(Refusal::failed("guard/base64", "bytes that are not base64"));
        }
        // Bytes that are no text, and have a secret of the vault among them.
        #[cfg(feature = "vault")]
        if crate::vault::tripwire::is_in(data) {
            return Err(Refusal::failed(
                "vault/tripwire",
                "bytes with a credential in them",
            ));
        }
        let says_text = mime.is_some_and(is_textual);
        if !says_text && !looks_like_text(data) {
            return Ok(());
        }
        let text = BASE64.decode(&*data).ok().map(String::from_utf8);
        let Some(Ok(text)) = text else {
            if says_text {
                self.notes.own("guard/encoding", at);
            }
            return Ok(());
        };
        let (clean, changed) = self.clean(text.into(), at);
        if changed {
            *data = STANDARD.encode(&*clean);
            self.used = self.used.saturating_sub(before);
            self.left = self.left.saturating_add(before);
            self.count(data.len())?;
        }
        Ok(())
    }
}

fn is_picture(src: &str) -> bool {
    let has = |prefix: &str| {
        src.get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    has("https://") || has("data:image/")
}

/// Whether a media type is that of a text, whatever its parameters.
fn is_textual(mime: &str) -> bool {
    let essence = mime.split(';').next().unwrap_or_default().trim();
    let essence = essence.to_ascii_lowercase();
    essence.starts_with("text/")
        || ["+json", "+xml", "+yaml"]
            .iter()
            .any(|suffix| essence.ends_with(suffix))
        || matches!(
            essence.strip_prefix("application/"),
            Some(
                "json"
                    | "xml"
                    | "yaml"
                    | "x-yaml"
                    | "toml"
                    | "javascript"
                    | "ecmascript"
                    | "sql"
                    | "graphql"
                    | "x-sh"
                    | "x-ndjson"
                    | "jsonl"
                    | "rtf"
                    | "x-www-form-urlencoded"
            )
        )
}

/// The alphabet of RFC 4648, section 4, with or without padding.
fn is_base64(data: &str) -> bool {
    let body = data.trim_end_matches('=');
    data.len() - body.len() <= 2
        && body
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}

/// Whether the first bytes are text in UTF-8. Formats with bytes in them show it early.
fn looks_like_text(data: &str) -> bool {
    let end = data.len().min(SNIFFED);
    let mut bytes = [0_u8; SNIFFED];
    let prefix = data.as_bytes().get(..end).unwrap_or_default();
    let Ok(length) = BASE64.decode_slice(prefix, &mut bytes) else {
        return false;
    };
    let bytes = bytes.get(..length).unwrap_or_default();
    if bytes.contains(&0) {
        return false;
    }
    match std::str::from_utf8(bytes) {
        Ok(_) => true,
        // The last character may be cut.
        Err(error) => error.error_len().is_none() && end == SNIFFED,
    }
}

/// Characters of base64 that are looked at: whole groups of four.
const SNIFFED: usize = 1024;

/// Reads what any client would read.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

pub(super) fn unknown() -> Refusal {
    Refusal::failed("guard/content", "a kind of content that is not known")
}
