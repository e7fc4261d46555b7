//! Tokens that are known by how they begin.

use super::class::{
    ALNUM, BASE64, BASE64URL, Class, DASH, DIGIT, HEX, LETTER, LOWER, UPPER, WORD, is,
};
use super::scan::{Hit, Tail, View};
use super::{Kinds, check, jwt, pem};

/// A prefix, and what follows it.
pub(super) struct Spec {
    pub(super) id: &'static str,
    prefix: &'static [u8],
    /// Which two bytes of the prefix are looked for: the pair that is rarest in text.
    anchor: usize,
    body: Body,
}

enum Body {
    /// So many characters of a class, then neither the class nor a word goes on.
    Run(Class, usize, usize),
    /// At least so many, and as long as it goes on.
    Open(Class, usize),
    /// Looks at what starts at the first place; the prefix ends at the second.
    With(fn(&View<'_>, usize, usize) -> Option<Hit>),
}

use Body::{Open, Run, With};

const fn spec(id: &'static str, prefix: &'static str, anchor: usize, body: Body) -> Spec {
    Spec {
        id,
        prefix: prefix.as_bytes(),
        anchor,
        body,
    }
}

const GITHUB: &str = "secret/github-token";
const GITLAB: &str = "secret/gitlab-token";
const AWS_ID: &str = "secret/aws-access-key-id";
const SLACK: &str = "secret/slack-token";
const STRIPE: &str = "secret/stripe-key";
const OPENAI: &str = "secret/openai-key";
const PYPI: &str = "secret/pypi-token";
const DIGITALOCEAN: &str = "secret/digitalocean-token";
const SHOPIFY: &str = "secret/shopify-token";
const VAULT: &str = "secret/vault-token";
const DOPPLER: &str = "secret/doppler-token";
const LINEAR: &str = "secret/linear-key";
const NOTION: &str = "secret/notion-token";
const DOCKER: &str = "secret/docker-token";

/// Every prefix. Where one begins like another, the longer one stands first.
pub(super) static SPECS: [Spec; 68] = [
    spec(GITHUB, "ghp_", 2, With(github)),
    spec(GITHUB, "gho_", 2, With(github)),
    spec(GITHUB, "ghu_", 2, With(github)),
    spec(GITHUB, "ghs_", 2, With(github)),
    spec(GITHUB, "ghr_", 2, With(github)),
    spec(GITHUB, "github_pat_", 5, With(github_fine)),
    spec("secret/npm-token", "npm_", 1, With(npm)),
    spec(GITLAB, "glpat-", 4, With(gitlab)),
    spec(GITLAB, "gldt-", 3, With(gitlab)),
    spec(GITLAB, "glrt-", 3, With(gitlab)),
    spec(GITLAB, "glrtr-", 4, With(gitlab)),
    spec(GITLAB, "glcbt-", 4, With(gitlab)),
    spec(GITLAB, "glptt-", 4, With(gitlab)),
    spec(GITLAB, "glft-", 3, With(gitlab)),
    spec(GITLAB, "glimt-", 4, With(gitlab)),
    spec(GITLAB, "glagent-", 6, With(gitlab)),
    spec(GITLAB, "glsoat-", 5, With(gitlab)),
    spec(GITLAB, "glffct-", 5, With(gitlab)),
    spec(GITLAB, "gloas-", 4, With(gitlab)),
    spec(AWS_ID, "AKIA", 1, With(aws)),
    spec(AWS_ID, "ASIA", 1, With(aws)),
    spec(SLACK, "xoxa-", 0, With(slack)),
    spec(SLACK, "xoxb-", 0, With(slack)),
    spec(SLACK, "xoxc-", 0, With(slack)),
    spec(SLACK, "xoxd-", 0, Run(BASE64URL, 60, 400)),
    spec(SLACK, "xoxe-", 0, With(slack)),
    spec(SLACK, "xoxe.xoxb-", 5, With(slack)),
    spec(SLACK, "xoxe.xoxp-", 5, With(slack)),
    spec(SLACK, "xoxo-", 0, With(slack)),
    spec(SLACK, "xoxp-", 0, With(slack)),
    spec(SLACK, "xoxr-", 0, With(slack)),
    spec(SLACK, "xoxs-", 0, With(slack)),
    spec(SLACK, "xapp-", 3, With(slack_app)),
    spec(
        "secret/slack-webhook",
        "hooks.slack.com/services/",
        10,
        With(slack_webhook),
    ),
    spec(STRIPE, "sk_live_", 1, Run(ALNUM, 20, 247)),
    spec(STRIPE, "rk_live_", 1, Run(ALNUM, 20, 247)),
    spec(STRIPE, "whsec_", 1, Run(BASE64, 28, 80)),
    spec("secret/google-api-key", "AIza", 1, Run(BASE64URL, 35, 35)),
    spec(
        "secret/google-client-secret",
        "GOCSPX-",
        4,
        Run(BASE64URL, 28, 28),
    ),
    spec("secret/anthropic-key", "sk-ant-", 1, With(anthropic)),
    spec(OPENAI, "sk-", 1, With(openai)),
    spec("secret/huggingface-token", "hf_", 1, Run(LETTER, 34, 34)),
    spec(PYPI, "pypi-AgEIcHlwaS5vcmc", 6, Open(BASE64URL, 64)),
    spec(PYPI, "pypi-AgENdGVzdC5weXBpLm9yZw", 6, Open(BASE64URL, 64)),
    spec("secret/sendgrid-key", "SG.", 0, With(sendgrid)),
    spec(DIGITALOCEAN, "dop_v1_", 3, Run(HEX, 64, 64)),
    spec(DIGITALOCEAN, "doo_v1_", 3, Run(HEX, 64, 64)),
    spec(DIGITALOCEAN, "dor_v1_", 3, Run(HEX, 64, 64)),
    spec(SHOPIFY, "shpat_", 1, Run(HEX, 32, 32)),
    spec(SHOPIFY, "shpca_", 1, Run(HEX, 32, 32)),
    spec(SHOPIFY, "shppa_", 1, Run(HEX, 32, 32)),
    spec(SHOPIFY, "shpss_", 1, Run(HEX, 32, 32)),
    spec("secret/databricks-token", "dapi", 0, With(databricks)),
    spec(VAULT, "hvs.", 1, Run(BASE64URL, 24, 400)),
    spec(VAULT, "hvb.", 1, Run(BASE64URL, 100, 400)),
    spec(VAULT, "hvr.", 1, Run(BASE64URL, 24, 400)),
    spec(DOPPLER, "dp.pt.", 1, Run(ALNUM, 40, 44)),
    spec(DOPPLER, "dp.ct.", 1, Run(ALNUM, 40, 44)),
    spec(DOPPLER, "dp.sa.", 1, Run(ALNUM, 40, 44)),
    spec(DOPPLER, "dp.st.", 1, With(doppler_service)),
    spec(LINEAR, "lin_api_", 2, Run(ALNUM, 40, 40)),
    spec(NOTION, "ntn_", 1, With(notion)),
    spec(NOTION, "secret_", 5, With(notion_old)),
    spec(DOCKER, "dckr_pat_", 2, Run(BASE64URL, 27, 27)),
    spec(DOCKER, "dckr_oat_", 2, Run(BASE64URL, 32, 32)),
    spec("secret/mcp-secure-key", "msk_", 1, With(own_key)),
    spec("secret/crates-token", "cio", 0, With(crates)),
    spec("secret/age-key", "AGE-SECRET-KEY-1", 2, With(age)),
];

/// Further pairs, for what begins in no single way.
pub(super) static PAIRS: [&[u8; 2]; 12] = [
    b"yJ", b"-B", b"MD", b"MT", b"Mj", b"Mz", b"ND", b"NT", b"Nj", b"Nz", b"OD", b"OT",
];

impl Spec {
    #[expect(clippy::indexing_slicing, reason = "called by the compiler only")]
    pub(super) const fn pair(&self) -> (u8, u8) {
        (self.prefix[self.anchor], self.prefix[self.anchor + 1])
    }

    fn find(&self, view: &View<'_>, start: usize) -> Option<Hit> {
        let body = start + self.prefix.len();
        if view.slice(start, body)? != self.prefix || !view.starts(start) {
            return None;
        }
        match self.body {
            Run(class, min, max) => {
                let end = view.run(body, max + 1, class);
                ((min..=max).contains(&(end - body))
                    && view.ends(end, class)
                    && !check::is_documented(view.slice(body, end)?))
                .then(|| Hit::new(self.id, start, end))
            }
            Open(class, min) => {
                let end = view.run(body, min, class);
                (end - body == min && !check::is_documented(view.slice(body, end)?)).then(|| Hit {
                    tail: Some(Tail::Run(class)),
                    ..Hit::new(self.id, start, end)
                })
            }
            With(find) => find(view, start, body).map(|hit| Hit {
                id: if hit.id.is_empty() { self.id } else { hit.id },
                ..hit
            }),
        }
    }
}

/// The first spec with each pair of bytes, and after each spec the next one, counted from one.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
static FIRST: ([u8; 1 << 14], [u8; SPECS.len()]) = {
    let mut first = [0; 1 << 14];
    let mut next = [0; SPECS.len()];
    let mut i = SPECS.len();
    while i > 0 {
        i -= 1;
        let (a, b) = SPECS[i].pair();
        let place = ((a as usize) << 7) | b as usize;
        next[i] = first[place];
        // There are fewer than 255.
        first[place] = i as u8 + 1;
    }
    (first, next)
};

/// What the pair `a`, `b` at `at` is part of.
pub(super) fn find(view: &View<'_>, at: usize, a: u8, b: u8, kinds: Kinds) -> Option<Hit> {
    if !kinds.contains(Kinds::CREDENTIALS) || !a.is_ascii() || !b.is_ascii() {
        return None;
    }
    let (first, next) = &FIRST;
    let place = (usize::from(a) << 7) | usize::from(b);
    let mut at_spec = usize::from(first.get(place).copied().unwrap_or(0));
    while let Some(i) = at_spec.checked_sub(1) {
        let spec = SPECS.get(i)?;
        let start = at.checked_sub(spec.anchor);
        if let Some(hit) = start.and_then(|start| spec.find(view, start)) {
            return Some(hit);
        }
        at_spec = usize::from(next.get(i).copied().unwrap_or(0));
    }
    match (a, b) {
        (b'y', b'J') => jwt::find(view, at),
        (b'-', b'B') => pem::find(view, at),
        (b'M'..=b'O', _) => discord(view, at),
        _ => None,
    }
}

/// Whether a token known by its beginning starts at `start`.
pub(super) fn starts_at(view: &View<'_>, start: usize) -> bool {
    let (Some(a), Some(b)) = (view.at(start), view.at(start + 1)) else {
        return false;
    };
    super::steps(SPECS.len());
    SPECS
        .iter()
        .any(|spec| spec.prefix.starts_with(&[a, b]) && spec.find(view, start).is_some())
        || jwt::find(view, start + 1).is_some()
        || discord(view, start).is_some()
}

/// A hit of the spec's own kind.
fn hit(start: usize, end: usize) -> Hit {
    Hit::new("", start, end)
}

/// A run of exactly `length` characters, and its end.
fn exactly(view: &View<'_>, from: usize, length: usize, class: Class) -> Option<usize> {
    let end = view.run(from, length + 1, class);
    (end - from == length).then_some(end)
}

/// Thirty characters of base 62 and their CRC-32, as GitHub and npm have it.
fn with_crc(view: &View<'_>, start: usize, body: usize) -> Option<Hit> {
    let end = exactly(view, body, 36, ALNUM)?;
    let sum = check::crc32(view.slice(body, body + 30)?);
    (view.ends(end, ALNUM) && check::is_base62(view.slice(body + 30, end)?, sum))
        .then(|| hit(start, end))
}

/// The classic token, or an application's id and a JSON Web Token.
fn github(view: &View<'_>, start: usize, body: usize) -> Option<Hit> {
    with_crc(view, start, body).or_else(|| {
        let id = view.run(body, 24, DIGIT);
        let header = id + usize::from(id > body && view.at(id) == Some(b'_'));
        jwt::from(view, start, header).map(|hit| Hit { id: GITHUB, ..hit })
    })
}

fn github_fine(view: &View<'_>, start: usize, body: usize) -> Option<Hit> {
    let middle = exactly(view, body, 22, ALNUM)?;
    let end = exactly(view, middle + 1, 59, ALNUM)?;
    (view.at(middle) == Some(b'_')
        && view.ends(end, ALNUM)
        && !check::is_documented(view.slice(body, end)?))
    .then(|| hit(start, end))
}

fn npm(view: &View<'_>, start: usize, body: usize) -> Option<Hit> {
    with_crc(view, start, body)
}

/// An id, 256 bits in base64url, and the checksum of all that.
fn own_key(view: &View<'_>, start: usize, body: usize) -> Option<Hit> {
    let id = exactly(view, body, 12, DIGIT | LOWER)?;
    if view.at(id) != Some(b'_') {
        return None;
    }
    let end = exactly(view, id + 1, 49, BASE64URL)?;
    let sum = check::crc32(view.slice(start, end - 6)?);
    (view.ends(end, BASE64URL) && check::is_base62(view.slice(end - 6, end)?, sum))
        .then(|| hit(start, end))
}

/// Twenty characters or more; a routable token has its length and a checksum behind dots.
fn gitlab(view: &View<'_>, start: usize, body: usize) -> Option<Hit> {
    let end = view.run(body, 301, BASE64URL);
    if !(20..=300).contains(&(end - body)) || check::is_documented(view.slice(body, end)?) {
        return None;
    }
    let part = |from: usize, length| {
        (view.at(from) == Some(b'.'))
            .then(|| exactly(view, from + 1, length, DIGIT | LOWER))
            .flatten()
            .filter(|&end| view.ends(end, ALNUM))
    };
    if let Some(version) = part(end, 2)
        && let Some(last) = part(version, 9)
    {
        let sum = check::crc32(view.slice(start, last - 7)?);
        return check::is_base36(view.slice(last - 7, last)?, sum).then(|| hit(start, last));
    }
    let end = part(end, 9).unwrap_or(end);
    view.ends(end, BASE64URL).then(|| hit(start, end))
}

/// An access key id: sixteen characters of base 32, and the secret near it.
fn aws(view: &View<'_>, start: usize, body: usize) -> Option<Hit> {
    let end = exactly(view, body, 16, ALNUM)?;
    let id = view.slice(body, end)?;
    let base32 = |b: &u8| matches!(b, b'A'..=b'Z' | b'2'..=b'7');
    if !view.ends(end, ALNUM)
        || !id.iter().all(base32)
        || check::distinct(id) < 7
        || check::contains_any(id, &[b"example"])
    {
        return None;
    }
    let mut at = end;
    let mut also = None;
    while at < end + 200 && also.is_none() {
        let run = view.run(at, 256, BASE64);
        if run - at == 40 && view.ends(run, BASE64) && is_aws_secret(view.slice(at, run)?) {
            also = Some(("secret/aws-secret-access-key", at, run));
        }
        at = run + 1;
    }
    Some(Hit {
        also,
        ..hit(start, end)
    })
}

/// Whether forty characters of base64 are a secret access key: no digest, no path.
pub(super) fn is_aws_secret(key: &[u8]) -> bool {
    let shape = check::Shape::of(key);
    key.len() == 40
        && key.iter().all(|&b| is(b, BASE64))
        && shape.lower > 2
        && shape.upper > 2
        && shape.is_random()
        && !check::is_documented(key)
}

/// Numbers and a last part that is random.
fn slack(view: &View<'_>, start: usize, body: usize) -> Option<Hit> {
    let end = view.run(body, 400, ALNUM | DASH);
    let token = view.slice(body, end)?;
    let mut parts = token.split(|&b| b == b'-');
    let first = parts.next()?;
    let last = parts.next_back()?;
    (token.len() < 400
        && view.ends(end, ALNUM | DASH)
        && !first.is_empty()
        && first.iter().all(|&b| is(b, DIGIT))
        && last.len() >= 16
        && !check::is_documented(last))
    .then(|| hit(start, end))
}

fn slack_app(view: &View<'_>, start: usize, body: usize) -> Option<Hit> {
    let version = view.run(body, 2, DIGIT);
    let app = view.run(version + 1, 24, UPPER | DIGIT);
    let number = view.run(app + 1, 24, DIGIT);
    let end = exactly(view, number + 1, 64, HEX)?;
    let dashes = [version, app, number];
    (version > body
        && app > version + 8
        && number > app + 8
        && dashes.iter().all(|&at| view.at(at) == Some(b'-'))
        && view.ends(end, ALNUM)
        && check::distinct(view.slice(number, end)?) >= 8)
        .then(|| hit(start, end))
}

/// Team, hook and secret. Found is what stands behind the address of the service.
fn slack_webhook(view: &View<'_>, _: usize, body: usize) -> Option<Hit> {
    let team = view.run(body, 16, UPPER | DIGIT);
    let hook = view.run(team + 1, 16, UPPER | DIGIT);
    let end = view.run(hook + 1, 64, ALNUM);
    (view.at(team) == Some(b'/')
        && view.at(hook) == Some(b'/')
        && team >= body + 8
        && hook > team + 8
        && (21..=64).contains(&(end - hook))
        && view.ends(end, ALNUM)
        && !check::is_documented(view.slice(hook + 1, end)?))
    .then(|| hit(body, end))
}

/// A kind with its number, `api03`, and a long random part.
fn anthropic(view: &View<'_>, start: usize, body: usize) -> Option<Hit> {
    let kind = view.run(body, 12, LOWER);
    let number = exactly(view, kind, 2, DIGIT)?;
    let end = view.run(number + 1, 257, BASE64URL);
    (kind > body
        && view.at(number) == Some(b'-')
        && (80..=256).contains(&(end - number))
        && view.ends(end, BASE64URL)
        && !check::is_documented(view.slice(number + 1, end)?))
    .then(|| hit(start, end))
}

/// The name of the company in base64 stands in the middle.
fn openai(view: &View<'_>, start: usize, body: usize) -> Option<Hit> {
    const MARK: &[u8] = b"T3BlbkFJ";
    let end = view.run(body, 257, BASE64URL);
    let token = view.slice(body, end)?;
    let mark = token.windows(MARK.len()).position(|part| part == MARK)?;
    (token.len() <= 256
        && mark >= 20
        && token.len() >= mark + MARK.len() + 20
        && view.ends(end, BASE64URL)
        && !check::is_documented(token))
    .then(|| hit(start, end))
}

fn sendgrid(view: &View<'_>, start: usize, body: usize) -> Option<Hit> {
    let id = exactly(view, body, 22, BASE64URL)?;
    let end = exactly(view, id + 1, 43, BASE64URL)?;
    (view.at(id) == Some(b'.')
        && view.ends(end, BASE64URL)
        && !check::is_documented(view.slice(id + 1, end)?))
    .then(|| hit(start, end))
}

fn databricks(view: &View<'_>, start: usize, body: usize) -> Option<Hit> {
    let mut end = exactly(view, body, 32, HEX)?;
    if check::is_documented(view.slice(body, end)?) {
        return None;
    }
    if view.at(end) == Some(b'-') && view.at(end + 1).is_some_and(|b| is(b, DIGIT)) {
        end += 2;
    }
    view.ends(end, ALNUM).then(|| hit(start, end))
}

/// A service token may name the configuration it belongs to.
fn doppler_service(view: &View<'_>, start: usize, body: usize) -> Option<Hit> {
    let part = view.run(body, 45, ALNUM);
    let name = view.run(body, 36, BASE64URL);
    let secret = if view.at(name) == Some(b'.') && name > body {
        name + 1
    } else if (40..=44).contains(&(part - body)) {
        body
    } else {
        return None;
    };
    let end = view.run(secret, 45, ALNUM);
    ((40..=44).contains(&(end - secret))
        && view.ends(end, ALNUM)
        && !check::is_documented(view.slice(secret, end)?))
    .then(|| hit(start, end))
}

/// Eleven digits, then thirty-five letters and digits.
fn notion(view: &View<'_>, start: usize, body: usize) -> Option<Hit> {
    let end = exactly(view, body, 46, ALNUM)?;
    (view.run(body, 11, DIGIT) == body + 11
        && view.ends(end, ALNUM)
        && !check::is_documented(view.slice(body + 11, end)?))
    .then(|| hit(start, end))
}

/// The word `secret` begins many things: this one is random.
fn notion_old(view: &View<'_>, start: usize, body: usize) -> Option<Hit> {
    let end = exactly(view, body, 43, ALNUM)?;
    let token = view.slice(body, end)?;
    (view.ends(end, ALNUM) && is_mixed(token)).then(|| hit(start, end))
}

/// Three letters begin many words: this one is random.
fn crates(view: &View<'_>, start: usize, body: usize) -> Option<Hit> {
    let publishing = view.slice(body, body + 4) == Some(b"_tp_");
    let body = if publishing { body + 4 } else { body };
    let end = exactly(view, body, 32 + usize::from(publishing), ALNUM)?;
    (view.ends(end, ALNUM) && is_mixed(view.slice(body, end)?)).then(|| hit(start, end))
}

/// Letters of both cases and digits, changing all the time.
fn is_mixed(token: &[u8]) -> bool {
    let shape = check::Shape::of(token);
    shape.lower > 0 && shape.upper > 0 && shape.is_random() && !check::is_documented(token)
}

fn age(view: &View<'_>, start: usize, body: usize) -> Option<Hit> {
    let end = exactly(view, body, 58, UPPER | DIGIT)?;
    let data = view.slice(body, end)?;
    (view.ends(end, WORD) && check::is_bech32(b"age-secret-key-", data.iter().copied()))
        .then(|| hit(start, end))
}

/// A bot's id in base64, a time, and a secret.
fn discord(view: &View<'_>, start: usize) -> Option<Hit> {
    if !view.starts(start) {
        return None;
    }
    let id = view.run(start, 30, BASE64URL);
    let time = view.run(id + 1, 8, BASE64URL);
    let end = view.run(time + 1, 46, BASE64URL);
    let digits = || check::base64(view.slice(start, id).unwrap_or_default());
    ((22..=28).contains(&(id - start))
        && view.at(id) == Some(b'.')
        && view.at(time) == Some(b'.')
        && (6..=7).contains(&(time - id - 1))
        && (27..=45).contains(&(end - time - 1))
        && view.ends(end, BASE64URL)
        && digits().all(|b| b.is_ascii_digit())
        && !check::is_documented(view.slice(time + 1, end)?))
    .then(|| Hit::new("secret/discord-token", start, end))
}
