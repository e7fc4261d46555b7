//! The default rules: data, with a reason each.

use std::borrow::Cow;

use super::policy::{Access, Rule};

/// All default rules that are patterns.
pub(super) fn all() -> impl Iterator<Item = Rule> {
    let group = |names: &'static [&'static str], closes, locked, reason| {
        names
            .iter()
            .map(move |name| rule(name, closes, locked, reason))
    };
    let (read, write) = (Access::Read, Access::Write);
    group(SECRETS, read, None, "it usually holds credentials")
        .chain(group(
            REPOSITORY,
            read,
            Some(write),
            "it is the inside of a repository, with hooks that run",
        ))
        .chain(group(
            AGENT,
            write,
            Some(write),
            "a coding agent or an editor obeys it",
        ))
        .chain(group(
            SHELL,
            write,
            Some(write),
            "a shell or a tool runs it",
        ))
        .chain(group(
            OWN,
            read,
            Some(read),
            "it is a write that is not finished",
        ))
}

const fn rule(
    name: &'static str,
    closes: Access,
    locked: Option<Access>,
    reason: &'static str,
) -> Rule {
    Rule {
        pattern: Cow::Borrowed(name),
        closes,
        locked,
        reason,
    }
}

/// Names with a dot in front that no other rule is about.
pub(super) static DOTFILE: Rule = rule(
    ".*",
    Access::Read,
    None,
    "names that start with a dot are closed unless the server allows them",
);
/// Names of which nothing is left after folding.
pub(super) static INVISIBLE: Rule = rule(
    "",
    Access::Read,
    Some(Access::Read),
    "the name has no visible character",
);
/// Names that are the DOS alias of a closed one.
pub(super) static SHORT_NAME: Rule = rule(
    "*~*",
    Access::Read,
    Some(Access::Read),
    "it is the short name of a closed name",
);

const SECRETS: &[&str] = &[
    // Keys and what opens them.
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.jks",
    "*.keystore",
    "*.kdbx",
    "*.ppk",
    "id_rsa*",
    "id_dsa*",
    "id_ecdsa*",
    "id_ed25519*",
    ".ssh",
    ".gnupg",
    ".gpg",
    ".password-store",
    ".vault-token",
    // Environments.
    ".env*",
    "*.env",
    // Clouds, clusters, registries, services.
    ".aws",
    ".azure",
    ".gcloud",
    "gcloud",
    ".kube",
    "kubeconfig",
    ".docker",
    ".dockercfg",
    ".terraform.d",
    ".terraformrc",
    "*.tfstate",
    "*.tfvars",
    ".boto",
    ".s3cfg",
    ".netrc",
    "_netrc",
    ".npmrc",
    ".yarnrc*",
    ".pypirc",
    ".gem",
    ".pgpass",
    ".my.cnf",
    ".htpasswd",
    ".git-credentials",
    ".m2",
    ".config",
    ".authinfo*",
    "credentials",
    "credentials.json",
    "client_secret*.json",
    "service-account*.json",
    "service_account*.json",
    "application_default_credentials.json",
    // Browsers and histories.
    ".mozilla",
    ".thunderbird",
    ".*_history",
    ".lesshst",
    ".viminfo",
];

const REPOSITORY: &[&str] = &[".git", ".hg", ".svn", ".bzr", ".jj"];

const AGENT: &[&str] = &[
    "agents.md",
    "agents.*.md",
    "agent.md",
    ".agents",
    ".agent",
    "claude.md",
    "claude.*.md",
    ".claude",
    ".claude.*",
    "gemini.md",
    ".gemini",
    "qwen.md",
    ".qwen",
    "warp.md",
    ".codex",
    ".opencode",
    "opencode.json",
    "opencode.jsonc",
    "mcp.json",
    ".mcp.json",
    ".mcp",
    "mcp_config.json",
    "mcp_settings.json",
    "cline_mcp_settings.json",
    "claude_desktop_config.json",
    ".cursor",
    ".cursorrules",
    ".cursorignore",
    "*.mdc",
    ".windsurf*",
    ".codeium",
    ".clinerules*",
    ".roo*",
    ".kilocode*",
    ".continue*",
    ".aider*",
    ".amazonq",
    ".kiro",
    ".junie",
    ".goose*",
    ".zed",
    ".rules",
    ".trae",
    ".augment*",
    "copilot-instructions.md",
    "*.instructions.md",
    "*.prompt.md",
    "*.chatmode.md",
    "*.agent.md",
    ".github",
    ".gitlab*",
    ".vscode",
    ".vscode-server",
    "*.code-workspace",
    ".idea",
    ".fleet",
    ".devcontainer*",
];

const SHELL: &[&str] = &[
    ".bashrc",
    ".bash_profile",
    ".bash_login",
    ".bash_logout",
    ".bash_aliases",
    ".profile",
    ".zshrc",
    ".zshenv",
    ".zprofile",
    ".zlogin",
    ".zlogout",
    ".kshrc",
    ".mkshrc",
    ".cshrc",
    ".tcshrc",
    ".login",
    ".logout",
    ".xprofile",
    ".xinitrc",
    ".xsession*",
    ".xsessionrc",
    ".inputrc",
    ".envrc",
    "config.fish",
    "*.profile.ps1",
    "profile.ps1",
    "microsoft.powershell_profile.ps1",
    ".vim*",
    ".exrc",
    ".nvimrc",
    ".nvim.lua",
    ".emacs*",
    ".dir-locals*.el",
    ".gdbinit*",
    ".lldbinit*",
    ".pythonrc*",
    ".pdbrc*",
    ".irbrc",
    ".pryrc",
    ".rprofile",
    ".tmux.conf",
    ".screenrc",
    ".gitconfig",
    ".gitmodules",
    ".gitattributes",
    ".husky",
    ".pre-commit-config.yaml",
    ".lefthook*",
    ".mise*",
    ".cargo",
    ".direnv*",
    ".local",
    "autorun.inf",
    "desktop.ini",
    "*.desktop",
    "*.lnk",
    "sitecustomize.py",
    "usercustomize.py",
];

/// The temporary file of an atomic write.
const OWN: &[&str] = &[super::ops::TEMP_PATTERN];
