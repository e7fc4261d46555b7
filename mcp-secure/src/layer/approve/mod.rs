//! A person agrees, or the tool does not run. The agreement is for this principal, this
//! tool as compiled and the whole canonical argument object, once.
//!
//! Who is asked, the policy says ([`Approvals`]). What a page or an approver outside asks
//! ([`waiting`]) is answered to this server. What is asked through the client is answered with the client's word that a person
//! agreed: it is audited as client-attested.

mod waiting;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use rmcp::model::{
    ElicitRequest, ElicitRequestParams, ElicitResult, ElicitationAction, ElicitationCapability,
    ErrorCode, ErrorData, InputRequest, InputRequiredResult, JsonObject,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tower::Layer;

use self::waiting::{PATIENCE, Via};
use super::{Enclosed, commit::ROUND_TTL, forward_ready, load_shed::overloaded, take_ready};
use crate::{
    approval::{Approvals, Asked, Desk, Person, Reach, Wanted, shape},
    call::{is_modern, nonce},
    limits::Limits,
    pipeline::{
        Checked, CheckedOp, McpReply, Refusal, Registry, ReplyFuture, ToolEntry, Verdict, code,
        round_purpose,
    },
    state::Sealer,
};

#[derive(Clone)]
pub(crate) struct ApproveLayer(Arc<Shared>);

struct Shared {
    registry: Arc<Registry>,
    sealer: Sealer,
    waiting: Arc<Semaphore>,
    timeout: Duration,
    /// How long one round waits.
    patience: Duration,
    asking: Asking,
}

/// Who is asked, and what they are told.
pub(crate) struct Asking {
    pub(crate) desk: Arc<Desk>,
    pub(crate) approvals: Approvals,
    /// Where the page is, if there is one.
    #[cfg(feature = "http")]
    pub(crate) page: Option<crate::page::Place>,
    /// The server's name.
    pub(crate) server: &'static str,
    /// Of what is served.
    pub(crate) manifest: String,
    /// Of each tool, by its place.
    pub(crate) effects: Vec<Vec<String>>,
}

impl Asking {
    fn has_page(&self) -> bool {
        #[cfg(feature = "http")]
        {
            self.page.is_some()
        }
        #[cfg(not(feature = "http"))]
        false
    }

    /// Where this server is for those who answer from outside.
    fn origin(&self) -> Option<&str> {
        #[cfg(feature = "http")]
        {
            self.page.as_ref().map(|page| page.origin.as_str())
        }
        #[cfg(not(feature = "http"))]
        None
    }

    fn link(&self, id: &str) -> Option<String> {
        #[cfg(feature = "http")]
        {
            Some(crate::approval::page::link(self.page.as_ref()?, id))
        }
        #[cfg(not(feature = "http"))]
        {
            let _ = id;
            None
        }
    }
}

impl ApproveLayer {
    pub(crate) fn new(
        registry: Arc<Registry>,
        limits: &Limits,
        sealer: Sealer,
        asking: Asking,
    ) -> Self {
        Self(Arc::new(Shared {
            registry,
            sealer,
            waiting: Arc::new(Semaphore::new(limits.pending_approvals)),
            timeout: limits.approval_timeout,
            patience: limits.approval_timeout.min(PATIENCE),
            asking,
        }))
    }
}

impl<S> Layer<S> for ApproveLayer {
    type Service = ApproveService<S>;

    fn layer(&self, inner: S) -> ApproveService<S> {
        ApproveService {
            inner,
            shared: Arc::clone(&self.0),
        }
    }
}

#[derive(Clone)]
pub(crate) struct ApproveService<S> {
    inner: S,
    shared: Arc<Shared>,
}

/// Minted here only: a person agreed to the request that this was made for.
pub(crate) struct Agreed(());

/// What a client carries from round to round (SEP-2322), sealed to principal, operation and
/// arguments.
#[derive(Serialize, Deserialize)]
pub(crate) struct Round {
    /// A person has agreed in an earlier round.
    pub(crate) approved: bool,
    /// Redeemed once, when the work is committed.
    pub(crate) nonce: String,
    /// Answers to the tool's own questions so far.
    pub(crate) answers: BTreeMap<String, Value>,
    /// The questions of this round: answers to others are ignored.
    pub(crate) asked: Vec<String>,
    /// The question on the page that this waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) page: Option<String>,
}

impl<S> tower::Service<Checked> for ApproveService<S>
where
    S: Enclosed<Checked> + Clone + Send + 'static,
{
    forward_ready!();

    fn call(&mut self, request: Checked) -> ReplyFuture {
        let needed = match request.op() {
            CheckedOp::Tool { index, .. } => self
                .shared
                .registry
                .tools
                .get(*index)
                .is_none_or(|entry| entry.needs_approval),
            _ => false,
        } || request.held().is_some();
        if !needed && request.rounds().carried.is_none() && request.rounds().responses.is_none() {
            return Box::pin(self.inner.call(request));
        }
        let mut inner = take_ready(&mut self.inner);
        let shared = Arc::clone(&self.shared);
        Box::pin(async move {
            match shared
                .settle(request, needed)
                .await
                .map_err(Refusal::boxed)?
            {
                Settled::GoOn(request) => inner.call(request).await,
                Settled::Ask(reply) => Ok(reply),
            }
        })
    }
}

#[allow(clippy::large_enum_variant, reason = "moved once")]
enum Settled {
    GoOn(Checked),
    Ask(McpReply),
}

impl Shared {
    async fn settle(&self, mut request: Checked, needed: bool) -> Result<Settled, Refusal> {
        let purpose = round_purpose(&request);
        let round = self.open(&mut request, &purpose)?;
        if !needed {
            return Ok(Settled::GoOn(request));
        }
        if round.as_ref().is_some_and(|round| round.approved) {
            request.approve(&Agreed(()));
            let _ = request.journey().approval.set("client-attested");
            note_round(&request);
            return Ok(Settled::GoOn(request));
        }
        // What waits for an answer already is not answered by what was said of another call.
        if round.is_none() && self.was_agreed_before(&mut request).await {
            return Ok(Settled::GoOn(request));
        }
        match self.whom(&request) {
            Asked::Page => return self.wait(request, &purpose, round, &Via::Page).await,
            Asked::Outside(approver) => {
                let via = Via::Outside(approver);
                return self.wait(request, &purpose, round, &via).await;
            }
            Asked::InClient => {}
            Asked::Nobody { page } => return Err(cannot_ask(&request, page)),
        }
        // What waits for a page is not answered by a form.
        let round = round.filter(|round| round.page.is_none());
        if is_modern(request.context()) {
            // An agreement counts only as the answer to a question that was asked.
            let asked = round.is_some_and(|round| round.asked.iter().any(|q| q == QUESTION));
            let answer = request
                .rounds_mut()
                .responses
                .as_mut()
                .and_then(|responses| responses.remove(QUESTION));
            match answer {
                Some(answer) if asked => {
                    let answer: ElicitResult =
                        serde_json::from_value(answer).map_err(|_| declined("malformed answer"))?;
                    agreed(&answer)?;
                    request.approve(&Agreed(()));
                    let _ = request.journey().approval.set("client-attested");
                    note_round(&request);
                    Ok(Settled::GoOn(request))
                }
                _ => self.ask_in_a_round(&request, &purpose).map(Settled::Ask),
            }
        } else {
            self.ask_at_once(&request).await?;
            request.approve(&Agreed(()));
            let _ = request.journey().approval.set("client-attested");
            Ok(Settled::GoOn(request))
        }
    }

    /// Whether a person has said that such calls may run for a while.
    async fn was_agreed_before(&self, request: &mut Checked) -> bool {
        let CheckedOp::Tool { index, arguments } = request.op() else {
            return false;
        };
        let Some(entry) = self.registry.tools.get(*index) else {
            return false;
        };
        let (tool, asking) = (entry.about.name, &self.asking);
        let Some((_, same)) = asking.approvals.remembers(tool) else {
            return false;
        };
        // Nobody has looked at where these data flow.
        if request.held().is_some() {
            return false;
        }
        let wanted = Wanted {
            caller: &Person::of(request.principal()),
            client: request.principal().client(),
            tool,
            manifest: &asking.manifest,
            shape: &shape(arguments, same),
        };
        let Some(memory) = asking.desk.remembered(&wanted).await else {
            return false;
        };
        request.approve(&Agreed(()));
        let journey = request.journey();
        journey.note_approval(&memory.id);
        let _ = journey.approval.set("remembered");
        let _ = journey.approved_by.set(vec![memory.decision]);
        true
    }

    /// Who is asked, of this client.
    fn whom(&self, request: &Checked) -> Asked {
        let elicitation = request
            .context()
            .client_capabilities()
            .and_then(|capabilities| capabilities.elicitation);
        let reach = Reach {
            // `{}` means forms (spec, elicitation).
            form: elicitation
                .as_ref()
                .is_some_and(|modes| modes.form.is_some() || modes.url.is_none()),
            url: elicitation.is_some_and(|modes| modes.url.is_some()),
        };
        let tool = match request.op() {
            CheckedOp::Tool { index, .. } => self.registry.tools.get(*index),
            _ => None,
        };
        let tool = tool.map_or("", |entry| entry.about.name);
        self.asking
            .approvals
            .asked(tool, self.asking.has_page(), reach)
    }

    async fn wait(
        &self,
        request: Checked,
        purpose: &str,
        round: Option<Round>,
        via: &Via,
    ) -> Result<Settled, Refusal> {
        match is_modern(request.context()) {
            true => self.wait_in_a_round(request, purpose, round, via).await,
            false => self.wait_at_once(request, purpose, via).await,
        }
    }

    /// Opens what the client carried, and leaves only answers that were asked for.
    fn open(&self, request: &mut Checked, purpose: &str) -> Result<Option<Round>, Refusal> {
        let principal = request.principal().clone();
        let rounds = request.rounds_mut();
        let Some(carried) = rounds.carried.take() else {
            // Answers without a question.
            rounds.responses = None;
            return Ok(None);
        };
        let round: Round = self
            .sealer
            .open(&carried, &principal, purpose)
            .map_err(|_| {
                Refusal::denied(
                    "approve/state",
                    ErrorCode::INVALID_PARAMS,
                    "the request state is not valid",
                    "sealed state did not open for this principal, operation and arguments",
                )
            })?;
        rounds.nonce = Some(round.nonce.clone());
        rounds.answers = round.answers.clone();
        if let Some(responses) = &mut rounds.responses {
            responses.retain(|key, _| round.asked.contains(key));
        }
        Ok(Some(round))
    }

    /// 2026-07-28: the question is the answer of this round.
    fn ask_in_a_round(&self, request: &Checked, purpose: &str) -> Result<McpReply, Refusal> {
        let question = self.question(request)?;
        let round = Round {
            approved: false,
            nonce: nonce().ok_or_else(|| Refusal::failed("approve/nonce", "no randomness"))?,
            answers: BTreeMap::new(),
            asked: vec![QUESTION.to_owned()],
            page: None,
        };
        request.journey().note_approval(&round.nonce);
        let state = self
            .sealer
            .seal(&round, request.principal(), purpose, ROUND_TTL)
            .ok_or_else(|| Refusal::failed("approve/seal", "the state could not be sealed"))?;
        let asked = InputRequest::Elicitation(ElicitRequest::new(question));
        let requests = BTreeMap::from([(QUESTION.to_owned(), asked)]);
        let mut reply = InputRequiredResult::from_input_requests(requests);
        reply.request_state = Some(state.into_string());
        Ok(McpReply::CallTool(reply.into()))
    }

    /// 2025-11-25: the server asks while the call waits.
    async fn ask_at_once(&self, request: &Checked) -> Result<(), Refusal> {
        let question = self.question(request)?;
        let Ok(_waiting) = Arc::clone(&self.waiting).try_acquire_owned() else {
            return Err(overloaded(
                "approve/waiting",
                "too many calls wait for a person",
            ));
        };
        let journey = request.journey();
        journey.note_approval(journey.id.as_str());
        let _person = journey.waits_for_a_person();
        let peer = request.context().peer.clone();
        let answer = peer
            .create_elicitation_with_timeout(question, Some(self.timeout))
            .await
            .map_err(|error| {
                Refusal::denied(
                    "approve/unanswered",
                    code::NOT_APPROVED,
                    "nobody agreed to this call",
                    error.to_string(),
                )
            })?;
        agreed(&answer)
    }

    /// The tool, by its place and as it is, and the arguments that it will be given.
    fn called<'r>(
        &self,
        request: &'r Checked,
    ) -> Result<(usize, &ToolEntry, &'r JsonObject), Refusal> {
        let CheckedOp::Tool { index, arguments } = request.op() else {
            return Err(Refusal::failed("approve/op", "only tools are approved"));
        };
        let entry = self
            .registry
            .tools
            .get(*index)
            .ok_or_else(|| Refusal::failed("approve/op", "the tool is gone"))?;
        Ok((*index, entry, arguments))
    }

    /// The tool and all of its arguments, as they will run.
    fn question(&self, request: &Checked) -> Result<ElicitRequestParams, Refusal> {
        let (_, entry, arguments) = self.called(request)?;
        let message = describe(entry.about.name, &entry.rights, request.held(), arguments)?;
        let schema = json!({
            "type": "object",
            "properties": { "approve": {
                "type": "boolean",
                "title": "Allow this call",
                "description": "Run the tool once, with exactly these arguments",
            }},
            "required": ["approve"],
        });
        Ok(ElicitRequestParams::FormElicitationParams {
            meta: None,
            message,
            requested_schema: serde_json::from_value(schema)
                .map_err(|e| Refusal::failed("approve/schema", e.to_string()))?,
        })
    }
}

/// Links the record of an agreement with that of its question.
fn note_round(request: &Checked) {
    if let Some(nonce) = &request.rounds().nonce {
        request.journey().note_approval(nonce);
    }
}

/// What the person reads: every argument, none cut. What does not fit is not approvable.
fn describe(
    tool: &str,
    rights: &str,
    held: Option<&str>,
    arguments: &rmcp::model::JsonObject,
) -> Result<String, Refusal> {
    // In one order, whatever the caller's was.
    let arguments: std::collections::BTreeMap<_, _> = arguments.iter().collect();
    let arguments = serde_json::to_string_pretty(&arguments)
        .map_err(|e| Refusal::failed("approve/arguments", e.to_string()))?;
    let shown = mcp_secure_text::sanitize(arguments, mcp_secure_text::Policy::Escape).into_string();
    if shown.len() > MAX_SHOWN {
        return Err(Refusal::denied(
            "approve/size",
            ErrorCode::INVALID_PARAMS,
            "the arguments are too long for a person to approve",
            "the arguments exceed what is shown in full",
        )
        .into_tool_result());
    }
    let held = held.map_or_else(String::new, |why| {
        format!(" It can send to an address that is chosen at run time, and {why}.")
    });
    Ok(format!(
        "Allow the tool `{tool}` to run once? It may: {rights}.{held} Its arguments:\n{shown}"
    ))
}

fn agreed(answer: &ElicitResult) -> Result<(), Refusal> {
    let yes = answer
        .content
        .as_ref()
        .and_then(|content| content.get("approve"));
    match (&answer.action, yes) {
        (ElicitationAction::Accept, Some(Value::Bool(true))) => Ok(()),
        _ => Err(declined("the person did not agree")),
    }
}

fn declined(reason: &'static str) -> Refusal {
    Refusal::denied(
        "approve/declined",
        code::NOT_APPROVED,
        "a person did not agree to this call",
        reason,
    )
    .verdict(Verdict::Denied)
    .into_tool_result()
}

/// Fails closed if the client cannot ask a person in the way that the policy wants.
fn cannot_ask(request: &Checked, page: bool) -> Refusal {
    let reason = match page {
        true => "the client cannot show a link to a page, and its word is not enough",
        false => "the client cannot ask a person",
    };
    Refusal {
        error: missing_elicitation(request, page),
        ..Refusal::denied("approve/capability", ErrorCode::INVALID_REQUEST, "", reason)
    }
}

/// -32021 belongs to the newer revision; older peers get an invalid request in words.
fn missing_elicitation(request: &Checked, page: bool) -> ErrorData {
    if is_modern(request.context()) {
        let mut needed = rmcp::model::ClientCapabilities::builder()
            .enable_elicitation()
            .build();
        if page {
            let modes = ElicitationCapability::default().with_url(Default::default());
            needed.elicitation = Some(modes);
        }
        ErrorData::missing_required_client_capability(needed)
    } else {
        ErrorData::invalid_request(
            match page {
                true => {
                    "this tool needs a person's agreement on a page, and the client cannot show a \
                     link (elicitation by URL)"
                }
                false => "this tool needs a person's agreement, and the client cannot ask for it",
            },
            None,
        )
    }
}

/// What a person is asked, before anything has run.
pub(crate) const QUESTION: &str = "mcp-secure/approval";
const MAX_SHOWN: usize = 16 * 1024;
