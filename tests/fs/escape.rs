//! Ways out: every one that a path checker has been beaten with.

use std::fs;

use mcp_secure::capability::fs::{Access, FsError, FsLimits, FsPolicy, RelPath};

use crate::tree::{SECRET, rel};

#[test]
fn a_path_that_says_up_or_elsewhere_is_not_a_path() {
    for text in [
        "../outside/secret.txt",
        "..",
        "sub/../../outside/secret.txt",
        "sub/..",
        "/etc/passwd",
        "/",
        "../granted_evil/secret.txt",
        "",
        "a\0b",
        "inside.txt\0.png",
        "~",
        "~/x",
        "~root",
        "./../x",
        "a/./b",
        "a//b",
        "a/",
        "C:\\x",
        "C:/x",
        "\\\\host\\share",
        "..\\outside",
        "\\\\?\\C:\\x",
        "a\nb",
    ] {
        assert!(
            matches!(RelPath::parse(text), Err(FsError::Invalid { .. })),
            "{text:?}"
        );
        let json = serde_json::to_string(text).unwrap();
        assert!(serde_json::from_str::<RelPath>(&json).is_err(), "{text:?}");
    }
}

attacks! {
    async fn what_is_inside_is_read(tree: Tree) {
        assert_eq!(tree.fs.read_to_string(&rel("inside.txt")).await.unwrap(), "inside");
        assert_eq!(tree.fs.read(&rel("sub/deep.txt")).await.unwrap(), b"deep");
        assert!(tree.fs.try_exists(&rel("sub")).await.unwrap());
        assert!(!tree.fs.try_exists(&rel("nothing/here")).await.unwrap());
        assert!(tree.fs.metadata(&rel(".")).await.unwrap().is_dir());
        assert_eq!(tree.fs.metadata(&rel("inside.txt")).await.unwrap().len(), 6);
    }

    async fn an_encoded_dot_dot_is_a_literal_name(tree: Tree) {
        let path = rel("%2e%2e/outside/secret.txt");
        assert!(matches!(tree.refused(tree.fs.read(&path).await), FsError::NotFound { .. }));
        fs::write(tree.root.join("%2e%2e"), "literal").unwrap();
        assert_eq!(tree.fs.read_to_string(&rel("%2e%2e")).await.unwrap(), "literal");
    }

    async fn a_link_out_is_not_read_through(tree: Tree) {
        tree.link(tree.outside.join("secret.txt"), "abs");
        tree.link("../outside/secret.txt", "rel");
        tree.link("../outside", "dir");
        tree.link("..", "up");
        tree.link("/", "top");
        tree.link("sub/../../outside/secret.txt", "zigzag");
        tree.link("rel", "chain");
        for path in ["abs", "rel", "zigzag", "chain", "dir/secret.txt", "up/outside/secret.txt", "top/etc/passwd", "sub/../up"] {
            let Ok(path) = RelPath::parse(path) else { continue };
            for error in [
                tree.refused(tree.fs.read(&path).await),
                tree.refused(tree.fs.metadata(&path).await),
                tree.refused(tree.fs.try_exists(&path).await),
                tree.refused(tree.fs.read_dir(&path).await),
            ] {
                assert!(matches!(error, FsError::Escape { .. }), "{path}: {error:?}");
            }
        }
    }

    async fn a_link_out_is_not_told_from_a_broken_one_by_what_is_behind_it(tree: Tree) {
        tree.link("../outside/secret.txt", "there");
        tree.link("../outside/nothing", "not-there");
        let there = tree.refused(tree.fs.try_exists(&rel("there")).await);
        let not_there = tree.refused(tree.fs.try_exists(&rel("not-there")).await);
        assert!(matches!((there, not_there), (FsError::Escape { .. }, FsError::Escape { .. })));
    }

    async fn an_absolute_link_that_points_inside_is_refused_as_well(tree: Tree) {
        tree.link(tree.root.join("inside.txt"), "abs");
        assert!(matches!(tree.refused(tree.fs.read(&rel("abs")).await), FsError::Escape { .. }));
    }

    async fn a_link_that_stays_inside_is_followed_for_reading(tree: Tree) {
        tree.link("inside.txt", "a");
        tree.link("a", "b");
        tree.link("sub", "d");
        fs::create_dir_all(tree.root.join("x/y")).unwrap();
        tree.link("../../sub/deep.txt", "x/y/z");
        for (path, text) in [("a", "inside"), ("b", "inside"), ("d/deep.txt", "deep"), ("x/y/z", "deep")] {
            assert_eq!(tree.fs.read_to_string(&rel(path)).await.unwrap(), text);
        }
        assert_eq!(tree.fs.read_dir(&rel("d")).await.unwrap().len(), 1);
        let strict = tree.again(FsPolicy::default().refuse_symlinks(), FsLimits::default());
        for path in ["a", "b", "d/deep.txt", "x/y/z"] {
            assert!(matches!(tree.refused(strict.read(&rel(path)).await), FsError::Symlink { .. }));
        }
    }

    async fn a_link_with_an_open_name_does_not_open_a_closed_one(tree: Tree) {
        fs::write(tree.root.join(".env"), SECRET).unwrap();
        fs::create_dir(tree.root.join(".git")).unwrap();
        fs::write(tree.root.join(".git/config"), SECRET).unwrap();
        tree.link(".env", "readme.txt");
        tree.link(".git", "docs");
        for path in ["readme.txt", "docs/config"] {
            let error = tree.refused(tree.fs.read(&rel(path)).await);
            assert!(matches!(error, FsError::Denied { .. }), "{path}: {error:?}");
        }
        assert!(matches!(tree.refused(tree.fs.read_dir(&rel("docs")).await), FsError::Denied { .. }));
        assert!(matches!(tree.refused(tree.fs.subdir(&rel("docs")).await), FsError::Symlink { .. }));
        let reader = tree.fs.read_only();
        assert!(matches!(tree.refused(reader.subdir(&rel("docs")).await), FsError::Denied { .. }));
    }

    async fn links_in_a_circle_end(tree: Tree) {
        tree.link("b", "a");
        tree.link("a", "b");
        tree.link("c/c/c/c", "c");
        for path in ["a", "b", "c", "a/x"] {
            let error = tree.refused(tree.fs.read(&rel(path)).await);
            assert!(matches!(error, FsError::Escape { .. }), "{path}: {error:?}");
        }
    }

    async fn a_magic_link_is_not_followed(tree: Tree) {
        tree.link("/proc/self/root", "root");
        tree.link("/proc/self/cwd", "cwd");
        tree.link("/proc/self/fd/0", "fd");
        tree.link("/proc/self/exe", "exe");
        tree.link("/proc/self/environ", "environ");
        for path in ["root/etc/passwd", "root", "cwd", "fd", "exe", "environ"] {
            let error = tree.refused(tree.fs.read(&rel(path)).await);
            assert!(matches!(error, FsError::Escape { .. }), "{path}: {error:?}");
        }
    }

    async fn nothing_is_written_through_or_over_a_link(tree: Tree) {
        tree.link("../outside/secret.txt", "file");
        tree.link("../outside/new.txt", "dangling");
        tree.link("../outside", "dir");
        tree.link("inside.txt", "harmless");
        tree.link("sub", "harmless-dir");
        let fs = &tree.fs;
        for path in ["file", "dangling", "dir/new.txt", "dir/secret.txt", "harmless", "harmless-dir/new.txt"] {
            let path = &rel(path);
            let is_link = |error| assert!(matches!(error, FsError::Symlink { .. }), "{path}: {error:?}");
            is_link(tree.refused(fs.write(path, "owned").await));
            is_link(tree.refused(fs.append(path, "owned").await));
            is_link(match tree.refused(fs.create_new(path, "owned").await) {
                FsError::AlreadyExists { path } => FsError::Symlink { path },
                other => other,
            });
            is_link(tree.refused(fs.remove_file(path).await));
            is_link(tree.refused(fs.rename(path, &rel("taken")).await));
        }
        for path in ["dir/new", "harmless-dir/new"] {
            let path = &rel(path);
            for error in [
                tree.refused(fs.create_dir(path).await),
                tree.refused(fs.create_dir_all(path).await),
                tree.refused(fs.remove_dir(path).await),
                tree.refused(fs.rename(&rel("inside.txt"), path).await),
                tree.refused(fs.subdir(path).await),
            ] {
                assert!(matches!(error, FsError::Symlink { .. }), "{path}: {error:?}");
            }
        }
        assert!(fs::symlink_metadata(tree.root.join("harmless")).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(tree.root.join("inside.txt")).unwrap(), "inside");
        tree.is_unharmed();
    }

    async fn a_prefix_twin_is_not_reached(tree: Tree) {
        tree.link("../granted_evil", "twin");
        assert!(matches!(tree.refused(tree.fs.read(&rel("twin/secret.txt")).await), FsError::Escape { .. }));
    }

    async fn a_hard_link_to_a_file_outside_is_refused(tree: Tree) {
        fs::hard_link(tree.outside.join("secret.txt"), tree.root.join("twin.txt")).unwrap();
        let path = &rel("twin.txt");
        for error in [
            tree.refused(tree.fs.read(path).await),
            tree.refused(tree.fs.read_to_string(path).await),
            tree.refused(tree.fs.write(path, "owned").await),
            tree.refused(tree.fs.append(path, "owned").await),
            tree.refused(tree.fs.rename(path, &rel("other.txt")).await),
        ] {
            assert!(matches!(error, FsError::HardLink { .. }), "{error:?}");
        }
        tree.is_unharmed();
        let trusting = tree.again(FsPolicy::default().allow_hard_links(), FsLimits::default());
        assert_eq!(trusting.read_to_string(path).await.unwrap(), SECRET);
    }

    async fn a_handle_on_a_subfolder_does_not_reach_its_parent(tree: Tree) {
        tree.link("../inside.txt", "sub/up.txt");
        tree.link("..", "sub/up");
        let sub = tree.fs.subdir(&rel("sub")).await.unwrap();
        assert_eq!(sub.read_to_string(&rel("deep.txt")).await.unwrap(), "deep");
        assert_eq!(tree.fs.read_to_string(&rel("sub/up.txt")).await.unwrap(), "inside");
        for path in ["up.txt", "up/inside.txt"] {
            assert!(matches!(tree.refused(sub.read(&rel(path)).await), FsError::Escape { .. }));
        }
        assert!(matches!(tree.refused(sub.write(&rel("up/x"), "x").await), FsError::Symlink { .. }));
        assert!(matches!(tree.refused(sub.read(&rel("inside.txt")).await), FsError::NotFound { .. }));
        sub.write(&rel("new.txt"), "new").await.unwrap();
        assert_eq!(fs::read_to_string(tree.root.join("sub/new.txt")).unwrap(), "new");
    }

    async fn a_subfolder_handle_stays_on_its_folder_when_the_name_is_swapped(tree: Tree) {
        let sub = tree.fs.subdir(&rel("sub")).await.unwrap();
        fs::rename(tree.root.join("sub"), tree.root.join("moved")).unwrap();
        tree.link("../outside", "sub");
        assert_eq!(sub.read_to_string(&rel("deep.txt")).await.unwrap(), "deep");
        sub.write(&rel("new.txt"), "new").await.unwrap();
        assert!(tree.root.join("moved/new.txt").exists());
        tree.is_unharmed();
    }

    async fn a_subfolder_of_what_is_closed_for_writing_is_not_lent_for_writing(tree: Tree) {
        fs::create_dir(tree.root.join(".vscode")).unwrap();
        let policy = FsPolicy::default().allow(".vscode", Access::Read).unwrap();
        let fs = tree.again(policy, FsLimits::default());
        assert!(matches!(tree.refused(fs.subdir(&rel(".vscode")).await), FsError::Denied { .. }));
        assert!(fs.read_only().subdir(&rel(".vscode")).await.is_ok());
    }

    async fn swapping_the_whole_root_changes_nothing(tree: Tree) {
        fs::rename(&tree.root, tree.base().join("old")).unwrap();
        std::os::unix::fs::symlink(&tree.outside, &tree.root).unwrap();
        assert!(matches!(tree.refused(tree.fs.read(&rel("secret.txt")).await), FsError::NotFound { .. }));
        assert_eq!(tree.fs.read_to_string(&rel("inside.txt")).await.unwrap(), "inside");
    }

    async fn a_name_too_long_for_the_system_is_an_error_and_nothing_more(tree: Tree) {
        let path = rel(&vec!["a".repeat(255); 15].join("/"));
        assert!(matches!(tree.refused(tree.fs.read(&path).await), FsError::NotFound { .. }));
        let path = rel(&format!("{}x", "a/".repeat(2000)));
        assert!(!tree.fs.try_exists(&path).await.unwrap());
        assert!(matches!(
            tree.refused(tree.fs.read(&rel("inside.txt/x")).await),
            FsError::NotADirectory { .. }
        ));
    }
}
