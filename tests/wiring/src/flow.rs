//! Tools of which each is harmless: some read what is private, some send to a host that the
//! caller names. What is sent is not the point here, so nothing is.

use mcp_secure::prelude::*;

use crate::{target::Files, traces::Traces};

/// Every host below a name.
#[capability(net = "https://*.example.com")]
pub(crate) struct Anywhere;

/// Whatever host the operator names, one or many.
#[capability(net, open)]
pub(crate) struct Elsewhere;

/// One host, which nobody chooses.
#[capability(net = "https://api.example.com")]
pub(crate) struct Fixed;

pub(crate) struct Flow {
    traces: Traces,
}

impl Flow {
    pub(crate) fn new(traces: Traces) -> Self {
        Self { traces }
    }
}

#[secure_server(name = "flow")]
impl Flow {
    /// Read a file of the user's.
    #[tool(scope = "files:read")]
    async fn read(&self, name: RelPath, files: Fs<Files, ReadOnly>) -> ToolResult<String> {
        self.traces.leave("read");
        Ok(files.read_to_string(&name).await?)
    }

    /// Look something up on a host.
    #[tool(public)]
    async fn look_up(&self, host: String, web: Net<Anywhere, Get>) -> String {
        drop(web.path("/").host(&host));
        self.traces.leave("look_up");
        "looked up".to_owned()
    }

    /// Look something up on a host of the operator's.
    #[tool(public)]
    async fn look_elsewhere(&self, host: String, web: Net<Elsewhere, Get>) -> String {
        drop(web.path("/").host(&host));
        self.traces.leave("look_elsewhere");
        "looked elsewhere".to_owned()
    }

    /// Look something up where it always is.
    #[tool(public)]
    async fn look_home(&self, word: String, web: Net<Fixed, Get>) -> String {
        drop(web.path("/{word}").segment("word", word));
        self.traces.leave("look_home");
        "looked home".to_owned()
    }

    /// Tell a host, because that is what it is for.
    #[tool(
        scope = "files:read",
        allow_flow = "the user's own hosts, to which this is meant to go"
    )]
    async fn tell(
        &self,
        host: String,
        files: Fs<Files, ReadOnly>,
        web: Net<Anywhere, Get>,
    ) -> ToolResult<String> {
        let said = files.read_to_string(&RelPath::parse("a.txt")?).await?;
        drop(web.path("/").host(&host).query("said", said));
        self.traces.leave("tell");
        Ok("told".to_owned())
    }

    /// What a host has to say.
    #[prompt(public)]
    async fn ask_host(&self, host: String, web: Net<Anywhere, Get>) -> String {
        drop(web.path("/").host(&host));
        self.traces.leave("ask_host");
        "asked".to_owned()
    }

    /// A page of a host.
    #[resource(uri = "flow://page/{host}", mime = "text/plain", public)]
    async fn page(&self, host: String, web: Net<Anywhere, Get>) -> String {
        drop(web.path("/").host(&host));
        self.traces.leave("page");
        "a page".to_owned()
    }
}
