//! The bounds of a server. The code sets the ceiling; the operator can only lower it.

use std::time::Duration;

/// How much of the machine a server may take. All have a default; none can be switched off.
///
/// ```
/// use std::time::Duration;
/// use mcp_secure::Limits;
///
/// let limits = Limits { timeout: Duration::from_secs(5), ..Limits::default() };
/// assert_eq!(limits.concurrency, 64);
/// ```
#[derive(Clone, Debug)]
pub struct Limits {
    /// Requests that run at once; more are refused at once. Default 64.
    pub concurrency: usize,
    /// Calls of one tool that run at once, unless the tool says otherwise. Default 16.
    pub tool_concurrency: usize,
    /// Requests of one principal that run at once, where there are several. Default 16, a
    /// quarter of all: nobody takes the whole server.
    pub principal_concurrency: usize,
    /// Requests of one principal in a minute, in the long run. Default 6,000.
    pub principal_per_minute: usize,
    /// Requests of one principal at once after a pause. Default 500.
    pub principal_burst: usize,
    /// Requests of one OAuth client in a minute, of all its users together. Default 60,000.
    pub client_per_minute: usize,
    /// Requests of one OAuth client at once after a pause. Default 5,000.
    pub client_burst: usize,
    /// How often one principal may call one tool with the same arguments in a minute, unless
    /// the tool says otherwise: what comes more often is an agent in a loop. Default 120.
    pub repeats_per_minute: usize,
    /// Callers, tools or arguments that are counted at once, of each kind, in 24 bytes each
    /// that are allocated at the start. A new one beyond is refused. Default 65,536.
    pub limit_keys: usize,
    /// Requests that may wait for a person at once. Default 16.
    pub pending_approvals: usize,
    /// How long a person has to answer. Default 5 minutes.
    pub approval_timeout: Duration,
    /// The deadline of one request, unless the tool says otherwise. Default 30 s.
    pub timeout: Duration,
    /// The longest deadline that a tool may have. Default 10 minutes.
    pub max_timeout: Duration,
    /// The largest answer in bytes, unless the tool says otherwise. Default 1 MiB.
    pub max_output: usize,
    /// The largest message from a client in bytes. Default 1 MiB.
    pub max_message: usize,
    /// How deep arguments and structured answers may nest. Default 32.
    pub max_depth: usize,
    /// Entries of a list on one page. Default 100.
    pub page_size: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            concurrency: 64,
            tool_concurrency: 16,
            principal_concurrency: 16,
            principal_per_minute: 6000,
            principal_burst: 500,
            client_per_minute: 60_000,
            client_burst: 5000,
            repeats_per_minute: 120,
            limit_keys: 65_536,
            pending_approvals: 16,
            approval_timeout: Duration::from_secs(300),
            timeout: Duration::from_secs(30),
            max_timeout: Duration::from_secs(600),
            max_output: 1024 * 1024,
            max_message: 1024 * 1024,
            max_depth: crate::schema::bounds::DEPTH,
            page_size: 100,
        }
    }
}
