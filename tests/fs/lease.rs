//! A handle ends with its call.

use std::fs;

use mcp_secure::capability::fs::{__lease, Fs, FsError, ReadWrite};

use crate::tree::{Notes, rel};

attacks! {
    async fn a_handle_spawned_away_answers_revoked(tree: Tree) {
        let (handle, lease) = (tree.fs.clone(), tree.lease.clone());
        let (go, wait) = tokio::sync::oneshot::channel::<()>();
        let thief = tokio::spawn(async move {
            wait.await.unwrap();
            (handle.read(&rel("inside.txt")).await, handle.write(&rel("late.txt"), "late").await)
        });
        __lease::revoke(&lease);
        go.send(()).unwrap();
        let (read, write) = thief.await.unwrap();
        assert_eq!(tree.refused(read), FsError::Revoked);
        assert_eq!(tree.refused(write), FsError::Revoked);
        assert!(!tree.root.join("late.txt").exists());
        tree.is_unharmed();
    }

    async fn everything_made_from_a_handle_ends_with_it(tree: Tree) {
        let (reader, sub) = (tree.fs.read_only(), tree.fs.subdir(&rel("sub")).await.unwrap());
        let clone = sub.clone();
        __lease::revoke(&tree.lease);
        let (here, deep, new) = (&rel("."), &rel("deep.txt"), &rel("new"));
        for error in [
            tree.refused(reader.read(&rel("inside.txt")).await),
            tree.refused(reader.read_to_string(&rel("inside.txt")).await),
            tree.refused(reader.read_dir(here).await),
            tree.refused(reader.walk(here, Default::default()).await),
            tree.refused(reader.metadata(here).await),
            tree.refused(reader.try_exists(here).await),
            tree.refused(reader.subdir(&rel("sub")).await),
            tree.refused(sub.read(deep).await),
            tree.refused(clone.write(new, "x").await),
            tree.refused(clone.create_new(new, "x").await),
            tree.refused(clone.append(deep, "x").await),
            tree.refused(clone.create_dir(new).await),
            tree.refused(clone.create_dir_all(new).await),
            tree.refused(clone.remove_file(deep).await),
            tree.refused(clone.remove_dir(new).await),
            tree.refused(clone.rename(deep, new).await),
        ] {
            assert_eq!(error, FsError::Revoked);
        }
        assert_eq!(fs::read_to_string(tree.root.join("sub/deep.txt")).unwrap(), "deep");
        tree.is_unharmed();
    }

    async fn a_write_under_way_when_the_call_ends_is_whole_or_absent(tree: Tree) {
        let big = vec![b'n'; 8 << 20];
        for round in 0..10 {
            let lease = __lease::new();
            let root = tree.backend.open(&tree.root).unwrap();
            let handle = Fs::<Notes, ReadWrite>::__for_tests(&root, lease.clone());
            let name = format!("big{round}");
            let path = rel(&name);
            let write = handle.write(&path, &big);
            let cut = async {
                tokio::time::sleep(std::time::Duration::from_micros(round * 700)).await;
                __lease::revoke(&lease);
            };
            let (result, ()) = tokio::join!(write, cut);
            match result {
                Ok(()) => assert_eq!(fs::read(tree.root.join(&name)).unwrap().len(), big.len()),
                Err(error) => {
                    assert_eq!(error, FsError::Revoked);
                    assert!(!tree.root.join(&name).exists());
                }
            }
        }
        tree.is_unharmed();
    }
}
