//! A place that somebody names for what the SDK itself sends: a collector of telemetry, a witness of
//! the audit log.

#![cfg_attr(
    not(feature = "otel"),
    allow(dead_code, reason = "each of its users needs a part of it")
)]

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
};

use http::{HeaderMap, HeaderName, HeaderValue};

use super::fetch::{Client, FetchSettings};
use crate::{
    capability::Opening,
    error::{Error, Result},
    secret_file::secret_file,
};

/// Where it is, and what it asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Destination {
    pub(crate) url: String,
    /// With the headers to send, one a line; no tool may reach it.
    pub(crate) headers_file: Option<PathBuf>,
    /// Trusted besides the usual authorities.
    pub(crate) ca_file: Option<PathBuf>,
    /// It is in a private network. An address of loopback that is written as such needs no word.
    pub(crate) allow_private: bool,
}

/// Bytes of one answer: nothing that is said there matters.
const MOST_SAID: u64 = 64 * 1024;

impl Destination {
    /// Opens the way there, while it may still be opened. `secret` is what its headers are called
    /// where a grant reaches them.
    ///
    /// # Errors
    ///
    /// When the address is none that could be granted, or a file cannot be read.
    pub(crate) fn open(
        &self,
        capability: &'static str,
        secret: &'static str,
        max_request: Option<u64>,
        opening: &mut Opening,
    ) -> Result<(Client, HeaderMap)> {
        let headers = match &self.headers_file {
            Some(path) => {
                opening.secrets.push((secret, path.clone()));
                headers(path)?
            }
            None => HeaderMap::new(),
        };
        let settings = FetchSettings {
            allow_private: self.allow_private || is_loopback(&self.url),
            ca_files: self.ca_file.iter().cloned().collect(),
            max_request,
            max_response: Some(MOST_SAID),
            ..FetchSettings::default()
        };
        let client = Client::open(capability, &self.url, settings, opening)?;
        Ok((client, headers))
    }
}

/// Whether the host is written as an address of loopback. A name could be any address.
fn is_loopback(endpoint: &str) -> bool {
    let Ok(url) = url::Url::parse(endpoint) else {
        return false;
    };
    let host = url.host_str().unwrap_or_default();
    host.trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<IpAddr>()
        .is_ok_and(|ip| ip.is_loopback())
}

/// `name: value`, one a line.
fn headers(path: &Path) -> Result<HeaderMap> {
    let text = secret_file(path)?;
    let mut headers = HeaderMap::new();
    for (at, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        // Never the line itself: it is the secret.
        let wrong = || {
            Error::new(format!(
                "line {} of `{}` is no header",
                at + 1,
                path.display()
            ))
            .help("write `name: value`, one a line")
        };
        let (name, value) = line.split_once(':').ok_or_else(wrong)?;
        let name: HeaderName = name.trim().parse().map_err(|_| wrong())?;
        if RESERVED.contains(&name.as_str()) || headers.len() >= MOST_HEADERS {
            return Err(wrong());
        }
        let mut value = HeaderValue::from_str(value.trim()).map_err(|_| wrong())?;
        value.set_sensitive(true);
        headers.append(name, value);
    }
    Ok(headers)
}

/// What says where a request goes, and where it ends.
const RESERVED: [&str; 6] = [
    "host",
    "content-length",
    "content-type",
    "content-encoding",
    "transfer-encoding",
    "connection",
];

const MOST_HEADERS: usize = 16;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn only_an_address_that_is_written_as_loopback_is_loopback() {
        for here in [
            "http://127.0.0.1:4318",
            "http://[::1]:4318/x",
            "http://127.8.0.1",
        ] {
            assert!(is_loopback(here), "{here}");
        }
        for elsewhere in [
            "http://localhost:4318",
            "http://127.0.0.1.evil.example",
            "http://10.0.0.1",
            "http://127.0.0.1@evil.example",
            "not a url",
        ] {
            assert!(!is_loopback(elsewhere), "{elsewhere}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_line_that_is_no_header_is_not_in_the_error() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("headers");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            headers(&path)
        };
        let good = read("x-api-key: s3cret\n\nauthorization: Bearer abc\n").unwrap();
        assert_eq!(good["x-api-key"], "s3cret");
        assert!(good["authorization"].is_sensitive());
        for bad in [
            "s3cret",
            "Host: evil.example",
            "x: a\nContent-Length: 3",
            "x: \u{1}s3cret",
        ] {
            let said = read(bad).unwrap_err().to_string();
            assert!(!said.contains("s3cret") && said.contains("line "), "{said}");
        }
    }
}
