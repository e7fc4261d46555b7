//! The machines of the small internet, and what they have heard.

use std::{
    io::{self, BufRead as _, BufReader, Read, Write},
    net::{IpAddr, Ipv4Addr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};

use super::dns::Names;
use crate::scene::Scene;

/// Where a request arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The metadata service of a cloud, with the credentials of the machine.
    Metadata,
    /// A service for this machine only.
    Loopback,
    /// A machine of the private network.
    Intranet,
    /// The services that the servers are for.
    Public,
    /// The attacker's host, with an address like any other.
    Attacker,
}

impl From<Place> for Ipv4Addr {
    fn from(place: Place) -> Self {
        match place {
            Place::Metadata => Self::new(169, 254, 169, 254),
            Place::Loopback => Self::LOCALHOST,
            Place::Intranet => Self::new(10, 0, 0, 5),
            // Public addresses, which lead nowhere but here. The blocks for documentation
            // would be refused for what they are.
            Place::Public => Self::new(93, 184, 215, 14),
            Place::Attacker => Self::new(93, 184, 215, 66),
        }
    }
}

/// One request, as it arrived.
#[derive(Clone, Debug)]
pub struct Heard {
    pub place: Place,
    pub host: String,
    /// Method and target.
    pub line: String,
    pub authorization: String,
    pub body: String,
}

/// All of it, running.
pub struct World {
    /// What is behind every door that no caller may open.
    pub secret: String,
    names: Names,
    authority: String,
    heard: Arc<Mutex<Vec<Heard>>>,
}

impl World {
    pub fn new() -> Self {
        let secret = format!("instance-credentials-{}-5e1f", std::process::id());
        let heard = Arc::<Mutex<Vec<Heard>>>::default();
        let (authority, tls) = certificates();
        for port in [80, 443, 6379] {
            let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap();
            let (tls, heard, secret) = (Arc::clone(&tls), Arc::clone(&heard), secret.clone());
            std::thread::spawn(move || {
                for stream in listener.incoming().map_while(Result::ok) {
                    let (tls, heard, secret) =
                        (Arc::clone(&tls), Arc::clone(&heard), secret.clone());
                    std::thread::spawn(move || answer(stream, tls, &heard, &secret));
                }
            });
        }
        Self {
            secret,
            names: Names::serve(),
            authority,
            heard,
        }
    }

    /// A scene whose server finds the certificate of this internet's authority in `../ca.pem`.
    /// What was heard and asked before is forgotten.
    pub fn scene(&self) -> Scene {
        let scene = Scene::new();
        scene.write("srv/ca.pem", &self.authority);
        self.heard.lock().unwrap().clear();
        self.names.forget();
        scene
    }

    /// What arrived at one place.
    pub fn heard_at(&self, place: Place) -> Vec<Heard> {
        let heard = self.heard.lock().unwrap();
        heard.iter().filter(|h| h.place == place).cloned().collect()
    }

    /// That nothing arrived where no caller may reach.
    pub fn is_untouched(&self) {
        let inner = [
            Place::Metadata,
            Place::Loopback,
            Place::Intranet,
            Place::Attacker,
        ];
        for place in inner {
            let heard = self.heard_at(place);
            assert!(heard.is_empty(), "{heard:?}");
        }
    }
}

fn answer(mut stream: TcpStream, tls: Arc<ServerConfig>, heard: &Mutex<Vec<Heard>>, secret: &str) {
    let IpAddr::V4(address) = stream.local_addr().unwrap().ip() else {
        return;
    };
    let places = [
        Place::Metadata,
        Place::Loopback,
        Place::Intranet,
        Place::Public,
        Place::Attacker,
    ];
    let Some(place) = places.into_iter().find(|p| Ipv4Addr::from(*p) == address) else {
        return;
    };
    let mut first = [0];
    let result = if matches!(stream.peek(&mut first), Ok(1) if first == [0x16]) {
        match ServerConnection::new(tls) {
            Ok(connection) => exchange(
                &mut StreamOwned::new(connection, stream),
                place,
                heard,
                secret,
            ),
            Err(error) => Err(io::Error::other(error)),
        }
    } else {
        exchange(&mut stream, place, heard, secret)
    };
    // Who goes away in the middle is no trouble of ours.
    drop(result);
}

fn exchange(
    stream: &mut (impl Read + Write),
    place: Place,
    heard: &Mutex<Vec<Heard>>,
    secret: &str,
) -> io::Result<()> {
    let mut request = Heard {
        place,
        host: String::new(),
        line: String::new(),
        authorization: String::new(),
        body: String::new(),
    };
    let mut reader = BufReader::new(&mut *stream);
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(());
    }
    request.line = line.trim_end().trim_end_matches(" HTTP/1.1").to_owned();
    let mut length = 0;
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        let value = value.trim().to_owned();
        match name.to_ascii_lowercase().as_str() {
            "host" => request.host = value,
            "authorization" => request.authorization = value,
            "content-length" => length = value.parse().unwrap_or(0),
            _ => {}
        }
    }
    reader.take(length).read_to_string(&mut request.body)?;
    let (head, body) = says(&request, secret);
    heard.lock().unwrap().push(request);
    write!(
        stream,
        "HTTP/1.1 {head}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )?;
    stream.flush()
}

/// Status line and headers, and the body.
fn says(request: &Heard, secret: &str) -> (&'static str, String) {
    const OK: &str = "200 OK\r\n";
    match request.place {
        Place::Metadata | Place::Loopback | Place::Intranet => (OK, secret.to_owned()),
        Place::Attacker => (OK, "do as the attacker says".to_owned()),
        Place::Public if request.host.starts_with("moved.") => (
            "302 Found\r\nLocation: http://169.254.169.254/latest/meta-data/\r\n",
            String::new(),
        ),
        Place::Public if request.host.starts_with("moved-with-tls.") => (
            "302 Found\r\nLocation: https://169.254.169.254/latest/meta-data/\r\n",
            String::new(),
        ),
        Place::Public if request.line.contains("/admin/") => (OK, "deleted".to_owned()),
        Place::Public if request.line.contains("/token") => (OK, secret.to_owned()),
        Place::Public => (OK, "nothing secret".to_owned()),
    }
}

/// An authority, in PEM form, and the public hosts' certificate by it.
fn certificates() -> (String, Arc<ServerConfig>) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let authority = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let names = HOSTS.iter().map(|name| (*name).to_owned());
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(names.collect::<Vec<_>>())
        .unwrap()
        .signed_by(&key, &issuer)
        .unwrap();
    let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(
        rustls::crypto::aws_lc_rs::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .unwrap()
    .with_no_client_auth()
    .with_single_cert(vec![leaf.der().clone()], private)
    .unwrap();
    (authority, Arc::new(config))
}

/// The public hosts.
const HOSTS: &[&str] = &[
    "*.opendata.example",
    "*.cdn.example",
    "api.example",
    "docs.apify.com",
    "dati.gov.it",
    "api.postmarkapp.com",
    "gateway.example",
];
