//! OAUTH: a token or a client that belongs elsewhere.
//!
//! The twin checks what most do, the signature, the issuer and the time, and not for whom a token
//! is. It lets clients register, and shows the address that they gave as a link.
//!
//! Ours is the server of `guarded` as a resource server. It has no endpoint of an authorization
//! server at all; an address that a tool takes and somebody opens is an `HttpsUrl`.

use std::env;

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};

use crate::{
    guarded::{self, ALICE, MALLORY, SCOPES, Service, TASK},
    issuer::Issuer,
    ours::Running,
    report::{Attack, Played, Stopped},
    scene::Scene,
    twin,
    wire::{Http, Server},
};

/// The naive server; its arguments are the issuer and its key.
pub fn twin() {
    let issuer = env::args().nth(1).unwrap();
    let jwk = serde_json::from_str(&env::args().nth(2).unwrap()).unwrap();
    let key = DecodingKey::from_jwk(&jwk).unwrap();
    let mut checks = Validation::new(Algorithm::ES256);
    checks.set_issuer(&[issuer]);
    // "The audience is another one in staging."
    checks.validate_aud = false;
    twin::over_http(move |request, mut stream| {
        let body = request.json();
        let link = |uri: &Value| format!("<a href=\"{}\">back</a>", uri.as_str().unwrap_or("/"));
        if request.path == "/register" {
            let page = link(&body["redirect_uris"][0]);
            return twin::reply(&mut stream, (201, Vec::new(), page));
        }
        let authorization = request.header("authorization");
        let token = authorization.trim_start_matches("Bearer ");
        if jsonwebtoken::decode::<Value>(token, &key, &checks).is_err() {
            return twin::reply(&mut stream, (401, Vec::new(), String::new()));
        }
        let answer = twin::answer(&body, |tool, arguments| match tool {
            "register_client" => Ok(link(&arguments["redirect_uri"])),
            _ => std::fs::read_to_string("../x/data.csv"),
        });
        let answer = answer.unwrap_or_default().to_string();
        twin::reply(&mut stream, (200, Vec::new(), answer))
    });
}

pub fn attacks() -> Vec<Attack> {
    vec![
        Attack::new(
            "CVE-2025-69196",
            "another server",
            "alice's token for another server of the same issuer is shown here",
            || token_for(Some("https://weather.example/mcp"), "another audience"),
        ),
        Attack::new(
            "CVE-2025-69196",
            "no server",
            "the resource was ignored, and the token is for no server",
            || token_for(None, "no audience"),
        ),
        Attack::new(
            "CVE-2025-69196",
            "a longer name",
            "the token is for a server whose name begins like this one's",
            || token_for(Some("{resource}/admin"), "a longer audience"),
        ),
        Attack::new(
            "GHSA-86j7-9j95-vpqj",
            "registration",
            "a client registers with an address that is a script",
            || {
                script(
                    Http::post(json!({ "redirect_uris": [SCRIPT] })).at("/register"),
                    false,
                )
            },
        ),
        Attack::new(
            "GHSA-86j7-9j95-vpqj",
            "argument",
            "a tool that takes the address gets a script",
            || {
                let arguments = json!({ "redirect_uri": SCRIPT });
                script(Http::stateless_call("register_client", arguments), true)
            },
        ),
    ]
}

const SCRIPT: &str = "javascript:alert(document.cookie)";

/// The issuer, the name of our server, and its files.
struct World {
    issuer: Issuer,
    resource: String,
    scene: Scene,
    service: Service,
}

impl World {
    fn new() -> Self {
        let service = Service::start(200);
        let scene = guarded::scene(&service);
        let (issuer, resource) = (Issuer::start(), guarded::resource());
        scene.write("srv/issuer", &issuer.url);
        scene.write("srv/resource", &resource);
        Self {
            issuer,
            resource,
            scene,
            service,
        }
    }

    fn twin(&self) -> Server {
        let arguments = [self.issuer.url.clone(), self.issuer.jwk.to_string()];
        Server::start("twin oauth", arguments, &self.scene)
    }

    fn ours(&self) -> Running {
        Running::start_for_others("ours guarded, issuer", &self.scene)
    }

    /// Whoever has a token for this server is let in.
    fn works(&self, ours: &Running) {
        let token = self
            .issuer
            .token(ALICE, Some(&self.resource), &SCOPES.join(" "));
        let has = guarded::works(ours, &token, "get_task", json!({ "id": TASK }));
        assert_eq!(has, self.scene.canary);
        // Her token is for this server, and goes no further; what asks behind it is the operator's.
        guarded::works(ours, &token, "list_licenses", json!({}));
        assert_eq!(self.service.asked_as(&token), 0);
        assert_eq!(self.service.asked_as(&self.scene.canary), 1);
    }
}

fn token_for(audience: Option<&str>, words: &str) -> Played {
    let world = World::new();
    let audience = audience.map(|name| name.replace("{resource}", &world.resource));
    let scopes = SCOPES.join(" ");
    let token = world.issuer.token(ALICE, audience.as_deref(), &scopes);
    let request = Http::stateless_call("get_task", json!({ "id": TASK })).bearer(&token);
    let mut twin = world.twin();
    let answer = request.send(twin.address()).unwrap();
    assert!(
        answer.body.contains(&world.scene.canary),
        "the twin was not exploited: {answer:?}; {}",
        twin.errors()
    );

    let ours = world.ours();
    let answer = ours.send(&request);
    assert_eq!(answer.status, 401, "{answer:?}");
    assert!(!answer.body.contains(&world.scene.canary), "{answer:?}");
    let challenge = answer.header("www-authenticate").unwrap_or_default();
    assert!(
        challenge.contains("error=\"invalid_token\"") && challenge.contains("resource_metadata="),
        "{challenge}"
    );
    let record = ours.refused_by("oauth/audience");
    assert!(!ours.audit().contains(&token));
    world.works(&ours);
    Played {
        transport: "http",
        twin: format!("took a token with {words}"),
        caller: answer.seen(),
        stopped: Stopped::Refused(record),
    }
}

fn script(request: Http, is_a_call: bool) -> Played {
    let world = World::new();
    let token = world
        .issuer
        .token(MALLORY, Some(&world.resource), &SCOPES.join(" "));
    let request = request.bearer(&token);
    let mut twin = world.twin();
    let answer = request.send(twin.address()).unwrap();
    let is_in = |body: &str| body.replace('\\', "").contains("href=\"javascript:");
    assert!(
        is_in(&answer.body),
        "the twin was not exploited: {answer:?}; {}",
        twin.errors()
    );

    let ours = world.ours();
    let answer = ours.send(&request);
    assert!(!is_in(&answer.body), "{answer:?}");
    let control = if is_a_call {
        "validate/schema"
    } else {
        assert_eq!(answer.status, 404, "{answer:?}");
        "http/path"
    };
    let record = ours.refused_by(control);
    world.works(&ours);
    // An address that is one is taken.
    let arguments = json!({ "redirect_uri": "https://app.example/back" });
    let shown = guarded::works(&ours, &token, "register_client", arguments);
    assert!(shown.contains("https://app.example"), "{shown}");
    Played {
        transport: "http",
        twin: "made a link that runs a script".to_owned(),
        caller: answer.seen(),
        stopped: Stopped::Refused(record),
    }
}
