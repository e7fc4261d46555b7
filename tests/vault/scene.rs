//! A vault with two credentials, its key, and a server that spends one of them.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    path::PathBuf,
    process::{Command, Stdio},
};

use mcp_secure::vault::{NewCredential, Placement, VaultFile, VaultKey};
use secrecy::SecretString;
use serde_json::{Value, json};
use tempfile::TempDir;

/// What must be nowhere. It has what URLs, base64 and JSON spell in their own way.
pub(crate) const CANARY: &str = "canary+9f/3=aQz~K\"71_wX&5";

pub(crate) struct Scene {
    folder: TempDir,
}

/// What a server said, in all that it can say.
pub(crate) struct Said {
    pub(crate) answer: String,
    pub(crate) audit: String,
    pub(crate) errors: String,
}

impl Said {
    /// Every place where something may leak to.
    pub(crate) fn all(&self) -> String {
        format!("{}\n{}\n{}", self.answer, self.audit, self.errors)
    }
}

impl Scene {
    pub(crate) fn new() -> Self {
        let scene = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        for folder in ["vault", "keys", "keys/anchor", "log", "files"] {
            std::fs::create_dir(scene.folder.path().join(folder)).unwrap();
        }
        for key in ["keys/0", "keys/1"] {
            VaultFile::make_key(&scene.folder.path().join(key)).unwrap();
        }
        scene
    }

    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(path)
    }

    pub(crate) fn key(&self) -> VaultKey {
        VaultKey::file(self.at("keys/0"))
    }

    pub(crate) fn file(&self) -> VaultFile {
        VaultFile::at(self.at("vault/v"))
    }

    pub(crate) fn anchored(&self) -> VaultFile {
        self.file().anchor(self.at("keys/anchor/a"))
    }

    /// Makes the vault, with the canary three times, all for one origin.
    pub(crate) fn filled(&self, host: &str) {
        self.anchored().init(&self.key()).unwrap();
        for (name, placement, secret) in [
            ("token", Placement::Bearer, CANARY.to_owned()),
            (
                "key",
                Placement::Header("x-api-key".into()),
                CANARY.to_owned(),
            ),
            ("pair", Placement::Basic, format!("user:{CANARY}")),
        ] {
            self.store(&self.anchored(), name, placement, host, &secret);
        }
    }

    pub(crate) fn store(
        &self,
        file: &VaultFile,
        name: &str,
        placement: Placement,
        host: &str,
        secret: &str,
    ) -> u32 {
        let credential = NewCredential::new(name, placement, [host]).unwrap();
        file.set(&self.key(), &credential, &SecretString::from(secret))
            .unwrap()
    }

    /// Starts the server, calls one tool, and ends it.
    pub(crate) fn call(&self, urls: [&str; 2], name: &str, tool: &str, arguments: Value) -> Said {
        self.call_with("files", urls, name, tool, arguments)
    }

    /// The same, with this folder granted.
    pub(crate) fn call_with(
        &self,
        folder: &str,
        urls: [&str; 2],
        name: &str,
        tool: &str,
        arguments: Value,
    ) -> Said {
        let target = env!("CARGO_BIN_EXE_vault-target");
        self.run(target, folder, urls, name, tool, arguments)
    }

    /// Reads a page, with more in the environment.
    pub(crate) fn call_in(
        &self,
        env: &[(&str, PathBuf)],
        urls: [&str; 2],
        name: &str,
        arguments: Value,
    ) -> Said {
        self.call_tool_in(env, urls, name, "read", arguments)
    }

    /// The same with another tool.
    pub(crate) fn call_tool_in(
        &self,
        env: &[(&str, PathBuf)],
        urls: [&str; 2],
        name: &str,
        tool: &str,
        arguments: Value,
    ) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vault-target"));
        command.envs(env.iter().map(|(name, value)| (name, value)));
        self.run_command(command, "files", urls, name, tool, arguments)
    }

    /// The same with another server.
    pub(crate) fn run(
        &self,
        server: &str,
        folder: &str,
        urls: [&str; 2],
        name: &str,
        tool: &str,
        arguments: Value,
    ) -> Said {
        self.run_command(Command::new(server), folder, urls, name, tool, arguments)
    }

    fn run_command(
        &self,
        mut command: Command,
        folder: &str,
        urls: [&str; 2],
        name: &str,
        tool: &str,
        arguments: Value,
    ) -> Said {
        // A new log, with nothing of the last one beside it.
        std::fs::remove_dir_all(self.at("log")).unwrap();
        std::fs::create_dir(self.at("log")).unwrap();
        let audit = self.at("log/audit.jsonl");
        let mut child = command
            .arg("--stdio")
            .args(["--grant", &format!("api={}", urls[0])])
            .args(["--grant", &format!("other={}", urls[1])])
            .arg("--grant")
            .arg(format!("files={}", self.at(folder).display()))
            .arg("--audit")
            .arg(&audit)
            .env("VAULT", self.at("vault/v"))
            .env("VAULT_KEY", self.at("keys/0"))
            .env("VAULT_ANCHOR", self.at("keys/anchor/a"))
            .env("VAULT_NAME", name)
            .env("VAULT_PEOPLE", self.at("people"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut ask = |message: Value| {
            let sent = writeln!(input, "{message}");
            let mut line = String::new();
            if sent.is_ok() && message.get("id").is_some() {
                let _ = output.read_line(&mut line);
            }
            line
        };
        ask(
            json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {},
            "clientInfo": {"name": "t", "version": "1"}}}),
        );
        ask(json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        let answer = ask(json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call",
            "params": {"name": tool, "arguments": arguments}}));
        drop(input);
        child.wait().unwrap();
        let mut errors = String::new();
        let _ = child.stderr.take().unwrap().read_to_string(&mut errors);
        Said {
            answer,
            audit: std::fs::read_to_string(&audit).unwrap_or_default(),
            errors,
        }
    }
}
