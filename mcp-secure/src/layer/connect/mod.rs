//! What calls in its caller's name runs when they have connected their account, and not
//! before: what a tool has done by then would be done again. Who has not is sent the link
//! (elicitation in URL mode), which gives no right by itself.
//!
//! It keeps nothing but how many calls wait. It must never import a transport or `server`.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use rmcp::model::{
    ElicitRequest, ElicitRequestParams, ElicitResult, ElicitationAction, ErrorCode, InputRequest,
    InputRequiredResult,
};
use tokio::sync::Semaphore;
use tower::Layer;

use super::{
    Enclosed, approve::Round, commit::ROUND_TTL, forward_ready, load_shed::overloaded, take_ready,
};
use crate::{
    call::{is_modern, nonce},
    capability::net::NetError,
    connect::{Access, Desk, DeskError, Standing},
    limits::Limits,
    pipeline::{Checked, CheckedOp, McpReply, Refusal, Registry, ReplyFuture, code, round_purpose},
    state::{Sealer, StoreError},
};

/// What callers connect at a server, and where.
#[derive(Clone)]
pub(crate) struct Connecting {
    pub(crate) all: Arc<[Access]>,
    pub(crate) desk: Arc<Desk>,
}

#[derive(Clone)]
pub(crate) struct ConnectLayer(Arc<Shared>);

struct Shared {
    registry: Arc<Registry>,
    sealer: Sealer,
    /// `None`: nothing is called in anybody's name.
    connecting: Option<Connecting>,
    waiting: Arc<Semaphore>,
    timeout: Duration,
    patience: Duration,
}

impl ConnectLayer {
    pub(crate) fn new(
        registry: Arc<Registry>,
        limits: &Limits,
        sealer: Sealer,
        connecting: Option<Connecting>,
    ) -> Self {
        Self(Arc::new(Shared {
            registry,
            sealer,
            connecting,
            waiting: Arc::new(Semaphore::new(limits.pending_approvals)),
            timeout: limits.approval_timeout,
            patience: PATIENCE.min(limits.approval_timeout),
        }))
    }
}

impl<S> Layer<S> for ConnectLayer {
    type Service = ConnectService<S>;

    fn layer(&self, inner: S) -> ConnectService<S> {
        ConnectService {
            inner,
            shared: Arc::clone(&self.0),
        }
    }
}

#[derive(Clone)]
pub(crate) struct ConnectService<S> {
    inner: S,
    shared: Arc<Shared>,
}

impl<S> tower::Service<Checked> for ConnectService<S>
where
    S: Enclosed<Checked> + Clone + Send + 'static,
{
    forward_ready!();

    fn call(&mut self, mut request: Checked) -> ReplyFuture {
        let needed = self.shared.needed(&request);
        if needed.is_empty() {
            return Box::pin(self.inner.call(request));
        }
        let mut inner = take_ready(&mut self.inner);
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            for access in needed {
                if let Some(asked) = shared
                    .settle(&mut request, &access)
                    .await
                    .map_err(Refusal::boxed)?
                {
                    return Ok(asked);
                }
            }
            inner.call(request).await
        })
    }
}

impl Shared {
    /// What is called in the caller's name.
    fn needed(&self, request: &Checked) -> Vec<Access> {
        let Some(connecting) = &self.connecting else {
            return Vec::new();
        };
        let registry = &self.registry;
        let about = match request.op() {
            CheckedOp::Tool { index, .. } => registry.tools.get(*index).map(|it| &it.about),
            CheckedOp::Prompt { index, .. } => registry.prompts.get(*index).map(|it| &it.about),
            CheckedOp::Resource { index, .. } => registry.resources.get(*index).map(|it| &it.about),
            _ => None,
        };
        let Some(about) = about else {
            return Vec::new();
        };
        let is_used = |access: &&Access| {
            let mut facts = about.facts();
            facts.any(|facts| facts.capability == access.capability())
        };
        connecting.all.iter().filter(is_used).cloned().collect()
    }

    /// Nothing, when the account is there; the link, when the client has to come again.
    async fn settle(
        &self,
        request: &mut Checked,
        access: &Access,
    ) -> Result<Option<McpReply>, Refusal> {
        match access.is_there(request.principal()).await {
            Ok(()) => return Ok(None),
            Err(NetError::NotConnected { .. } | NetError::NoCredential { .. }) => {}
            Err(error) => return Err(refused(&error)),
        }
        let Some(connecting) = &self.connecting else {
            return Ok(None);
        };
        let desk = &connecting.desk;
        if !matches!(request.op(), CheckedOp::Tool { .. }) {
            return Err(by_a_tool_first(access));
        }
        self.can_be_sent(request)?;
        let is_again = self.was_followed(request)?;
        let asked = desk.ask(request.principal(), access).await;
        let id = asked.map_err(not_asked)?;
        let (url, code) = match access.is_by_device() {
            true => desk
                .device_link(&id)
                .await
                .map_err(|error| Refusal::failed("upstream/device", error.to_string()))?,
            false => (desk.link(&id), None),
        };
        let link = link(access, &id, url, code.as_deref());
        let standing = if is_modern(request.context()) {
            match (is_again, Arc::clone(&self.waiting).try_acquire_owned()) {
                (true, Ok(_waiting)) => {
                    let _person = request.journey().waits_for_a_person();
                    desk.wait(&id, self.patience).await.map_err(out_of_reach)?
                }
                _ => Standing::Waiting,
            }
        } else {
            self.sent_at_once(request, desk, &id, link.clone()).await?
        };
        match standing {
            Standing::Connected => match access.is_there(request.principal()).await {
                Ok(()) => Ok(None),
                Err(error) => Err(refused(&error)),
            },
            Standing::Waiting if is_modern(request.context()) => {
                self.in_a_round(request, link).map(Some)
            }
            Standing::Waiting | Standing::Over => Err(unanswered("nobody connected it in time")),
        }
    }

    /// 2025-11-25: the server sends the link while the call waits.
    async fn sent_at_once(
        &self,
        request: &Checked,
        desk: &Desk,
        id: &str,
        link: ElicitRequestParams,
    ) -> Result<Standing, Refusal> {
        let Ok(_waiting) = Arc::clone(&self.waiting).try_acquire_owned() else {
            return Err(overloaded(
                "upstream/waiting",
                "too many calls wait for a person",
            ));
        };
        let _person = request.journey().waits_for_a_person();
        let peer = request.context().peer.clone();
        let asked = async {
            let answer = peer
                .create_elicitation_with_timeout(link, Some(self.timeout))
                .await
                .map_err(|error| unanswered(error.to_string()))?;
            match answer.action {
                ElicitationAction::Accept => Ok(()),
                _ => Err(declined()),
            }
        };
        let settled = desk.wait(id, self.timeout);
        tokio::pin!(asked, settled);
        // A client may say that the link was seen before its user has been there, or after.
        tokio::select! {
            standing = &mut settled => return standing.map_err(out_of_reach),
            seen = &mut asked => seen?,
        }
        settled.await.map_err(out_of_reach)
    }

    /// Whether the client was sent there before. That it says "accept" says that its user has seen
    /// the link: nothing more.
    fn was_followed(&self, request: &mut Checked) -> Result<bool, Refusal> {
        let responses = request.rounds_mut().responses.as_mut();
        let Some(answer) = responses.and_then(|responses| responses.remove(QUESTION)) else {
            return Ok(false);
        };
        let answer: ElicitResult = serde_json::from_value(answer).map_err(|_| declined())?;
        match answer.action {
            ElicitationAction::Accept => Ok(true),
            _ => Err(declined()),
        }
    }

    /// 2026-07-28: the link is the answer of this round.
    fn in_a_round(
        &self,
        request: &Checked,
        link: ElicitRequestParams,
    ) -> Result<McpReply, Refusal> {
        let rounds = request.rounds();
        // What a person agreed to stays agreed to, under its one number: a second number would let
        // it run twice.
        let number = rounds.nonce.clone().or_else(nonce);
        let round = Round {
            approved: request.is_approved(),
            nonce: number.ok_or_else(|| Refusal::failed("upstream/nonce", "no randomness"))?,
            answers: rounds.answers.clone(),
            asked: vec![QUESTION.to_owned()],
            page: None,
        };
        let purpose = round_purpose(request);
        let state = self
            .sealer
            .seal(&round, request.principal(), &purpose, ROUND_TTL)
            .ok_or_else(|| Refusal::failed("upstream/seal", "the state could not be sealed"))?;
        let asked = InputRequest::Elicitation(ElicitRequest::new(link));
        let requests = BTreeMap::from([(QUESTION.to_owned(), asked)]);
        let mut reply = InputRequiredResult::from_input_requests(requests);
        reply.request_state = Some(state.into_string());
        Ok(McpReply::CallTool(reply.into()))
    }

    /// A link is sent only to who can show one (spec, elicitation, "Capabilities").
    fn can_be_sent(&self, request: &Checked) -> Result<(), Refusal> {
        let can = request
            .context()
            .client_capabilities()
            .and_then(|capabilities| capabilities.elicitation)
            .is_some_and(|elicitation| elicitation.url.is_some());
        match can {
            true => Ok(()),
            false => Err(Refusal::denied(
                "upstream/capability",
                ErrorCode::INVALID_REQUEST,
                "this tool needs an account or a key of yours that is not connected, and the client \
                 cannot show the link by which it is",
                "the client did not declare elicitation in URL mode",
            )),
        }
    }
}

/// Nothing of the call is in the link or beside it: a client shows both to whomever it likes.
fn link(access: &Access, id: &str, url: String, typed: Option<&str>) -> ElicitRequestParams {
    let what = access.words();
    let code = typed.map_or_else(String::new, |code| format!(" Type the code {code} there."));
    ElicitRequestParams::UrlElicitationParams {
        meta: None,
        message: format!(
            "This tool calls another server in your name (`{}`). {what}{code}",
            access.capability()
        ),
        url,
        elicitation_id: id.to_owned(),
    }
}

fn refused(error: &NetError) -> Refusal {
    let detail = error.detail().unwrap_or_default();
    Refusal::denied(
        error.control().unwrap_or("upstream/issuer"),
        ErrorCode::INVALID_REQUEST,
        error.to_string(),
        detail,
    )
    .into_tool_result()
}

/// Prompts and resources are not answered with a link: clients fetch them without a person.
fn by_a_tool_first(access: &Access) -> Refusal {
    let name = access.capability();
    Refusal::denied(
        "upstream/connect",
        ErrorCode::INVALID_REQUEST,
        format!(
            "this calls another server in your name (`{name}`), and nothing of yours is connected \
             to it; call a tool that uses it, and follow its link"
        ),
        "a prompt or a resource",
    )
}

fn not_asked(error: DeskError) -> Refusal {
    match error {
        DeskError::Full => overloaded("upstream/pending", "too many callers connect an account"),
        DeskError::NoRandomness => Refusal::failed("upstream/nonce", "no randomness"),
        DeskError::Store(error) => out_of_reach(error),
    }
}

fn out_of_reach(error: StoreError) -> Refusal {
    Refusal::failed("upstream/store", error.to_string())
}

fn declined() -> Refusal {
    Refusal::denied(
        "upstream/declined",
        code::NOT_APPROVED,
        "the account that this tool needs was not connected",
        "the link was not followed",
    )
    .into_tool_result()
}

fn unanswered(reason: impl Into<std::borrow::Cow<'static, str>>) -> Refusal {
    Refusal::denied(
        "upstream/connect",
        code::NOT_APPROVED,
        "the account that this tool needs was not connected",
        reason,
    )
    .into_tool_result()
}

/// Where a person is sent before anything has run.
const QUESTION: &str = "mcp-secure/connect";
/// How long one round of a client waits for the person, who may be at the page by then. Shorter
/// than what clients and proxies give one answer.
const PATIENCE: Duration = Duration::from_secs(20);
