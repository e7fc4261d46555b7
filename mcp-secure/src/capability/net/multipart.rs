//! A body of several parts (RFC 7578).

use bytes::Bytes;

use super::client::Said;

/// A body of several parts, as a form with files sends it.
///
/// Names and file names are quoted as browsers do it, so that none begins another header or
/// another part.
#[derive(Default)]
pub struct Multipart {
    parts: Vec<Part>,
}

struct Part {
    name: String,
    file: Option<(String, &'static str)>,
    content: Bytes,
}

impl Multipart {
    /// Without parts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a field.
    #[must_use]
    pub fn text(mut self, name: &str, value: impl Into<String>) -> Self {
        self.parts.push(Part {
            name: quoted(name),
            file: None,
            content: value.into().into(),
        });
        self
    }

    /// Adds a file.
    #[must_use]
    pub fn file(
        mut self,
        name: &str,
        file_name: &str,
        content_type: &'static str,
        content: impl Into<Bytes>,
    ) -> Self {
        self.parts.push(Part {
            name: quoted(name),
            file: Some((quoted(file_name), content_type)),
            content: content.into(),
        });
        self
    }

    /// What rules can read of it. Names as they are sent; a part of text that is not read as
    /// such does not come from here.
    pub(super) fn said(&self) -> Said {
        let text = |part: &Part| {
            let content = String::from_utf8_lossy(&part.content).into_owned();
            (part.name.clone(), content)
        };
        Said::Fields {
            fields: self.parts.iter().map(text).collect(),
            files: self.parts.iter().any(|part| part.file.is_some()),
        }
    }

    /// Content type and body. The boundary is random, so no content can have it.
    pub(super) fn finish(self) -> Result<(String, Bytes), &'static str> {
        let boundary = crate::call::nonce().ok_or("there is no randomness")?;
        let mut body = Vec::new();
        for part in self.parts {
            let mut head = format!(
                "--{boundary}\r\ncontent-disposition: form-data; name=\"{}\"",
                part.name
            );
            if let Some((file_name, content_type)) = part.file {
                if content_type.chars().any(char::is_control) {
                    return Err("a content type has a control character");
                }
                head.push_str(&format!(
                    "; filename=\"{file_name}\"\r\ncontent-type: {content_type}"
                ));
            }
            body.extend(head.as_bytes());
            body.extend(b"\r\n\r\n");
            body.extend(&part.content);
            body.extend(b"\r\n");
        }
        body.extend(format!("--{boundary}--\r\n").as_bytes());
        Ok((
            format!("multipart/form-data; boundary={boundary}"),
            body.into(),
        ))
    }
}

/// By the HTML standard: the two line breaks and the quote are escaped. Other control
/// characters have no place in a name.
fn quoted(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '\r' => out.push_str("%0D"),
            '\n' => out.push_str("%0A"),
            '"' => out.push_str("%22"),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_begins_no_header_and_no_part() {
        let (content_type, body) = Multipart::new()
            .text("a\"\r\nx: y", "value")
            .file(
                "f",
                "x\"; filename=\"evil.php\r\n\r\n--",
                "text/plain",
                "content",
            )
            .finish()
            .unwrap();
        let boundary = content_type
            .strip_prefix("multipart/form-data; boundary=")
            .unwrap();
        let body = std::str::from_utf8(&body).unwrap();
        assert_eq!(body.matches(boundary).count(), 3);
        assert_eq!(body.matches("\r\n\r\n").count(), 2);
        assert!(body.contains("name=\"a%22%0D%0Ax: y\"\r\n\r\nvalue\r\n"));
        assert!(body.contains("filename=\"x%22; filename=%22evil.php%0D%0A%0D%0A--\"\r\n"));
    }
}
