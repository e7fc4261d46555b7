//! The requests and replies of the protocol as one type each.
#![allow(
    deprecated,
    reason = "what a client may still send is still named here"
)]

use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CancelTaskParams, CompleteRequestParams,
    CompleteResult, CustomRequest, DiscoverResult, GetPromptRequestParams, GetPromptResponse,
    GetSkillRequestParams, GetTaskParams, InitializeRequestParams, InitializeResult,
    ListPromptsResult, ListResourceTemplatesResult, ListResourcesResult, ListToolsResult,
    PaginatedRequestParams, ReadResourceDirectoryRequestParams, ReadResourceRequestParams,
    ReadResourceResponse, SetLevelRequestParams, SubscribeRequestParams, UnsubscribeRequestParams,
    UpdateTaskParams,
};

macro_rules! ops {
    ($($(#[$doc:meta])* $name:ident $(($params:ty))? = $method:literal;)*) => {
        /// A request of a client, typed. A new kind of request is refused until it is here.
        #[derive(Debug)]
        #[non_exhaustive]
        #[allow(clippy::large_enum_variant, reason = "always behind the box of a request")]
        pub enum McpOp {
            $($(#[$doc])* $name $(($params))?,)*
        }

        impl McpOp {
            /// The JSON-RPC method.
            pub fn method(&self) -> &'static str {
                match self {
                    $(Self::$name { .. } => $method,)*
                }
            }
        }
    };
}

impl McpOp {
    /// Whether a method is answered at all in a revision: for parameters so malformed that
    /// `rmcp` has no typed request for them, this is all that tells "malformed" from "there
    /// is no such method".
    pub(crate) fn is_served(method: &str, modern: bool) -> bool {
        match method {
            "completion/complete"
            | "prompts/get"
            | "prompts/list"
            | "resources/list"
            | "resources/templates/list"
            | "resources/read"
            | "tools/call"
            | "tools/list" => true,
            "server/discover" => modern,
            "initialize" | "ping" | "logging/setLevel" => !modern,
            _ => false,
        }
    }
}

ops! {
    /// `ping` (2025-11-25).
    Ping = "ping";
    /// `initialize` (2025-11-25).
    Initialize(InitializeRequestParams) = "initialize";
    /// `server/discover` (2026-07-28).
    Discover = "server/discover";
    /// `completion/complete`.
    Complete(CompleteRequestParams) = "completion/complete";
    /// `logging/setLevel` (2025-11-25).
    SetLevel(SetLevelRequestParams) = "logging/setLevel";
    /// `prompts/get`.
    GetPrompt(GetPromptRequestParams) = "prompts/get";
    /// `prompts/list`.
    ListPrompts(Option<PaginatedRequestParams>) = "prompts/list";
    /// `resources/list`.
    ListResources(Option<PaginatedRequestParams>) = "resources/list";
    /// `resources/templates/list`.
    ListResourceTemplates(Option<PaginatedRequestParams>) = "resources/templates/list";
    /// `resources/read`.
    ReadResource(ReadResourceRequestParams) = "resources/read";
    /// `resources/subscribe` (2025-11-25).
    Subscribe(SubscribeRequestParams) = "resources/subscribe";
    /// `resources/unsubscribe` (2025-11-25).
    Unsubscribe(UnsubscribeRequestParams) = "resources/unsubscribe";
    /// `subscriptions/listen` (2026-07-28).
    Listen = "subscriptions/listen";
    /// `tools/call`.
    CallTool(CallToolRequestParams) = "tools/call";
    /// `tools/list`.
    ListTools(Option<PaginatedRequestParams>) = "tools/list";
    /// `tasks/get` (SEP-2663).
    GetTask(GetTaskParams) = "tasks/get";
    /// `tasks/update` (SEP-2663).
    UpdateTask(UpdateTaskParams) = "tasks/update";
    /// `tasks/cancel` (SEP-2663).
    CancelTask(CancelTaskParams) = "tasks/cancel";
    /// `skills/list` (SEP-2640).
    ListSkills(Option<PaginatedRequestParams>) = "skills/list";
    /// `skills/get` (SEP-2640).
    GetSkill(GetSkillRequestParams) = "skills/get";
    /// `resources/directory/read` (SEP-2640).
    ReadDirectory(ReadResourceDirectoryRequestParams) = "resources/directory/read";
    /// Anything else, and malformed parameters of a known method, which `rmcp` delivers
    /// here.
    Custom(CustomRequest) = "(custom)";
}

/// A reply of the server, typed.
#[derive(Debug)]
#[non_exhaustive]
#[allow(
    clippy::large_enum_variant,
    reason = "moved once from the leaf to the transport"
)]
pub enum McpReply {
    /// Acknowledged.
    Empty,
    /// To `initialize`.
    Initialize(InitializeResult),
    /// To `server/discover`.
    Discover(DiscoverResult),
    /// To `completion/complete`.
    Complete(CompleteResult),
    /// To `prompts/get`.
    GetPrompt(GetPromptResponse),
    /// To `prompts/list`.
    ListPrompts(ListPromptsResult),
    /// To `resources/list`.
    ListResources(ListResourcesResult),
    /// To `resources/templates/list`.
    ListResourceTemplates(ListResourceTemplatesResult),
    /// To `resources/read`.
    ReadResource(ReadResourceResponse),
    /// To `tools/call`.
    CallTool(CallToolResponse),
    /// To `tools/list`.
    ListTools(ListToolsResult),
}
