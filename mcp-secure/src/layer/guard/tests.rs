#![allow(
    deprecated,
    reason = "sampling and log lines are guarded as long as they are here"
)]

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rmcp::model::{
    Annotations, AudioContent, CallToolResponse, CallToolResult, CompleteResult, CompletionInfo,
    ContentBlock, EmbeddedResource, ErrorCode, GetPromptResult, Icon, ImageContent,
    ListToolsResult, LoggingLevel, LoggingMessageNotificationParam, MetaObject, NumberOrString,
    ProgressNotificationParam, ProgressToken, PromptMessage, ReadResourceResult, Resource,
    ResourceContents, Role, TextContent,
};
use serde_json::{Value, json};

use super::{notes::KEY, *};
use crate::pipeline::Journey;

/// A zero-width space, a tag letter, an override, a terminal escape.
const HIDDEN: &str = "a\u{200b}b\u{e0041}c\u{202e}d\u{1b}[8me";
const CLEAN: &str = "abcde";

fn is_hidden(c: char) -> bool {
    matches!(c, '\u{200b}' | '\u{e0041}' | '\u{202e}' | '\u{1b}')
}

fn pass(policy: &TextPolicy) -> Pass<'_> {
    Pass::new(policy, 1 << 20, 32)
}

fn guarded(mut reply: McpReply) -> (Result<(), Refusal>, Value) {
    let mut pass = pass(&TextPolicy::DEFAULT);
    let done = pass.reply(&mut reply, None);
    if let Some(note) = pass.notes.annotation() {
        super::reply::annotate(&mut reply, note);
    }
    (done, json_of(&reply))
}

fn json_of(reply: &McpReply) -> Value {
    match reply {
        McpReply::CallTool(CallToolResponse::Complete(result)) => serde_json::to_value(result),
        McpReply::GetPrompt(rmcp::model::GetPromptResponse::Complete(result)) => {
            serde_json::to_value(result)
        }
        McpReply::ReadResource(rmcp::model::ReadResourceResponse::Complete(result)) => {
            serde_json::to_value(result)
        }
        McpReply::Complete(result) => serde_json::to_value(result),
        McpReply::ListTools(result) => serde_json::to_value(result),
        _ => Ok(Value::Null),
    }
    .unwrap()
}

fn meta() -> Option<MetaObject> {
    let mut object = rmcp::model::JsonObject::new();
    object.insert(format!("key{HIDDEN}"), json!({ "deep": [HIDDEN] }));
    Some(MetaObject(object))
}

fn annotations() -> Option<Annotations> {
    let mut annotations = Annotations::default();
    annotations.last_modified = Some(HIDDEN.to_owned());
    Some(annotations)
}

/// Every variant of a block, each string of it hidden. A new variant of `rmcp` is refused by the
/// guard; one that is known and missing here is found by the count below.
fn blocks() -> Vec<ContentBlock> {
    let mut text = TextContent::new(HIDDEN);
    (text.meta, text.annotations) = (meta(), annotations());
    let mut image = ImageContent::new(STANDARD.encode(HIDDEN), HIDDEN);
    (image.meta, image.annotations) = (meta(), annotations());
    let mut audio = AudioContent::new(STANDARD.encode(HIDDEN), HIDDEN);
    (audio.meta, audio.annotations) = (meta(), annotations());
    let mut link = Resource::new(HIDDEN, HIDDEN);
    link.title = Some(HIDDEN.to_owned());
    link.description = Some(HIDDEN.to_owned());
    link.mime_type = Some(HIDDEN.to_owned());
    let mut icon = Icon::new(format!("https://{HIDDEN}"));
    icon.mime_type = Some(HIDDEN.to_owned());
    icon.sizes = Some(vec![HIDDEN.to_owned()]);
    link.icons = Some(vec![icon]);
    (link.meta, link.annotations) = (meta(), annotations());
    let mut blocks = vec![
        ContentBlock::Text(text),
        ContentBlock::Image(image),
        ContentBlock::Audio(audio),
        ContentBlock::ResourceLink(link),
    ];
    for contents in contents() {
        let mut embedded = EmbeddedResource::new(contents);
        (embedded.meta, embedded.annotations) = (meta(), annotations());
        blocks.push(ContentBlock::Resource(embedded));
    }
    blocks
}

fn contents() -> Vec<ResourceContents> {
    vec![
        ResourceContents::TextResourceContents {
            uri: HIDDEN.to_owned(),
            mime_type: Some(HIDDEN.to_owned()),
            text: HIDDEN.to_owned(),
            meta: meta(),
        },
        ResourceContents::BlobResourceContents {
            uri: HIDDEN.to_owned(),
            mime_type: Some(HIDDEN.to_owned()),
            blob: STANDARD.encode(HIDDEN),
            meta: meta(),
        },
    ]
}

/// Nothing hidden is left anywhere, base64 included, and no string was forgotten: each was
/// `HIDDEN` and is `CLEAN` now.
#[track_caller]
fn assert_clean(answer: &Value, strings: usize) {
    let text = answer.to_string();
    assert!(
        !text.contains(is_hidden) && !text.contains("\\u001b"),
        "{text}"
    );
    assert!(!text.contains(&STANDARD.encode(HIDDEN)), "{text}");
    let cleaned = text.matches(CLEAN).count() + text.matches(&STANDARD.encode(CLEAN)).count();
    assert_eq!(cleaned, strings, "{text}");
}

#[test]
fn every_string_of_every_block_is_cleaned() {
    // Of each: `_meta` has two strings, annotations one.
    let expected = [4, 5, 5, 11, 8, 8];
    let blocks = blocks();
    assert_eq!(blocks.len(), expected.len());
    for (block, strings) in blocks.into_iter().zip(expected) {
        let mut result = CallToolResult::success(vec![block.clone()]);
        result.meta = meta();
        let (done, answer) = guarded(McpReply::CallTool(result.into()));
        assert!(done.is_ok(), "{block:?}");
        assert_clean(&answer, strings + 2);
        let prompt = GetPromptResult::new(vec![PromptMessage::new(Role::User, block.clone())]);
        let (done, answer) = guarded(McpReply::GetPrompt(prompt.into()));
        assert!(done.is_ok(), "{block:?}");
        assert_clean(&answer, strings);
    }
}

#[test]
fn resources_completions_prompts_and_lists_are_cleaned() {
    let mut result = ReadResourceResult::new(contents());
    result.meta = meta();
    assert_clean(&guarded(McpReply::ReadResource(result.into())).1, 12);

    let info = CompletionInfo::new(vec![HIDDEN.to_owned(), HIDDEN.to_owned()]).unwrap();
    let mut result = CompleteResult::new(info);
    result.meta = meta();
    assert_clean(&guarded(McpReply::Complete(result)).1, 4);

    let mut result = GetPromptResult::new(Vec::new());
    result.description = Some(HIDDEN.to_owned());
    result.meta = meta();
    assert_clean(&guarded(McpReply::GetPrompt(result.into())).1, 3);

    let mut list = ListToolsResult::with_all_items(Vec::new());
    list.meta = meta();
    list.next_cursor = Some(HIDDEN.to_owned());
    assert_clean(&guarded(McpReply::ListTools(list)).1, 3);
}

#[test]
fn structured_strings_and_keys_are_cleaned_and_no_member_is_lost() {
    let mut result = CallToolResult::success(Vec::new());
    result.structured_content = Some(json!({
        "name": "honest",
        "na\u{200b}me": "second",
        "\u{200b}name": "third",
        "deep": [{ "list": [HIDDEN, { HIDDEN: 1 }] }],
    }));
    let (done, answer) = guarded(McpReply::CallTool(result.into()));
    assert!(done.is_ok());
    let structured = &answer["structuredContent"];
    assert_eq!(structured["name"], "honest");
    let mut others = [&structured["name#2"], &structured["name#3"]];
    others.sort_by_key(|value| value.to_string());
    assert_eq!(others, ["second", "third"]);
    assert_eq!(structured["deep"][0]["list"][1][CLEAN], 1);
    // The text form is of what was cleaned.
    let text = answer["content"][0]["text"].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Value>(text).unwrap(), *structured);
    assert!(!text.contains("\\u001b"), "{text}");
    let note = &answer["_meta"][KEY];
    assert!(
        note["findings"]
            .as_array()
            .unwrap()
            .iter()
            .any(|f| f["rule"] == "guard/same-key")
    );
}

#[test]
fn many_keys_that_become_one_do_not_take_quadratic_time() {
    let members: rmcp::model::JsonObject = (0..20_000_u32)
        .map(|n| {
            let key: String = (0..15)
                .map(|bit| {
                    if n >> bit & 1 == 0 {
                        '\u{200b}'
                    } else {
                        '\u{200d}'
                    }
                })
                .collect();
            (key, n.into())
        })
        .collect();
    assert_eq!(members.len(), 20_000);
    let mut value = Value::Object(members);
    let policy = TextPolicy::DEFAULT;
    let mut pass = Pass::new(&policy, usize::MAX, 32);
    let started = std::time::Instant::now();
    assert!(pass.json(&mut value, super::notes::At::field("/x")).is_ok());
    assert_eq!(value.as_object().unwrap().len(), 20_000);
    assert!(started.elapsed().as_secs() < 5);
}

#[test]
fn bytes_that_are_text_are_guarded_and_others_are_not_touched() {
    let policy = TextPolicy::DEFAULT;
    let through = |bytes: &[u8], mime: Option<&str>| {
        let mut pass = pass(&policy);
        let mut data = STANDARD.encode(bytes);
        pass.base64(&mut data, mime, super::notes::At::field("/x"))
            .map_err(|r| r.control)
            .unwrap();
        STANDARD.decode(data).unwrap()
    };
    for mime in [
        Some("text/plain; charset=utf-8"),
        Some("Application/JSON"),
        Some("image/svg+xml"),
        Some("application/octet-stream"),
        Some("image/png"),
        None,
    ] {
        assert_eq!(
            through(HIDDEN.as_bytes(), mime),
            CLEAN.as_bytes(),
            "{mime:?}"
        );
    }
    // A long text whose 768th byte is in the middle of a character.
    let long = format!("a{}\u{e0041}", "é".repeat(2_000));
    assert_eq!(
        through(long.as_bytes(), None),
        long.trim_end_matches('\u{e0041}').as_bytes()
    );
    let png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\xe2\x80\x8b";
    assert_eq!(through(png, Some("image/png")), png);
    assert_eq!(through(b"", None), b"");
    let honest = "👨‍👩‍👧 می‌خواهم".as_bytes();
    assert_eq!(through(honest, Some("text/plain")), honest);
}

#[test]
fn what_says_that_it_is_text_and_is_in_another_encoding_is_noted() {
    let policy = TextPolicy::DEFAULT;
    let mut pass = pass(&policy);
    let mut data = STANDARD.encode(b"\xff\xfeh\0i\0");
    assert!(
        pass.base64(&mut data, Some("text/plain"), super::notes::At::field("/x"))
            .is_ok()
    );
    let note = pass.notes.annotation().unwrap();
    assert_eq!(note["findings"][0]["rule"], "guard/encoding");
}

#[test]
fn what_is_not_base64_does_not_leave() {
    let policy = TextPolicy::DEFAULT;
    for data in ["hello\u{200b}", "a b", "ab=c", "ab===", "a-_b", "ab\n"] {
        let mut pass = pass(&policy);
        let refused = pass.base64(&mut data.to_owned(), None, super::notes::At::field("/x"));
        assert_eq!(
            refused.err().map(|r| r.control),
            Some("guard/base64"),
            "{data:?}"
        );
    }
}

#[test]
fn an_icon_that_is_no_picture_of_the_web_is_left_out() {
    let mut link = Resource::new("wiring://a", "a");
    link.icons = Some(
        [
            "https://example.com/a.png",
            "data:image/png;base64,AAAA",
            "javascript:alert(1)",
            "java\u{200b}script:alert(1)",
            "file:///etc/passwd",
            "data:text/html,<script>",
            "http://example.com/a.png",
        ]
        .map(Icon::new)
        .to_vec(),
    );
    let result = CallToolResult::success(vec![ContentBlock::ResourceLink(link)]);
    let (_, answer) = guarded(McpReply::CallTool(result.into()));
    assert_eq!(answer["content"][0]["icons"].as_array().unwrap().len(), 2);
    let note = answer["_meta"][KEY]["findings"].to_string();
    assert!(
        note.contains("guard/icon") && note.contains("/content/0/icons"),
        "{note}"
    );
}

#[test]
fn the_notes_name_rules_and_places_and_never_the_text() {
    let result = CallToolResult::success(vec![
        ContentBlock::text("fine"),
        ContentBlock::text("one\u{200b}two\u{200b}three\u{1b}[8m"),
    ]);
    let (_, answer) = guarded(McpReply::CallTool(result.into()));
    let note = &answer["_meta"][KEY];
    let zero_width = &note["findings"][0];
    assert_eq!(zero_width["rule"], "hidden/zero-width");
    assert_eq!(zero_width["at"], "/content/1/text");
    assert_eq!(zero_width["view"], "text");
    assert_eq!(zero_width["count"], 2);
    assert_eq!(note["findings"][1]["rule"], "hidden/escape-sequence");
    assert_eq!(note["changed"], 6);
    assert!(!note.to_string().contains("one"), "{note}");
}

#[test]
fn the_notes_are_bounded() {
    let blocks = (0..100).map(|_| ContentBlock::text("a\u{200b}b")).collect();
    let (_, answer) = guarded(McpReply::CallTool(CallToolResult::success(blocks).into()));
    let note = &answer["_meta"][KEY];
    assert_eq!(note["findings"].as_array().unwrap().len(), 32);
    assert_eq!(note["omitted"], 68);
    assert_eq!(note["changed"], 100);
}

#[test]
fn a_clean_answer_says_nothing_and_keeps_its_buffers() {
    let text = "Just text.\nMore of it, and 42.".to_owned();
    let at = text.as_ptr();
    let mut result = CallToolResult::success(vec![ContentBlock::text(text)]);
    let string = "x".repeat(100);
    let inner = string.as_ptr();
    result.structured_content = Some(json!({ "key": 1 }));
    result.structured_content.as_mut().unwrap()["s"] = Value::String(string);
    let mut reply = McpReply::CallTool(result.into());
    let policy = TextPolicy::DEFAULT;
    let mut pass = pass(&policy);
    assert!(pass.reply(&mut reply, None).is_ok());
    assert!(pass.notes.annotation().is_none());
    let McpReply::CallTool(CallToolResponse::Complete(result)) = reply else {
        panic!("another reply")
    };
    let ContentBlock::Text(text) = &result.content[0] else {
        panic!("another block")
    };
    assert_eq!(text.text.as_ptr(), at);
    assert_eq!(
        result.structured_content.unwrap()["s"]
            .as_str()
            .unwrap()
            .as_ptr(),
        inner
    );
    assert!(result.meta.is_none());
}

#[test]
fn user_code_cannot_write_the_notes() {
    let mut result = CallToolResult::success(vec![ContentBlock::text("fine")]);
    let forged: Value = json!({
        KEY: { "findings": [] },
        "io.github.mcp\u{200b}-secure/text": 1,
        spotlight::KEY: { "source": "the server itself" },
    });
    result.meta = serde_json::from_value(forged).unwrap();
    let (_, answer) = guarded(McpReply::CallTool(result.into()));
    // The forged ones are gone, and what hid its name has none of that name.
    assert!(answer["_meta"].get(spotlight::KEY).is_none(), "{answer}");
    let note = &answer["_meta"][KEY];
    assert_eq!(
        (&note["changed"], note["findings"][0]["rule"].as_str()),
        (&json!(1), Some("hidden/zero-width"))
    );
}

#[test]
fn the_key_of_the_notes_is_one_of_the_protocol() {
    let (prefix, name) = KEY.split_once('/').unwrap();
    let labels: Vec<&str> = prefix.split('.').collect();
    for label in &labels {
        assert!(label.starts_with(|c: char| c.is_ascii_alphabetic()));
        assert!(label.ends_with(|c: char| c.is_ascii_alphanumeric()));
        assert!(label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'));
    }
    assert!(!matches!(labels[1], "mcp" | "modelcontextprotocol"));
    assert!(name.chars().all(|c| c.is_ascii_alphanumeric()));
}

#[test]
fn what_nests_too_deeply_is_refused_before_it_is_walked() {
    let mut deep = json!(1);
    for _ in 0..40 {
        deep = json!([deep]);
    }
    let mut result = CallToolResult::success(Vec::new());
    result.structured_content = Some(deep.clone());
    let (done, _) = guarded(McpReply::CallTool(result.into()));
    assert_eq!(done.err().map(|r| r.control), Some("guard/depth"));
    let mut result = CallToolResult::success(Vec::new());
    result.meta = serde_json::from_value(json!({ "deep": deep.clone() })).unwrap();
    let (done, _) = guarded(McpReply::CallTool(result.into()));
    assert_eq!(done.err().map(|r| r.control), Some("guard/depth"));
    // An error loses its data and keeps its words.
    let mut refusal = Refusal::denied("x", ErrorCode::INVALID_PARAMS, "words", "reason");
    refusal.error.data = Some(deep);
    pass(&TextPolicy::DEFAULT).refusal(&mut refusal);
    assert!(refusal.error.data.is_none() && refusal.public() == "words");
}

#[test]
fn the_words_and_the_data_of_an_error_are_cleaned_and_cut() {
    let policy = TextPolicy::DEFAULT;
    let mut refusal = Refusal::denied("x", ErrorCode::INVALID_PARAMS, HIDDEN, "reason");
    refusal.error.data = Some(json!({ HIDDEN: [HIDDEN] }));
    pass(&policy).refusal(&mut refusal);
    assert_eq!(refusal.public(), CLEAN);
    assert_eq!(refusal.error.data, Some(json!({ CLEAN: [CLEAN] })));
    let mut refusal = Refusal::denied("x", ErrorCode::INVALID_PARAMS, "é".repeat(9_999), "");
    pass(&policy).refusal(&mut refusal);
    assert_eq!(refusal.public().len(), 4_096);
}

#[test]
fn escaped_characters_can_be_seen_and_count_against_the_cap() {
    let policy = TextPolicy::default().hidden(Hidden::Escape);
    let mut text = "a\u{200b}b".to_owned();
    let mut some = Pass::new(&policy, 100, 32);
    assert!(some.text(&mut text, super::notes::At::field("/x")).is_ok());
    assert_eq!((text.as_str(), some.used()), (r"a\u{200B}b", 10));
    let mut little = Pass::new(&policy, 9, 32);
    let refused = little.text(&mut "a\u{200b}b".to_owned(), super::notes::At::field("/x"));
    assert_eq!(refused.err().map(|r| r.control), Some("guard/size"));
}

fn outlet() -> (Outlet, Arc<Journey>) {
    let journey = Arc::new(Journey::new(
        "tools/call",
        Default::default(),
        Default::default(),
    ));
    let outlet = Outlet::new(TextPolicy::DEFAULT, Some(Arc::clone(&journey)));
    (outlet, journey)
}

#[test]
fn progress_and_log_lines_are_cleaned_and_booked() {
    let (outlet, journey) = outlet();
    let token = ProgressToken(NumberOrString::Number(1));
    let mut progress = ProgressNotificationParam::new(token, 1.0);
    progress.message = Some(HIDDEN.to_owned());
    outlet.progress(&mut progress);
    assert_eq!(progress.message.as_deref(), Some(CLEAN));

    let mut line = LoggingMessageNotificationParam::new(
        LoggingLevel::Info,
        json!({ HIDDEN: [{ "deep": HIDDEN }] }),
    )
    .with_logger(HIDDEN);
    assert!(outlet.log(&mut line));
    assert_eq!(line.data, json!({ CLEAN: [{ "deep": CLEAN }] }));
    assert_eq!(line.logger.as_deref(), Some(CLEAN));

    let mut deep = json!(1);
    for _ in 0..40 {
        deep = json!([deep]);
    }
    let mut line = LoggingMessageNotificationParam::new(LoggingLevel::Info, deep);
    assert!(!outlet.log(&mut line));

    assert!(journey.taint.has_untrusted_text());
    let tally = serde_json::to_value(journey.text_tally().unwrap()).unwrap();
    assert_eq!(tally["findings"]["hidden/zero-width"], 4, "{tally}");
}

#[test]
fn what_people_read_of_a_form_is_cleaned_and_what_is_checked_is_not_changed() {
    use rmcp::model::{ElicitRequest, ElicitRequestParams, InputRequest};
    let (outlet, _) = outlet();
    let ask = |properties: Value| {
        let schema = json!({ "type": "object", "title": HIDDEN, "properties": properties });
        let params = ElicitRequestParams::FormElicitationParams {
            meta: None,
            message: HIDDEN.to_owned(),
            requested_schema: serde_json::from_value(schema).unwrap(),
        };
        let mut request = InputRequest::Elicitation(ElicitRequest::new(params));
        outlet
            .question(&mut request)
            .map(|()| serde_json::to_value(request).unwrap())
    };
    let shown = ask(json!({
        "title": { "type": "string", "title": HIDDEN, "description": HIDDEN },
    }));
    let params = &shown.unwrap_or_default()["params"];
    assert!(!params.to_string().contains(is_hidden), "{params}");
    assert_eq!(params["message"], CLEAN);
    assert_eq!(
        params["requestedSchema"]["properties"]["title"]["title"],
        CLEAN
    );
    assert!(ask(json!({ HIDDEN: { "type": "string" } })).is_err());
    assert!(ask(json!({ "a": { "type": "string", "enum": ["x", HIDDEN] } })).is_err());
}

#[test]
fn a_taint_is_seen_by_who_keeps_it_and_never_goes() {
    let (outlet, journey) = outlet();
    let kept = journey.taint.clone();
    assert!(kept.is_clean());
    let token = ProgressToken(NumberOrString::Number(1));
    let mut progress = ProgressNotificationParam::new(token, 1.0);
    progress.message = Some("soft\u{ad}ly".to_owned());
    outlet.progress(&mut progress);
    assert!(kept.is_clean(), "what copying leaves behind is no attack");
    progress.message = Some(HIDDEN.to_owned());
    outlet.progress(&mut progress);
    assert!(kept.has_untrusted_text() && !kept.has_met_secrets());
}

/// Made up for these tests.
const URL: &str = "postgres://app:n0t-4-w0rd@db.internal/orders";
const REDACTED: &str = "postgres://app:[redacted: url-password]@db.internal/orders";

fn text_through(policy: &TextPolicy, text: &str) -> (String, Value) {
    let mut pass = pass(policy);
    let mut text = text.to_owned();
    assert!(pass.text(&mut text, super::notes::At::field("/x")).is_ok());
    (text, pass.notes.annotation().unwrap_or_default())
}

#[test]
fn secrets_are_redacted_also_if_they_were_split_by_what_nobody_sees() {
    let split = URL.replace("n0t", "n\u{200b}0\u{200d}t");
    for policy in [
        TextPolicy::default(),
        TextPolicy::default().hidden(Hidden::Escape),
    ] {
        for text in [URL, &split] {
            let (text, note) = text_through(&policy, text);
            assert_eq!(text, REDACTED, "{policy:?}");
            assert_eq!(note["redacted"]["url-password"], 1);
        }
    }
    assert_eq!(for_log(URL), REDACTED);
    assert_eq!(for_log(&split), REDACTED);
}

#[test]
fn what_is_redacted_is_what_the_policy_says() {
    let text = "4111 1111 1111 1111, GB82 WEST 1234 5698 7654 32, jo@shop.dev";
    let (shown, _) = text_through(&TextPolicy::default(), text);
    assert_eq!(
        shown,
        "[redacted: card-number], [redacted: iban], jo@shop.dev"
    );
    let (shown, _) = text_through(&TextPolicy::default().redact(Secret::Email), text);
    assert!(shown.ends_with("[redacted: email]"), "{shown}");
    let mut loose = TextPolicy::default();
    for secret in Secret::ALL {
        loose = crate::dangerous::unredacted(loose, secret);
    }
    assert_eq!(text_through(&loose, text).0, text);
    assert_eq!(text_through(&loose, URL).0, URL);
    // Not in logs.
    assert_eq!(for_log(URL), REDACTED);
}

#[test]
fn a_structured_password_is_known_by_its_name() {
    let mut result = CallToolResult::success(Vec::new());
    result.structured_content = Some(json!({
        "db": { "password": "7hX-q0Zr2m", "user": "7hX-q0Zr2m" },
        "password": 12345,
    }));
    let (_, answer) = guarded(McpReply::CallTool(result.into()));
    let db = &answer["structuredContent"]["db"];
    assert_eq!(db["password"], "[redacted: password]", "{answer}");
    assert_eq!(db["user"], "7hX-q0Zr2m");
    assert!(
        !answer["content"]
            .to_string()
            .contains("\\\"password\\\":\\\"7hX"),
        "{answer}"
    );
    assert_eq!(answer["_meta"][KEY]["redacted"]["password"], 1);
}

#[test]
fn a_secret_taints_without_untrusted_text() {
    let (outlet, journey) = outlet();
    let token = ProgressToken(NumberOrString::Number(1));
    let mut progress = ProgressNotificationParam::new(token, 1.0);
    progress.message = Some(URL.to_owned());
    outlet.progress(&mut progress);
    assert_eq!(progress.message.as_deref(), Some(REDACTED));
    assert!(journey.taint.has_met_secrets() && !journey.taint.has_untrusted_text());
}

#[test]
fn a_log_shows_what_was_hidden() {
    assert_eq!(for_log("a\u{202e}b\u{1b}[8m"), "a\\u{202E}b\\u{1B}[8m");
    assert!(matches!(
        for_log("plain"),
        std::borrow::Cow::Borrowed("plain")
    ));
}
