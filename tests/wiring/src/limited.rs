//! Tools that may be called so often and no more.

use std::time::Duration;

use mcp_secure::prelude::*;

use crate::{
    target::Files,
    traces::{Running, Traces},
};

pub(crate) struct Limited {
    traces: Traces,
}

impl Limited {
    pub(crate) fn new(traces: Traces) -> Self {
        Self { traces }
    }
}

#[secure_server(name = "limited")]
impl Limited {
    /// Say it again.
    #[tool(public, repeat = false)]
    async fn echo(&self, text: String) -> String {
        self.traces.leave("echo");
        text
    }

    /// Say it again, a few times an hour.
    #[tool(public, rate = "5/h", burst = 2, repeat = false)]
    async fn rated(&self, text: String) -> String {
        self.traces.leave("rated");
        text
    }

    /// Say it again, a few times an hour, whoever it is.
    #[tool(public, total_rate = "3/h", repeat = false)]
    async fn shared(&self, text: String) -> String {
        self.traces.leave("shared");
        text
    }

    /// Say it again, for who may.
    #[tool(scope = "files:admin", rate = "1/h")]
    async fn forbidden(&self, text: String) -> String {
        text
    }

    /// Say it again, at a price.
    #[tool(public, cost = 10, repeat = false)]
    async fn dear(&self, text: String) -> String {
        self.traces.leave("dear");
        text
    }

    /// Say it again, a few times a day.
    #[tool(public, quota = "3/day", repeat = false)]
    async fn daily(&self, text: String) -> String {
        self.traces.leave("daily");
        text
    }

    /// Say so many bytes.
    #[tool(public, output_quota = "4 KiB/day", repeat = false)]
    async fn long(&self, bytes: usize) -> String {
        self.traces.leave("long");
        "x".repeat(bytes.min(1 << 16))
    }

    /// Look whether it is ready.
    #[tool(public)]
    async fn ready(&self, job: u32) -> bool {
        self.traces.leave("ready");
        job == 0
    }

    /// Look again, twice at most.
    #[tool(public, repeat = 2)]
    async fn twice(&self, job: u32, wait: Option<bool>) -> bool {
        self.traces.leave("twice");
        job == 0 && wait.unwrap_or_default()
    }

    /// Take some time.
    #[tool(public, repeat = false)]
    async fn slow(&self, ms: u64) -> String {
        let running = Running::start(&self.traces, "slow");
        tokio::time::sleep(Duration::from_millis(ms)).await;
        running.finish();
        "done".to_owned()
    }

    /// Write a file. A person must agree.
    #[tool(scope = "files:write", rate = "2/h", quota = "2/day", repeat = false)]
    async fn write(
        &self,
        name: RelPath,
        text: String,
        files: Approved<Fs<Files, ReadWrite>>,
    ) -> ToolResult<String> {
        self.traces.leave("write");
        files.write(&name, &text).await?;
        Ok("written".to_owned())
    }
}
