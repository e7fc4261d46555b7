//! Names that stay closed, and the disguises they come in.

use std::fs;

use mcp_secure::capability::fs::{Access, FsError, FsLimits, FsPolicy};

use crate::tree::{SECRET, rel};

/// Paths that nothing may be written to, whatever the policy allows by name.
const PLANTS: &[&str] = &[
    ".git/hooks/pre-commit",
    ".git/config",
    ".GIT/hooks/post-checkout",
    "sub/.git/config",
    ".git./x",
    ".git /x",
    ".g\u{200c}it/config",
    ".git::$INDEX_ALLOCATION/config",
    "GIT~1/config",
    "\u{ff0e}git/config",
    "CLAUDE.md",
    "claude.md",
    "Claude.MD",
    "CLAUDE.md.",
    "CLAUDE.md ",
    "CLAU\u{200b}DE.md",
    "CLAUDE.md\u{feff}",
    "ＣＬＡＵＤＥ.md",
    "CLAUDE.md:stream",
    "sub/CLAUDE.md",
    ".CLAUDE.md",
    ".Claude/settings.json",
    "AGENTS.md",
    "agents.md",
    "sub/deeper/AGENTS.md",
    "GEMINI.md",
    "mcp.json",
    "MCP.JSON",
    ".mcp.json",
    "MCP~1.JSO",
    ".cursor/mcp.json",
    ".CURSOR/rules/x.mdc",
    ".cursorrules",
    ".vscode/tasks.json",
    ".VSCode/settings.json",
    "x.code-workspace",
    ".windsurfrules",
    ".clinerules",
    ".github/copilot-instructions.md",
    "copilot-instructions.md",
    ".github/workflows/x.yml",
    ".idea/x",
    ".devcontainer/devcontainer.json",
    ".bashrc",
    ".BASHRC",
    ".zshenv",
    ".profile",
    ".envrc",
    ".gitconfig",
    ".gitmodules",
    ".husky/pre-push",
    ".\u{17f}sh/authorized_keys",
    ".ßh/authorized_keys",
    ".ssh/authorized_keys",
    ".env",
    ".env.local",
    "prod.env",
    "id_rsa",
    "ID_ED25519.pub",
    "server.key",
    "server.PEM",
    ".netrc",
    ".npmrc",
    ".pypirc",
    ".docker/config.json",
    ".kube/config",
    ".aws/credentials",
    ".config/gcloud/x",
    "gcloud/x",
    ".gnupg/x",
    ".mcp-secure-00.tmp",
    ".hidden",
    "sub/.hidden/x",
    "\u{200b}.hidden",
];

attacks! {
    async fn nothing_is_planted_where_an_agent_or_a_shell_would_obey_it(tree: Tree) {
        for path in PLANTS {
            let path = &rel(path);
            for error in [
                tree.refused(tree.fs.write(path, "owned").await),
                tree.refused(tree.fs.create_new(path, "owned").await),
                tree.refused(tree.fs.append(path, "owned").await),
                tree.refused(tree.fs.create_dir(path).await),
                tree.refused(tree.fs.create_dir_all(path).await),
                tree.refused(tree.fs.remove_file(path).await),
                tree.refused(tree.fs.remove_dir(path).await),
                tree.refused(tree.fs.rename(&rel("inside.txt"), path).await),
                tree.refused(tree.fs.rename(&rel("sub"), path).await),
                tree.refused(tree.fs.rename(path, &rel("elsewhere")).await),
            ] {
                assert!(matches!(error, FsError::Denied { .. }), "{path}: {error:?}");
            }
        }
        let names: Vec<_> = fs::read_dir(&tree.root).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names.len(), 2, "{names:?}");
        tree.is_unharmed();
    }

    async fn secrets_are_neither_read_nor_listed(tree: Tree) {
        let secrets = [
            ".env", ".ENV.production", "id_rsa", "server.pem", ".netrc", ".npmrc", ".git-credentials", "x.kdbx",
            "terraform.tfstate", ".bash_history", "service-account-1.json",
        ];
        for name in secrets {
            fs::write(tree.root.join(name), SECRET).unwrap();
        }
        for dir in [".ssh", ".aws", ".git", ".kube"] {
            fs::create_dir(tree.root.join(dir)).unwrap();
            fs::write(tree.root.join(dir).join("config"), SECRET).unwrap();
            let path = &rel(&format!("{dir}/config"));
            assert!(matches!(tree.refused(tree.fs.read(path).await), FsError::Denied { .. }));
            assert!(matches!(tree.refused(tree.fs.read_dir(&rel(dir)).await), FsError::Denied { .. }));
            assert!(matches!(tree.refused(tree.fs.subdir(&rel(dir)).await), FsError::Denied { .. }));
        }
        for name in secrets {
            let path = &rel(name);
            for error in [
                tree.refused(tree.fs.read(path).await),
                tree.refused(tree.fs.metadata(path).await),
                tree.refused(tree.fs.try_exists(path).await),
            ] {
                assert!(matches!(error, FsError::Denied { .. }), "{path}: {error:?}");
            }
        }
        let listed = tree.fs.read_dir(&rel(".")).await.unwrap();
        assert_eq!(listed.iter().map(|e| e.file_name()).collect::<Vec<_>>(), ["inside.txt", "sub"]);
        let walked = tree.fs.walk(&rel("."), Default::default()).await.unwrap();
        let paths: Vec<_> = walked.entries.iter().map(|e| e.path().as_str()).collect();
        assert_eq!(paths, ["inside.txt", "sub", "sub/deep.txt"]);
    }

    async fn the_refusal_names_the_rule(tree: Tree) {
        let error = tree.refused(tree.fs.write(&rel("sub/CLAUDE.md"), "x").await);
        let said = error.to_string();
        assert!(said.contains("`sub/CLAUDE.md`") && said.contains("`claude.md`"), "{said}");
    }

    async fn what_is_locked_for_writing_may_still_be_read(tree: Tree) {
        fs::write(tree.root.join("AGENTS.md"), "rules").unwrap();
        assert_eq!(tree.fs.read_to_string(&rel("AGENTS.md")).await.unwrap(), "rules");
    }

    async fn a_name_allowed_by_the_author_is_open_and_its_neighbours_are_not(tree: Tree) {
        let policy = FsPolicy::default()
            .allow(".gitignore", Access::Write).unwrap()
            .allow(".env.example", Access::Read).unwrap();
        let handle = tree.again(policy, FsLimits::default());
        handle.write(&rel(".gitignore"), "target").await.unwrap();
        fs::write(tree.root.join(".env.example"), "A=").unwrap();
        assert_eq!(handle.read_to_string(&rel(".env.example")).await.unwrap(), "A=");
        for path in [".env.example", ".gitattributes", ".env", ".gitignore/.git/x"] {
            let error = tree.refused(handle.write(&rel(path), "x").await);
            assert!(matches!(error, FsError::Denied { .. }), "{path}: {error:?}");
        }
    }

    async fn dotfiles_open_by_choice_but_agents_and_keys_stay_closed(tree: Tree) {
        let handle = tree.again(FsPolicy::default().allow_dotfiles(), FsLimits::default());
        handle.write(&rel(".todo"), "x").await.unwrap();
        for path in PLANTS.iter().filter(|path| !path.contains("hidden") && **path != ".CLAUDE.md") {
            let error = tree.refused(handle.write(&rel(path), "x").await);
            assert!(matches!(error, FsError::Denied { .. }), "{path}: {error:?}");
        }
    }

    async fn a_closed_folder_is_not_moved_into_place_under_an_open_name(tree: Tree) {
        // Built under an open name, it must not become `.github` or `.git` by a rename.
        tree.fs.create_dir_all(&rel("gh/hooks")).await.unwrap();
        tree.fs.write(&rel("gh/hooks/pre-commit"), "owned").await.unwrap();
        for to in [".git", ".github", ".GIT", ".git ", "sub/.git", ".vscode", "GIT~1"] {
            let error = tree.refused(tree.fs.rename(&rel("gh"), &rel(to)).await);
            assert!(matches!(error, FsError::Denied { .. }), "{to}: {error:?}");
        }
    }
}
