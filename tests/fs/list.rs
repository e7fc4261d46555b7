//! Listing and walking: bounded, sorted, without a way out.

use std::fs;

use mcp_secure::capability::fs::{FileKind, FsError, FsLimits, FsPolicy, WalkLimits};

use crate::tree::rel;

attacks! {
    async fn a_listing_is_sorted_and_says_what_is_what(tree: Tree) {
        tree.link("../outside", "link");
        let entries = tree.fs.read_dir(&rel(".")).await.unwrap();
        let seen: Vec<_> = entries.iter().map(|e| (e.file_name(), e.kind(), e.len())).collect();
        assert_eq!(seen, [
            ("inside.txt", FileKind::File, 6),
            ("link", FileKind::Symlink, 0),
            ("sub", FileKind::Directory, 0),
        ]);
        assert_eq!(
            serde_json::to_value(&entries[0]).unwrap(),
            serde_json::json!({"name": "inside.txt", "kind": "file", "size": 6})
        );
    }

    async fn names_that_no_path_can_spell_are_not_listed(tree: Tree) {
        use std::os::unix::ffi::OsStrExt;
        for name in [&b"a\\b"[..], b"a\nb", b"\xff\xfe", "\u{202e}gpj.exe".as_bytes(), b"ok"] {
            fs::write(tree.root.join("sub").join(std::ffi::OsStr::from_bytes(name)), "").unwrap();
        }
        let entries = tree.fs.read_dir(&rel("sub")).await.unwrap();
        assert_eq!(entries.iter().map(|e| e.file_name()).collect::<Vec<_>>(), ["deep.txt", "ok"]);
    }

    async fn a_folder_with_too_many_names_is_refused_hidden_ones_counted(tree: Tree) {
        let mut limits = FsLimits::default();
        limits.max_entries = 20;
        let handle = tree.again(FsPolicy::default(), limits);
        for i in 0..15 {
            fs::write(tree.root.join(format!("sub/.h{i}")), "").unwrap();
        }
        assert_eq!(handle.read_dir(&rel("sub")).await.unwrap().len(), 1);
        for i in 15..30 {
            fs::write(tree.root.join(format!("sub/.h{i}")), "").unwrap();
        }
        assert!(matches!(tree.refused(handle.read_dir(&rel("sub")).await), FsError::TooLarge { limit: 20, .. }));
        assert!(handle.walk(&rel("sub"), WalkLimits::default()).await.unwrap().truncated);
    }

    async fn a_walk_does_not_follow_links_and_is_bounded(tree: Tree) {
        tree.link("../outside", "link");
        tree.link("..", "sub/loop");
        fs::create_dir_all(tree.root.join("a/b/c/d")).unwrap();
        let walk = tree.fs.walk(&rel("."), WalkLimits::default()).await.unwrap();
        let paths: Vec<_> = walk.entries.iter().map(|e| e.path().as_str()).collect();
        assert_eq!(paths, [
            "a", "a/b", "a/b/c", "a/b/c/d", "inside.txt", "link", "sub", "sub/deep.txt", "sub/loop",
        ]);
        assert!(!walk.truncated);
        let walk = tree.fs.walk(&rel("a"), WalkLimits { depth: 2, entries: 100 }).await.unwrap();
        let paths: Vec<_> = walk.entries.iter().map(|e| e.path().as_str()).collect();
        assert_eq!((paths, walk.truncated), (vec!["a/b", "a/b/c"], true));
        let walk = tree.fs.walk(&rel("."), WalkLimits { depth: 9, entries: 3 }).await.unwrap();
        assert_eq!((walk.entries.len(), walk.truncated), (3, true));
        let walk = tree.fs.walk(&rel("link"), WalkLimits::default()).await;
        assert!(matches!(tree.refused(walk), FsError::Escape { .. }));
        let walk = tree.fs.walk(&rel("inside.txt"), WalkLimits::default()).await;
        assert!(matches!(tree.refused(walk), FsError::NotADirectory { .. }));
    }
}
