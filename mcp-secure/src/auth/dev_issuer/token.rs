//! What a client gets: the token endpoint.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Issuer, authorize::Form, client::MACHINE, key::random};
use crate::{auth::oauth::encode, error::Result};

/// What a person agreed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Granted {
    pub(super) person: String,
    pub(super) client: String,
    pub(super) scope: String,
    pub(super) resource: String,
}

/// A refresh token, and which others came of the same agreement.
pub(super) struct Family {
    granted: Granted,
    family: String,
    /// Used already: it was stolen, or will have been (RFC 9700 section 4.14.2).
    spent: bool,
}

/// An error of RFC 6749 section 5.2.
pub(super) type Refused = &'static str;

impl Issuer {
    pub(super) fn token(&self, form: &Form, authorization: Option<&str>) -> Result<Value, Refused> {
        match form.get("grant_type").map(String::as_str) {
            Some("authorization_code") => self.by_code(form),
            Some("refresh_token") => self.by_refresh(form),
            Some("client_credentials") => self.by_secret(form, authorization),
            Some(_) => Err("unsupported_grant_type"),
            None => Err("invalid_request"),
        }
    }

    fn by_code(&self, form: &Form) -> Result<Value, Refused> {
        let get = |name: &str| form.get(name).map_or("", String::as_str);
        let code = self.codes.take(get("code")).ok_or("invalid_grant")?;
        let verifier = get("code_verifier");
        let challenge = encode(&Sha256::digest(verifier.as_bytes()));
        let is_whole = (43..=128).contains(&verifier.len());
        if !is_whole
            || challenge != code.challenge
            || get("client_id") != code.granted.client
            || get("redirect_uri") != code.redirect
        {
            return Err("invalid_grant");
        }
        self.same_resource(form, &code.granted)?;
        let family = random().map_err(|_| "server_error")?;
        self.answered(code.granted, Some(family))
    }

    fn by_refresh(&self, form: &Form) -> Result<Value, Refused> {
        let shown = form.get("refresh_token").map_or("", String::as_str);
        let found = self.refresh.take(shown).ok_or("invalid_grant")?;
        let client = form.get("client_id").map_or("", String::as_str);
        if found.spent || client != found.granted.client {
            self.refresh.forget(|other| other.family == found.family);
            return Err("invalid_grant");
        }
        let mut granted = found.granted.clone();
        if let Some(scope) = form.get("scope") {
            // A refreshed token may do less, never more.
            let held: Vec<&str> = granted.scope.split(' ').collect();
            if !scope.split(' ').all(|one| held.contains(&one)) {
                return Err("invalid_scope");
            }
            granted.scope.clone_from(scope);
        }
        self.same_resource(form, &granted)?;
        let family = found.family.clone();
        let spent = Family {
            spent: true,
            ..found
        };
        self.refresh
            .put(shown.to_owned(), spent)
            .ok_or("temporarily_unavailable")?;
        self.answered(granted, Some(family))
    }

    fn by_secret(&self, form: &Form, authorization: Option<&str>) -> Result<Value, Refused> {
        let (id, secret) = match authorization {
            Some(value) => basic(value).ok_or("invalid_client")?,
            None => {
                let get = |name: &str| form.get(name).cloned().unwrap_or_default();
                (get("client_id"), get("client_secret"))
            }
        };
        if id != MACHINE || !self.is_machine(&secret) {
            return Err("invalid_client");
        }
        let asked = form.get("resource").map(String::as_str);
        let granted = Granted {
            person: MACHINE.to_owned(),
            client: MACHINE.to_owned(),
            scope: form.get("scope").cloned().unwrap_or_default(),
            resource: self.resource(asked).ok_or("invalid_target")?,
        };
        self.answered(granted, None)
    }

    /// A token is for the server that the person agreed to (RFC 8707 section 2.2).
    fn same_resource(&self, form: &Form, granted: &Granted) -> Result<(), Refused> {
        match form.get("resource") {
            Some(asked) if *asked != granted.resource => Err("invalid_target"),
            _ => Ok(()),
        }
    }

    fn answered(&self, granted: Granted, family: Option<String>) -> Result<Value, Refused> {
        let token = self.access_token(&granted).map_err(|_| "server_error")?;
        let mut answer = json!({
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": self.lifetime,
            "scope": granted.scope,
        });
        if let Some(family) = family {
            let refresh = random().map_err(|_| "server_error")?;
            let kept = Family {
                granted,
                family,
                spent: false,
            };
            self.refresh
                .put(refresh.clone(), kept)
                .ok_or("temporarily_unavailable")?;
            if let Some(answer) = answer.as_object_mut() {
                answer.insert("refresh_token".to_owned(), json!(refresh));
            }
        }
        Ok(answer)
    }

    /// RFC 9068.
    pub(super) fn access_token(&self, granted: &Granted) -> Result<String> {
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        self.key.sign(&json!({
            "iss": self.url,
            "sub": granted.person,
            "aud": granted.resource,
            "client_id": granted.client,
            "scope": granted.scope,
            "iat": now,
            "exp": now + self.lifetime,
            "jti": random()?,
        }))
    }
}

/// `client_secret_basic`: both halves are form-encoded (RFC 6749 section 2.3.1).
fn basic(value: &str) -> Option<(String, String)> {
    let encoded = value.strip_prefix("Basic ")?;
    let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decoded = |half: &str| {
        let pair = format!("x={half}");
        let (_, value) = url::form_urlencoded::parse(pair.as_bytes()).next()?;
        Some(value.into_owned())
    };
    Some((decoded(id)?, decoded(secret)?))
}
