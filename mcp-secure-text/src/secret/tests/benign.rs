//! What looks like a secret and is none.

use super::is_clean;

#[test]
fn identifiers_and_digests_pass() {
    for text in [
        "123e4567-e89b-12d3-a456-426614174000",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==",
        "commit 9fceb02d0ae598e95dc970b74767f19372d61af8",
        "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
        "order 4111111111111112, invoice 2024-000123456789",
        "1700000000000 1700000000000000 1700000000000000000",
        "2024-01-01T00:00:00Z",
        "id: 01ARZ3NDEKTSV4RRFFQ69G5FAV",
        "arn:aws:iam::123456789012:role/deploy",
        "ETag: \"33a64df551425fcc55e4d42a148795d9f25f89d4\"",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKq3vT9xLw2Rb8NzYd5Jm7HcGf4Ps6WtQaE1uVoBi jo",
        "call 555-123-4567 or +1 (555) 123-4567, part 123-45-678",
        "AC34310fff4332ad2e3a0d80ed1c44eea3",
    ] {
        is_clean(text);
    }
}

#[test]
fn examples_of_manuals_pass() {
    for text in [
        concat!("AKIA", "IOSFODNN7EXAMPLE"),
        concat!(
            "aws_secret_access_key = wJalrXUtn",
            "FEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
        ),
        concat!("AIza", "SyXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"),
        concat!(
            "sk-ant-",
            "api03-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
        ),
        concat!("ghp_", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
        concat!(
            "xoxb-",
            "123456789012-1234567890123-xxxxxxxxxxxxxxxxxxxxxxxx"
        ),
        concat!(
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9",
            ".eyJzdWIiOiIxMjM0NTY3ODkwIn0.",
            "dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
        ),
    ] {
        is_clean(text);
    }
}

#[test]
fn placeholders_pass() {
    for text in [
        "password=your_password",
        "password=password123",
        "password: string",
        "password: Optional[str] = None",
        "\"password\": \"********\"",
        "password: '<password>'",
        "PASSWORD=${DB_PASSWORD}",
        "PASSWORD=$DB_PASSWORD1",
        "PASSWORD=%DB_PASSWORD1%",
        "password = os.environ['DB_PASSWORD1']",
        "password = getpass.getpass2()",
        "api_key: {{ secrets.API_KEY_1 }}",
        "api_key = process.env.OPENAI_KEY_2",
        "api_key: \"xxxxxxxxxxxxxxxxxxxxxxxx\"",
        "api_key=abcdefghijklmnop1234567890",
        "api_key: \"YOUR_API_KEY_HERE_12345\"",
        "token = generate_token_v2_for_user1(user)",
        "token: Vec<String>",
        "secret: projects/123456/locations/global/keys/k1",
        "secret_key: base/Config2/service/Key3",
        "password: Must contain 8 Characters!",
        "The password: at least 12 characters, 1 digit.",
        "pwd=/home/User1/project",
        "PWD=src/App2/Main",
        "if password == 'Summer2024!'",
    ] {
        is_clean(text);
    }
}

#[test]
fn tokens_that_are_no_secrets_pass() {
    for name in [
        "nextPageToken",
        "next_page_token",
        "continuation-token",
        "NextContinuationToken",
        "syncToken",
        "progressToken",
        "ClientRequestToken",
        "max_tokens",
        "public_key",
        "key",
        "cursor",
    ] {
        is_clean(&std::format!("\"{name}\": \"Kq3vT9xLw2Rb8NzYd5Jm7HcG\""));
    }
}

#[test]
fn addresses_that_are_nobodys_pass() {
    for text in [
        "jo@example.com",
        "jo@mail.example.org",
        "jo@localhost",
        "git@github.com:owner/repo.git",
        "icon@2x.png",
        "npm i left-pad@1.3.0",
        "@scope/package",
        "a@b",
        "jo@.dev",
        "j..o@shop.dev",
    ] {
        is_clean(text);
    }
}
