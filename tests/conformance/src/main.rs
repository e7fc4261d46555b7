//! The server that the conformance suite judges: what the suite asks for, and nothing else.
//!
//! It is an ordinary `mcp-secure` server, with the whole ring in front of it. The suite
//! cannot send a token, so it speaks through a proxy that adds one; the proxy's own address
//! is the one more `Host` and `Origin` that this server answers to, and it comes from the
//! environment, because ports are chosen when the test runs.
#![allow(deprecated, reason = "sampling, roots and logging are judged as well")]

mod elicitation;
mod rounds;
mod schema;

use std::{env, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use mcp_secure::{
    capability::{Roots, Sample},
    model::{
        ContentBlock, CreateMessageResult, ElicitationSchema, PromptMessage, ResourceContents, Role,
    },
    prelude::*,
    sandbox::Sandbox,
};
use tokio::time::sleep;

struct Conformance;

/// Serves what the conformance suite asks for.
#[secure_server]
impl Conformance {
    /// Answers with a text.
    #[tool(public)]
    async fn test_simple_text(&self) -> &'static str {
        "This is a simple text response for testing."
    }

    /// Answers with a picture.
    #[tool(public)]
    async fn test_image_content(&self) -> ContentBlock {
        ContentBlock::image(STANDARD.encode(PNG), "image/png")
    }

    /// Answers with a sound.
    #[tool(public)]
    async fn test_audio_content(&self) -> ContentBlock {
        ContentBlock::audio(STANDARD.encode(WAV), "audio/wav")
    }

    /// Answers with an embedded resource.
    #[tool(public)]
    async fn test_embedded_resource(&self) -> ContentBlock {
        ContentBlock::resource(
            ResourceContents::text(
                "This is an embedded resource content.",
                "test://embedded-resource",
            )
            .with_mime_type("text/plain"),
        )
    }

    /// Answers with several kinds of content.
    #[tool(public)]
    async fn test_multiple_content_types(&self) -> Vec<ContentBlock> {
        vec![
            ContentBlock::text("Multiple content types test:"),
            ContentBlock::image(STANDARD.encode(PNG), "image/png"),
            ContentBlock::resource(
                ResourceContents::text(
                    r#"{"test":"data","value":123}"#,
                    "test://mixed-content-resource",
                )
                .with_mime_type("application/json"),
            ),
        ]
    }

    /// Writes three log lines while it runs.
    #[tool(public)]
    async fn test_tool_with_logging(&self, log: Log) -> ToolResult<&'static str> {
        log.info("Tool execution started").await?;
        sleep(STEP).await;
        log.info("Tool processing data").await?;
        sleep(STEP).await;
        log.info("Tool execution completed").await?;
        Ok("Tool with logging executed successfully")
    }

    /// Writes a log line, if the request asks for log lines.
    #[tool(public)]
    async fn test_logging_tool(&self, log: Log) -> ToolResult<&'static str> {
        log.info("A line that only a request with a log level sees")
            .await?;
        Ok("done")
    }

    /// Always fails.
    #[tool(public)]
    async fn test_error_handling(&self) -> ToolResult<String> {
        Err(ToolError::new(
            "This tool intentionally returns an error for testing",
        ))
    }

    /// Reports progress three times.
    #[tool(public)]
    async fn test_tool_with_progress(&self, progress: Progress) -> ToolResult<&'static str> {
        for done in [0.0, 50.0, 100.0] {
            progress.report(done, Some(100.0), "").await?;
            // Reports that come faster than ten a second are dropped.
            sleep(STEP).await;
        }
        Ok("Tool with progress executed successfully")
    }

    /// Takes as long as it is told.
    #[tool(public, timeout = "2min")]
    async fn test_wait(
        &self,
        /// How long.
        #[arg(range = 0..=60_000)]
        millis: u64,
        progress: Progress,
    ) -> ToolResult<&'static str> {
        progress.report(0.0, None, "waiting").await?;
        sleep(Duration::from_millis(millis)).await;
        Ok("waited")
    }

    /// Answers after a while; the stream may be lost meanwhile.
    #[tool(public)]
    async fn test_reconnection(&self) -> &'static str {
        sleep(STEP).await;
        "Reconnection test completed"
    }

    /// Has an argument that is mirrored into a header.
    #[tool(public)]
    async fn test_custom_header(
        &self,
        /// Mirrored into `Mcp-Param-Value`.
        #[arg(header = "Value")]
        value: String,
        /// Mirrored into `Mcp-Param-Count`.
        #[arg(header = "Count")]
        count: Option<i64>,
    ) -> String {
        format!("{value} {count:?}")
    }

    /// Has a schema that uses much of JSON Schema 2020-12.
    #[tool(public)]
    async fn json_schema_2020_12_tool(&self, Args(rich): Args<schema::Rich>) -> String {
        rich.describe()
    }

    /// Asks the client's model.
    #[tool(public)]
    async fn test_sampling(&self, prompt: String, sample: Sample) -> ToolResult<String> {
        let answer = sample.create_message(rounds::message(&prompt, 100)).await?;
        Ok(format!("LLM response: {}", words(&answer)))
    }

    /// Needs a capability that the client may not have declared.
    #[tool(public)]
    async fn test_missing_capability(&self, sample: Sample) -> ToolResult<String> {
        let answer = sample
            .create_message(rounds::message("Are you there?", 10))
            .await?;
        Ok(words(&answer))
    }

    /// Asks the person.
    #[tool(public)]
    async fn test_elicitation(&self, message: String, elicit: Elicit) -> ToolResult<String> {
        let answer = elicit.ask(message, elicitation::user()?).await?;
        Ok(format!("User response: {}", elicitation::describe(&answer)))
    }

    /// Asks the person in the middle of a stream.
    #[tool(public)]
    async fn test_streaming_elicitation(
        &self,
        progress: Progress,
        elicit: Elicit,
    ) -> ToolResult<String> {
        progress.report(0.0, Some(1.0), "about to ask").await?;
        let answer = elicit.ask("Who are you?", elicitation::user()?).await?;
        Ok(elicitation::describe(&answer))
    }

    /// Asks with a default for every kind of field.
    #[tool(public)]
    async fn test_elicitation_sep1034_defaults(&self, elicit: Elicit) -> ToolResult<String> {
        let answer = elicit
            .ask("Please review these values", elicitation::defaults()?)
            .await?;
        Ok(format!(
            "Elicitation completed: {}",
            elicitation::describe(&answer)
        ))
    }

    /// Asks with every kind of choice.
    #[tool(public)]
    async fn test_elicitation_sep1330_enums(&self, elicit: Elicit) -> ToolResult<String> {
        let answer = elicit.ask("Please choose", elicitation::choices()?).await?;
        Ok(format!(
            "Elicitation completed: {}",
            elicitation::describe(&answer)
        ))
    }

    /// One question to the person.
    #[tool(public)]
    async fn test_input_required_result_elicitation(&self, elicit: Elicit) -> ToolResult<String> {
        let answer = elicit
            .ask_named("user_name", "What is your name?", rounds::name()?)
            .await?;
        Ok(match answer {
            Answer::Accepted(given) => format!("Hello, {}!", rounds::field(&given, "name")),
            _ => "Hello, whoever you are!".to_owned(),
        })
    }

    /// One question to the client's model.
    #[tool(public)]
    async fn test_input_required_result_sampling(&self, sample: Sample) -> ToolResult<String> {
        let question = rounds::message("What is the capital of France?", 100);
        Ok(words(&sample.create_message(question).await?))
    }

    /// One question for the client's roots.
    #[tool(public)]
    async fn test_input_required_result_list_roots(&self, roots: Roots) -> ToolResult<String> {
        let listed = roots.list().await?;
        let names: Vec<String> = listed
            .roots
            .iter()
            .map(|root| root.uri.to_string())
            .collect();
        Ok(names.join(" "))
    }

    /// Answers only if the sealed state came back.
    #[tool(public)]
    async fn test_input_required_result_request_state(&self, elicit: Elicit) -> ToolResult<String> {
        elicit
            .ask_named("confirm", "Please confirm", rounds::confirm()?)
            .await?;
        Ok("state-ok".to_owned())
    }

    /// Answers only if the sealed state came back as it was.
    #[tool(public)]
    async fn test_input_required_result_tampered_state(
        &self,
        elicit: Elicit,
    ) -> ToolResult<String> {
        elicit
            .ask_named("confirm", "Please confirm", rounds::confirm()?)
            .await?;
        Ok("state-ok".to_owned())
    }

    /// Three questions at once.
    #[tool(public)]
    async fn test_input_required_result_multiple_inputs(
        &self,
        sample: Sample,
    ) -> ToolResult<String> {
        let greeting = rounds::message("Generate a greeting", 50);
        let (greeting, _, roots) = sample
            .with_form_and_roots(greeting, "What is your name?", rounds::name()?)
            .await?;
        Ok(format!(
            "{} ({} roots)",
            words(&greeting),
            roots.roots.len()
        ))
    }

    /// Two questions, one after the other.
    #[tool(public)]
    async fn test_input_required_result_multi_round(&self, elicit: Elicit) -> ToolResult<String> {
        let color = ElicitationSchema::builder().required_string("color");
        let color = color.build().map_err(ToolError::new)?;
        let name = elicit
            .ask_named("step1", "Step 1: What is your name?", rounds::name()?)
            .await?;
        let color = elicit
            .ask_named("step2", "Step 2: What is your favorite color?", color)
            .await?;
        Ok(format!(
            "{} {}",
            elicitation::describe(&name),
            elicitation::describe(&color)
        ))
    }

    /// Asks whom the client says that it can ask.
    #[tool(public)]
    async fn test_input_required_result_capabilities(
        &self,
        elicit: Elicit,
        sample: Sample,
    ) -> ToolResult<String> {
        if elicit.is_available() {
            elicit
                .ask_named("user_name", "What is your name?", rounds::name()?)
                .await?;
        }
        if sample.is_available() {
            sample
                .create_message(rounds::message("Say hello", 10))
                .await?;
        }
        Ok("asked".to_owned())
    }

    /// A prompt of one sentence.
    #[prompt(public)]
    async fn test_simple_prompt(&self) -> &'static str {
        "This is a simple prompt for testing."
    }

    /// A prompt that is made of its arguments.
    #[prompt(public)]
    async fn test_prompt_with_arguments(
        &self,
        /// First test argument.
        arg1: String,
        /// Second test argument.
        arg2: String,
    ) -> String {
        format!("Prompt with arguments: arg1='{arg1}', arg2='{arg2}'")
    }

    /// A prompt that holds a resource.
    #[prompt(public)]
    #[allow(non_snake_case, reason = "the suite's spelling")]
    async fn test_prompt_with_embedded_resource(
        &self,
        /// The URI of what is embedded.
        resourceUri: String,
    ) -> Vec<PromptMessage> {
        let resource =
            ResourceContents::text("Embedded resource content for testing.", resourceUri)
                .with_mime_type("text/plain");
        vec![
            PromptMessage::new(Role::User, ContentBlock::resource(resource)),
            PromptMessage::new_text(Role::User, "Please process the embedded resource above."),
        ]
    }

    /// A prompt that holds a picture.
    #[prompt(public)]
    async fn test_prompt_with_image(&self) -> Vec<PromptMessage> {
        let image = ContentBlock::image(STANDARD.encode(PNG), "image/png");
        vec![
            PromptMessage::new(Role::User, image),
            PromptMessage::new_text(Role::User, "Please analyze the image above."),
        ]
    }

    /// A prompt that asks the person first.
    #[prompt(public)]
    async fn test_input_required_result_prompt(&self, elicit: Elicit) -> ToolResult<String> {
        let form = ElicitationSchema::builder().required_string("context");
        let form = form.build().map_err(ToolError::new)?;
        let answer = elicit
            .ask_named("user_context", "What context should the prompt use?", form)
            .await?;
        Ok(format!(
            "Use this context: {}",
            elicitation::describe(&answer)
        ))
    }

    /// Completes the first argument.
    #[completion(prompt = "test_prompt_with_arguments", arg = "arg1")]
    async fn complete_arg1(&self, prefix: String) -> Vec<String> {
        let all = ["paris", "park", "party", "hello"];
        all.iter()
            .filter(|word| word.starts_with(&prefix))
            .map(|&word| word.to_owned())
            .collect()
    }

    /// A text.
    #[resource(uri = "test://static-text", mime = "text/plain", public)]
    async fn static_text(&self) -> &'static str {
        "This is the content of the static text resource."
    }

    /// A picture.
    #[resource(uri = "test://static-binary", mime = "image/png", public)]
    async fn static_binary(&self) -> Vec<u8> {
        PNG.to_vec()
    }

    /// What a client may want to watch. Subscriptions are not served.
    #[resource(uri = "test://watched-resource", mime = "text/plain", public)]
    async fn watched(&self) -> &'static str {
        "This never changes."
    }

    /// Data by id.
    #[resource(uri = "test://template/{id}/data", mime = "application/json", public)]
    async fn template(&self, id: String) -> String {
        let mut data = mcp_secure::model::JsonObject::new();
        data.insert("data".into(), format!("Data for ID: {id}").into());
        data.insert("templateTest".into(), true.into());
        data.insert("id".into(), id.into());
        mcp_secure::serde_json::Value::Object(data).to_string()
    }
}

fn words(answer: &CreateMessageResult) -> String {
    let all = answer.message.content.iter();
    all.filter_map(|block| Some(block.as_text()?.text.clone()))
        .collect()
}

fn main() -> mcp_secure::Result<()> {
    let token = env::var_os("CONFORMANCE_TOKEN").unwrap_or_else(|| "conformance.token".into());
    let mut http = Http::on("127.0.0.1:0").local_token_at(token, ["conformance"]);
    if let Ok(proxy) = env::var("CONFORMANCE_PROXY") {
        http = http
            .allow_origin(format!("http://{proxy}"))
            .allow_host(proxy);
    }
    let sandbox = Sandbox::new()
        .keep_env("CONFORMANCE_TOKEN")
        .keep_env("CONFORMANCE_PROXY");
    SecureServer::new(Conformance)
        .sandbox(sandbox)
        .stdio(Principal::local_user().scopes(["conformance"]))
        .http(http)
        .run()
}

const STEP: Duration = Duration::from_millis(120);

/// One red pixel.
const PNG: &[u8] = include_bytes!("pixel.png");

/// No samples at all.
const WAV: &[u8] =
    b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data\0\0\0\0";
