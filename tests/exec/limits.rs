//! What one run may take.

use std::{fs, time::Duration};

use mcp_secure::{
    capability::exec::{ExecError, ExecLimits},
    prelude::*,
};

use crate::scene::{Probe, Scene, Work, told};

fn with(scene: &Scene, limits: ExecLimits) -> Exec<Probe> {
    scene.open(
        Probe::from_operator()
            .folder::<Work, ReadWrite>()
            .limits(limits),
    )
}

#[tokio::test]
async fn output_without_end_is_cut_off_and_the_program_killed() {
    let scene = Scene::new();
    let limits = ExecLimits {
        stdout: 100_000,
        stderr: 1000,
        ..ExecLimits::default()
    };
    let probe = with(&scene, limits);
    for (request, limit) in [("flood", 100_000), ("flood-errors", 1000)] {
        let error = probe.command([request]).run().await.unwrap_err();
        assert_eq!(error, ExecError::Output { limit });
    }
    // As much as it may, it may.
    let all = probe
        .command(["cat"])
        .stdin([b'x'; 100_000])
        .run()
        .await
        .unwrap();
    assert_eq!(all.stdout.len(), 100_000);
    let more = probe.command(["cat"]).stdin([b'x'; 100_001]).run().await;
    assert_eq!(more.unwrap_err(), ExecError::Output { limit: 100_000 });
}

#[tokio::test]
async fn input_beyond_the_limit_is_refused_before_anything_starts() {
    let scene = Scene::new();
    let probe = with(
        &scene,
        ExecLimits {
            stdin: 10,
            ..ExecLimits::default()
        },
    );
    let run = probe
        .command(["write"])
        .current_dir(&scene.work())
        .stdin([b'x'; 11]);
    assert_eq!(run.run().await.unwrap_err(), ExecError::Input { limit: 10 });
    assert!(!scene.path("work/written").exists());
}

#[tokio::test]
async fn processor_time_ends_by_a_signal_that_is_named() {
    let scene = Scene::new();
    let probe = with(
        &scene,
        ExecLimits {
            cpu: Duration::from_secs(1),
            ..ExecLimits::default()
        },
    );
    let error = probe.command(["spin"]).run().await.unwrap_err();
    assert_eq!(
        error,
        ExecError::Limit {
            what: "processor time"
        }
    );
}

#[tokio::test]
async fn a_file_does_not_grow_beyond_the_limit() {
    let scene = Scene::new();
    let probe = with(
        &scene,
        ExecLimits {
            file_size: 64 << 10,
            ..ExecLimits::default()
        },
    );
    let error = probe
        .command(["fill"])
        .current_dir(&scene.work())
        .run()
        .await
        .unwrap_err();
    assert_eq!(error, ExecError::Limit { what: "file size" });
    assert_eq!(
        fs::metadata(scene.path("work/filled")).unwrap().len(),
        64 << 10
    );
}

#[tokio::test]
async fn memory_and_descriptors_are_bounded() {
    let scene = Scene::new();
    let probe = with(
        &scene,
        ExecLimits {
            memory: 256 << 20,
            open_files: 20,
            ..ExecLimits::default()
        },
    );
    let refused = probe
        .command(["allocate"])
        .run()
        .await
        .unwrap()
        .success()
        .unwrap();
    let text = refused.stdout_lossy();
    let mib: u32 = text.split_whitespace().nth(2).unwrap().parse().unwrap();
    assert!((64..256).contains(&mib), "{mib}");
    let opened = probe.command(["open"]).run().await.unwrap();
    assert_eq!(opened.stdout_lossy().trim(), "17");
}

/// Root is not counted, so the limit is looked at and not tried.
#[tokio::test]
async fn the_limits_are_hard_ones() {
    let scene = Scene::new();
    let limits = ExecLimits::default();
    let told = told(with(&scene, limits).command(["tell"]).run().await);
    let lines = told["limits"].as_str().unwrap();
    let both = |name: &str| {
        let line = lines.lines().find(|line| line.starts_with(name)).unwrap();
        let mut words = line[name.len()..].split_whitespace();
        let soft: u64 = words.next().unwrap().parse().unwrap();
        (soft, words.next().unwrap().parse::<u64>().unwrap())
    };
    assert_eq!(both("Max core file size"), (0, 0));
    assert_eq!(both("Max file size"), (limits.file_size, limits.file_size));
    assert_eq!(both("Max address space"), (limits.memory, limits.memory));
    assert_eq!(
        both("Max open files"),
        (limits.open_files, limits.open_files)
    );
    assert_eq!(both("Max cpu time"), (10, 11));
    let (soft, hard) = both("Max processes");
    assert_eq!(soft, hard);
    // The kernel counts all processes of the user, and so does the limit: a few more than run.
    let load = fs::read_to_string("/proc/loadavg").unwrap();
    let running = load.split(['/', ' ']).nth(4).unwrap();
    let most = running.parse::<u64>().unwrap() + limits.processes + 2000;
    assert!((limits.processes + 1..most).contains(&soft), "{soft}");
}
