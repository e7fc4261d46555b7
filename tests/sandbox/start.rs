//! A clean start, and what stops one.

use std::fs;

use crate::server::{Scene, output};

#[test]
fn the_clients_secrets_and_descriptors_are_left_behind() {
    let scene = Scene::new();
    // A client that forgot to close a file: the shell hands it on as descriptor 9.
    let options = ["serve", "--stdio"];
    let server = scene.command("", &options);
    let mut shell = std::process::Command::new("sh");
    shell.arg("-c").arg(format!(
        "ulimit -c unlimited; ulimit -Sn 300; exec 9<'{}'; exec \"$0\" \"$@\"",
        scene.around.secret.display()
    ));
    shell.arg(server.get_program()).args(server.get_args());
    for (name, value) in server.get_envs() {
        shell.env(name, value.unwrap());
    }
    shell
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    let server = scene.start(&mut shell);
    let pid = server.pid();
    for descriptor in fs::read_dir(format!("/proc/{pid}/fd")).unwrap() {
        let open = fs::read_link(descriptor.unwrap().path()).unwrap();
        assert_ne!(open, scene.around.secret);
    }
    // Memory is not left in a file, and what it may open now is all it may ever.
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    for (name, both) in [("Max core file size", "0"), ("Max open files", "300")] {
        let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
        let words: Vec<_> = line[name.len()..].split_whitespace().collect();
        assert_eq!(words[..2], [both, both], "{line}");
    }
    // Whoever may look sees none of it.
    if let Ok(environment) = fs::read(format!("/proc/{pid}/environ")) {
        let environment = String::from_utf8_lossy(&environment);
        assert!(!environment.contains("secret"), "{environment}");
        assert!(environment.contains("SANDBOX_SERVER"), "what is kept stays");
    }
    let record = scene.records("sandbox").remove(0);
    assert_eq!(record["level"], "full", "{record}");
}

#[test]
fn a_variable_that_the_operator_keeps_stays() {
    let scene = Scene::new();
    let config = scene.path("state/config.toml");
    fs::write(&config, "[sandbox]\nenv = [\"API_TOKEN\"]\n").unwrap();
    let config = config.display().to_string();
    let mut command = scene.command("", &["serve", "--stdio", "--config", &config]);
    let mut server = scene.start(&mut command);
    let went = scene.attack(&mut server);
    let kept = went
        .iter()
        .find(|went| went.name == "read a variable that the client passed on")
        .unwrap();
    assert_eq!(kept.said, "the client's own secret");
}

#[test]
fn what_is_left_within_reach_is_a_path_and_not_the_root() {
    let scene = Scene::new();
    for path in ["/", "vault", ""] {
        let mut command = scene.command("vault", &["serve", "--stdio"]);
        let (done, _, error) = output(command.env("SANDBOX_SECRET", path));
        assert!(!done, "{path}");
        assert!(error.contains("cannot be left within reach"), "{error}");
    }
}

#[test]
fn what_is_the_servers_own_does_not_lie_where_a_tool_writes() {
    let scene = Scene::new();
    let audit = scene.path("files/audit.jsonl").display().to_string();
    let options = ["serve", "--stdio", "--audit", &audit];
    let (done, _, error) = output(&mut scene.command("", &options));
    assert!(!done && error.contains("the audit log"), "{error}");

    let config = scene.path("files/config.toml");
    fs::write(&config, "").unwrap();
    let config = config.display().to_string();
    let options = ["serve", "--stdio", "--audit", "stderr", "--config", &config];
    let (done, _, error) = output(&mut scene.command("", &options));
    assert!(!done && error.contains("the config file"), "{error}");

    let token = scene.path("files/token").display().to_string();
    let options = [
        "serve",
        "--http",
        "--audit",
        "stderr",
        "--token-file",
        &token,
    ];
    let (done, _, error) = output(&mut scene.command("", &options));
    assert!(!done && error.contains("the token file"), "{error}");

    // Another name for the program itself, in the granted folder.
    let program = scene.path("files/server");
    fs::copy(env!("CARGO_BIN_EXE_sandbox-target"), &program).unwrap();
    let command = scene.command("", &["serve", "--stdio", "--audit", "stderr"]);
    let mut other = std::process::Command::new(&program);
    other.args(command.get_args());
    for (name, value) in command.get_envs() {
        other.env(name, value.unwrap());
    }
    let (done, _, error) = output(&mut other);
    assert!(!done && error.contains("this program"), "{error}");
}

#[test]
fn a_closed_server_still_clears_its_socket_away() {
    let scene = Scene::new();
    let socket = scene.path("run/mcp.sock");
    let path = socket.display().to_string();
    let options = ["serve", "--unix", &path, "--audit", "stderr"];
    let mut command = scene.command("strict", &options);
    let mut child = command.spawn().unwrap();
    let wait = |what: &str, is: &mut dyn FnMut() -> bool| {
        let begun = std::time::Instant::now();
        while !is() {
            assert!(begun.elapsed().as_secs() < 20, "{what}");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    };
    wait("no socket", &mut || {
        std::os::unix::net::UnixStream::connect(&socket).is_ok()
    });
    // It serves; let it come up entirely.
    std::thread::sleep(std::time::Duration::from_millis(300));
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    wait("no end", &mut || child.try_wait().unwrap().is_some());
    assert!(!socket.exists(), "the socket is left behind");
}

#[test]
fn a_program_with_a_runtime_of_its_own_is_closed_as_well() {
    let scene = Scene::new();
    let mut command = scene.command("enter", &[]);
    command.env("SANDBOX_SECRET", &scene.around.secret);
    let (_, _, said) = output(&mut command);
    let expected = "full: granted true, secret false, client false";
    assert!(said.contains(expected), "{said}");
}
