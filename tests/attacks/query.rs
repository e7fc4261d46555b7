//! QUERY: a text becomes a statement.
//!
//! The twin is a server on SQLite that does what the servers of the advisories did: it looks
//! whether a query begins with `select` or `with` and runs all of it; it puts the name of a table into a
//! query; it puts a label between backticks. Ours has the same tools on a handle, whose
//! statements are texts of the program.

use std::{env, io, path::PathBuf};

use mcp_secure::{prelude::*, sandbox::Sandbox};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::{
    report::{Attack, Played, Stopped},
    scene::Scene,
    twin,
    wire::{ROLE, Server, text},
};

/// The naive server; its argument is the database.
pub fn twin() {
    let path = PathBuf::from(env::args().nth(1).unwrap());
    let db = Connection::open(path).unwrap();
    twin::over_stdio(|line| {
        twin::answer(&serde_json::from_str(line).ok()?, |tool, arguments| {
            let argument = |name: &str| arguments[name].as_str().unwrap_or_default().to_owned();
            let sql = match tool {
                "run_query" => {
                    let sql = argument("sql");
                    let begin = sql.trim_start().to_lowercase();
                    if !begin.starts_with("select") && !begin.starts_with("with") {
                        return Err(io::Error::other("only reading is allowed"));
                    }
                    sql
                }
                "sample_table" => format!("SELECT name FROM {} LIMIT 10", argument("table")),
                "search_nodes" => {
                    format!(
                        "SELECT name FROM nodes ORDER BY `{}` LIMIT 10",
                        argument("label")
                    )
                }
                _ => return Err(io::Error::other("unknown tool")),
            };
            run(&db, &sql).map_err(io::Error::other)
        })
    });
}

/// As drivers do that take more than one statement: all of them, and the rows of each.
fn run(db: &Connection, sql: &str) -> rusqlite::Result<String> {
    use rusqlite::fallible_iterator::FallibleIterator as _;
    let mut found = String::new();
    let mut all = rusqlite::Batch::new(db, sql);
    while let Some(mut statement) = all.next()? {
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            found += &row.get::<_, String>(0).unwrap_or_default();
            found.push('\n');
        }
    }
    Ok(found)
}

/// The books of the house.
#[capability(sql = "sqlite")]
struct Books;

/// What there is.
#[mcp_secure::args]
enum Table {
    Nodes,
}

struct Ours;

#[secure_server]
impl Ours {
    /// All names that begin like this.
    #[tool(public)]
    async fn run_query(&self, begin: String, books: Sql<Books, ReadOnly>) -> ToolResult<String> {
        let sql = "SELECT name FROM nodes WHERE substr(name, 1, length(?1)) = ?1 LIMIT 10";
        Ok(books
            .query(sql, (begin,))
            .await?
            .all::<String>()?
            .join("\n"))
    }

    /// Some rows of a table.
    #[tool(public)]
    async fn sample_table(&self, table: Table, books: Sql<Books, ReadOnly>) -> ToolResult<String> {
        let sql = match table {
            Table::Nodes => "SELECT name FROM nodes LIMIT 10",
        };
        Ok(books.query(sql, ()).await?.all::<String>()?.join("\n"))
    }

    /// The nodes with a label.
    #[tool(public)]
    async fn search_nodes(&self, label: String, books: Sql<Books, ReadOnly>) -> ToolResult<String> {
        let sql = "SELECT name FROM nodes WHERE label = ?1 LIMIT 10";
        Ok(books
            .query(sql, (label,))
            .await?
            .all::<String>()?
            .join("\n"))
    }
}

pub fn serve() -> mcp_secure::Result<()> {
    SecureServer::new(Ours)
        .grant(Books::from_operator())
        .sandbox(Sandbox::new().keep_env(ROLE))
        .stdio(Principal::local_user())
        .run()
}

pub fn attacks() -> Vec<Attack> {
    CALLS
        .iter()
        .map(|call| Attack::new(call.advisory, call.variant, call.words, || call.play()))
        .collect()
}

/// One call of a tool whose argument is more than a value.
struct Call {
    advisory: &'static str,
    variant: &'static str,
    words: &'static str,
    tool: &'static str,
    arguments: &'static str,
    harm: Harm,
    /// The control that refuses; without one, the value finds nothing.
    control: Option<&'static str>,
}

enum Harm {
    /// The answer holds the secret.
    Leak,
    /// The rows are gone.
    Lost,
}

impl Call {
    fn play(&self) -> Played {
        let arguments = || serde_json::from_str::<Value>(self.arguments).unwrap();
        let twin = {
            let scene = scene();
            let mut twin = Server::start("twin query", [database(&scene)], &scene);
            twin.initialize();
            let answer = twin.call(self.tool, arguments());
            self.harm.done(&scene, &answer).unwrap_or_else(|| {
                panic!("the twin was not exploited: {answer}; {}", twin.errors())
            })
        };
        let scene = scene();
        let audit = scene.path("state/audit.jsonl");
        let options = [
            "serve".to_owned(),
            "--stdio".to_owned(),
            "--grant".to_owned(),
            format!("books={}", database(&scene).display()),
            "--audit".to_owned(),
            audit.display().to_string(),
        ];
        let mut ours = Server::start("ours query", options, &scene);
        ours.initialize();
        let answer = ours.call(self.tool, arguments());
        assert_eq!(self.harm.done(&scene, &answer), None, "{answer}");
        let caller = text(&answer);
        for word in ["secrets", "SELECT", "sqlite"] {
            assert!(self.control.is_none() || !caller.contains(word), "{caller}");
        }
        // What was recorded before an answer is in the file some milliseconds after it.
        std::thread::sleep(std::time::Duration::from_millis(50));
        let log = std::fs::read_to_string(&audit).unwrap();
        let record: Value = log
            .lines()
            .rev()
            .map(|line| serde_json::from_str(line).unwrap())
            .find(|record: &Value| record["target"] == self.tool)
            .unwrap_or_else(|| panic!("no record in {log}"));
        let stopped = match self.control {
            Some(control) => {
                assert_eq!(record["control"], control, "{record}");
                Stopped::Refused(record)
            }
            None => {
                assert_eq!(record["outcome"], "ok", "{record}");
                assert!(caller.is_empty(), "{caller}");
                Stopped::Harmless("a bound value", record)
            }
        };
        let works = ours.call("sample_table", json!({ "table": "Nodes" }));
        assert_eq!(text(&works), "boat\npond");
        Played {
            transport: "stdio",
            twin,
            caller,
            stopped,
        }
    }
}

impl Harm {
    /// What was lost, if something was.
    fn done(&self, scene: &Scene, answer: &Value) -> Option<String> {
        match self {
            Self::Leak => answer
                .to_string()
                .contains(&scene.canary)
                .then(|| "sent the secret".to_owned()),
            Self::Lost => {
                let db = Connection::open(database(scene)).unwrap();
                let left: i64 = db
                    .query_row("SELECT count(*) FROM nodes", [], |row| row.get(0))
                    .unwrap_or(0);
                (left != 2).then(|| format!("kept {left} of 2 rows"))
            }
        }
    }
}

fn scene() -> Scene {
    let scene = Scene::new();
    let db = Connection::open(database(&scene)).unwrap();
    db.execute_batch(
        "CREATE TABLE nodes (name TEXT, label TEXT);
         INSERT INTO nodes VALUES ('boat', 'A'), ('pond', 'A');
         CREATE TABLE secrets (name TEXT);",
    )
    .unwrap();
    db.execute("INSERT INTO secrets VALUES (?1)", [&scene.canary])
        .unwrap();
    scene
}

fn database(scene: &Scene) -> PathBuf {
    scene.root.join("books.db")
}

const CALLS: &[Call] = &[
    Call {
        advisory: "CVE-2025-58337",
        variant: "",
        words: "a server that only reads is given a statement that begins with `WITH` and writes",
        tool: "run_query",
        arguments: r#"{ "sql": "WITH all_of AS (SELECT 1) DELETE FROM nodes" }"#,
        harm: Harm::Lost,
        control: Some("validate/schema"),
    },
    Call {
        advisory: "CVE-2025-59333",
        variant: "stacked",
        words: "a query that begins with `SELECT` goes on with another statement",
        tool: "run_query",
        arguments: r#"{ "sql": "SELECT 1; DROP TABLE nodes" }"#,
        harm: Harm::Lost,
        control: Some("validate/schema"),
    },
    Call {
        advisory: "CVE-2025-59333",
        variant: "other table",
        words: "a query that begins with `SELECT` is about another table",
        tool: "run_query",
        arguments: r#"{ "sql": "SELECT name FROM secrets" }"#,
        harm: Harm::Leak,
        control: Some("validate/schema"),
    },
    Call {
        advisory: "CVE-2026-33980",
        variant: "stacked",
        words: "the name of a table goes on with a statement that drops one",
        tool: "sample_table",
        arguments: r#"{ "table": "nodes LIMIT 1; DROP TABLE nodes; --" }"#,
        harm: Harm::Lost,
        control: Some("validate/schema"),
    },
    Call {
        advisory: "CVE-2026-33980",
        variant: "union",
        words: "the name of a table brings the rows of another one",
        tool: "sample_table",
        arguments: r#"{ "table": "nodes UNION SELECT name FROM secrets --" }"#,
        harm: Harm::Leak,
        control: Some("validate/schema"),
    },
    Call {
        advisory: "CVE-2026-32247",
        variant: "delete",
        words: "a label ends its backticks, and everything is deleted",
        tool: "search_nodes",
        arguments: r#"{ "label": "name`; DELETE FROM nodes; --" }"#,
        harm: Harm::Lost,
        control: None,
    },
    Call {
        advisory: "CVE-2026-32247",
        variant: "union",
        words: "a label ends its backticks, and another table is read",
        tool: "search_nodes",
        arguments: r#"{ "label": "name`; SELECT name FROM secrets; --" }"#,
        harm: Harm::Leak,
        control: None,
    },
];
