//! What goes into a client's configuration file, so that nobody writes it by hand.
//!
//! | client | file | top key | a variable of the environment |
//! |---|---|---|---|
//! | Claude Desktop | `claude_desktop_config.json` | `mcpServers` | none; stdio only |
//! | Claude Code | `.mcp.json`, or `claude mcp add-json` | `mcpServers` | `${NAME}` |
//! | VS Code | `.vscode/mcp.json` or the user's `mcp.json` | `servers` | `${input:id}`, asked once |
//! | Cursor | `~/.cursor/mcp.json` or `.cursor/mcp.json` | `mcpServers` | `${env:NAME}` |
//!
//! The token of an HTTP server is never printed: such files are shared and checked in.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use super::{
    cli::{Client, ServeOptions},
    config::{AuditTarget, absolute},
    resolve::{Declared, Resolved, Shown, Transport},
};
use crate::{Error, Result};

/// What is printed.
#[derive(Debug)]
pub(crate) struct Rendered {
    /// For standard output: JSON and nothing else.
    pub(crate) json: String,
    /// For standard error: where to put it.
    pub(crate) hint: String,
}

/// The configuration with which `client` reaches this server.
pub(crate) fn render(
    client: Client,
    declared: &Declared<'_>,
    options: &ServeOptions,
    resolved: &Resolved,
    exe: &Path,
    cwd: &Path,
) -> Result<Rendered> {
    let name = declared.manifest.server.name.as_str();
    let mut by_itself = None;
    let (entry, secret) = match &resolved.transport {
        Transport::Stdio => (
            stdio(client, exe, &arguments(options, resolved, cwd)?)?,
            None,
        ),
        Transport::Http(address) => {
            let url = url(declared, *address)?;
            let shown = declared.http.as_ref().map(|http| http.shown_by_callers);
            let shown = shown.unwrap_or(Shown::TokenFile);
            let secret = is_written(shown).then(|| match shown {
                Shown::TokenFile => token_file(resolved.token_file.as_deref()),
                _ => "a key that `mcp-secure keys add` printed".to_owned(),
            });
            let entry = http(client, name, &url, secret.is_some())?;
            match secret {
                Some(from) => (entry, Some(secret_hint(client, name, &from))),
                None => {
                    by_itself = Some(how_without(shown));
                    (entry, None)
                }
            }
        }
        Transport::Unix(_) => {
            return Err(
                Error::new("these clients do not speak over a Unix-domain socket")
                    .help("ask for `--stdio`, or `--http` where it is declared"),
            );
        }
    };
    let key = if client == Client::Vscode {
        "servers"
    } else {
        "mcpServers"
    };
    let mut file = json!({ key: { name: entry } });
    if let (Client::Vscode, Some(_), Some(file)) = (client, &secret, file.as_object_mut()) {
        let input = json!({
            "type": "promptString",
            "id": input_id(name),
            "description": format!("The token of the MCP server {name}"),
            "password": true,
        });
        file.insert("inputs".to_owned(), json!([input]));
    }
    let mut text = serde_json::to_string_pretty(&file)
        .map_err(|e| Error::new(format!("the configuration cannot be written: {e}")))?;
    text.push('\n');
    let mut hint = place(client, name);
    for more in secret.as_deref().into_iter().chain(by_itself) {
        hint.push('\n');
        hint.push_str(more);
    }
    Ok(Rendered { json: text, hint })
}

fn stdio(client: Client, exe: &Path, arguments: &[String]) -> Result<Value> {
    let command = plain(exe)?;
    let mut entry = json!({ "command": command, "args": arguments });
    if let (Client::ClaudeCode | Client::Vscode | Client::Cursor, Some(entry)) =
        (client, entry.as_object_mut())
    {
        entry.insert("type".to_owned(), json!("stdio"));
    }
    Ok(entry)
}

fn http(client: Client, name: &str, url: &str, secret: bool) -> Result<Value> {
    let bearer = match client {
        Client::ClaudeDesktop => {
            return Err(
                Error::new("Claude Desktop's file knows only servers that it starts")
                    .help("ask for `--stdio`, or for another `--client`"),
            );
        }
        Client::ClaudeCode => format!("Bearer ${{{}}}", variable(name)),
        Client::Vscode => format!("Bearer ${{input:{}}}", input_id(name)),
        Client::Cursor => format!("Bearer ${{env:{}}}", variable(name)),
    };
    let mut entry = match secret {
        true => json!({ "url": url, "headers": { "Authorization": bearer } }),
        false => json!({ "url": url }),
    };
    if let (Client::ClaudeCode | Client::Vscode, Some(entry)) = (client, entry.as_object_mut()) {
        entry.insert("type".to_owned(), json!("http"));
    }
    Ok(entry)
}

/// The options again, with whole paths: where a client starts a server, nobody knows.
fn arguments(options: &ServeOptions, resolved: &Resolved, cwd: &Path) -> Result<Vec<String>> {
    let mut out = vec!["serve".to_owned(), "--stdio".to_owned()];
    for grant in &options.grants {
        out.push("--grant".to_owned());
        // As it was bound: a path is whole there.
        let bound = resolved
            .grants
            .iter()
            .find(|bound| bound.name == grant.name);
        let value = bound.map_or(&grant.value, |bound| &bound.value);
        out.push(format!("{}={}", grant.name, plain(Path::new(value))?));
    }
    let mut option = |name: &str, path: Option<&PathBuf>| -> Result<()> {
        if let Some(path) = path {
            out.push(name.to_owned());
            out.push(whole(cwd, path)?);
        }
        Ok(())
    };
    option("--config", options.config.as_ref())?;
    option("--lock", options.lock.as_ref())?;
    match &options.audit {
        Some(AuditTarget::File(path)) => option("--audit", Some(path))?,
        Some(AuditTarget::Stderr) => out.extend(["--audit".to_owned(), "stderr".to_owned()]),
        #[cfg(feature = "__bench")]
        Some(AuditTarget::Nowhere) => {}
        None => {}
    }
    Ok(out)
}

fn whole(cwd: &Path, path: &Path) -> Result<String> {
    plain(&absolute(cwd, path)?)
}

/// A path as JSON can hold it and as no client rewrites it.
fn plain(path: &Path) -> Result<String> {
    let text = path.to_str().ok_or_else(|| {
        Error::new(format!("`{}` is not UTF-8", path.display()))
            .help("JSON cannot hold this path: rename the folder")
    })?;
    if text.contains("${") {
        return Err(
            Error::new(format!("`{text}` has `${{` in it, which clients replace"))
                .help("rename the folder"),
        );
    }
    Ok(text.to_owned())
}

fn url(declared: &Declared<'_>, address: Option<SocketAddr>) -> Result<String> {
    let http = declared.http.as_ref();
    let path = http.map_or("/mcp", |http| http.path.as_str());
    let scheme = http.map_or("http", |http| http.scheme);
    // A proxy has an address of its own.
    if let Some(http) = http.filter(|http| http.is_behind_proxy) {
        let host = http.host.as_deref().unwrap_or_default();
        return Ok(format!("{scheme}://{host}{path}"));
    }
    let authority = match (address, http) {
        (Some(address), _) => address.to_string(),
        (None, Some(http)) => http.addr.clone(),
        (None, None) => String::new(),
    };
    if authority.is_empty() || authority.ends_with(":0") {
        return Err(
            Error::new("the port is not fixed, so no client can be told of it")
                .help("name one: `--http 127.0.0.1:8443`"),
        );
    }
    // By the name that its certificate is for, where others reach it.
    let bound: Option<SocketAddr> = authority.parse().ok();
    let authority = match (bound, http.and_then(|http| http.host.as_ref())) {
        (Some(bound), Some(host)) if !bound.ip().is_loopback() => {
            match host.trim_start_matches('[').contains(':') && !host.ends_with(']') {
                true => host.clone(),
                false => format!("{host}:{}", bound.port()),
            }
        }
        _ => authority,
    };
    Ok(format!("{scheme}://{authority}{path}"))
}

fn place(client: Client, name: &str) -> String {
    match client {
        Client::ClaudeDesktop => "put it into `claude_desktop_config.json` (Settings, Developer, \
                                  Edit Config), beside the servers that are there"
            .to_owned(),
        Client::ClaudeCode => format!(
            "put it into `.mcp.json` of the project, or give the inner object to \
             `claude mcp add-json {name} '…'`"
        ),
        Client::Vscode => "put it into the user's `mcp.json` (MCP: Open User Configuration) or \
             `.vscode/mcp.json`"
            .to_owned(),
        Client::Cursor => "put it into `~/.cursor/mcp.json` or `.cursor/mcp.json`".to_owned(),
    }
}

/// Whether what callers show stands in a configuration.
fn is_written(shown: Shown) -> bool {
    matches!(shown, Shown::TokenFile | Shown::ApiKey)
}

/// How a client comes by what does not stand there.
fn how_without(shown: Shown) -> &'static str {
    match shown {
        #[cfg(feature = "oauth")]
        Shown::AccessToken => "the client logs in by itself: the server tells it where",
        _ => "the client shows a certificate: how it gets one is in its own documentation",
    }
}

fn token_file(path: Option<&Path>) -> String {
    path.map_or_else(
        || "the content of the token file that `serve --http` names".to_owned(),
        |path| format!("the content of `{}`", path.display()),
    )
}

fn secret_hint(client: Client, name: &str, from: &str) -> String {
    match client {
        Client::Vscode => format!("VS Code asks for the token once: it is {from}"),
        _ => format!(
            "the token is not in it: set the variable `{}` to {from}",
            variable(name)
        ),
    }
}

fn variable(name: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_uppercase()
        } else {
            '_'
        }
    };
    format!("{}_TOKEN", name.chars().map(plain).collect::<String>())
}

fn input_id(name: &str) -> String {
    format!("{name}-token")
}

#[cfg(test)]
mod tests;
