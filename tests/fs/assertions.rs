//! The path-validation assertions of the official filesystem server, replayed.
//!
//! Theirs ask whether the *text* of an absolute path lies in a list of folders. Here a
//! folder is a handle and a path is relative to it, so each assertion becomes: may a client
//! that means this file name it, and does the handle open it? Every one of them ends in
//! one of four counts, which add up to the whole file.

use std::{collections::BTreeMap, fs, path::Path};

use mcp_secure::capability::fs::{__lease, Fs, FsLimits, FsPolicy, ReadWrite, RelPath};
use serde_json::Value;

use crate::tree::{Backend, Notes, Tree, rel};

const ALL: usize = 156;

/// Accepted there and refused here, on purpose.
const STRICTER: &[(&[usize], &str)] = &[
    (
        &[42, 100, 101, 102, 103, 104, 105],
        "a path has one spelling: `./` and `//` are refused, not normalised",
    ),
    (&[61, 62, 63, 64], "`/` is never a grant"),
    (
        &[131, 139, 146, 150],
        "the text is inside but a link leads out: there the caller has to find out",
    ),
];

/// About something that does not exist here.
const NOT_APPLICABLE: &[(&[usize], &str)] = &[
    (
        &[
            37, 38, 39, 40, 65, 66, 67, 68, 69, 107, 108, 109, 125, 126, 127, 128,
        ],
        "runs on Windows only; here every `\\` and drive letter is refused",
    ),
    (
        &[27, 48, 49, 115, 116],
        "a list of folders that is empty or of the wrong type: a handle is one folder",
    ),
    (
        &[135],
        "a folder granted by a link is compared as text; here it is opened, once, by where it leads",
    ),
];

#[tokio::test]
async fn of_the_official_servers_assertions_each_is_accounted_for_in_the_kernel() {
    replay(Backend::Kernel).await;
}

#[tokio::test]
async fn of_the_official_servers_assertions_each_is_accounted_for_name_by_name() {
    replay(Backend::Portable).await;
}

async fn replay(backend: Backend) {
    let text = include_str!("data/path_validation_assertions.json");
    let all: Vec<Value> = serde_json::from_str(text).unwrap();
    assert_eq!(all.len(), ALL);
    let (mut allowed, mut refused, mut stricter, mut not_applicable) = (0, 0, 0, 0);
    for (index, assertion) in all.iter().enumerate() {
        let listed =
            |list: &[(&[usize], &str)]| list.iter().any(|(those, _)| those.contains(&index));
        if listed(NOT_APPLICABLE) {
            not_applicable += 1;
            continue;
        }
        assert_eq!(assertion["windows_only"], false, "{index}");
        let opened = match index {
            129.. => scenario(backend, index).await,
            _ => by_text(backend, assertion, index).await,
        };
        let expected = assertion["expect"].as_bool().unwrap();
        let place = format!("{index}: {} ({})", assertion["test"], assertion["args"]);
        match (listed(STRICTER), expected) {
            (true, true) => {
                assert!(!opened, "no longer stricter: {place}");
                stricter += 1;
            }
            (true, false) => panic!("listed as stricter, but refused there as well: {place}"),
            (false, true) => {
                assert!(opened, "{place}");
                allowed += 1;
            }
            (false, false) => {
                assert!(!opened, "{place}");
                refused += 1;
            }
        }
    }
    println!(
        "{allowed} accepted alike, {refused} refused alike, {stricter} refused here only, \
         {not_applicable} do not apply"
    );
    for (those, why) in STRICTER.iter().chain(NOT_APPLICABLE) {
        println!("  {:2} {why}", those.len());
    }
    assert_eq!(allowed + refused + stricter + not_applicable, ALL);
    assert_eq!((stricter, not_applicable), (15, 22));
}

/// An assertion about text alone: the folders are made in a temporary place and granted.
async fn by_text(backend: Backend, assertion: &Value, index: usize) -> bool {
    let arguments = assertion["args"].as_str().unwrap();
    let (path, list) = arguments.rsplit_once(", ").unwrap();
    let path = match path {
        "decomposed" => "/home/user/cafe\u{301}".to_owned(),
        "`/home/user/project/${longSubPath}`" => {
            format!("/home/user/project/{}file.txt", "a/".repeat(1000))
        }
        "`/home/user/project/${escapePath}`" => {
            format!(
                "/home/user/project/{}{}etc/passwd",
                "a/".repeat(1000),
                "../".repeat(1001)
            )
        }
        text if text.starts_with('\'') => literal(text),
        // `null`, `{}`, `123`: not even an argument. A missing one reads as null.
        value => {
            let value = value
                .trim_end_matches(" as any")
                .replace("undefined", "null");
            return serde_json::from_str::<RelPath>(&value).is_ok();
        }
    };
    let grants: BTreeMap<String, String> =
        serde_json::from_value(assertion["allowed"].clone()).unwrap();
    let grants: Vec<String> = match grants[list].as_str() {
        "process.cwd()" => vec![String::from("/cwd")],
        list => list.split(", ").map(literal).collect(),
    };
    let temp = tempfile::tempdir().unwrap();
    let mut opened = false;
    for grant in &grants {
        if grant == "/" {
            assert!(backend.open(Path::new("/")).is_err());
            continue;
        }
        // A relative or empty folder is looked for where the server runs, and not found.
        let host = match grant.starts_with('/') {
            true => format!("{}{grant}", temp.path().display()),
            false => grant.clone(),
        };
        if grant.starts_with('/') && !grant.contains('\0') {
            let normal = normalise(&host);
            fs::create_dir_all(normal).unwrap();
            // What the text passes on its way through `..` has to exist.
            fs::create_dir_all(host.split("/..").next().unwrap()).unwrap();
        }
        let Ok(root) = backend.open_with(
            Path::new(&host),
            FsPolicy::default().allow_dotfiles(),
            FsLimits::default(),
        ) else {
            continue;
        };
        let handle = Fs::<Notes, ReadWrite>::__for_tests(&root, __lease::new());
        opened |= opens(&handle, &below(&path, &normalise(grant)), index).await;
    }
    opened
}

/// How a client would name the file to a handle on this folder.
fn below(path: &str, grant: &str) -> String {
    if !path.starts_with('/') {
        return path.to_owned();
    }
    match path.strip_prefix(grant) {
        Some("" | "/") => ".".to_owned(),
        Some(rest) if rest.starts_with('/') => rest[1..].to_owned(),
        // It is beside the folder: only `..` or the absolute path could say so.
        _ => {
            assert!(RelPath::parse(path).is_err(), "{path}");
            format!(
                "{}{}",
                "../".repeat(grant.matches('/').count()),
                path.trim_start_matches('/')
            )
        }
    }
}

async fn opens(handle: &Fs<Notes, ReadWrite>, path: &str, index: usize) -> bool {
    let Ok(path) = RelPath::parse(path) else {
        return false;
    };
    if path.is_root() || path.components().count() > 100 {
        return handle.try_exists(&path).await.is_ok();
    }
    if let Some(parent) = path.parent() {
        handle.create_dir_all(&parent).await.unwrap();
    }
    let text = format!("assertion {index}");
    handle.write(&path, &text).await.unwrap();
    handle.read_to_string(&path).await.unwrap() == text
}

fn literal(text: &str) -> String {
    let inner = text.trim_matches('\'');
    inner.replace("\\x00", "\0").replace("\\\\", "\\")
}

fn normalise(path: &str) -> String {
    let mut names: Vec<&str> = Vec::new();
    for name in path.split('/').filter(|name| !matches!(*name, "" | ".")) {
        match name {
            ".." => drop(names.pop()),
            name => names.push(name),
        }
    }
    format!("/{}", names.join("/"))
}

/// The assertions about links and races, each as the situation that its test sets up.
async fn scenario(backend: Backend, index: usize) -> bool {
    let tree = Tree::new(backend);
    let handle = &tree.fs;
    let name = rel("name.txt");
    let link_out = || tree.link("../outside/secret.txt", "name.txt");
    let opened = match index {
        129 | 131 | 132 => {
            link_out();
            handle.read(&name).await.is_ok()
        }
        130 => {
            handle.create_dir_all(&rel("folder")).await.unwrap();
            handle.write(&rel("folder/new.txt"), "new").await.is_ok()
        }
        133 | 134 | 136 | 137 | 138 => {
            // Through the link for the original path, without it for the resolved one.
            let granted = tree.base().join("alias");
            std::os::unix::fs::symlink(&tree.root, &granted).unwrap();
            let through = if matches!(index, 133 | 136) {
                granted
            } else {
                tree.root.clone()
            };
            let root = backend.open(&through).unwrap();
            let handle = Fs::<Notes, ReadWrite>::__for_tests(&root, __lease::new());
            handle.read(&rel("inside.txt")).await.is_ok()
        }
        139 | 140 => {
            let (one, two) = (tree.base().join("link1"), tree.base().join("link2"));
            std::os::unix::fs::symlink(tree.outside.join("secret.txt"), &one).unwrap();
            std::os::unix::fs::symlink(&one, &two).unwrap();
            tree.link("../link2", "name.txt");
            handle.read(&name).await.is_ok()
        }
        141 => !handle.try_exists(&name).await.unwrap() && handle.write(&name, "new").await.is_ok(),
        142 => handle.read_dir(&name.parent().unwrap()).await.is_ok(),
        143 => handle.write(&name, "new").await.is_ok(),
        144 | 153 => {
            handle.write(&name, "legitimate").await.unwrap();
            fs::remove_file(tree.root.join("name.txt")).unwrap();
            link_out();
            handle.write(&name, "MODIFIED").await.is_ok()
        }
        145 => handle.create_dir(&rel("new")).await.is_ok(),
        146..=148 => {
            tree.link("../outside", "new");
            handle.read_dir(&rel("new")).await.is_ok()
                || handle.read_only().subdir(&rel("new")).await.is_ok()
        }
        149 => {
            tree.link("../outside", "new");
            handle.create_new(&rel("new/file.txt"), "new").await.is_ok()
        }
        150 => {
            tree.link("../outside", "sub1");
            handle.create_dir_all(&rel("sub1/sub2")).await.is_ok()
                || handle
                    .write(&rel("sub1/sub2/file.txt"), "CONTENT")
                    .await
                    .is_ok()
        }
        151 => handle.create_new(&name, "new").await.is_ok(),
        152 => {
            link_out();
            handle.create_new(&name, "NEW").await.is_ok()
                || handle.write(&name, "NEW").await.is_ok()
        }
        154 => {
            fs::write(tree.root.join("name.txt"), "PUBLIC").unwrap();
            handle.read(&name).await.is_ok()
        }
        155 => {
            fs::write(tree.root.join("name.txt"), "PUBLIC").unwrap();
            handle.read(&name).await.unwrap();
            fs::remove_file(tree.root.join("name.txt")).unwrap();
            link_out();
            handle.read(&name).await.is_ok()
        }
        other => panic!("no scenario for assertion {other}"),
    };
    tree.is_unharmed();
    opened
}
