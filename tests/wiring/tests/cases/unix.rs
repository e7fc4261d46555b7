//! HTTP on a Unix-domain socket: the kernel names the caller, and no browser gets there.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::harness::*;

#[test]
fn the_stack_is_the_same_and_the_caller_is_named_by_the_kernel() {
    for way in [HTTP_2025, HTTP_2026] {
        let server = way.setup().over_unix().start();
        let client = server.client(way);
        let uid = rustix::process::getuid().as_raw();
        let who = client.call("whoami", json!({}));
        assert_eq!(
            text(&who),
            format!("local uid:{uid} files:read,files:write")
        );
        let record = server.outcome("whoami");
        assert_record(&record, "ok", "allow", None);
        assert_eq!(record["principal"]["assurance"], "peer_credentials");

        assert_eq!(code(&client.call("admin", json!({}))), -32602);
        assert!(is_tool_error(
            &client.call("typed", json!({ "number": 11 }))
        ));
        assert!(is_tool_error(&client.call("fall_over", json!({}))));
        assert_eq!(code(&client.call("hasty", json!({ "ms": 60_000 }))), -31002);
        assert!(!server.reached("admin") && !server.reached("typed"));
    }
}

#[test]
fn only_its_owner_can_open_the_socket() {
    let server = HTTP_2026.setup().over_unix().start();
    let path = server.socket().unwrap();
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(path), 0o600);
    assert_eq!(mode(path.parent().unwrap()), 0o700);
}

#[test]
fn another_host_and_every_origin_are_refused() {
    let server = HTTP_2026.setup().over_unix().start();
    let good = server.head("POST", "", 2) + "{}";
    for (head, status) in [
        (good.replace("localhost", "evil.example"), 403),
        (
            good.replace("Host: localhost", "Host: localhost\r\nHost: evil.example"),
            400,
        ),
        (
            good.replace(
                "Host: localhost",
                "Host: localhost\r\nOrigin: http://localhost",
            ),
            403,
        ),
    ] {
        assert_eq!(server.exchange(head.as_bytes()).status(), status, "{head}");
    }
    let record = server.refused("http/origin");
    assert_eq!(record["peer"], "local");
}
