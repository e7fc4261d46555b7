//! `mcp-secure approve`: reads what waits for a person at a server, and says yes or no.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::Args;
use mcp_secure::{Error, Result};
use mcp_secure_text::{Policy, sanitize};
use serde_json::{Value, json};

pub(crate) const ABOUT: &str = "Reads what waits for a person at a server, and says yes or no.

The server has to ask at a terminal: `By::outside(Terminal::at(\"…\"))` in its code. Without \
`--yes` and `--no` everything that waits is listed, with all of its arguments; hidden characters \
are written as escapes. Only the account of the server opens the socket.";

#[derive(Args)]
pub(crate) struct Approve {
    /// The socket of the server
    socket: PathBuf,
    /// Agree to this call, once
    #[arg(long, value_name = "ID", conflicts_with = "no")]
    yes: Option<String>,
    /// Refuse this call
    #[arg(long, value_name = "ID")]
    no: Option<String>,
    /// With `--yes`: let such calls run for a while, where the server allows it
    #[arg(long, requires = "yes")]
    remember: bool,
    /// List what runs for a while without asking
    #[arg(long, conflicts_with_all = ["yes", "no"])]
    remembered: bool,
    /// Ask again before what this let run
    #[arg(long, value_name = "ID", conflicts_with_all = ["yes", "no", "remembered"])]
    revoke: Option<String>,
}

impl Approve {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        if self.remembered {
            return remembered(&ask(&self.socket, &json!({ "remembered": {} }))?);
        }
        if let Some(id) = &self.revoke {
            let answer = ask(&self.socket, &json!({ "revoke": { "id": id } }))?;
            if answer.get("heard").and_then(Value::as_str) == Some("revoked") {
                say("it is asked about again");
                return Ok(ExitCode::SUCCESS);
            }
            return Err(Error::new(format!(
                "nothing runs by the id `{}`",
                shown(id)
            )));
        }
        let (id, yes) = match (&self.yes, &self.no) {
            (Some(id), _) => (id, true),
            (None, Some(id)) => (id, false),
            (None, None) => return list(&ask(&self.socket, &json!({ "list": {} }))?),
        };
        let said = json!({ "id": id, "yes": yes, "remember": self.remember });
        let answer = ask(&self.socket, &json!({ "answer": said }))?;
        let heard = answer.get("heard").and_then(Value::as_str).unwrap_or("");
        if heard == "counted" {
            say(if yes { "agreed" } else { "refused" });
            return Ok(ExitCode::SUCCESS);
        }
        Err(Error::new(match heard {
            "over" => "it was answered before, or its time is over".to_owned(),
            "not yours" => "whoever asked for the call cannot agree to it".to_owned(),
            "unknown" => format!("nothing waits under the id `{}`", shown(id)),
            _ => "the server did not hear it; try again".to_owned(),
        }))
    }
}

fn ask(socket: &Path, request: &Value) -> Result<Value> {
    let fails = |what: &str| {
        Error::new(format!("`{}` {what}", socket.display()))
            .help("name the socket that the server asks at, under the server's account")
    };
    let mut stream =
        UnixStream::connect(socket).map_err(|e| fails(&format!("cannot be opened: {e}")))?;
    let prepared = stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .and_then(|()| writeln!(stream, "{request}"));
    prepared.map_err(|e| fails(&format!("does not hear: {e}")))?;
    let mut line = String::new();
    let mut reader = BufReader::new(stream.take(MOST));
    reader
        .read_line(&mut line)
        .map_err(|e| fails(&format!("does not answer: {e}")))?;
    serde_json::from_str(&line).map_err(|_| fails("answered what is no JSON"))
}

fn list(answer: &Value) -> Result<ExitCode> {
    let questions = answer.get("questions").and_then(Value::as_array);
    let questions = questions.ok_or_else(|| Error::new("the server answered something else"))?;
    if questions.is_empty() {
        say("nothing waits");
    }
    for question in questions {
        let text = |name: &str| shown(question.get(name).and_then(Value::as_str).unwrap_or("-"));
        say(&text("id"));
        say(&format!(
            "  tool       {} of {}",
            text("tool"),
            text("server")
        ));
        say(&format!(
            "  asked by   {}, client {}",
            text("caller"),
            text("client")
        ));
        let effects = question.get("effects").and_then(Value::as_array);
        for effect in effects.into_iter().flatten().filter_map(Value::as_str) {
            say(&format!("  it may     {}", shown(effect)));
        }
        if let Some(seconds) = question.get("may_hold").and_then(|hold| hold.get(0)) {
            say(&format!(
                "  may hold   {seconds} seconds, with `--remember`"
            ));
        }
        let arguments = question.get("arguments").cloned().unwrap_or_default();
        let arguments = serde_json::to_string_pretty(&arguments).unwrap_or_default();
        say("  arguments");
        for line in shown(&arguments).lines() {
            say(&format!("    {line}"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn remembered(answer: &Value) -> Result<ExitCode> {
    let all = answer.get("remembered").and_then(Value::as_array);
    let all = all.ok_or_else(|| Error::new("the server answered something else"))?;
    if all.is_empty() {
        say("nothing runs without asking");
    }
    for one in all {
        let text = |name: &str| shown(one.get(name).and_then(Value::as_str).unwrap_or("-"));
        say(&text("id"));
        say(&format!("  tool       {}", text("tool")));
        say(&format!("  runs for   {}", text("caller")));
        let arguments = one.get("arguments").and_then(Value::as_array);
        for line in arguments.into_iter().flatten().filter_map(Value::as_str) {
            say(&format!("  with       {}", shown(line)));
        }
        say(&format!("  said by    {}", text("by")));
    }
    Ok(ExitCode::SUCCESS)
}

/// With hidden characters as escapes: a terminal obeys some of them.
fn shown(text: &str) -> String {
    sanitize(text.to_owned(), Policy::Escape).into_string()
}

#[allow(
    clippy::print_stdout,
    reason = "this is a command, and its output is the answer"
)]
fn say(line: &str) {
    println!("{line}");
}

/// Of one answer: what a server keeps waiting is bounded.
const MOST: u64 = 64 * 1024 * 1024;
