//! What a program finds around it: three streams, what the grant says, and nothing of ours.

use std::{fs, os::fd::AsRawFd as _};

use mcp_secure::{
    capability::{
        exec::ExecError,
        fs::{Fs, ReadOnly},
    },
    prelude::*,
};
use serde_json::json;

use crate::scene::{Other, Probe, Scene, Work, told};

#[tokio::test]
async fn the_environment_is_what_the_grant_says() {
    // The secrets of a server are in its environment; cargo and the shell filled this one.
    assert!(std::env::vars().count() > 3);
    let scene = Scene::new();
    let told_by = |grant| {
        let probe = scene.open(grant);
        async move { told(probe.command(["tell"]).run().await)["env"].take() }
    };
    assert_eq!(told_by(Probe::from_operator()).await, json!([]));
    let grant = Probe::from_operator().env("LANG", "C").env("A", "b=c");
    assert_eq!(told_by(grant).await, json!(["A=b=c", "LANG=C"]));
}

#[tokio::test]
async fn it_has_three_descriptors() {
    let scene = Scene::new();
    let secret = fs::File::create(scene.path("secret")).unwrap();
    // As a library in C opens it: without the mark that Rust sets.
    let kept = rustix::io::dup(&secret).unwrap();
    assert!(kept.as_raw_fd() > 2 && rustix::io::fcntl_getfd(&kept).unwrap().is_empty());
    let probe = scene.working();
    // Also while others are being started, whose pipes exist.
    let runs: Vec<_> = (0..16)
        .map(|_| {
            let (probe, folder) = (probe.clone(), scene.work());
            tokio::spawn(async move {
                told(probe.command(["tell"]).current_dir(&folder).run().await)["fds"].take()
            })
        })
        .collect();
    for run in runs {
        assert_eq!(run.await.unwrap(), json!([0, 1, 2]));
    }
}

#[tokio::test]
async fn it_leads_a_group_of_its_own() {
    let scene = Scene::new();
    let told = told(scene.working().command(["tell"]).run().await);
    assert_eq!(told["group"], told["pid"]);
}

#[tokio::test]
async fn without_a_folder_a_relative_path_leads_nowhere() {
    let scene = Scene::new();
    let probe = scene.open(Probe::from_operator());
    let told = told(probe.command(["tell"]).run().await);
    assert_eq!(told["cwd_entries"], 0);
    for path in ["etc/passwd", "bin/probe"] {
        let path = RelPath::parse(path).unwrap();
        let read = probe.command(["read"]).arg(path).run().await.unwrap();
        assert!(read.stdout_lossy().contains("No such file"), "{read:?}");
    }
    // Not even the program makes anything there.
    let written = probe.command(["write"]).run().await.unwrap();
    assert_ne!(written.code, Some(0));
}

#[tokio::test]
async fn it_works_in_the_folder_that_was_lent() {
    let scene = Scene::new();
    fs::create_dir(scene.path("work/sub")).unwrap();
    fs::write(scene.path("work/sub/a"), "here").unwrap();
    let probe = scene.working();
    let sub = scene
        .work()
        .subdir(&RelPath::parse("sub").unwrap())
        .await
        .unwrap();
    let told = told(probe.command(["tell"]).current_dir(&sub).run().await);
    assert_eq!(told["cwd"], json!(scene.path("work/sub")));
    let path = RelPath::parse("a").unwrap();
    let read = probe
        .command(["read"])
        .current_dir(&sub)
        .arg(path)
        .run()
        .await
        .unwrap();
    assert_eq!(read.stdout_text().unwrap(), "here");
    probe
        .command(["write"])
        .current_dir(&sub)
        .run()
        .await
        .unwrap()
        .success()
        .unwrap();
    assert!(scene.path("work/sub/written").exists());
}

#[tokio::test]
async fn a_folder_that_was_moved_away_is_still_the_one_that_was_lent() {
    let scene = Scene::new();
    let (probe, folder) = (scene.working(), scene.work());
    fs::create_dir(scene.path("elsewhere")).unwrap();
    fs::rename(scene.path("work"), scene.path("moved")).unwrap();
    std::os::unix::fs::symlink(scene.path("elsewhere"), scene.path("work")).unwrap();
    probe
        .command(["write"])
        .current_dir(&folder)
        .run()
        .await
        .unwrap();
    assert!(scene.path("moved/written").exists());
    assert!(!scene.path("elsewhere/written").exists());
}

#[tokio::test]
async fn it_works_in_no_folder_that_is_lent_for_less() {
    let scene = Scene::new();
    let folder_error = |error| assert!(matches!(error, ExecError::Folder { .. }), "{error:?}");
    let writes = scene.working();
    let run = writes
        .command(["write"])
        .current_dir(&scene.work_read_only());
    folder_error(run.run().await.unwrap_err());
    let other: Fs<Other, ReadOnly> = Fs::__for_tests(&scene.root(), scene.lease.clone());
    folder_error(
        writes
            .command(["tell"])
            .current_dir(&other)
            .run()
            .await
            .unwrap_err(),
    );
    // More than it needs is enough.
    let reads = scene.open(Probe::from_operator().folder::<Work, ReadOnly>());
    reads
        .command(["tell"])
        .current_dir(&scene.work())
        .run()
        .await
        .unwrap();
}

#[tokio::test]
async fn standard_input_is_what_was_given_or_empty() {
    let scene = Scene::new();
    let probe = scene.working();
    let nothing = probe.command(["cat"]).run().await.unwrap();
    assert_eq!(nothing.stdout, b"");
    let bytes: Vec<u8> = (0..1 << 20).map(|n: u32| n.to_le_bytes()[1]).collect();
    let all = probe
        .command(["cat"])
        .stdin(bytes.clone())
        .run()
        .await
        .unwrap();
    assert!(all.stdout == bytes);
    // A program that does not read it is no error.
    let told = told(probe.command(["tell"]).stdin(bytes).run().await);
    assert_eq!(told["fds"], json!([0, 1, 2]));
}

#[tokio::test]
async fn an_exit_code_and_a_signal_are_told() {
    let scene = Scene::new();
    let probe =
        scene.open(Probe::from_operator().separator(mcp_secure::capability::exec::Separator::None));
    let three = probe.command(["exit"]).arg(3_u8).run().await.unwrap();
    assert_eq!((three.code, three.signal), (Some(3), None));
    assert!(matches!(
        three.success(),
        Err(ExecError::Failed { code: Some(3), .. })
    ));
    let aborted = probe.command(["abort"]).run().await.unwrap();
    assert_eq!((aborted.code, aborted.signal), (None, Some(6)));
}
