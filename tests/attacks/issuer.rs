//! An authorization server, as far as a resource server needs one: its metadata, its keys, and
//! the tokens that it signs.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    time::SystemTime,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

pub struct Issuer {
    pub url: String,
    /// The public key.
    pub jwk: Value,
    pair: rcgen::KeyPair,
}

impl Issuer {
    pub fn start() -> Self {
        let pair = rcgen::KeyPair::generate().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let point = pair.public_key_raw();
        let jwk = json!({
            "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": KID,
            "x": URL_SAFE_NO_PAD.encode(&point[1..33]),
            "y": URL_SAFE_NO_PAD.encode(&point[33..65]),
        });
        let keys = json!({ "keys": [&jwk] });
        let metadata = json!({ "issuer": url, "jwks_uri": format!("{url}/keys") });
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
                let first = lines.next().and_then(Result::ok).unwrap_or_default();
                while lines.next().is_some_and(|l| l.is_ok_and(|l| !l.is_empty())) {}
                let (status, body) = match first.split(' ').nth(1) {
                    Some("/keys") => (200, keys.to_string()),
                    Some("/.well-known/oauth-authorization-server") => (200, metadata.to_string()),
                    _ => (404, String::new()),
                };
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status} -\r\nContent-Type: application/json\r\n\
                     Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                );
            }
        });
        Self { url, jwk, pair }
    }

    /// An access token for this audience, or for none.
    pub fn token(&self, subject: &str, audience: Option<&str>, scope: &str) -> String {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = since.unwrap().as_secs();
        let mut claims = json!({ "iss": self.url, "sub": subject, "client_id": "app",
            "scope": scope, "iat": now, "exp": now + 300 });
        if let Some(audience) = audience {
            claims["aud"] = Value::from(audience);
        }
        let header = Header {
            typ: Some("at+jwt".to_owned()),
            kid: Some(KID.to_owned()),
            ..Header::new(Algorithm::ES256)
        };
        let key = EncodingKey::from_ec_der(&self.pair.serialize_der());
        jsonwebtoken::encode(&header, &claims, &key).unwrap()
    }
}

const KID: &str = "k1";
