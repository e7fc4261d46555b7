//! What an operator may bind, and what stops the start.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use crate::tree::{Backend, Tree};

fn refused(backend: Backend, path: &Path) -> String {
    let error = backend
        .open(path)
        .map(|_| ())
        .expect_err("refused")
        .to_string();
    assert!(error.contains("help: "), "says what to do: {error}");
    error
}

attacks! {
    async fn what_is_too_wide_stops_the_start(tree: Tree) {
        for path in ["/", "/proc", "/proc/self", "/proc/self/root", "/sys", "/dev", "/dev/shm", "/etc", "/usr", "/var", "/tmp"] {
            if Path::new(path).exists() {
                refused(tree.backend, Path::new(path));
            }
        }
        let home = std::env::home_dir().unwrap();
        assert!(refused(tree.backend, &home).contains("home folder"));
        refused(tree.backend, home.parent().unwrap());
        refused(tree.backend, Path::new("/proc/self/cwd/../../../../../../../.."));
    }

    async fn what_is_not_a_folder_stops_the_start(tree: Tree) {
        assert!(refused(tree.backend, &tree.root.join("inside.txt")).contains("cannot"));
        refused(tree.backend, &tree.root.join("nothing"));
        refused(tree.backend, Path::new(""));
        refused(tree.backend, Path::new("a\0b"));
    }

    async fn a_folder_of_secrets_stops_the_start(tree: Tree) {
        for name in [".ssh", ".git/hooks", "x/.aws"] {
            let path = tree.root.join(name);
            fs::create_dir_all(&path).unwrap();
            assert!(refused(tree.backend, &path).contains("closed by the rule"));
        }
    }

    async fn a_folder_that_everyone_may_write_in_stops_the_start(tree: Tree) {
        let path = tree.root.join("sub");
        for mode in [0o777, 0o1777, 0o702] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert!(refused(tree.backend, &path).contains("chmod o-w"), "{mode:o}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(tree.backend.open(&path).is_ok());
    }

    async fn a_link_is_judged_and_shown_by_where_it_leads(tree: Tree) {
        tree.link("/etc", "notes");
        let said = refused(tree.backend, &tree.root.join("notes"));
        assert!(said.contains("which is `/etc`"), "{said}");
        tree.link("sub", "alias");
        let opened = tree.backend.open(&tree.root.join("alias")).unwrap();
        assert_eq!(opened.path(), tree.root.join("sub"));
        assert!(!format!("{opened:?}").contains("granted"));
    }
}

#[test]
fn a_handle_shows_no_place_on_the_host() {
    let tree = Tree::new(Backend::Kernel);
    assert_eq!(format!("{:?}", tree.fs), "Fs(notes, read-write)");
    assert_eq!(format!("{:?}", tree.fs.read_only()), "Fs(notes, read-only)");
}
