use super::*;
use crate::server::{
    cli::{self, Invocation},
    resolve::{
        DeclaredHttp,
        tests::{definition, loopback, with_declared, with_http},
    },
};

const NAME: &str = "mcp-secure-unit-test";

fn rendered(client: Client, line: &str) -> Result<Rendered> {
    let words = std::iter::once("x").chain(line.split_whitespace());
    let Ok(Invocation::Serve(options)) = cli::parse("notes", "0", words.map(Into::into)) else {
        panic!("{line}")
    };
    let cwd = Path::new("/srv/app");
    with_declared((true, true, true), |declared| {
        let resolved = declared.resolve(&options, cwd)?;
        render(
            client,
            declared,
            &options,
            &resolved,
            Path::new("/opt/notes"),
            cwd,
        )
    })
}

fn json_of(client: Client, line: &str) -> Value {
    serde_json::from_str(&rendered(client, line).unwrap().json).unwrap()
}

#[test]
fn each_client_starts_the_server_in_its_own_words() {
    let line = "--grant notes=n --audit stderr";
    let args = json!([
        "serve",
        "--stdio",
        "--grant",
        "notes=/srv/app/n",
        "--audit",
        "stderr"
    ]);
    let plain = json!({ "command": "/opt/notes", "args": args });
    let typed = json!({ "command": "/opt/notes", "args": args, "type": "stdio" });
    assert_eq!(
        json_of(Client::ClaudeDesktop, line),
        json!({ "mcpServers": { NAME: plain } })
    );
    assert_eq!(
        json_of(Client::ClaudeCode, line),
        json!({ "mcpServers": { NAME: typed } })
    );
    assert_eq!(
        json_of(Client::Vscode, line),
        json!({ "servers": { NAME: typed } })
    );
    assert_eq!(
        json_of(Client::Cursor, line),
        json!({ "mcpServers": { NAME: typed } })
    );
}

#[test]
fn all_paths_are_whole() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("c.toml");
    std::fs::write(&config, "").unwrap();
    let line = format!(
        "--grant notes=n --config {} --lock l --audit a",
        config.display()
    );
    assert_eq!(
        json_of(Client::ClaudeCode, &line)["mcpServers"][NAME]["args"],
        json!([
            "serve",
            "--stdio",
            "--grant",
            "notes=/srv/app/n",
            "--config",
            config,
            "--lock",
            "/srv/app/l",
            "--audit",
            "/srv/app/a"
        ])
    );
}

#[test]
fn the_token_is_referred_to_and_never_printed() {
    let line = "--http --grant notes=n --token-file t";
    let url = "http://127.0.0.1:8443/mcp";
    let code = rendered(Client::ClaudeCode, line).unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(&code.json).unwrap(),
        json!({ "mcpServers": { NAME: {
            "type": "http",
            "url": url,
            "headers": { "Authorization": "Bearer ${MCP_SECURE_UNIT_TEST_TOKEN}" },
        } } })
    );
    assert!(
        code.hint.ends_with(
            "set the variable `MCP_SECURE_UNIT_TEST_TOKEN` to the content of `/srv/app/t`"
        )
    );
    assert_eq!(
        json_of(Client::Vscode, line),
        json!({
            "servers": { NAME: {
                "type": "http",
                "url": url,
                "headers": { "Authorization": format!("Bearer ${{input:{NAME}-token}}") },
            } },
            "inputs": [{
                "type": "promptString",
                "id": format!("{NAME}-token"),
                "description": format!("The token of the MCP server {NAME}"),
                "password": true,
            }],
        })
    );
    assert_eq!(
        json_of(Client::Cursor, line),
        json!({ "mcpServers": { NAME: {
            "url": url,
            "headers": { "Authorization": "Bearer ${env:MCP_SECURE_UNIT_TEST_TOKEN}" },
        } } })
    );
}

#[cfg(all(feature = "oauth", feature = "tls"))]
#[test]
fn a_client_that_logs_in_or_shows_a_certificate_is_told_of_no_token() {
    let of = |shown| {
        let declared = DeclaredHttp {
            shown_by_callers: shown,
            ..loopback()
        };
        with_http(&definition(), (false, true, false), declared, |declared| {
            let words = "x --http --grant notes=n".split(' ').map(Into::into);
            let Ok(Invocation::Serve(options)) = cli::parse("notes", "0", words) else {
                panic!("no options")
            };
            let cwd = Path::new("/srv/app");
            let resolved = declared.resolve(&options, cwd).unwrap();
            let exe = Path::new("/opt/notes");
            render(Client::Vscode, declared, &options, &resolved, exe, cwd).unwrap()
        })
    };
    for (shown, hint) in [
        (Shown::AccessToken, "logs in by itself"),
        (Shown::Certificate, "shows a certificate"),
    ] {
        let told = of(shown);
        assert!(
            !told.json.contains("Bearer") && !told.json.contains("inputs"),
            "{told:?}"
        );
        assert!(
            told.hint.contains(hint) && !told.hint.contains("token file"),
            "{told:?}"
        );
    }
    let told = of(Shown::ApiKey);
    assert!(
        told.json.contains("Bearer") && told.hint.contains("a key that"),
        "{told:?}"
    );
}

/// The URL that a client is told of this server.
fn url_of(addr: &str, host: &str, is_behind_proxy: bool) -> String {
    let declared = DeclaredHttp {
        addr: addr.into(),
        path: "/mcp".into(),
        shown: "https",
        scheme: "https",
        host: (!host.is_empty()).then(|| host.to_owned()),
        is_behind_proxy,
        unfit: None,
        shown_by_callers: Shown::TokenFile,
    };
    with_http(&definition(), (false, true, false), declared, |declared| {
        url(declared, None).unwrap()
    })
}

#[test]
fn what_others_reach_is_told_by_its_name() {
    for (addr, host, is_behind_proxy, expected) in [
        ("127.0.0.1:8443", "", false, "https://127.0.0.1:8443/mcp"),
        (
            "0.0.0.0:8443",
            "mcp.example",
            false,
            "https://mcp.example:8443/mcp",
        ),
        (
            "0.0.0.0:8443",
            "mcp.example:443",
            false,
            "https://mcp.example:443/mcp",
        ),
        (
            "[::]:8443",
            "[2001:db8::1]",
            false,
            "https://[2001:db8::1]:8443/mcp",
        ),
        (
            "10.0.0.5:8080",
            "mcp.example",
            true,
            "https://mcp.example/mcp",
        ),
        (
            "127.0.0.1:8080",
            "mcp.example",
            true,
            "https://mcp.example/mcp",
        ),
    ] {
        assert_eq!(url_of(addr, host, is_behind_proxy), expected);
    }
}

#[test]
fn what_a_client_cannot_do_is_an_error_and_not_a_file_that_fails_later() {
    let refused = |client, line: &str| rendered(client, line).unwrap_err().to_string();
    assert!(refused(Client::ClaudeDesktop, "--http --grant notes=n").contains("that it starts"));
    assert!(refused(Client::Cursor, "--unix --grant notes=n").contains("Unix-domain socket"));
    assert!(refused(Client::Cursor, "--http 0 --grant notes=n").contains("port is not fixed"));
    assert!(refused(Client::Cursor, "--grant notes=${HOME}/n").contains("which clients replace"));
    // Such a server would not start, whoever starts it.
    assert!(refused(Client::Cursor, "").starts_with("`notes` is not granted"));
}
