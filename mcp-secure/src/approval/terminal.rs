//! `mcp-secure approve`: a person at a terminal of the server's own account. The server keeps a
//! socket that nobody else opens; the kernel says who is at its other end.
//!
//! One request is one line of JSON, and so is its answer.

use std::{
    collections::HashMap,
    fs::{DirBuilder, Permissions, set_permissions, symlink_metadata},
    os::unix::{
        fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
        net::UnixListener,
    },
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::UnixStream,
    sync::Semaphore,
    time::timeout,
};

use super::{Approver, Decisions, Heard, Question, Unreached};
use crate::{
    Error, Result,
    capability::{FileAccess, FileNeed},
    state::Starting,
};

/// Asks on a socket that `mcp-secure approve` opens.
///
/// Whoever answers runs under the account of the server. An agent that has a shell of that account
/// could answer by itself: give it another account, or ask on the page.
///
/// ```
/// use mcp_secure::approval::{Approvals, By, Terminal};
///
/// Approvals::by(By::outside(Terminal::at("/run/notes/approve.sock")));
/// ```
pub struct Terminal {
    path: PathBuf,
    questions: Arc<Questions>,
}

#[derive(Default)]
struct Questions {
    held: Mutex<HashMap<String, Question>>,
    /// What persons said that holds for a while, once the server serves.
    decisions: OnceLock<Decisions>,
}

/// What is asked on the socket.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Request {
    List {},
    Answer {
        id: String,
        yes: bool,
        /// A yes that holds for a while.
        #[serde(default)]
        remember: bool,
    },
    /// What holds for a while.
    Remembered {},
    Revoke {
        id: String,
    },
}

/// One question, for a person to read.
#[derive(Serialize)]
struct Shown<'a> {
    id: &'a str,
    server: &'a str,
    tool: &'a str,
    description: &'a str,
    caller: String,
    client: Option<&'a str>,
    effects: &'a [String],
    arguments: &'a serde_json::Map<String, Value>,
    people: u8,
    until: u64,
    /// For how many seconds a yes may hold, and for what arguments.
    #[serde(skip_serializing_if = "Option::is_none")]
    may_hold: Option<(u64, &'a [String])>,
}

impl Terminal {
    /// At this path, in a folder that is the server's alone. The folder is made if it is missing.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            questions: Arc::default(),
        }
    }

    fn bind(&self) -> Result<UnixListener> {
        let path = &self.path;
        let wrong = |what: String| {
            Error::new(format!(
                "the socket for approvals `{}` {what}",
                path.display()
            ))
            .help("give it a folder of its own, with mode 0700")
        };
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .ok_or_else(|| wrong("is in no folder".to_owned()))?;
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|e| wrong(format!("has no folder: {e}")))?;
        let meta = symlink_metadata(folder).map_err(|e| wrong(format!("has no folder: {e}")))?;
        let own = rustix::process::geteuid().as_raw();
        if !meta.is_dir() || meta.uid() != own || meta.mode() & 0o077 != 0 {
            return Err(wrong("is in a folder that others open".to_owned()));
        }
        match symlink_metadata(path) {
            Ok(meta) if meta.file_type().is_socket() && meta.uid() == own => {
                if std::os::unix::net::UnixStream::connect(path).is_ok() {
                    return Err(wrong("is another server's".to_owned()));
                }
                std::fs::remove_file(path).map_err(|e| wrong(format!("cannot be removed: {e}")))?;
            }
            Ok(_) => return Err(wrong("is no socket of this server".to_owned())),
            Err(_) => {}
        }
        let listener = UnixListener::bind(path).map_err(|e| wrong(format!("is not taken: {e}")))?;
        // Nobody else gets into the folder, so nobody came between.
        set_permissions(path, Permissions::from_mode(0o600))
            .and_then(|()| listener.set_nonblocking(true))
            .map_err(|e| wrong(format!("cannot be prepared: {e}")))?;
        Ok(listener)
    }
}

impl Approver for Terminal {
    fn name(&self) -> &str {
        NAME
    }

    fn start(&self, starting: &mut Starting<'_>) -> Result<()> {
        let listener = self.bind()?;
        let opening = starting.opening();
        opening
            .needs
            .files
            .extend(self.path.parent().map(|folder| FileNeed {
                path: folder.to_owned(),
                access: FileAccess::Remove,
                because: "the socket for approvals".to_owned(),
            }));
        let questions = Arc::clone(&self.questions);
        let file = SocketFile(self.path.clone());
        opening.ready.push(Box::pin(async move {
            let listener = tokio::net::UnixListener::from_std(listener)
                .map_err(|e| Error::new(format!("the socket for approvals: {e}")))?;
            tokio::spawn(serve(listener, questions, file));
            Ok(())
        }));
        Ok(())
    }

    fn serves(&self, decisions: Decisions) {
        let _ = self.questions.decisions.set(decisions);
    }

    fn ask(&self, question: Question) -> BoxFuture<'_, std::result::Result<(), Unreached>> {
        self.questions.put(question);
        Box::pin(std::future::ready(Ok(())))
    }
}

/// A name in the file system that goes with its server.
struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

async fn serve(listener: tokio::net::UnixListener, questions: Arc<Questions>, file: SocketFile) {
    let _file = file;
    let own = rustix::process::geteuid().as_raw();
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let Some(uid) = stream.peer_cred().ok().map(|peer| peer.uid()) else {
            continue;
        };
        // The mode of the socket keeps others out; this says so again.
        if uid != own && uid != 0 {
            continue;
        }
        let questions = Arc::clone(&questions);
        tokio::spawn(async move {
            let _ = timeout(PATIENCE, converse(stream, uid, &questions)).await;
            drop(place);
        });
    }
}

async fn converse(stream: UnixStream, uid: u32, questions: &Questions) -> std::io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader.take(MOST));
    let mut line = String::new();
    reader.read_line(&mut line).await?;
    let answer = match serde_json::from_str::<Request>(&line) {
        Ok(Request::List {}) => questions.list(),
        Ok(Request::Remembered {}) => match questions.decisions.get() {
            Some(decisions) => serde_json::json!({ "remembered": decisions.list().await }),
            None => serde_json::json!({ "remembered": [] }),
        },
        Ok(Request::Revoke { id }) => {
            let done = match questions.decisions.get() {
                Some(decisions) => decisions.revoke(&id, NAME, &format!("uid:{uid}")).await,
                None => false,
            };
            serde_json::json!({ "heard": if done { "revoked" } else { "unknown" } })
        }
        Ok(Request::Answer { id, yes, remember }) => {
            let heard = match questions.get(&id) {
                None => "unknown",
                Some(question) => match answer(&question, uid, yes, remember).await {
                    Ok(Heard::Counted) => {
                        if question.people() == 1 || !yes {
                            questions.forget(&id);
                        }
                        "counted"
                    }
                    Ok(Heard::NotYours) => "not yours",
                    Ok(Heard::Over) => "over",
                    Err(_) => "not heard",
                },
            };
            serde_json::json!({ "heard": heard })
        }
        Err(_) => serde_json::json!({ "error": "that is no request" }),
    };
    let mut text = answer.to_string();
    text.push('\n');
    writer.write_all(text.as_bytes()).await?;
    writer.shutdown().await
}

async fn answer(
    question: &Question,
    uid: u32,
    yes: bool,
    remember: bool,
) -> std::result::Result<Heard, Unreached> {
    let by = format!("uid:{uid}");
    match yes && remember {
        true => question.agree_for_a_while(&by).await,
        false => question.answer(&by, yes).await,
    }
}

impl Questions {
    fn put(&self, question: Question) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        // The desk bounds how many there are at once.
        held.retain(|_, held| held.until() >= now);
        held.insert(question.id().to_owned(), question);
    }

    fn get(&self, id: &str) -> Option<Question> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.get(id).cloned()
    }

    fn forget(&self, id: &str) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.remove(id);
    }

    fn list(&self) -> Value {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<&Question> = held.values().collect();
        all.sort_by_key(|question| question.until());
        let shown = all.into_iter().map(|question| {
            let (issuer, subject) = question.caller();
            serde_json::to_value(Shown {
                id: question.id(),
                server: question.server(),
                tool: question.tool(),
                description: question.description(),
                caller: format!("{subject} of {issuer}"),
                client: question.client(),
                effects: question.effects(),
                arguments: question.arguments(),
                people: question.people(),
                until: question.until(),
                may_hold: question
                    .may_be_remembered()
                    .map(|(time, arguments)| (time.as_secs(), arguments)),
            })
            .unwrap_or_default()
        });
        serde_json::json!({ "questions": shown.collect::<Vec<_>>() })
    }
}

const NAME: &str = "terminal";
/// Of one request.
const MOST: u64 = 4096;
const CONNECTIONS: usize = 8;
const PATIENCE: Duration = Duration::from_secs(10);
