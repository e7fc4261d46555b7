//! One call, to a naive server and to ours, in the small internet.

use serde_json::Value;

use super::{Place, World};
use crate::{
    ours::{Over, Running},
    report::{Attack, Played, Stopped},
    scene::Scene,
    wire::Server,
};

/// A call of a tool with an argument that leads elsewhere.
pub struct Case {
    pub advisory: &'static str,
    pub variant: [&'static str; 2],
    pub words: &'static str,
    pub tool: &'static str,
    /// `{out}` stands for the absolute path of what is outside of the server's folder.
    pub arguments: &'static str,
    pub harm: Harm,
    pub control: &'static str,
}

pub enum Harm {
    /// The answer holds what only this network, this machine or the server may read.
    Leak,
    /// The answer holds what is in a file outside of the folder.
    File,
    /// The attacker's text is taken for that of the service.
    Misled,
    /// This, or the server's token where it says `{token}`, arrived there.
    Arrived(Place, &'static str),
    /// This now exists, and must not.
    Made(&'static str),
}

impl Case {
    /// Over each transport.
    pub fn attacks(&'static self, twin: &'static str) -> [Attack; 2] {
        let attack = |over: Over, variant| {
            Attack::new(self.advisory, variant, self.words, move || {
                self.play(twin, over)
            })
        };
        let [stdio, http] = self.variant;
        [attack(Over::Stdio, stdio), attack(Over::Http, http)]
    }

    fn play(&self, twin: &str, over: Over) -> Played {
        let world = World::new();
        let twin = {
            let scene = world.scene();
            let mut twin = Server::start(twin, [&scene.root], &scene);
            twin.initialize();
            let answer = twin.call(self.tool, self.arguments(&scene));
            self.harm.done(&world, &scene, &answer).unwrap_or_else(|| {
                panic!("the twin was not exploited: {answer}; {}", twin.errors())
            })
        };
        let scene = world.scene();
        let mut ours = Running::start_as("ours web", over, &scene, &serde_json::json!({}));
        let (answer, caller) = ours.call(self.tool, self.arguments(&scene));
        assert_eq!(self.harm.done(&world, &scene, &answer), None, "{answer}");
        world.is_untouched();
        for unsaid in ["169.254", "10.0.0.5", "127.0.0.1", "::ffff"] {
            assert!(!caller.contains(unsaid), "an address is shown: {caller}");
        }
        let record = ours.refused_by(self.control);
        assert_eq!(record["target"], self.tool);
        assert!(!record.to_string().contains(&scene.canary), "{record}");
        if self.control.starts_with("net/") {
            is_denied_step(&record, self.control);
        }
        ours.still_works();
        Played {
            transport: over.name(),
            twin,
            caller,
            stopped: Stopped::Refused(record),
        }
    }

    fn arguments(&self, scene: &Scene) -> Value {
        let out = scene.outside("");
        serde_json::from_str(&self.arguments.replace("{out}", out.trim_end_matches('/'))).unwrap()
    }
}

impl Harm {
    /// What was lost, if something was.
    pub fn done(&self, world: &World, scene: &Scene, answer: &Value) -> Option<String> {
        let said = |text: &str| answer.to_string().contains(text);
        match self {
            Self::Leak => said(&world.secret).then(|| "sent the secret".to_owned()),
            Self::File => said(&scene.canary).then(|| "sent the secret of a file".to_owned()),
            Self::Misled => said("do as the attacker says")
                .then(|| "gave the attacker's text as its own".to_owned()),
            Self::Arrived(place, what) => {
                let what = what.replace("{token}", &scene.canary);
                let heard = world.heard_at(*place);
                let heard = heard.iter().any(|request| {
                    let texts = [&request.line, &request.authorization, &request.body];
                    texts.iter().any(|text| text.contains(&what))
                });
                heard.then(|| format!("sent this where it must not go: {place:?}"))
            }
            Self::Made(path) => scene
                .path(path)
                .exists()
                .then(|| format!("made `{path}` outside its folder")),
        }
    }
}

/// That the last step of a call is a request that this control refused.
pub fn is_denied_step(record: &Value, control: &str) {
    let step = record["steps"].as_array().and_then(|steps| steps.last());
    let step = step.unwrap_or_else(|| panic!("no step in {record}"));
    assert_eq!(step["kind"], "net", "{record}");
    assert_eq!(step["outcome"], "denied", "{record}");
    assert_eq!(step["control"], control, "{record}");
    assert_eq!(step["bytes_in"], 0, "{record}");
    if control == "net/address" {
        // The operator reads which address it was, and what it is.
        let detail = step["detail"].as_str().unwrap_or_default();
        assert!(detail.contains("is refused: "), "{record}");
    }
}
