//! Mounts below a grant belong to somebody else.

use std::{env, fs, path::Path, process::Command};

use mcp_secure::capability::fs::{__lease, Fs, FsError, FsLimits, FsPolicy, ReadWrite};

use crate::tree::{Backend, Notes, SECRET, Tree, rel};

/// Makes a mount namespace of its own and runs [`inside_the_namespace`] there.
fn in_a_namespace(backend: Backend) {
    let tree = Tree::new(backend);
    for dir in ["tmpfs", "bound"] {
        fs::create_dir(tree.root.join(dir)).unwrap();
    }
    fs::write(tree.root.join("file"), "").unwrap();
    let script = r#"
        mount -t tmpfs -o mode=0755 tmpfs "$ROOT/tmpfs" || exit 77
        echo TOP-SECRET > "$ROOT/tmpfs/secret.txt"
        mount --bind "$OUTSIDE" "$ROOT/bound" || exit 77
        mount --bind "$OUTSIDE/secret.txt" "$ROOT/file" || exit 77
        exec "$EXE" --exact mount::inside_the_namespace --ignored --nocapture
    "#;
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-c", script])
        .env("ROOT", &tree.root)
        .env("OUTSIDE", &tree.outside)
        .env("EXE", env::current_exe().unwrap())
        .env("BACKEND", format!("{backend:?}"))
        .output();
    let output = match output {
        Ok(output) => output,
        Err(error) => return println!("skipped: no unshare ({error})"),
    };
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    if output.status.code() == Some(77) || err.contains("unshare: unshare failed") {
        return println!("skipped: mounting is not permitted here ({})", err.trim());
    }
    assert!(output.status.success(), "{out}\n{err}");
    assert!(out.contains("1 passed"), "{out}\n{err}");
    tree.is_unharmed();
}

#[test]
fn a_mount_below_the_folder_is_not_crossed_by_the_kernel() {
    in_a_namespace(Backend::Kernel);
}

#[test]
fn a_mount_below_the_folder_is_not_crossed_name_by_name() {
    in_a_namespace(Backend::Portable);
}

#[test]
#[ignore = "started by the tests above in a namespace"]
fn inside_the_namespace() {
    let (Ok(root), Ok(backend)) = (env::var("ROOT"), env::var("BACKEND")) else {
        return;
    };
    let backend = if backend == "Kernel" {
        Backend::Kernel
    } else {
        Backend::Portable
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(attack(Path::new(&root), backend));
}

async fn attack(root: &Path, backend: Backend) {
    let lend = |policy| {
        let opened = backend
            .open_with(root, policy, FsLimits::default())
            .unwrap();
        Fs::<Notes, ReadWrite>::__for_tests(&opened, __lease::new())
    };
    let fs = lend(FsPolicy::default());
    for path in ["tmpfs/secret.txt", "bound/secret.txt", "file"] {
        let path = &rel(path);
        let error = fs.read(path).await.unwrap_err();
        assert!(matches!(error, FsError::Escape { .. }), "{path}: {error:?}");
    }
    for path in ["tmpfs", "bound"] {
        let (dir, new) = (&rel(path), &rel(&format!("{path}/new")));
        for error in [
            fs.read_dir(dir).await.unwrap_err(),
            fs.subdir(dir).await.unwrap_err(),
            fs.metadata(dir).await.unwrap_err(),
            fs.write(new, "x").await.unwrap_err(),
            fs.create_dir(new).await.unwrap_err(),
            fs.create_dir_all(new).await.unwrap_err(),
            fs.rename(&rel("inside.txt"), new).await.unwrap_err(),
        ] {
            assert!(matches!(error, FsError::Escape { .. }), "{path}: {error:?}");
        }
    }
    assert!(fs.write(&rel("file"), "x").await.is_err());
    assert!(fs.remove_file(&rel("file")).await.is_err());
    let walk = fs.walk(&rel("."), Default::default()).await.unwrap();
    assert!(
        walk.entries
            .iter()
            .all(|e| e.path().file_name() != Some("secret.txt"))
    );
    // The grant may be a mount itself, and the author may open those below it.
    let trusting = lend(FsPolicy::default().allow_mounts());
    assert_eq!(
        trusting
            .read_to_string(&rel("bound/secret.txt"))
            .await
            .unwrap(),
        SECRET
    );
    let mounted = backend.open(&root.join("tmpfs"));
    assert!(mounted.is_ok(), "{:?}", mounted.err());
}
