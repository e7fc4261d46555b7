//! Log lines for the client, as far as it asked for them.
#![allow(
    deprecated,
    reason = "SEP-2577 deprecates the notification, clients still show it"
)]

use rmcp::model::{LoggingLevel, LoggingMessageNotificationParam};
use serde_json::Value;

use super::ask::revoked;
use crate::{
    call::{Call, ClientSide, is_modern},
    capability::{Facts, Handle, Lease, sealed::Sealed},
    error::ToolResult,
};

/// Sends log lines about this call to the client that made it.
///
/// Everything written here leaves the server. From 2026-07-28 on a line is sent only if the
/// request asked for its level (spec LOGGING-04), before if the session did not ask for less
/// (`logging/setLevel`); what was not asked for is dropped.
pub struct Log {
    client: ClientSide,
    lease: Lease,
}

impl Log {
    /// A line of information.
    ///
    /// # Errors
    ///
    /// After the call has ended.
    pub async fn info(&self, message: impl Into<String>) -> ToolResult<()> {
        self.send(LoggingLevel::Info, message.into()).await
    }

    /// A warning.
    ///
    /// # Errors
    ///
    /// After the call has ended.
    pub async fn warning(&self, message: impl Into<String>) -> ToolResult<()> {
        self.send(LoggingLevel::Warning, message.into()).await
    }

    async fn send(&self, level: LoggingLevel, message: String) -> ToolResult<()> {
        if !self.lease.is_live() {
            return Err(revoked());
        }
        let Some(context) = &self.client.context else {
            return Ok(());
        };
        let floor = match is_modern(context) {
            true => context.meta.log_level(),
            // Of the session; before a client has set one, the server decides.
            false => Some(*context.extensions.get().unwrap_or(&LoggingLevel::Info)),
        };
        let wanted = floor.is_some_and(|floor| severity(level) >= severity(floor));
        if wanted {
            let mut line = LoggingMessageNotificationParam::new(level, Value::String(message));
            if self.client.outlet.log(&mut line) {
                // A client that is gone is no reason to stop the work.
                let _ = context.peer.notify_logging_message(line).await;
            }
        }
        Ok(())
    }
}

fn severity(level: LoggingLevel) -> u8 {
    match level {
        LoggingLevel::Debug => 0,
        LoggingLevel::Info => 1,
        LoggingLevel::Notice => 2,
        LoggingLevel::Warning => 3,
        LoggingLevel::Error => 4,
        LoggingLevel::Critical => 5,
        LoggingLevel::Alert => 6,
        LoggingLevel::Emergency => 7,
    }
}

impl Sealed for Log {}

impl Handle for Log {
    const FACTS: &'static [Facts] = &[Facts::inert("log")];

    fn lend(call: &mut Call) -> ToolResult<Self> {
        Ok(Self {
            client: call.client.clone(),
            lease: call.lease.clone(),
        })
    }
}
