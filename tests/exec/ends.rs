//! However a call ends, nothing that it started is left.

use std::time::Duration;

use mcp_secure::{
    capability::{
        exec::{ExecError, ExecLimits},
        fs::__lease,
    },
    prelude::*,
};

use crate::scene::{Probe, Scene, Work, until};

/// A child, one that left the group, and a daemon that left the session and lost its parents.
const ALL: [&str; 4] = ["tree", "child", "group", "daemon"];

#[tokio::test]
async fn the_whole_tree_is_killed_when_the_future_is_dropped() {
    let scene = Scene::new();
    let run = scene
        .working()
        .command(ALL)
        .current_dir(&scene.work())
        .run();
    tokio::select! {
        result = run => panic!("{result:?}"),
        () = scene.there_are(4) => {}
    }
    scene.all_are_gone(4).await;
}

#[tokio::test]
async fn the_whole_tree_is_killed_at_the_end_of_its_time() {
    let scene = Scene::new();
    let limit = Duration::from_secs(2);
    let grant = Probe::from_operator()
        .folder::<Work, ReadWrite>()
        .limits(ExecLimits {
            wall: limit,
            ..ExecLimits::default()
        });
    let run = scene
        .open(grant)
        .command(ALL)
        .current_dir(&scene.work())
        .run();
    assert_eq!(run.await.unwrap_err(), ExecError::Timeout { limit });
    scene.all_are_gone(4).await;
}

#[tokio::test]
async fn the_whole_tree_is_killed_when_the_call_ends_elsewhere() {
    let scene = Scene::new();
    let run = scene.working().command(ALL).current_dir(&scene.work());
    let spawned_away = tokio::spawn(run.run());
    scene.there_are(4).await;
    __lease::revoke(&scene.lease);
    assert_eq!(spawned_away.await.unwrap().unwrap_err(), ExecError::Revoked);
    scene.all_are_gone(4).await;
}

#[tokio::test]
async fn what_a_program_leaves_behind_is_killed_before_its_output_is_returned() {
    let scene = Scene::new();
    let kinds = ["tree-and-go", "child", "group", "daemon", "talker"];
    // The child and the talker hold the streams of their parent open.
    let run = scene
        .working()
        .command(kinds)
        .current_dir(&scene.work())
        .run();
    let output = run.await.unwrap().success().unwrap();
    assert_eq!(output.stdout, b"gone\n");
    let left = scene.left();
    assert_eq!(left.len(), 4);
    for pid in left {
        assert!(!crate::scene::runs(pid), "{pid} is left");
    }
}

#[tokio::test]
async fn the_end_of_one_run_is_not_the_end_of_another() {
    let (first, second) = (Scene::new(), Scene::new());
    let probe = first.working();
    // Both from one spawner, with orphans in both.
    let long = tokio::spawn(probe.command(ALL).current_dir(&first.work()).run());
    first.there_are(4).await;
    for round in 1..4 {
        let short = probe
            .command(["tree-and-go", "daemon"])
            .current_dir(&second.work());
        short.run().await.unwrap().success().unwrap();
        let left = second.left();
        assert!(left.len() <= round && !left.is_empty());
        assert!(!left.iter().any(|pid| crate::scene::runs(*pid)));
    }
    assert!(first.left().iter().all(|pid| crate::scene::runs(*pid)));
    long.abort();
    first.all_are_gone(4).await;
}

#[tokio::test]
async fn the_whole_tree_is_killed_when_the_server_ends() {
    let scene = Scene::new();
    let probe = scene.working();
    let run = tokio::spawn(probe.command(ALL).current_dir(&scene.work()).run());
    scene.there_are(4).await;
    run.abort();
    drop(probe);
    scene.all_are_gone(4).await;
}

#[tokio::test]
async fn a_handle_kept_for_later_starts_nothing() {
    let scene = Scene::new();
    let probe = scene.working();
    let command = probe.command(["write"]).current_dir(&scene.work());
    __lease::revoke(&scene.lease);
    assert_eq!(command.run().await.unwrap_err(), ExecError::Revoked);
    let fresh = probe.command(["tell"]).run().await;
    assert_eq!(fresh.unwrap_err(), ExecError::Revoked);
    assert!(!scene.path("work/written").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_all_end_well() {
    let scene = Scene::new();
    let probe = scene.working();
    let runs: Vec<_> = (0..48)
        .map(|n: u8| {
            let command = probe.command(["cat"]).stdin(vec![n; 1000]);
            tokio::spawn(command.run())
        })
        .collect();
    for (n, run) in (0..).zip(runs) {
        assert_eq!(run.await.unwrap().unwrap().stdout, vec![n; 1000]);
    }
}

/// However many calls a tool is let run.
#[tokio::test(flavor = "multi_thread")]
async fn so_many_run_at_once_and_no_more() {
    let scene = Scene::new();
    let probe = scene.working();
    let sleep = || probe.command(["sleep"]).current_dir(&scene.work()).run();
    let runs: Vec<_> = (0..64).map(|_| tokio::spawn(sleep())).collect();
    scene.there_are(64).await;
    let kind = std::io::ErrorKind::WouldBlock;
    assert_eq!(sleep().await.unwrap_err(), ExecError::Spawn { kind });
    for run in &runs {
        run.abort();
    }
    scene.all_are_gone(64).await;
    let output = probe.command(["tell"]).run().await.unwrap();
    assert_eq!(output.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_cut_off_at_any_moment_leaves_nothing() {
    let scene = Scene::new();
    let probe = scene.working();
    for round in 0..40 {
        let run = tokio::spawn(probe.command(["sleep"]).current_dir(&scene.work()).run());
        tokio::time::sleep(Duration::from_micros(round * 150)).await;
        run.abort();
        let _ = run.await;
    }
    until("an end of all", || {
        !scene.left().iter().any(|pid| crate::scene::runs(*pid))
    })
    .await;
    // None came up later, either.
    let output = probe.command(["tell"]).run().await.unwrap();
    assert_eq!(output.code, Some(0));
    until("an end of all", || {
        !scene.left().iter().any(|pid| crate::scene::runs(*pid))
    })
    .await;
}
