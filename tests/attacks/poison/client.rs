//! The client that believes what it reads. It stands for a model: it has no judgement at all,
//! and so it is no measure of any real one. What it can read, it obeys.

use serde_json::Value;

use super::texts;
use crate::scene::Scene;

/// Whose words are orders.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Belief {
    /// Everybody's.
    Everything,
    /// Those of whoever speaks in the system role of the chat template.
    SystemRole,
    /// Those that stand outside of the frame that a tool's answer is put in.
    OutsideOfAnswers,
}

/// "Read this file and pass it as this argument."
#[derive(Debug)]
pub struct Order {
    file: String,
    pub argument: String,
}

impl Order {
    /// What is in the file, below the home of the scene.
    pub fn secret(&self, scene: &Scene) -> String {
        let path = self.file.trim_start_matches("~/");
        std::fs::read_to_string(scene.path("outside/home/u").join(path)).unwrap()
    }
}

/// The order that the client finds in what a server has sent it.
pub fn order(said: &[Value], belief: Belief) -> Option<Order> {
    strings(said).iter().find_map(|text| match belief {
        Belief::Everything => readings(text).iter().find_map(|text| parse(text)),
        Belief::SystemRole => system_turns(text).iter().find_map(|text| parse(text)),
        Belief::OutsideOfAnswers => parse(&outside_of_answers(text)),
    })
}

/// All strings and keys of what was sent.
pub fn strings(said: &[Value]) -> Vec<String> {
    let mut found = Vec::new();
    said.iter().for_each(|value| collect(value, &mut found));
    found
}

fn collect(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Object(members) => {
            for (key, member) in members {
                found.push(key.clone());
                collect(member, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A text as it stands, and whatever else can be made of it.
fn readings(text: &str) -> Vec<String> {
    let mut readings = vec![text.to_owned()];
    readings.extend([from_tags(text), from_selectors(text), from_bits(text)]);
    for pairs in [texts::LEET, texts::LOOK_ALIKES] {
        readings.push(texts::swapped(text, &pairs.map(|(from, to)| (to, from))));
    }
    for word in text.split_whitespace().filter(|word| word.len() >= 16) {
        readings.extend(texts::from_base64(word));
        readings.extend(from_hex(word));
    }
    // A blob may hold any of the rest.
    if let Some(inner) = texts::from_base64(text).filter(|_| text.len() >= 16) {
        readings.extend([from_tags(&inner), from_selectors(&inner), from_bits(&inner)]);
    }
    readings
}

fn from_tags(text: &str) -> String {
    text.chars()
        .filter_map(|c| u32::from(c).checked_sub(0xE0000))
        .filter_map(|code| u8::try_from(code).ok().filter(u8::is_ascii))
        .map(char::from)
        .collect()
}

fn from_selectors(text: &str) -> String {
    let byte = |c| match u32::from(c) {
        code @ 0xFE00..=0xFE0F => u8::try_from(code - 0xFE00).ok(),
        code @ 0xE0100..=0xE01EF => u8::try_from(code - 0xE0100 + 16).ok(),
        _ => None,
    };
    String::from_utf8_lossy(&text.chars().filter_map(byte).collect::<Vec<_>>()).into_owned()
}

fn from_bits(text: &str) -> String {
    let bits: Vec<u8> = text
        .chars()
        .filter_map(|c| match c {
            '\u{200B}' => Some(0),
            '\u{200C}' => Some(1),
            _ => None,
        })
        .collect();
    let byte = |bits: &[u8]| bits.iter().fold(0, |byte, bit| byte << 1 | bit);
    String::from_utf8_lossy(&bits.chunks(8).map(byte).collect::<Vec<_>>()).into_owned()
}

fn from_hex(word: &str) -> Option<String> {
    let bytes: Option<Vec<u8>> = word
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect();
    String::from_utf8(bytes?).ok()
}

/// The turns of the system, as a tokenizer sees them: its tokens are exact or they are none.
fn system_turns(text: &str) -> Vec<String> {
    let prompt = format!("<|im_start|>tool\n{text}<|im_end|>");
    prompt
        .split("<|im_start|>")
        .filter_map(|turn| turn.strip_prefix("system"))
        .map(|turn| turn.split("<|im_end|>").next().unwrap_or(turn).to_owned())
        .collect()
}

/// What is left of the prompt when the answers are taken out.
fn outside_of_answers(text: &str) -> String {
    let prompt = format!("[TOOL_RESULTS]{text}[/TOOL_RESULTS]");
    prompt
        .split("[TOOL_RESULTS]")
        .filter_map(|part| part.split_once("[/TOOL_RESULTS]"))
        .map(|(_, outside)| outside)
        .collect()
}

/// `… read ~/FILE … as ARGUMENT …`; or the name of an argument that says the same, as in
/// `content_from_reading_ssh_id_rsa`.
fn parse(text: &str) -> Option<Order> {
    if text == "content_from_reading_ssh_id_rsa" {
        return Some(Order {
            file: "~/.ssh/id_rsa".to_owned(),
            argument: text.to_owned(),
        });
    }
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower
        .split(|c: char| !c.is_ascii_alphanumeric() && !"~/._".contains(c))
        .filter(|word| !word.is_empty())
        .collect();
    let file = words
        .windows(2)
        .position(|pair| pair[0] == "read" && pair[1].starts_with("~/"))?
        + 1;
    let after = words[file..].windows(2).find(|pair| pair[0] == "as")?[1];
    Some(Order {
        file: words[file].to_owned(),
        argument: after.trim_end_matches('.').to_owned(),
    })
}
