//! Things that are not regular files: opened, they would hang, act, or fill memory.

use std::{fs, time::Duration};

use mcp_secure::capability::fs::{FsError, FsLimits, FsPolicy};
use rustix::{
    fs::{CWD, FileType, Mode, makedev, mknodat},
    io::Errno,
};

use crate::tree::rel;

/// Long enough for anything but waiting.
async fn at_once<T>(operation: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(5), operation)
        .await
        .expect("it hangs")
}

attacks! {
    async fn a_pipe_does_not_hang_the_call(tree: Tree) {
        mknodat(CWD, tree.root.join("pipe"), FileType::Fifo, Mode::RWXU, 0).unwrap();
        let path = &rel("pipe");
        for error in [
            tree.refused(at_once(tree.fs.read(path)).await),
            tree.refused(at_once(tree.fs.write(path, "x")).await),
            tree.refused(at_once(tree.fs.append(path, "x")).await),
            tree.refused(at_once(tree.fs.remove_file(path)).await),
            tree.refused(at_once(tree.fs.rename(path, &rel("other"))).await),
        ] {
            assert!(matches!(error, FsError::NotAFile { .. }), "{error:?}");
        }
        assert!(matches!(
            tree.refused(at_once(tree.fs.read_dir(path)).await),
            FsError::NotADirectory { .. }
        ));
    }

    async fn a_device_is_not_opened(tree: Tree) {
        // 1:5 is /dev/zero, which never ends.
        let made = mknodat(CWD, tree.root.join("zero"), FileType::CharacterDevice, Mode::RWXU, makedev(1, 5));
        if let Err(Errno::PERM) = made {
            println!("skipped: making a device node needs root (EPERM)");
            return;
        }
        made.unwrap();
        for error in [
            tree.refused(at_once(tree.fs.read(&rel("zero"))).await),
            tree.refused(at_once(tree.fs.write(&rel("zero"), "x")).await),
            tree.refused(at_once(tree.fs.append(&rel("zero"), "x")).await),
        ] {
            assert!(matches!(error, FsError::NotAFile { .. }), "{error:?}");
        }
    }

    async fn a_device_without_a_driver_is_refused_alike(tree: Tree) {
        let made = mknodat(CWD, tree.root.join("ghost"), FileType::BlockDevice, Mode::RWXU, makedev(250, 250));
        if let Err(Errno::PERM) = made {
            println!("skipped: making a device node needs root (EPERM)");
            return;
        }
        made.unwrap();
        let error = tree.refused(at_once(tree.fs.read(&rel("ghost"))).await);
        assert!(matches!(error, FsError::NotAFile { .. }), "{error:?}");
    }

    async fn a_socket_is_not_opened(tree: Tree) {
        let _listener = std::os::unix::net::UnixListener::bind(tree.root.join("sock")).unwrap();
        for error in [
            tree.refused(at_once(tree.fs.read(&rel("sock"))).await),
            tree.refused(at_once(tree.fs.write(&rel("sock"), "x")).await),
        ] {
            assert!(matches!(error, FsError::NotAFile { .. }), "{error:?}");
        }
    }

    async fn a_folder_is_not_read_as_a_file(tree: Tree) {
        for path in ["sub", "."] {
            let path = &rel(path);
            assert!(matches!(tree.refused(tree.fs.read(path).await), FsError::NotAFile { .. }));
            assert!(matches!(tree.refused(tree.fs.write(path, "x").await), FsError::NotAFile { .. }));
            assert!(matches!(tree.refused(tree.fs.remove_file(path).await), FsError::NotAFile { .. }));
        }
    }

    async fn a_sparse_tebibyte_is_refused_unread(tree: Tree) {
        let file = fs::File::create(tree.root.join("huge")).unwrap();
        file.set_len(1 << 40).unwrap();
        let error = tree.refused(at_once(tree.fs.read(&rel("huge"))).await);
        assert!(matches!(error, FsError::TooLarge { limit: 10_485_760, .. }), "{error:?}");
        let error = tree.refused(at_once(tree.fs.append(&rel("huge"), "x")).await);
        assert!(matches!(error, FsError::TooLarge { .. }), "{error:?}");
    }

    async fn the_limit_is_exact(tree: Tree) {
        let mut limits = FsLimits::default();
        limits.max_read = 1000;
        limits.max_write = 1000;
        let handle = tree.again(FsPolicy::default(), limits);
        handle.write(&rel("fits"), [b'x'; 1000]).await.unwrap();
        assert_eq!(handle.read(&rel("fits")).await.unwrap().len(), 1000);
        assert!(matches!(tree.refused(handle.append(&rel("fits"), "x").await), FsError::TooLarge { .. }));
        assert!(matches!(
            tree.refused(handle.write(&rel("big"), [b'x'; 1001]).await),
            FsError::TooLarge { limit: 1000, .. }
        ));
        fs::write(tree.root.join("big"), [b'x'; 1001]).unwrap();
        assert!(matches!(tree.refused(handle.read(&rel("big")).await), FsError::TooLarge { .. }));
    }

    async fn a_file_that_grows_while_it_is_read_does_not_pass_the_limit(tree: Tree) {
        let mut limits = FsLimits::default();
        limits.max_read = 64 * 1024;
        let handle = tree.again(FsPolicy::default(), limits);
        let path = tree.root.join("grows");
        fs::write(&path, "").unwrap();
        let writer = std::thread::spawn(move || {
            use std::io::Write;
            let mut file = fs::OpenOptions::new().append(true).open(path).unwrap();
            for _ in 0..4000 {
                file.write_all(&[b'x'; 64]).unwrap();
            }
        });
        while !writer.is_finished() {
            match handle.read(&rel("grows")).await {
                Ok(bytes) => assert!(bytes.len() <= 64 * 1024),
                Err(error) => assert!(matches!(error, FsError::TooLarge { .. }), "{error:?}"),
            }
        }
        writer.join().unwrap();
        assert!(matches!(tree.refused(handle.read(&rel("grows")).await), FsError::TooLarge { .. }));
    }

    async fn bytes_that_are_no_text_are_said_to_be_so(tree: Tree) {
        fs::write(tree.root.join("binary"), [0xff, 0xfe]).unwrap();
        assert!(matches!(tree.refused(tree.fs.read_to_string(&rel("binary")).await), FsError::NotText { .. }));
    }
}
