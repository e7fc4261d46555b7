//! Writes: atomic, private, bounded.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use mcp_secure::capability::fs::{FsError, FsLimits, FsPolicy};

use crate::tree::rel;

attacks! {
    async fn a_new_file_is_private_and_an_old_one_keeps_its_mode(tree: Tree) {
        let mode = |name: &str| fs::metadata(tree.root.join(name)).unwrap().permissions().mode() & 0o7777;
        tree.fs.write(&rel("new"), "x").await.unwrap();
        tree.fs.create_new(&rel("newer"), "x").await.unwrap();
        tree.fs.create_dir(&rel("folder")).await.unwrap();
        assert_eq!((mode("new"), mode("newer"), mode("folder")), (0o600, 0o600, 0o700));
        fs::set_permissions(tree.root.join("new"), fs::Permissions::from_mode(0o4644)).unwrap();
        tree.fs.write(&rel("new"), "y").await.unwrap();
        assert_eq!(mode("new"), 0o644, "kept, without set-user-id");
        tree.is_unharmed();
    }

    async fn every_change_does_what_its_name_says(tree: Tree) {
        let (fs, read) = (&tree.fs, |name: &str| std::fs::read_to_string(tree.root.join(name)).unwrap());
        fs.create_dir_all(&rel("a/b/c")).await.unwrap();
        fs.create_dir_all(&rel("a/b/c")).await.unwrap();
        fs.write(&rel("a/b/c/f"), "1").await.unwrap();
        fs.append(&rel("a/b/c/f"), "2").await.unwrap();
        assert_eq!(read("a/b/c/f"), "12");
        fs.rename(&rel("a/b/c/f"), &rel("g")).await.unwrap();
        assert_eq!(read("g"), "12");
        fs.rename(&rel("a/b"), &rel("d")).await.unwrap();
        fs.remove_dir(&rel("d/c")).await.unwrap();
        fs.remove_file(&rel("g")).await.unwrap();
        assert!(!tree.root.join("g").exists() && !tree.root.join("d/c").exists());
        tree.is_unharmed();
    }

    async fn nothing_is_replaced_that_should_not_be(tree: Tree) {
        let (file, dir, new) = (&rel("inside.txt"), &rel("sub"), &rel("new"));
        tree.fs.write(new, "new").await.unwrap();
        tree.fs.create_dir(&rel("empty")).await.unwrap();
        for error in [
            tree.refused(tree.fs.create_new(file, "x").await),
            tree.refused(tree.fs.create_dir(dir).await),
            tree.refused(tree.fs.create_dir(file).await),
            tree.refused(tree.fs.rename(new, file).await),
            tree.refused(tree.fs.rename(new, dir).await),
            tree.refused(tree.fs.rename(dir, file).await),
            tree.refused(tree.fs.rename(dir, &rel("empty")).await),
        ] {
            assert!(matches!(error, FsError::AlreadyExists { .. }), "{error:?}");
        }
        assert!(matches!(tree.refused(tree.fs.remove_dir(dir).await), FsError::NotEmpty { .. }));
        assert!(matches!(tree.refused(tree.fs.remove_dir(file).await), FsError::NotADirectory { .. }));
        assert!(matches!(tree.refused(tree.fs.append(&rel("none"), "x").await), FsError::NotFound { .. }));
        assert!(matches!(tree.refused(tree.fs.write(&rel("none/x"), "x").await), FsError::NotFound { .. }));
        assert!(matches!(tree.refused(tree.fs.rename(&rel("none"), &rel("x")).await), FsError::NotFound { .. }));
        assert_eq!(fs::read_to_string(tree.root.join("inside.txt")).unwrap(), "inside");
        tree.is_unharmed();
    }

    async fn a_reader_never_sees_a_torn_file(tree: Tree) {
        let path = rel("sub/page");
        let (old, new) = (vec![b'o'; 300_000], vec![b'n'; 200_000]);
        tree.fs.write(&path, &old).await.unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let reader = std::thread::spawn({
            let (stop, file) = (Arc::clone(&stop), tree.root.join("sub/page"));
            move || {
                let mut seen = 0;
                while !stop.load(Ordering::Relaxed) {
                    let bytes = fs::read(&file).unwrap();
                    let whole = (bytes.len() == 300_000 && bytes.iter().all(|b| *b == b'o'))
                        || (bytes.len() == 200_000 && bytes.iter().all(|b| *b == b'n'));
                    assert!(whole, "torn: {} bytes", bytes.len());
                    seen += 1;
                }
                seen
            }
        });
        for _ in 0..20 {
            tree.fs.write(&path, &new).await.unwrap();
            tree.fs.write(&path, &old).await.unwrap();
        }
        stop.store(true, Ordering::Relaxed);
        assert!(reader.join().unwrap() > 0);
        tree.is_unharmed();
    }

    async fn a_failed_write_leaves_nothing_and_the_old_content(tree: Tree) {
        let mut limits = FsLimits::default();
        limits.max_written = 2 * 4096;
        let handle = tree.again(FsPolicy::default(), limits);
        handle.write(&rel("inside.txt"), "1").await.unwrap();
        handle.write(&rel("inside.txt"), "2").await.unwrap();
        for error in [
            tree.refused(handle.write(&rel("inside.txt"), "3").await),
            tree.refused(handle.create_new(&rel("more"), "3").await),
            tree.refused(handle.create_dir(&rel("dir")).await),
            tree.refused(handle.append(&rel("inside.txt"), "3").await),
        ] {
            assert!(matches!(error, FsError::Full { .. }), "{error:?}");
        }
        assert_eq!(fs::read_to_string(tree.root.join("inside.txt")).unwrap(), "2");
        tree.is_unharmed();
    }

    async fn two_creators_of_one_name_do_not_both_win(tree: Tree) {
        for round in 0..20 {
            let path = rel(&format!("race{round}"));
            let (a, b) = (tree.fs.clone(), tree.fs.clone());
            let (pa, pb) = (path.clone(), path.clone());
            let (a, b) = tokio::join!(
                tokio::spawn(async move { a.create_new(&pa, "a").await }),
                tokio::spawn(async move { b.create_new(&pb, "b").await }),
            );
            let (a, b) = (a.unwrap(), b.unwrap());
            assert!(a.is_ok() != b.is_ok(), "{a:?} {b:?}");
            let text = fs::read_to_string(tree.root.join(path.as_str())).unwrap();
            assert_eq!(text, if a.is_ok() { "a" } else { "b" });
        }
        tree.is_unharmed();
    }

    async fn a_written_file_has_one_name_and_can_be_read_back(tree: Tree) {
        tree.fs.create_new(&rel("once"), "x").await.unwrap();
        assert_eq!(fs::metadata(tree.root.join("once")).unwrap().nlink(), 1);
        assert_eq!(tree.fs.read(&rel("once")).await.unwrap(), b"x");
    }
}
