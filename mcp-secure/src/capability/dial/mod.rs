//! From a granted name to a connected socket: resolve once, judge every answer, dial what was
//! judged. Used by every handle that reaches the network, and by the SDK's own fetches.
//!
//! This room knows names, addresses and sockets; nothing of HTTP, TLS, tools or requests.
