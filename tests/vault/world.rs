//! A vault, the server that its credentials are for, and another one.

use serde_json::{Value, json};

use crate::{
    scene::{Said, Scene},
    site::Site,
};

pub(crate) struct World {
    pub(crate) scene: Scene,
    pub(crate) api: Site,
    pub(crate) other: Site,
}

impl World {
    pub(crate) fn new() -> Self {
        let other = Site::new(None);
        let world = Self {
            scene: Scene::new(),
            api: Site::new(Some(other.address)),
            other,
        };
        world.scene.filled(&world.api.url());
        world
    }

    pub(crate) fn call(&self, name: &str, tool: &str, arguments: Value) -> Said {
        let (api, other) = (self.api.url(), self.other.url());
        self.scene.call([&api, &other], name, tool, arguments)
    }

    pub(crate) fn read(&self, name: &str, page: &str) -> Said {
        self.call(name, "read", json!({ "page": page }))
    }
}
