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
    /// Requests that run at once; more wait in the queue, or are refused at once. Default 64.
    pub concurrency: usize,
    /// Requests that wait for a place to run, where more come than may. One principal, and one
    /// tool, has the part of it that it has of the places. Default 0: whoever is admitted is
    /// answered as fast as ever, and whoever is not hears at once when to come back. A queue
    /// takes up short bursts, and makes everybody wait in a long one.
    pub queue: usize,
    /// How long one waits there; it counts against the call's deadline. Default 1 s.
    pub queue_wait: Duration,
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
    /// Requests of all principals of one network in a minute, whoever they are: an IPv4 /24 or an
    /// IPv6 /56. Default none: an office or a provider is one network. Worth it where anybody may
    /// have accounts, since who has a hundred has a hundred times what one has.
    pub address_per_minute: Option<usize>,
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
            queue: 0,
            queue_wait: Duration::from_secs(1),
            tool_concurrency: 16,
            principal_concurrency: 16,
            principal_per_minute: 6000,
            principal_burst: 500,
            client_per_minute: 60_000,
            client_burst: 5000,
            address_per_minute: None,
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
