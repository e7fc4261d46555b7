//! What can be found.

use super::Kinds;

/// A kind of secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Detector {
    /// Its stable name, as it stands in [`Secret::id`](super::Secret::id).
    pub id: &'static str,
    /// What it is, for people.
    pub title: &'static str,
    /// Who describes the form: a page of the vendor, or a standard.
    pub source: &'static str,
    /// How a match is checked.
    pub validation: Validation,
    /// The set it belongs to.
    pub kinds: Kinds,
    /// A text in which it is found. Made up: no such secret was ever issued.
    pub positive: &'static str,
    /// A text that looks similar and holds none.
    pub negative: &'static str,
}

/// How a match is checked, the strongest way first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Validation {
    /// A checksum over the whole is right, in the forms that have one.
    Checksum,
    /// Prefix, alphabet, length and parts are those of the vendor.
    Structure,
    /// A name or a marker next to it says what it is, and it does not look like a placeholder.
    Context,
}

use Validation::{Checksum, Context, Structure};

/// Every kind of secret that [`find`](super::find) knows.
///
/// ```
/// use mcp_secure_text::secret::{DETECTORS, find};
///
/// for detector in DETECTORS {
///     let mut found = find(detector.positive, detector.kinds);
///     assert!(found.any(|secret| secret.id == detector.id));
///     assert_eq!(find(detector.negative, detector.kinds).next(), None);
/// }
/// ```
// The examples are in parts, so that scanners of repositories do not take them for leaks.
pub static DETECTORS: &[Detector] = &[
    Detector {
        id: "secret/github-token",
        title: "GitHub tokens (`ghp_`, `gho_`, `ghu_`, `ghs_`, `ghr_`, `github_pat_`)",
        source: "https://github.blog/engineering/platform-security/behind-githubs-new-authentication-token-formats/",
        validation: Checksum,
        kinds: Kinds::CREDENTIALS,
        positive: concat!("ghp", "_xOI7qL9OuUTgnOPGjKxLfLG", "YvmzjBj3kGGy1"),
        negative: concat!("ghp", "_xOI7qL9OuUTgnOPGjKxLfLG", "YvmzjBj3kGG01"),
    },
    Detector {
        id: "secret/npm-token",
        title: "npm access token",
        source: "https://github.blog/security/announcing-npms-new-access-token-format/",
        validation: Checksum,
        kinds: Kinds::CREDENTIALS,
        positive: concat!("npm", "_07oKzawIMEiMxolIG2rKGtS", "IIJX9fn0www3L"),
        negative: concat!("npm", "_07oKzawIMEiMxolIG2rKGtS", "IIJX9fn0www0L"),
    },
    Detector {
        id: "secret/gitlab-token",
        title: "GitLab tokens (`glpat-` and its kin), plain and routable",
        source: "https://docs.gitlab.com/security/tokens/#token-prefixes",
        validation: Checksum,
        kinds: Kinds::CREDENTIALS,
        positive: concat!(
            "glp",
            "at-jWbbL6bFZAW7AihK5ovDb",
            "K4hIMLq4W86MQp1OjU.01.13",
            "05yrkn6"
        ),
        negative: concat!(
            "glp",
            "at-jWbbL60FZAW7AihK5ovDb",
            "K4hIMLq4W86MQp1OjU.01.13",
            "05yrkn6"
        ),
    },
    Detector {
        id: "secret/aws-access-key-id",
        title: "AWS access key id (`AKIA`, `ASIA`)",
        source: "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids",
        validation: Structure,
        kinds: Kinds::CREDENTIALS,
        positive: concat!("AKI", "AQQL7HFB2QZR3UVH4"),
        negative: concat!("AKI", "AIOSFODNN7EXAMPLE"),
    },
    Detector {
        id: "secret/aws-secret-access-key",
        title: "AWS secret access key, by its name or near its id",
        source: "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_access-keys.html",
        validation: Context,
        kinds: Kinds::CREDENTIALS,
        positive: concat!(
            "aws",
            "_secret_access_key = xhP",
            "G2RJvIWYsIYUC2APqt7DSfHC",
            "6eBI2RUGOwGPa"
        ),
        negative: concat!(
            "aws",
            "_secret_access_key = wJa",
            "lrXUtnFEMI/K7MDENG/bPxRf",
            "iCYEXAMPLEKEY"
        ),
    },
    Detector {
        id: "secret/slack-token",
        title: "Slack tokens (`xoxb-`, `xoxp-`, `xapp-` and others)",
        source: "https://docs.slack.dev/authentication/tokens/",
        validation: Structure,
        kinds: Kinds::CREDENTIALS,
        positive: concat!(
            "xox",
            "b-282672398258-472259331",
            "236-2mReoEtzr88sWNprFsKe",
            "R5uh"
        ),
        negative: concat!("xox", "b-your-bot-token-goes-he", "re-now"),
    },
    Detector {
        id: "secret/slack-webhook",
        title: "Slack incoming webhook",
        source: "https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks/",
        validation: Structure,
        kinds: Kinds::CREDENTIALS,
        positive: concat!(
            "htt",
            "ps://hooks.slack.com/ser",
            "vices/T5J7RPGJ54/BHEG4VM",
            "EIRV/viofIw3OZjE0gjDPWvd",
            "vfpo1"
        ),
        negative: concat!(
            "htt",
            "ps://hooks.slack.com/ser",
            "vices/T00000000/B0000000",
            "0/XXXXXXXXXXXXXXXXXXXXXX",
            "XX"
        ),
    },
    Detector {
        id: "secret/stripe-key",
        title: "Stripe live secret and restricted keys, webhook secrets",
        source: "https://docs.stripe.com/keys",
        validation: Structure,
        kinds: Kinds::CREDENTIALS,
        positive: concat!("sk_", "live_PiUBXjfNVkxntQtMKKy", "jalm2"),
        negative: concat!("sk_", "live_xxxxxxxxxxxxxxxxxxx", "xxxxx"),
    },
    Detector {
        id: "secret/google-api-key",
        title: "Google API key",
        source: "https://docs.cloud.google.com/docs/authentication/api-keys",
        validation: Structure,
        kinds: Kinds::CREDENTIALS,
        positive: concat!("AIz", "aSydip3HNnqQ5kCKWQ4Dj25f", "NjFcxCnwDS5k"),
        negative: concat!("AIz", "aSyXXXXXXXXXXXXXXXXXXXXX", "XXXXXXXXXXXX"),
    },
    Detector {
        id: "secret/google-client-secret",
        title: "Google OAuth client secret",
        source: "https://developers.google.com/identity/protocols/oauth2",
        validation: Structure,
        kinds: Kinds::CREDENTIALS,
        positive: concat!("GOC", "SPX-xce4aJnwTGrrzzLpWGOZ", "giwoXG_q"),
        negative: concat!("GOC", "SPX-your-client-secret-g", "oes-here"),
    },
    Detector {
        id: "secret/openai-key",
        title: "OpenAI API keys, of users, projects and service accounts",
        source: "https://platform.openai.com/docs/api-reference/authentication",
        validation: Structure,
        kinds: Kinds::CREDENTIALS,
        positive: concat!(
            "sk-",
            "FXIdiQHvCK1Gj5jF8lHoT3Bl",
            "bkFJJKZJb9nQm6Ep7TrEB135"
        ),
        negative: concat!("sk-", "proj-your-key-T3BlbkFJ-h", "ere"),
    },
    Detector {
        id: "secret/anthropic-key",
        title: "Anthropic API keys",
        source: "https://docs.claude.com/en/api/overview",
        validation: Structure,
        kinds: Kinds::CREDENTIALS,
        positive: concat!(
            "sk-",
            "ant-api03-kEmIuh4k5dzBy3",
            "K4-T-CuPpnYJ23elvKdWa3zU",
            "shKtxMY3jhfX-3eNGqWs7P0p",
            "aM4Y08hp14vOpH7QO4xNh6Vk",
            "nsw4gSuAA"
        ),
        negative: concat!(
            "sk-",
            "ant-api03-xxxxxxxxxxxxxx",
            "xxxxxxxxxxxxxxxxxxxxxxxx",
            "xxxxxxxxxxxxxxxxxxxxxxxx",
            "xxxxxxxxxxxxxxxxxxxxxxxx",
            "xxxxxxxAA"
        ),
    },
    Detector {
        id: "secret/huggingface-token",
        title: "Hugging Face user access token",
        source: "https://huggingface.co/docs/hub/security-tokens",
        validation: Structure,
        kinds: Kinds::CREDENTIALS,
        positive: concat!("hf_", "vzHPkCHaRcJVsWsJxvPixYQs", "gnkztIVTmf"),
        negative: concat!("hf_", "xxxxxxxxxxxxxxxxxxxxxxxx", "xxxxxxxxxx"),
    },
    Detector {
        id: "secret/pypi-token",
        title: "PyPI API token: a macaroon of pypi.org or test.pypi.org",
        source: "https://pypi.org/help/#apitoken",
        validation: Structure,
        kinds: Kinds::CREDENTIALS,
        positive: concat!(
            "pyp",
            "i-AgEIcHlwaS5vcmcCJED5eQ",
            "wpw2iDx9zEwIhTWa3kOhFO5K",
            "oCV2bZp0Ut49CXyLEdHgAC9Y",
            "tA28qVrO4QHOZgOXvUt371_j",
            "56EZB5Z138PYCffso6-UH1hv",
            "ED4nMo9ymFlqseBpd0rJ5_vH",
            "ym3C4mAAAGIFRPmrhSBTEGbz",
            "UtsJxAQL_tWsKMiNBNAZps5q",
            "WUJYxY"
        ),
        negative: concat!("pyp", "i-AgEIcHlwaS5vcmcCJ..."),
    },
    Detector {
        id: "secret/sendgrid-key",
        title: "SendGrid API key",
        source: "https://www.twilio.com/docs/sendgrid/ui/account-and-settings/api-keys",
        validation: Structure,
        kinds: Kinds::CREDENTIALS,
        positive: concat!(
            "SG.",
            "DhZp76rr1kmx_Kd0Re-TZa.3",
            "acjQoV10lIfQc66BN95J80Wd",
            "zVMGfGFdwZOQKexZMb"
        ),
        negative: concat!(
            "SG.",
            "xxxxxxxxxxxxxxxxxxxxxx.y",
            "yyyyyyyyyyyyyyyyyyyyyyyy",
            "yyyyyyyyyyyyyyyyyy"
        ),
    },
    Detector {
        id: "secret/twilio-secret",
        title: "Twilio auth token or API secret behind its id",
        source: "https://www.twilio.com/docs/iam/api-keys",
        validation: Structure,
        kinds: Kinds::CREDENTIALS,
        positive: concat!(
            "AC3",
            "4310fff4332ad2e3a0d80ed1",
            "c44eea3:4adcb3e7367bd793",
            "41ecbc041365773e"
        ),
        negative: concat!("AC3", "4310fff4332ad2e3a0d80ed1", "c44eea3"),
    },
    Detector {
        id: "secret/azure-storage-key",
        title: "Azure storage account key, service bus key",
        source: "https://learn.microsoft.com/azure/storage/common/storage-configure-connection-string",
        validation: Context,
        kinds: Kinds::CREDENTIALS,
        positive: concat!(
            "Acc",
            "ountName=shop;AccountKey",
            "=KX82yZRQairvdchcH+KvCmu",
            "GvE6svb85IcPxQFpImJbZZvF",
            "v8Q02OHYe65cmrNkY5KgAboi",
            "xHVhmZR6yziCrvQ==;Endpoi",
            "ntSuffix=core.windows.ne",
            "t"
        ),
        negative: "AccountKey=<your-account-key>",
    },
    Detector {
        id: "secret/azure-sas-signature",
        title: "Signature of an Azure shared access signature",
        source: "https://learn.microsoft.com/rest/api/storageservices/create-service-sas",
        validation: Structure,
        kinds: Kinds::CREDENTIALS,
        positive: concat!(
            "?sv",
            "=2024-11-04&sp=r&sig=ebM",
            "zdvWQzTN20lOjS0B6FaDkF4y",
            "zOktN3cE%2FH7riLIM%3D"
        ),
        negative: concat!("?sv", "=2024-11-04&sp=r&sig=abc", "%3D"),
    },
    Detector {
        id: "secret/digitalocean-token",
        title: "DigitalOcean tokens (`dop_v1_`, `doo_v1_`, `dor_v1_`)",
        source: "https://docs.digitalocean.com/reference/api/create-personal-access-token/",
        validation: Structure,
        kinds: Kinds::CREDENTIALS,
        positive: concat!(
            "dop",
            "_v1_2a79359699cdd5f73037",
            "24813e7d8eb21b10eb465f2c",
            "56e3a95ac221b4b84d64"
        ),
        negative: concat!(
            "dop",
            "_v1_2a79359699cdd5f73037",
            "24813e7d8eb21b10eb465f2c",
            "56e3a95ac221b4b84d6g"
        ),
    },
    Detector {
        id: "secret/shopify-token",
        title: "Shopify tokens (`shpat_`, `shpca_`, `shppa_`, `shpss_`)",
        source: "https://shopify.dev/docs/apps/build/authentication-authorization/access-tokens",
        validation: Structure,
        kinds: Kinds::CREDENTIALS,
        positive: concat!("shp", "at_67c71d89721e31fcd42a5", "97c7688743c"),
        negative: concat!("shp", "at_67c71d89721e31fcd42a5", "97c7688743"),
    },
    Detector {
        id: "secret/telegram-token",
        title: "Telegram bot token",
        source: "https://core.telegram.org/bots/api#authorizing-your-bot",
        validation: Structure,
        kinds: Kinds::CREDENTIALS,
        positive: concat!("257", "2591266:AASJQcAMipHVHZ29", "fHNcZr1YkUKrMjb16vw"),
        negative: concat!("257", "2591266:AASJQcAMipHVHZ29", "fHNcZr1YkUKrMjb16v"),
    },
    Detector {
        id: "secret/discord-token",
        title: "Discord bot token: its first part is a number in base64",
        source: "https://docs.discord.com/developers/reference#authentication",
        validation: Structure,
        kinds: Kinds::CREDENTIALS,
        positive: concat!(
            "NDE",
            "5OTQ0Njg5Njc0ODQzNjk5.sq",
            "fcB0._xDlQxRwgiVTLzAVNLx",
            "ufv-UiLaWKUPdbfmFqk"
        ),
        negative: concat!(
            "NDE",
            "zabcdNjg5Njc0ODQzNjk5.sq",
            "fcB0._xDlQxRwgiVTLzAVNLx",
            "ufv-UiLaWKUPdbfmFqk"
        ),
    },
    Detector {
        id: "secret/databricks-token",
        title: "Databricks personal access token",
        source: "https://docs.databricks.com/aws/en/dev-tools/auth/pat",
        validation: Structure,
        kinds: Kinds::CREDENTIALS,
        positive: concat!("dap", "icb0ceb460bd37bd97fb0cdd", "f2e2e6b27"),
        negative: concat!("dap", "icb0ceb460bd37bd97fb0cdd", "f2e2e6b2g"),
    },
    Detector {
        id: "secret/vault-token",
        title: "HashiCorp Vault tokens (`hvs.`, `hvb.`, `hvr.`)",
        source: "https://developer.hashicorp.com/vault/docs/concepts/tokens",
        validation: Structure,
        kinds: Kinds::CREDENTIALS,
        positive: concat!(
            "hvs",
            ".fRlnkO_mD0x5Zd58Ll06t9N",
            "0QCvzpGtzh289B16J6lV2TCF",
            "UIq4mKp-fSapczTM-GVZNqr8",
            "K8AzFO9-klCg_1prZalLNF5Q"
        ),
        negative: concat!(
            "hvs",
            ".xxxxxxxxxxxxxxxxxxxxxxx",
            "xxxxxxxxxxxxxxxxxxxxxxxx",
            "xxxxxxxxxxxxxxxxxxxxxxxx",
            "xxxxxxxxxxxxxxxxxxxxxxxx"
        ),
    },
    Detector {
        id: "secret/doppler-token",
        title: "Doppler tokens (`dp.pt.`, `dp.st.`, `dp.ct.`, `dp.sa.`)",
        source: "https://docs.doppler.com/reference/auth-token-formats",
        validation: Structure,
        kinds: Kinds::CREDENTIALS,
        positive: concat!("dp.", "pt.DRBCn7SUctD4AnY8QUhZ6", "HVZqafINFxzzfs3Bs899TM"),
        negative: concat!("dp.", "pt.xxxxxxxxxxxxxxxxxxxxx", "xxxxxxxxxxxxxxxxxxxxxx"),
    },
    Detector {
        id: "secret/linear-key",
        title: "Linear API key",
        source: "https://linear.app/developers/graphql",
        validation: Structure,
        kinds: Kinds::CREDENTIALS,
        positive: concat!("lin", "_api_1ezTW4R8oZlRbvJnVkd", "HKHDHVFcT7S3VRZeB16rk"),
        negative: concat!("lin", "_api_xxxxxxxxxxxxxxxxxxx", "xxxxxxxxxxxxxxxxxxxxx"),
    },
    Detector {
        id: "secret/notion-token",
        title: "Notion integration tokens (`ntn_`, `secret_`)",
        source: "https://developers.notion.com/changelog/new-notion-integration-token-format",
        validation: Structure,
        kinds: Kinds::CREDENTIALS,
        positive: concat!("ntn", "_99899371884v5dxGGz6qhzM", "8NhUVpJtCbvQNqZsc9yJPs0"),
        negative: concat!("ntn", "_xxxxxxxxxxxxxxxxxxxxxxx", "xxxxxxxxxxxxxxxxxxxxxxx"),
    },
    Detector {
        id: "secret/docker-token",
        title: "Docker access tokens (`dckr_pat_`, `dckr_oat_`)",
        source: "https://docs.docker.com/security/access-tokens/",
        validation: Structure,
        kinds: Kinds::CREDENTIALS,
        positive: concat!("dck", "r_pat_xNjxYMW0WISaMI2EUc", "CuE_BRdUx"),
        negative: concat!("dck", "r_pat_xxxxxxxxxxxxxxxxxx", "xxxxxxxxx"),
    },
    Detector {
        id: "secret/mcp-secure-key",
        title: "API key of a server of this project",
        source: "https://github.com/mcp-secure/mcp-secure",
        validation: Checksum,
        kinds: Kinds::CREDENTIALS,
        positive: concat!(
            "msk",
            "_k7fq2xw9pzac_Tq3vR9xLw2_b8",
            "NzYc4-Hs7GdKe5MuPj6XaVfBt1nQoE1o9sqb"
        ),
        negative: concat!(
            "msk",
            "_k7fq2xw9pzac_Tq3vR9xLw2_b8",
            "AzYc4-Hs7GdKe5MuPj6XaVfBt1nQoE1o9sqb"
        ),
    },
    Detector {
        id: "secret/crates-token",
        title: "crates.io API token",
        source: "https://github.com/rust-lang/crates.io/blob/main/crates/crates_io_database/src/utils/token.rs",
        validation: Structure,
        kinds: Kinds::CREDENTIALS,
        positive: concat!("cio", "bFcbyxZKk6c72H02iNedONMk", "umxNAjD7"),
        negative: concat!("cio", "nameofsomethingwithoutan", "ydigits1"),
    },
    Detector {
        id: "secret/age-key",
        title: "age identity, X25519",
        source: "https://github.com/C2SP/C2SP/blob/main/age.md",
        validation: Checksum,
        kinds: Kinds::CREDENTIALS,
        positive: concat!(
            "AGE",
            "-SECRET-KEY-1ETA3S3YAX4J",
            "URH57W6L6K9QEUY02U04DN8K",
            "644U4WCV7LCQ4GJES0TZXU8"
        ),
        negative: concat!(
            "AGE",
            "-SECRET-KEY-1ETA3S3YAX4J",
            "URH57W6L6K9QEUY02U04DN8K",
            "644U4WCV7LCQ4GJES0T0XU8"
        ),
    },
    Detector {
        id: "secret/private-key",
        title: "Private key in PEM: PKCS #1, PKCS #8, EC, OpenSSH, PGP, encrypted ones too",
        source: "https://www.rfc-editor.org/rfc/rfc7468",
        validation: Structure,
        kinds: Kinds::CREDENTIALS,
        positive: concat!(
            "---",
            "--BEGIN PRIVATE KEY-----",
            "\nMIIEvQIBADANBgkqhkiG9w0",
            "BM7Mf/xZbWnCM77smU7bK9GP",
            "4jKDLgVjnO+M9XWUO\nIMkOif",
            "NuKu4fNWLp8+r+UpE5pe1M1R",
            "\n-----END PRIVATE KEY---",
            "--"
        ),
        negative: concat!(
            "---",
            "--BEGIN PRIVATE KEY-----",
            "\n...\n-----END PRIVATE KE",
            "Y-----"
        ),
    },
    Detector {
        id: "secret/jwt",
        title: "JSON Web Token whose header names an algorithm",
        source: "https://www.rfc-editor.org/rfc/rfc7519",
        validation: Structure,
        kinds: Kinds::CREDENTIALS,
        positive: concat!(
            "eyJ",
            "hbGciOiJIUzI1NiIsInR5cCI",
            "6IkpXVCJ9.eyJzdWIiOiI0Mi",
            "IsInNjb3BlIjoicmVhZCJ9.u",
            "pqqJwwvA3JpYvOq0kkAxG5hn",
            "mHDNRzeWY1z8c-iX00"
        ),
        negative: concat!(
            "eyJ",
            "OiJIUzI1NiIsInR5cCI6IkpX",
            "VCJ9.eyJzdWIiOiI0MiIsInN",
            "jb3BlIjoicmVhZCJ9.upqqJw",
            "wvA3JpYvOq0kkAxG5hnmHDNR",
            "zeWY1z8c-iX00"
        ),
    },
    Detector {
        id: "secret/bearer-token",
        title: "Token in an `Authorization` header",
        source: "https://www.rfc-editor.org/rfc/rfc6750",
        validation: Context,
        kinds: Kinds::CREDENTIALS,
        positive: concat!(
            "Aut",
            "horization: Bearer zeIbC",
            "TwxjlO9mxg99RF4UYlhmiJHD",
            "DnNGKV_kN1w"
        ),
        negative: "Authorization: Bearer <token>",
    },
    Detector {
        id: "secret/basic-auth",
        title: "User and password in an `Authorization` header",
        source: "https://www.rfc-editor.org/rfc/rfc7617",
        validation: Structure,
        kinds: Kinds::CREDENTIALS,
        positive: concat!("Aut", "horization: Basic ZGVwbG", "95OjBIcVJFNkJybXZKeHhw"),
        negative: concat!("Aut", "horization: Basic dXNlcj", "pwYXNz"),
    },
    Detector {
        id: "secret/url-password",
        title: "Password in a URL",
        source: "https://www.rfc-editor.org/rfc/rfc3986#section-3.2.1",
        validation: Context,
        kinds: Kinds::CREDENTIALS,
        positive: concat!("pos", "tgres://app:n0t-4-w0rd@d", "b.internal/orders"),
        negative: concat!("pos", "tgres://user:password@lo", "calhost/db"),
    },
    Detector {
        id: "secret/password",
        title: "Value named a password",
        source: "CWE-312, https://cwe.mitre.org/data/definitions/312.html",
        validation: Context,
        kinds: Kinds::CREDENTIALS,
        positive: "password=GFweWpJc5k1QMY0IXV",
        negative: "password=your_password",
    },
    Detector {
        id: "secret/api-key",
        title: "Value named a key, a token or a secret",
        source: "CWE-312, https://cwe.mitre.org/data/definitions/312.html",
        validation: Context,
        kinds: Kinds::CREDENTIALS,
        positive: concat!("api", "_key: \"AxRyT4XnZHwx721yl", "1RfcORroIVZrcGk\""),
        negative: "api_key: \"${API_KEY}\"",
    },
    Detector {
        id: "personal/card-number",
        title: "Payment card number",
        source: "ISO/IEC 7812-1",
        validation: Checksum,
        kinds: Kinds::CARDS,
        positive: concat!("411", "1 1111 1111 1111"),
        negative: concat!("411", "1 1111 1111 1112"),
    },
    Detector {
        id: "personal/email",
        title: "E-mail address",
        source: "https://www.rfc-editor.org/rfc/rfc5321#section-4.1.2",
        validation: Structure,
        kinds: Kinds::EMAIL,
        positive: "jo@shop.dev",
        negative: "jo@example.com",
    },
    Detector {
        id: "personal/iban",
        title: "International bank account number",
        source: "ISO 13616, https://www.swift.com/standards/data-standards/iban-international-bank-account-number",
        validation: Checksum,
        kinds: Kinds::IBAN,
        positive: concat!("DE8", "9 3704 0044 0532 0130 00"),
        negative: concat!("DE8", "9 3704 0044 0532 0130 01"),
    },
    Detector {
        id: "personal/us-ssn",
        title: "Social security number of the United States",
        source: "https://www.ssa.gov/employer/randomization.html",
        validation: Structure,
        kinds: Kinds::US_SSN,
        positive: "536-22-8714",
        negative: "987-65-4320",
    },
];
