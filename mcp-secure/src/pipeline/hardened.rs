//! The decorator that every transport serves: 32 methods in, one stack behind.

use std::{borrow::Cow, future::Future, sync::Arc};

use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::*,
    service::{NotificationContext, RequestContext, SubscriptionContext},
};
use tower::{ServiceExt, util::BoxCloneSyncService};

use super::{
    BoxError, Connection, Journey, McpOp, McpReply, McpRequest, Refusal, Registry, Shape, code,
};
use crate::layer::guard::for_log;

/// A server behind the stack. One is made per session (or per request where there are no
/// sessions); the stack and its limits are shared by all.
#[derive(Clone)]
pub(crate) struct Hardened {
    // Behind an `Arc`: a clone of the stack itself is one of every layer in it.
    stack: Arc<BoxCloneSyncService<McpRequest, McpReply, BoxError>>,
    registry: Arc<Registry>,
    connection: Arc<Connection>,
}

/// The revisions that are served. Older ones are off: each is a downgrade that a client
/// could choose (spec BASE-21).
pub(crate) const VERSIONS: &[ProtocolVersion] = &[HANDSHAKE, ProtocolVersion::V_2026_07_28];

/// The one of them that has a handshake, and so all that `initialize` can agree on.
pub(crate) const HANDSHAKE: ProtocolVersion = ProtocolVersion::V_2025_11_25;

/// The revisions that are served, for the manifest.
pub(crate) fn protocol_versions() -> Vec<String> {
    VERSIONS
        .iter()
        .map(|version| version.as_str().to_owned())
        .collect()
}

impl Hardened {
    pub(crate) fn new(
        stack: BoxCloneSyncService<McpRequest, McpReply, BoxError>,
        registry: Arc<Registry>,
    ) -> Self {
        Self {
            stack: Arc::new(stack),
            registry,
            connection: Arc::default(),
        }
    }

    /// The same server for another session: nothing of the first one's is carried over.
    #[cfg(feature = "http")]
    pub(crate) fn for_new_connection(&self) -> Self {
        Self {
            connection: Arc::default(),
            ..self.clone()
        }
    }

    async fn run(
        &self,
        op: McpOp,
        context: RequestContext<RoleServer>,
    ) -> Result<McpReply, ErrorData> {
        let taint = self.connection.taint().clone();
        let shelf = Arc::clone(self.connection.shelf());
        let journey = Arc::new(Journey::new(op.method(), taint, shelf));
        let id = journey.id;
        let asked = Asked::new(&op);
        // The HTTP ring says it in a header, where the answer is the whole response.
        #[cfg(feature = "http")]
        let waiting = super::RetryAfter::of(&context).cloned();
        let request = McpRequest::new(op, context, journey, Arc::clone(&self.connection));
        match (*self.stack).clone().oneshot(request).await {
            Ok(reply) => Ok(reply),
            Err(error) => {
                #[cfg(feature = "http")]
                if let (Some(waiting), Some(refusal)) = (waiting, error.downcast_ref::<Refusal>()) {
                    waiting.set(refusal);
                }
                told(error, id.as_str(), asked)
            }
        }
    }
}

/// What the words of an error depend on.
struct Asked {
    is_tool_call: bool,
    uri: Option<String>,
}

impl Asked {
    fn new(op: &McpOp) -> Self {
        let uri = match op {
            McpOp::ReadResource(params) => Some(for_log(&params.uri).into_owned()),
            _ => None,
        };
        Self {
            is_tool_call: matches!(op, McpOp::CallTool(_)),
            uri,
        }
    }

    /// What is not there, whether because nothing has that URI or because user code found
    /// nothing under it, says so in the same way and names the URI (SEP-2164). For the newer
    /// revision `rmcp` turns the code into -32602.
    fn not_found(self, id: &str) -> ErrorData {
        let mut error = ErrorData::resource_not_found("resource not found", None);
        error.data = Some(match self.uri {
            Some(uri) => serde_json::json!({ "uri": uri, "correlationId": id }),
            None => serde_json::json!({ "correlationId": id }),
        });
        error
    }
}

/// What the caller is told: the public half and the correlation id.
fn told(error: BoxError, id: &str, asked: Asked) -> Result<McpReply, ErrorData> {
    let refusal = match error.downcast::<Refusal>() {
        Ok(refusal) => *refusal,
        Err(other) => foreign(&*other),
    };
    if refusal.shape == Shape::ToolResult && asked.is_tool_call {
        let text = match refusal.error.code {
            ErrorCode::INTERNAL_ERROR => format!("{} (reference {id})", refusal.error.message),
            _ => refusal.error.message.into_owned(),
        };
        let mut result = CallToolResult::error(vec![ContentBlock::text(text)]);
        result.meta = refusal.note.map(|note| *note);
        return Ok(McpReply::CallTool(result.into()));
    }
    let mut error = refusal.error;
    if error.code == ErrorCode::RESOURCE_NOT_FOUND {
        return Err(asked.not_found(id));
    }
    // Codes with data of the protocol's own keep it as it is.
    if error.data.is_none() {
        let mut data = JsonObject::new();
        data.insert("correlationId".into(), id.into());
        if let Some(again) = refusal.again {
            data.insert("retryAfterMs".into(), again.millis().into());
            if let Some(limit) = again.limit {
                data.insert("limit".into(), limit.into());
            }
        }
        error.data = Some(data.into());
    }
    Err(error)
}

/// An error of a layer that is not ours. tower's own are known by name; the words of all
/// others stay here.
pub(crate) fn foreign(error: &(dyn std::error::Error + 'static)) -> Refusal {
    if error.is::<tower::timeout::error::Elapsed>() {
        return Refusal::denied(
            "layer/timeout",
            code::TIMED_OUT,
            "the request took too long",
            "",
        )
        .verdict(super::Verdict::TimedOut);
    }
    if error.is::<tower::load_shed::error::Overloaded>() {
        return Refusal::denied(
            "layer/overload",
            code::OVERLOADED,
            "busy; try again later",
            "",
        )
        .verdict(super::Verdict::Overloaded);
    }
    Refusal::failed("layer/user", error.to_string())
}

fn wrong_reply() -> ErrorData {
    ErrorData::internal_error("internal error", None)
}

macro_rules! through {
    ($self:ident, $op:expr, $context:ident => $reply:ident) => {
        match $self.run($op, $context).await? {
            McpReply::$reply(reply) => Ok(reply),
            _ => Err(wrong_reply()),
        }
    };
    ($self:ident, $op:expr, $context:ident) => {
        match $self.run($op, $context).await? {
            McpReply::Empty => Ok(()),
            _ => Err(wrong_reply()),
        }
    };
}

type Context = RequestContext<RoleServer>;
type Answer<T> = Result<T, ErrorData>;

// Every method of the trait is here, also those that only refuse: a default would answer
// outside of the stack. `tests/drift` fails when `rmcp` grows one that is missing.
#[allow(
    deprecated,
    reason = "the legacy methods are still reachable by legacy clients"
)]
#[allow(clippy::manual_async_fn)]
impl ServerHandler for Hardened {
    async fn ping(&self, context: Context) -> Answer<()> {
        through!(self, McpOp::Ping, context)
    }

    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: Context,
    ) -> Answer<InitializeResult> {
        through!(self, McpOp::Initialize(request), context => Initialize)
    }

    async fn discover(&self, context: Context) -> Answer<DiscoverResult> {
        through!(self, McpOp::Discover, context => Discover)
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        context: Context,
    ) -> Answer<CompleteResult> {
        through!(self, McpOp::Complete(request), context => Complete)
    }

    async fn set_level(&self, request: SetLevelRequestParams, context: Context) -> Answer<()> {
        through!(self, McpOp::SetLevel(request), context)
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        context: Context,
    ) -> Answer<GetPromptResponse> {
        through!(self, McpOp::GetPrompt(request), context => GetPrompt)
    }

    async fn list_prompts(
        &self,
        request: Option<PaginatedRequestParams>,
        context: Context,
    ) -> Answer<ListPromptsResult> {
        through!(self, McpOp::ListPrompts(request), context => ListPrompts)
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        context: Context,
    ) -> Answer<ListResourcesResult> {
        through!(self, McpOp::ListResources(request), context => ListResources)
    }

    async fn list_resource_templates(
        &self,
        request: Option<PaginatedRequestParams>,
        context: Context,
    ) -> Answer<ListResourceTemplatesResult> {
        through!(self, McpOp::ListResourceTemplates(request), context => ListResourceTemplates)
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: Context,
    ) -> Answer<ReadResourceResponse> {
        through!(self, McpOp::ReadResource(request), context => ReadResource)
    }

    /// Subscriptions are not served: `None` makes `rmcp` answer "method not found".
    fn accepted_subscription_filter(&self, _: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        None
    }

    /// Unreachable while the filter above accepts nothing, and refused if it ever is
    /// reached.
    async fn listen(&self, context: SubscriptionContext) -> Answer<()> {
        let request = context.request_context().clone();
        through!(self, McpOp::Listen, request)
    }

    async fn subscribe(&self, request: SubscribeRequestParams, context: Context) -> Answer<()> {
        through!(self, McpOp::Subscribe(request), context)
    }

    async fn unsubscribe(&self, request: UnsubscribeRequestParams, context: Context) -> Answer<()> {
        through!(self, McpOp::Unsubscribe(request), context)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: Context,
    ) -> Answer<CallToolResponse> {
        through!(self, McpOp::CallTool(request), context => CallTool)
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        context: Context,
    ) -> Answer<ListToolsResult> {
        through!(self, McpOp::ListTools(request), context => ListTools)
    }

    /// `rmcp` asks this before any message layer, to compare `Mcp-Param-*` headers: whoever
    /// may not use a tool would learn from the answer that it exists. The comparison is in
    /// Validate, behind Authorize.
    fn get_tool(&self, _: &str) -> Option<Tool> {
        None
    }

    async fn on_custom_request(
        &self,
        request: CustomRequest,
        context: Context,
    ) -> Answer<CustomResult> {
        match self.run(McpOp::Custom(request), context).await? {
            McpReply::Empty => Ok(CustomResult::new(serde_json::json!({}))),
            _ => Err(wrong_reply()),
        }
    }

    // Notifications reach no user code. `rmcp` has acted on `cancelled` before this.
    async fn on_cancelled(
        &self,
        _: CancelledNotificationParam,
        _: NotificationContext<RoleServer>,
    ) {
    }

    async fn on_progress(&self, _: ProgressNotificationParam, _: NotificationContext<RoleServer>) {}

    async fn on_initialized(&self, _: NotificationContext<RoleServer>) {}

    async fn on_roots_list_changed(&self, _: NotificationContext<RoleServer>) {}

    async fn on_custom_notification(
        &self,
        _: CustomNotification,
        _: NotificationContext<RoleServer>,
    ) {
    }

    fn get_info(&self) -> ServerConfig {
        self.registry.info.clone()
    }

    fn supported_protocol_versions(&self) -> Cow<'static, [ProtocolVersion]> {
        Cow::Borrowed(VERSIONS)
    }

    fn negotiate_initialize(&self, request: &InitializeRequestParams) -> Answer<InitializeResult> {
        let mut info = self.registry.info.clone();
        // The legacy handshake can only agree on the one legacy revision that is served.
        let _ = request;
        info.protocol_version = HANDSHAKE;
        Ok(info)
    }

    async fn get_task(&self, request: GetTaskParams, context: Context) -> Answer<GetTaskResult> {
        self.run(McpOp::GetTask(request), context).await?;
        Err(wrong_reply())
    }

    async fn update_task(&self, request: UpdateTaskParams, context: Context) -> Answer<()> {
        through!(self, McpOp::UpdateTask(request), context)
    }

    async fn cancel_task(&self, request: CancelTaskParams, context: Context) -> Answer<()> {
        through!(self, McpOp::CancelTask(request), context)
    }

    async fn list_skills(
        &self,
        request: Option<PaginatedRequestParams>,
        context: Context,
    ) -> Answer<ListSkillsResult> {
        self.run(McpOp::ListSkills(request), context).await?;
        Err(wrong_reply())
    }

    async fn get_skill(
        &self,
        request: GetSkillRequestParams,
        context: Context,
    ) -> Answer<GetSkillResult> {
        self.run(McpOp::GetSkill(request), context).await?;
        Err(wrong_reply())
    }

    fn read_resource_directory(
        &self,
        request: ReadResourceDirectoryRequestParams,
        context: Context,
    ) -> impl Future<Output = Answer<ReadResourceDirectoryResult>> + Send + '_ {
        async move {
            self.run(McpOp::ReadDirectory(request), context).await?;
            Err(wrong_reply())
        }
    }
}
