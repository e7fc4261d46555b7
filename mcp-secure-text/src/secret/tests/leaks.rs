//! Ways in which secrets get into what a server says.

use super::super::Kinds;
use super::{all, is_clean, leaks};

/// Random, but the same each time.
const RANDOM: &str = "Kq3vT9xLw2Rb8NzYd5Jm7HcGf4Ps6WtQaE1uVoBi";

/// The text with one character changed for another letter or digit.
fn flip(text: &str, at: usize) -> String {
    let changed = match text.as_bytes()[at] {
        b'7' => '8',
        b'q' => 'p',
        b'Q' => 'P',
        b if b.is_ascii_digit() => '7',
        b if b.is_ascii_lowercase() => 'q',
        _ => 'Q',
    };
    format!("{}{changed}{}", &text[..at], &text[at + 1..])
}

fn example(id: &str) -> &'static str {
    let mut detectors = super::super::DETECTORS.iter();
    detectors.find(|d| d.id == id).unwrap().positive
}

#[test]
fn a_token_with_one_character_changed_fails_its_checksum() {
    for (id, from) in [
        ("secret/github-token", 4),
        ("secret/npm-token", 4),
        ("secret/gitlab-token", 6),
        ("secret/age-key", 16),
        ("personal/iban", 2),
        ("personal/card-number", 0),
    ] {
        let text = example(id);
        for at in from..text.len() {
            let b = text.as_bytes()[at];
            if !b.is_ascii_alphanumeric() {
                continue;
            }
            let text = flip(text, at);
            let found = all(&text, Kinds::ALL);
            assert!(found.iter().all(|f| f.0 != id), "{found:?} in {text:?}");
        }
    }
}

#[test]
fn checksums_are_those_of_their_standards() {
    use super::super::check;
    assert_eq!(check::crc32(b"123456789"), 0xCBF4_3926);
    assert_eq!(check::crc32(b""), 0);
    // The example of the base-62 sum is from a token whose owner has published and revoked it.
    let sum = check::crc32(concat!("zQWBuTSOoRi4A9", "spHcVY5ncnsDkxkJ").as_bytes());
    assert!(check::is_base62(b"0mLq17", sum));
    assert!(check::is_luhn(&[7, 9, 9, 2, 7, 3, 9, 8, 7, 1, 3]));
    assert!(!check::is_luhn(&[7, 9, 9, 2, 7, 3, 9, 8, 7, 1, 0]));
    // BIP 173.
    assert!(check::is_bech32(b"a", b"2uel5l".iter().copied()));
    assert!(!check::is_bech32(b"a", b"2uel5p".iter().copied()));
    assert!(check::base64(b"aGVsbG8_").eq(*b"hello?"));
}

#[test]
fn every_kind_of_github_token_is_found() {
    let token = example("secret/github-token");
    for prefix in ["ghp_", "gho_", "ghu_", "ghs_", "ghr_"] {
        let token = format!("{prefix}{}", &token[4..]);
        leaks(&format!("remote: {token}"), "secret/github-token", &token);
    }
    let token = format!(
        "github_{}{}_{}{}",
        "pat_",
        &RANDOM[..22],
        RANDOM,
        &RANDOM[..19]
    );
    leaks(&token, "secret/github-token", &token);
    // Installation tokens carry an application's id and a JSON Web Token since 2026.
    let jwt = example("secret/jwt");
    let token = format!("ghs_{}_{jwt}", 12345);
    leaks(&format!("({token})"), "secret/github-token", &token);
}

#[test]
fn the_secret_next_to_an_aws_id_is_found() {
    let id = example("secret/aws-access-key-id");
    let key = example("secret/aws-secret-access-key");
    let key = &key[key.len() - 40..];
    for between in [",", "\t", "\n", "\",\"", ": ", "\nsecret: "] {
        let found = all(&format!("{id}{between}{key}"), Kinds::CREDENTIALS);
        let ids: std::vec::Vec<_> = found.iter().map(|f| f.0).collect();
        assert_eq!(
            ids,
            ["secret/aws-access-key-id", "secret/aws-secret-access-key"],
            "{between:?}"
        );
        assert_eq!(found[1].1, key);
    }
    is_clean(key);
    is_clean("da39a3ee5e6b4b0d3255bfef95601890afd80709");
}

#[test]
fn private_keys_of_all_kinds_are_taken_out_between_their_markers() {
    let line = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7Kq3vT9xLw2Rb";
    for kind in [
        "PRIVATE KEY",
        "RSA PRIVATE KEY",
        "EC PRIVATE KEY",
        "DSA PRIVATE KEY",
        "ENCRYPTED PRIVATE KEY",
        "OPENSSH PRIVATE KEY",
        "PGP PRIVATE KEY BLOCK",
    ] {
        for newline in [
            "\n",
            "\r\n",
            "\\n",
            "\\r\\n",
            "\\\\n",
            "\",\n\"",
            "\\n\" +\n    \"",
        ] {
            let body = format!("{line}{newline}{line}{newline}Kq3vT9==");
            let text =
                format!("-----BEGIN {kind}-----{newline}{body}{newline}-----END {kind}-----");
            let clean = super::super::redact(text.as_str(), Kinds::CREDENTIALS);
            assert!(!clean.as_str().contains("MII"), "{clean}");
            assert!(!clean.as_str().contains("Kq3v"), "{clean}");
            assert!(clean.as_str().contains("-----END"), "{clean}");
        }
    }
    let text = format!(
        "-----BEGIN RSA {0}-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00AA\n\n{line}\n-----END RSA {0}-----",
        "PRIVATE KEY"
    );
    leaks(&text, "secret/private-key", line);
    // A key that is cut off ends with its last line.
    let text = format!(
        "-----BEGIN {}-----\n{line}\n{line}\nand so on",
        "PRIVATE KEY"
    );
    leaks(&text, "secret/private-key", &format!("{line}\n{line}"));
    // Public keys and certificates are public.
    is_clean(&format!(
        "-----BEGIN CERTIFICATE-----\n{line}\n-----END CERTIFICATE-----"
    ));
    is_clean(&format!(
        "-----BEGIN PUBLIC KEY-----\n{line}\n-----END PUBLIC KEY-----"
    ));
}

#[test]
fn the_key_in_a_service_account_is_found() {
    let line = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7Kq3vT9xLw2Rb";
    let json = format!(
        r#"{{"type": "service_account", "private_key": "-----BEGIN {0}-----\n{line}\nab==\n-----END {0}-----\n"}}"#,
        "PRIVATE KEY"
    );
    leaks(&json, "secret/private-key", &format!("{line}\\nab=="));
}

#[test]
fn tokens_that_are_json_are_found_signed_encrypted_or_neither() {
    let payload = "eyJzdWIiOiI0MiIsInNjb3BlIjoicmVhZCJ9";
    let signed = format!("eyJhbGciOiJIUzI1NiJ9.{payload}.{RANDOM}");
    leaks(&format!("token {signed}."), "secret/jwt", &signed);
    leaks(
        &format!("Authorization: Bearer {signed}"),
        "secret/jwt",
        &signed,
    );
    leaks(&format!("id_token={signed}&x=1"), "secret/jwt", &signed);
    let unsigned = format!("eyJhbGciOiJub25lIn0.{payload}");
    leaks(&format!("{unsigned}."), "secret/jwt", &unsigned);
    let encrypted = "eyJlbmMiOiJ4IiwiYWxnIjoiZGlyIn0..aXY.Y2lwaGVy.dGFn";
    leaks(encrypted, "secret/jwt", encrypted);
    // No algorithm, no JSON, no second part.
    is_clean(&format!("eyJzdWIiOiI0MiIsInNjb3BlIjoi.{payload}.{RANDOM}"));
    is_clean("eyJhbGciOiJIUzI1NiJ9");
}

#[test]
fn authorization_headers_are_found_and_their_scheme_stays() {
    let value = &RANDOM[..32];
    for text in [
        format!("Authorization: Bearer {value}"),
        format!("curl -H 'authorization: bearer {value}'"),
        format!("{{\"Authorization\": \"Bearer {value}\"}}"),
        format!("{{\\\"Authorization\\\":\\\"Bearer {value}\\\"}}"),
        format!("Proxy-Authorization: token {value}"),
        format!("?authorization=Bearer%20{value}&x"),
    ] {
        leaks(&text, "secret/bearer-token", value);
    }
    for text in [
        "Authorization: Bearer <token>",
        "Authorization: Bearer YOUR_ACCESS_TOKEN_GOES_HERE_1",
        "Authorization: Bearer ${TOKEN}",
        "Authorization: Bearer $ACCESS_TOKEN_1234567890",
        "Authorization: Bearer {access_token}",
        "Authorization: Bearer abc123",
        "Authorization: Basic <credentials>",
        "Authorization: see RFC 9110",
        "set the Authorization header: Bearer followed by the token",
    ] {
        is_clean(text);
    }
}

#[test]
fn passwords_in_urls_are_found_and_the_rest_of_the_url_stays() {
    for (url, password) in [
        (
            "postgres://app:n0t-4-w0rd@db.internal:5432/orders",
            "n0t-4-w0rd",
        ),
        ("redis://:n0t-4-w0rd@cache", "n0t-4-w0rd"),
        (
            "mongodb+srv://app:x%40y7z@c0.mongodb.net/?retryWrites=true",
            "x%40y7z",
        ),
        ("amqp://app:in@side7@mq/", "in@side7"),
        ("https://app:hunter2@api.internal", "hunter2"),
        ("https://app:hunter2@[fd00::7]:8443/", "hunter2"),
        // What is behind the first bracket is no part of it, whatever it is.
        ("postgres://app:n0t-4-w0rd@4)w0rd@db", "n0t-4-w0rd"),
    ] {
        leaks(&format!("({url})"), "secret/url-password", password);
        leaks(
            &format!("{{\"url\":\"{url}\"}}"),
            "secret/url-password",
            password,
        );
    }
    let token = example("secret/github-token");
    leaks(
        &format!("https://x-access-token:{token}@github.com/a/b"),
        "secret/github-token",
        token,
    );
    // What stands before the password is looked at as well.
    let url = format!("https://{token}:x-oauth-basic@github.com/a/b");
    let found = all(&url, Kinds::CREDENTIALS);
    assert_eq!(found[0], ("secret/github-token", token.into()));
    for text in [
        "postgres://user:password@localhost:5432/db",
        "postgres://postgres:postgres@localhost/db",
        "https://user:pass@example.com/",
        "https://someone:s3cr3tly7@example.com/",
        "mysql://${USER}:${PASS}@host/db",
        "mysql://user:<password>@host/db",
        "mysql://user:****@host/db",
        "http://localhost:8080/@scope/package",
        "https://a.b:443/x@y",
        "http://[::1]:8080/",
    ] {
        is_clean(text);
    }
}

#[test]
fn named_values_are_found_in_every_notation() {
    let value = &RANDOM[..24];
    for text in [
        format!("API_KEY={value}"),
        format!("export API_KEY=\"{value}\""),
        format!("apiKey: '{value}',"),
        format!("\"api_key\": \"{value}\""),
        format!("{{\\\"api-key\\\":\\\"{value}\\\"}}"),
        format!("config[\"api_key\"] = \"{value}\""),
        format!("api_key := `{value}`"),
        format!(":api_key => \"{value}\""),
        format!("X-Api-Key: {value}\r\n"),
        format!("client_secret={value}&grant_type=x"),
        format!("**Access token:** {value}"),
        format!("auth_token?: {value}"),
        format!("//registry.local/:_authToken={value}"),
    ] {
        leaks(&text, "secret/api-key", value);
    }
    for value in ["Summer2024!", "7hX-q0Zr2m", "Tr0ub4dor&3", "pässW0rt-99"] {
        leaks(
            &format!("\"password\": \"{value}\""),
            "secret/password",
            value,
        );
    }
    // A mark at the end belongs to the password, a full stop to the sentence.
    leaks("Password=Summer2024!;", "secret/password", "Summer2024!");
    leaks("password: 7hX-q0Zr2m.", "secret/password", "7hX-q0Zr2m");
    let key = "dj-2k#p9!x@v7w$z&q3m^r8t*y5u1i0o4a6";
    leaks(&format!("SECRET_KEY = '{key}'"), "secret/api-key", key);
    // Session tokens of AWS have runs of one character, and may be long.
    for count in [1, 2, 30] {
        let token = format!("IQoJb3JpZ2luX2VjEJr//////////wEa{}==", RANDOM.repeat(count));
        let text = format!("AWS_SESSION_TOKEN={token}\\n");
        leaks(&text, "secret/api-key", &token);
    }
    leaks(
        "PGPASSWORD=7hX-q0Zr2m psql",
        "secret/password",
        "7hX-q0Zr2m",
    );
}

#[test]
fn cards_are_found_as_they_are_printed() {
    for card in [
        "4111111111111111",
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "5555 5555 5555 4444",
        "2223003122003222",
        "378282246310005",
        "3782 822463 10005",
        "30569309025904",
        "6011111111111117",
        "3530111333300000",
        "6200000000000005",
    ] {
        leaks(
            &format!("card={card}, thanks"),
            "personal/card-number",
            card,
        );
        leaks(&format!("\\n{card}."), "personal/card-number", card);
        for text in [
            format!("1{card}"),
            format!("{card}0"),
            format!("x{card}"),
            format!("0.{card}"),
            format!("/o/{card}"),
        ] {
            let found = all(&text, Kinds::CARDS);
            assert!(found.is_empty(), "{text:?} {found:?}");
        }
    }
}

#[test]
fn addresses_and_accounts_are_found() {
    leaks(
        "mail jo.d+x@mail.shop.dev.",
        "personal/email",
        "jo.d+x@mail.shop.dev",
    );
    leaks("<jo@shop.dev>", "personal/email", "jo@shop.dev");
    leaks(
        "GB82WEST12345698765432",
        "personal/iban",
        "GB82WEST12345698765432",
    );
    leaks(
        "IBAN: NO93 8601 1117 947",
        "personal/iban",
        "NO93 8601 1117 947",
    );
    leaks("ssn 536-22-8714", "personal/us-ssn", "536-22-8714");
}
