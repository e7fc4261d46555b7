//! What an author says wrongly stops the start and says what to change.

use std::time::Duration;

use super::{
    super::{Algorithm, Dpop, Introspection},
    *,
};

type Setting = fn(ResourceServer) -> ResourceServer;

#[test]
fn what_cannot_be_meant_stops_the_start_and_says_what_to_change() {
    let good = ("https://auth.example", RESOURCE);
    let same: Setting = |server| server;
    let rows: &[(&str, &str, Setting)] = &[
        ("", good.1, same),
        ("auth.example", good.1, same),
        ("http://auth.example", good.1, same),
        ("https://auth.example?x", good.1, same),
        ("https://auth.example#x", good.1, same),
        ("https://user@auth.example", good.1, same),
        ("https://*.example", good.1, same),
        ("ftp://auth.example", good.1, same),
        ("urn:issuer", good.1, same),
        ("https://auth.example ", good.1, same),
        (good.0, "", same),
        (good.0, "http://mcp.example/mcp", same),
        (good.0, "https://mcp.example/mcp#x", same),
        (good.0, "https://mcp.example/mcp/", same),
        (good.0, good.1, |s| s.audience("")),
        (good.0, good.1, |s| s.audience("  ")),
        (good.0, good.1, |s| s.beside_audience("")),
        (good.0, good.1, |s| s.beside_audience(RESOURCE)),
        (good.0, good.1, |s| s.algorithms([])),
        (good.0, good.1, |s| s.token_type("")),
        (good.0, good.1, |s| s.token_type("dpop+jwt")),
        (good.0, good.1, |s| {
            s.token_type("application/oauth-id-jag+jwt")
        }),
        (good.0, good.1, |s| s.token_type("Logout+JWT")),
        (good.0, good.1, ResourceServer::untyped_tokens),
        (good.0, good.1, |s| s.scope_claim("")),
        (good.0, good.1, |s| s.roles_claim("roles")),
        (good.0, good.1, |s| s.role("editor", ["notes:write"])),
        (good.0, good.1, |s| {
            s.roles_claim("a..b").role("editor", ["x"])
        }),
        (good.0, good.1, |s| {
            s.roles_claim("roles").role("editor", ["notes write"])
        }),
        (good.0, good.1, |s| {
            s.implies("a", ["b"]).implies("b", ["a"])
        }),
        (good.0, good.1, |s| s.implies("a b", ["c"])),
        (good.0, good.1, |s| s.leeway(Duration::from_secs(61))),
        (good.0, good.1, |s| s.max_keys(0)),
        (good.0, good.1, |s| s.max_keys(4097)),
        (good.0, good.1, |s| {
            s.stale_keys(Duration::from_secs(86_401))
        }),
        (good.0, good.1, |s| s.remember_tokens((1 << 20) + 1)),
        (good.0, good.1, |s| s.jwks("http://auth.example/keys")),
        (good.0, good.1, |s| s.jwks("/keys")),
        (good.0, good.1, ResourceServer::dpop_nonce),
        (good.0, good.1, |s| {
            s.replay_store(crate::state::MemoryStore::new(1))
        }),
        (good.0, good.1, |s| {
            s.introspection(Introspection::with_secret("", "/dev/null"))
        }),
    ];
    for (n, (issuer, resource, setting)) in rows.iter().enumerate() {
        let server = setting(ResourceServer::new(*issuer, *resource));
        let error = server.open(&mut Opening::default()).err();
        let error = error
            .unwrap_or_else(|| panic!("row {n}: {issuer} {resource}"))
            .to_string();
        assert!(error.contains("help"), "row {n}: {error}");
    }
    for secret in ["/nowhere/secret", "/dev/null"] {
        let asking = Introspection::with_secret("rs", secret);
        let server = ResourceServer::new(good.0, good.1).introspection(asking);
        assert!(server.open(&mut Opening::default()).is_err(), "{secret}");
    }
    let server = ResourceServer::new(good.0, good.1);
    assert!(server.open(&mut Opening::default()).is_ok());
}

#[test]
fn what_proves_the_server_to_its_issuer_is_named_so_that_no_tool_reaches_it() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "s3cret").unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    let mut opening = Opening::default();
    ResourceServer::new("https://auth.example", RESOURCE)
        .introspection(Introspection::with_secret("rs", &secret))
        .open(&mut opening)
        .unwrap();
    let named: Vec<_> = opening.secrets.iter().map(|(_, path)| path).collect();
    assert_eq!(named, [&secret]);
}

#[test]
fn everything_that_was_said_can_be_read_and_nothing_secret() {
    let server = ResourceServer::new("https://auth.example", RESOURCE)
        .audience("api://notes")
        .beside_audience("https://auth.example/userinfo")
        .algorithms([Algorithm::ES256])
        .token_type("JWT")
        .untyped_tokens()
        .scope_claim("scp")
        .roles_claim("https://notes.example/roles")
        .role("editor", ["notes:write"])
        .implies("notes:write", ["notes:read"])
        .client_claim("cid")
        .require_claim("tid", "t1")
        .max_lifetime(Duration::from_secs(3600))
        .jwks("https://keys.example/jwks")
        .certificate_bound()
        .dpop(Dpop::Required)
        .dpop_nonce()
        .introspection(Introspection::with_secret("rs", "/run/secret").at("https://auth.example/i"))
        .allow_private_issuer()
        .ca_file("/etc/ca.pem")
        .nameservers(["127.0.0.1:53".parse().unwrap()]);
    assert_eq!(
        server.terms(),
        [
            "tokens of https://auth.example",
            "for api://notes",
            "also for https://auth.example/userinfo",
            "signed by ES256",
            "of type JWT",
            "without a type",
            "scopes in scp",
            "roles in https://notes.example/roles",
            "role editor is notes:write",
            "notes:write implies notes:read",
            "client in cid",
            "tid is \"t1\"",
            "leeway 5 s",
            "lives at most 3600 s",
            "keys at https://keys.example/jwks",
            "at most 64 keys, believed 3600 s without the issuer",
            "4096 tokens remembered",
            "bound to a certificate",
            "bound to a key",
            "proofs have a nonce",
            "asks for opaque tokens as rs",
            "asks at https://auth.example/i",
            "the issuer may be at a private address",
            "trusts the authorities in /etc/ca.pem",
            "asks 127.0.0.1:53 for names",
        ]
    );
}
