//! The files of one attack: a folder that the server may use, and secrets around it.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

/// A folder `srv/root` for the server, and beside it what no caller may reach.
///
/// `outside` stands for the rest of the machine: where an advisory says `/etc/passwd`, the
/// attack says `<outside>/etc/passwd`, so that the secret is one we know.
pub struct Scene {
    folder: tempfile::TempDir,
    pub root: PathBuf,
    /// What is in every secret file.
    pub canary: String,
}

impl Scene {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let folder = tempfile::Builder::new()
            .prefix("attack-")
            .tempdir()
            .unwrap();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let canary = format!("canary-{}-{count}-0fb2", std::process::id());
        let scene = Self {
            root: folder.path().join("srv/root"),
            folder,
            canary,
        };
        for open in ["srv/root/hello.txt", "srv/root/competitions/1/data.csv"] {
            scene.write(open, "nothing secret");
        }
        for secret in [
            "outside/etc/passwd",
            "outside/etc/shadow",
            "outside/home/u/.ssh/id_rsa",
            "srv/x/data.csv",
            "x.xlsx",
        ] {
            scene.write(secret, &scene.canary);
        }
        for empty in ["outside/etc/cron.d", "state"] {
            fs::create_dir_all(scene.path(empty)).unwrap();
        }
        private(&scene.path("state"));
        scene
    }

    /// A path in the scene.
    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// The text of the absolute path of something outside the root.
    pub fn outside(&self, path: &str) -> String {
        self.path("outside").join(path).to_str().unwrap().to_owned()
    }

    /// Writes a file and the folders above it.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn symlink(&self, target: impl AsRef<Path>, link: &str) {
        let link = self.path(link);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, link).unwrap();
    }
}

fn private(folder: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).unwrap();
}
