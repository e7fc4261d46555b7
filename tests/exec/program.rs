//! Which files are programs that can be granted, and that they stay what was granted.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
};

use mcp_secure::{capability::exec::ExecError, dangerous, prelude::*, testing::TestServer};

use crate::scene::{Probe, Scene, told};

/// A program that is a matter of the code.
#[capability(exec = "/bin/true")]
struct Fixed;

fn refused(scene: &Scene, program: &Path, why: &str) {
    let error = scene
        .open_program(Probe::from_operator(), program)
        .unwrap_err()
        .to_string();
    assert!(error.contains(why), "{}: {error}", program.display());
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_shell_is_refused_under_every_name() {
    let scene = Scene::new();
    for shell in ["/bin/sh", "/bin/bash", "/usr/bin/env", "/usr/bin/perl"] {
        refused(&scene, Path::new(shell), "runs other programs");
    }
    let link = scene.path("bin/harmless-link");
    symlink("/bin/bash", &link).unwrap();
    refused(&scene, &link, "runs other programs");
    let named = scene.path("bin/python3.12");
    scene.install(&named);
    refused(&scene, &named, "`python` runs other programs");
    let copy = scene.path("bin/harmless-copy");
    fs::copy("/bin/bash", &copy).unwrap();
    chmod(&copy, 0o755);
    refused(&scene, &copy, "under another name");
}

#[test]
fn an_interpreter_needs_a_reason_and_a_script_has_none() {
    let scene = Scene::new();
    let sh = Path::new("/bin/sh");
    let open = |why| {
        let grant = dangerous::interpreter(Probe::from_operator(), why);
        scene.open_program(grant, sh)
    };
    assert!(open("it is the subject of this test").is_ok());
    assert!(open(" ").is_err());
    let script = scene.path("bin/hook");
    fs::write(&script, "#!/bin/sh\nid\n").unwrap();
    chmod(&script, 0o755);
    refused(&scene, &script, "it is a script");
    let grant = dangerous::interpreter(Probe::from_operator(), "it is the subject of this test");
    assert!(scene.open_program(grant, &script).is_err());
}

#[test]
fn a_program_with_rights_of_its_own_is_refused() {
    let scene = Scene::new();
    for mode in [0o4755, 0o2755] {
        chmod(&scene.program, mode);
        refused(&scene, &scene.program, "setuid or setgid");
    }
    chmod(&scene.program, 0o755);
    // `cap_net_raw+ep`, in the kernel's own form. Only root may set it.
    let caps: [u8; 20] = [
        1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ];
    let flags = rustix::fs::XattrFlags::empty();
    if rustix::fs::setxattr(&scene.program, "security.capability", &caps, flags).is_ok() {
        refused(&scene, &scene.program, "capabilities of its own");
    } else {
        assert!(!rustix::process::geteuid().is_root());
    }
}

#[test]
fn a_program_that_others_may_replace_is_refused() {
    let scene = Scene::new();
    for mode in [0o757, 0o775] {
        chmod(&scene.program, mode);
        refused(&scene, &scene.program, "may write it");
    }
    chmod(&scene.program, 0o755);
    for mode in [0o777, 0o775] {
        chmod(&scene.path("bin"), mode);
        refused(&scene, &scene.program, "may replace it");
    }
    chmod(&scene.path("bin"), 0o755);
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&scene.program, Some(65534), None).unwrap();
        refused(&scene, &scene.program, "may write it");
    }
}

#[test]
fn what_is_no_program_is_refused() {
    let scene = Scene::new();
    refused(&scene, Path::new("probe"), "no absolute path");
    refused(&scene, &scene.path("bin/absent"), "not found");
    refused(&scene, &scene.path("bin"), "no regular file");
    chmod(&scene.program, 0o644);
    refused(&scene, &scene.program, "not executable");
    let text = scene.path("bin/text");
    fs::write(&text, "MZ").unwrap();
    chmod(&text, 0o755);
    refused(&scene, &text, "no program of this system");
}

#[tokio::test]
async fn a_file_that_takes_the_programs_name_is_not_run() {
    let scene = Scene::new();
    let probe = scene.working();
    let marker = scene.path("marker");
    fs::remove_file(&scene.program).unwrap();
    fs::write(
        &scene.program,
        format!("#!/bin/sh\nid > {}\n", marker.display()),
    )
    .unwrap();
    chmod(&scene.program, 0o755);
    // The control: by its name it would run.
    std::process::Command::new(&scene.program).status().unwrap();
    assert!(marker.exists());
    fs::remove_file(&marker).unwrap();

    let told = told(probe.command(["tell"]).run().await);
    assert_eq!(told["args"][0], scene.program.to_str().unwrap());
    assert!(!marker.exists());
}

#[tokio::test]
async fn a_program_that_was_written_in_place_is_not_run() {
    let scene = Scene::new();
    let probe = scene.working();
    probe.command(["tell"]).run().await.unwrap();
    let before = fs::metadata(&scene.program).unwrap();
    let mut bytes = fs::read(&scene.program).unwrap();
    let at = bytes.len() - 1;
    bytes[at] ^= 1;
    fs::write(&scene.program, &bytes).unwrap();
    // Whoever writes can also set the time back.
    let file = fs::File::options()
        .write(true)
        .open(&scene.program)
        .unwrap();
    file.set_modified(before.modified().unwrap()).unwrap();
    drop(file);
    let error = probe.command(["tell"]).run().await.unwrap_err();
    assert_eq!(error, ExecError::Program);
    // The same content is the same program, whenever it was written.
    bytes[at] ^= 1;
    fs::write(&scene.program, &bytes).unwrap();
    probe.command(["tell"]).run().await.unwrap();
}

#[test]
fn a_folder_must_be_granted_before_the_program() {
    let scene = Scene::new();
    let grant = Probe::from_operator().folder::<crate::scene::Other, ReadOnly>();
    let error = scene
        .open_program(grant, &scene.program)
        .unwrap_err()
        .to_string();
    assert!(error.contains("not granted yet"), "{error}");
}

#[test]
fn a_program_that_the_code_fixes_is_no_other_one() {
    let granted = |path: &str| TestServer::new().granted(Fixed::declared(), path);
    assert!(granted("/bin/true").is_ok());
    for other in ["/bin/false", "/bin/../bin/true", "true"] {
        let error = granted(other).err().unwrap().to_string();
        assert!(error.contains("is another program"), "{error}");
    }
    let from_operator = TestServer::new().granted(Probe::from_operator(), "probe");
    let error = from_operator.err().unwrap().to_string();
    assert!(error.contains("no absolute path"), "{error}");
}
