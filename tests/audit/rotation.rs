//! Segments: a new one begins while the server serves, in its sandbox.

use std::fs;

use mcp_secure::audit::{Kind, prove, verify_proof};
use serde_json::json;

use crate::scene::*;

fn kept(scene: &Scene) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(scene.beside("segments"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn busy(scene: &Scene, calls: u64) {
    let mut server = scene.start();
    for n in 0..calls {
        server.call("echo", json!({ "text": "x" }));
        if n % 20 == 0 {
            assert!(server.leave(&format!("f{n}")));
        }
    }
    server.end();
}

#[test]
fn a_full_segment_is_kept_and_the_next_one_is_bound_to_it() {
    let scene = Scene::configured("segment = \"16 KiB\"");
    busy(&scene, 150);
    let names = kept(&scene);
    assert!(names.len() >= 2 && names[0] == "000001.jsonl", "{names:?}");
    assert_eq!(scene.kinds(), []);
    let records = scene.records();
    assert_eq!(
        records.iter().filter(|r| r["target"] == "echo").count(),
        150
    );
    // The sandbox was on.
    let sandbox = records.iter().find(|r| r["event"] == "sandbox").unwrap();
    assert!(sandbox["landlock_abi"].as_u64() > Some(0), "{sandbox}");
    // A start goes on in the last one.
    busy(&scene, 3);
    assert_eq!(scene.kinds(), []);

    // One that is gone, changed, or in another's place.
    let first = scene.beside("segments").join("000001.jsonl");
    let second = scene.beside("segments").join("000002.jsonl");
    let (one, two) = (fs::read(&first).unwrap(), fs::read(&second).unwrap());
    fs::remove_file(&first).unwrap();
    assert_eq!(scene.kinds(), [Kind::Segment]);
    fs::write(&first, &one).unwrap();
    fs::remove_file(&second).unwrap();
    assert_eq!(scene.kinds(), [Kind::Segment]);
    fs::write(&second, &one).unwrap();
    assert!(scene.kinds().contains(&Kind::Segment));
    fs::write(&second, &two).unwrap();
    assert_eq!(scene.kinds(), []);
    edit(&first, "\"target\":\"echo\"", "\"target\":\"ohce\"");
    assert_eq!(scene.kinds(), [Kind::Edited]);
}

#[test]
fn segments_that_need_not_be_kept_are_deleted_and_the_rest_is_still_proven() {
    let scene = Scene::configured("segment = \"8 KiB\"\nkeep_segments = 2");
    busy(&scene, 200);
    let names = kept(&scene);
    assert_eq!(names.len(), 2, "{names:?}");
    assert!(*names[0] > *"000003.jsonl", "{names:?}");
    assert_eq!(scene.kinds(), []);
    let records = scene.records();
    assert!(records.iter().any(|r| r["event"] == "tombstone"));
    let seq = records.iter().find(|r| r["target"] == "echo").unwrap()["seq"]
        .as_u64()
        .unwrap();
    let proof = prove(&scene.log(), &scene.beside("pub"), seq).unwrap();
    assert!(
        verify_proof(&proof, &scene.beside("pub"))
            .unwrap()
            .contains("echo")
    );
    // One more than the record says.
    fs::remove_file(scene.beside("segments").join(&names[0])).unwrap();
    assert_eq!(scene.kinds(), [Kind::Segment]);
}
