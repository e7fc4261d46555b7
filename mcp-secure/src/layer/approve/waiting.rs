//! A call that waits for an answer which comes to this server itself: on the page, or by an
//! approver outside. It is asked once, and waited for; where a call may not wait long, the client
//! comes again with its sealed state.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use rmcp::model::{
    CustomNotification, ElicitRequest, ElicitRequestParams, ElicitResult, ElicitationAction,
    ErrorCode, InputRequest, InputRequiredResult, ServerNotification,
};

use super::{QUESTION, Round, Settled, Shared, declined};
use crate::{
    approval::{Approver, Decision, DeskError, Offer, Pending, Person, Question, Standing},
    call::nonce,
    layer::{commit::ROUND_TTL, load_shed::overloaded},
    pipeline::{Checked, CheckedOp, McpReply, Refusal, code},
    state::StoreError,
};

/// Who answers.
pub(super) enum Via {
    /// Whoever the client shows the link to.
    Page,
    Outside(Arc<dyn Approver>),
}

impl Shared {
    /// 2026-07-28: the link is the answer of this round. The client comes again when its user
    /// has been there, or has not yet.
    pub(super) async fn wait_in_a_round(
        &self,
        mut request: Checked,
        purpose: &str,
        round: Option<Round>,
        via: &Via,
    ) -> Result<Settled, Refusal> {
        let id = match round.and_then(|round| round.page) {
            Some(id) => {
                request.journey().note_approval(&id);
                id
            }
            None => {
                let id = self.put(&request, purpose, via).await?;
                if let Via::Page = via {
                    return self.come_again(&request, purpose, id, via);
                }
                id
            }
        };
        // That a client says "accept" says that its user has seen the link: nothing more.
        let answer = request
            .rounds_mut()
            .responses
            .as_mut()
            .and_then(|responses| responses.remove(QUESTION));
        if let Some(answer) = answer {
            let answer: ElicitResult =
                serde_json::from_value(answer).map_err(|_| declined("malformed answer"))?;
            if answer.action != ElicitationAction::Accept {
                return Err(declined("the link was not followed"));
            }
        }
        let standing = match Arc::clone(&self.waiting).try_acquire_owned() {
            Ok(_waiting) => {
                let _person = request.journey().waits_for_a_person();
                self.asking.desk.wait(&id, self.patience).await
            }
            // As many wait as may: this one is told at once how it stands.
            Err(_) => self.asking.desk.standing(&id).await,
        };
        match standing.map_err(|error| out_of_reach(&error))? {
            Standing::Waiting => self.come_again(&request, purpose, id, via),
            settled => self.settled(request, id, settled),
        }
    }

    /// 2025-11-25: the call waits, and the server sends the link meanwhile.
    pub(super) async fn wait_at_once(
        &self,
        request: Checked,
        purpose: &str,
        via: &Via,
    ) -> Result<Settled, Refusal> {
        let Ok(_waiting) = Arc::clone(&self.waiting).try_acquire_owned() else {
            return Err(overloaded(
                "approve/waiting",
                "too many calls wait for a person",
            ));
        };
        let id = self.put(&request, purpose, via).await?;
        let decided = {
            let _person = request.journey().waits_for_a_person();
            let settled = self.asking.desk.wait(&id, self.timeout);
            tokio::pin!(settled);
            let early = match via {
                Via::Outside(_) => None,
                Via::Page => {
                    let link = self.link(&request, &id)?;
                    let peer = request.context().peer.clone();
                    let shown = async {
                        let answer = peer
                            .create_elicitation_with_timeout(link, Some(self.timeout))
                            .await
                            .map_err(|error| nobody(error.to_string()))?;
                        match answer.action {
                            ElicitationAction::Accept => Ok(()),
                            _ => Err(declined("the link was not followed")),
                        }
                    };
                    // A client may say that the link was seen before its user has answered, or
                    // after.
                    tokio::select! {
                        settled = &mut settled => Some(settled),
                        shown = shown => {
                            shown?;
                            None
                        }
                    }
                }
            };
            match early {
                Some(settled) => settled,
                None => settled.await,
            }
            .map_err(|error| out_of_reach(&error))?
        };
        if let Via::Page = via {
            self.tell_that_it_is_done(&request, &id).await;
        }
        self.settled(request, id, decided)
    }

    /// `notifications/elicitation/complete`, for the session that asked alone (2025-11-25,
    /// elicitation, "Completion Notifications"): its client need not ask its user whether they are
    /// back. What becomes of it is the client's business.
    async fn tell_that_it_is_done(&self, request: &Checked, id: &str) {
        let what = CustomNotification::new(
            "notifications/elicitation/complete",
            Some(serde_json::json!({ "elicitationId": id })),
        );
        let told = request
            .context()
            .peer
            .send_notification(ServerNotification::CustomNotification(what));
        let _ = tokio::time::timeout(TELLING, told).await;
    }

    fn settled(
        &self,
        mut request: Checked,
        id: String,
        standing: Standing,
    ) -> Result<Settled, Refusal> {
        match standing {
            Standing::Agreed(decisions) => {
                self.agreed(&mut request, id, decisions);
                Ok(Settled::GoOn(request))
            }
            Standing::Refused => Err(declined("a person said no")),
            Standing::Waiting | Standing::Gone => Err(nobody("nobody answered in time")),
        }
    }

    /// What was agreed to is redeemed once, when the work is committed.
    fn agreed(&self, request: &mut Checked, id: String, decisions: Vec<Decision>) {
        request.approve(&super::Agreed(()));
        let journey = request.journey();
        if let Some(last) = decisions.last() {
            let _ = journey.approval.set(last.how.as_str());
        }
        let _ = journey.approved_by.set(decisions);
        request.rounds_mut().nonce = Some(id);
    }

    /// Puts the question, once.
    async fn put(&self, request: &Checked, purpose: &str, via: &Via) -> Result<String, Refusal> {
        let mut pending = self.pending(request, purpose)?;
        if let Via::Outside(approver) = via {
            pending.approver = Some(approver.name().to_owned());
        }
        let desk = &self.asking.desk;
        let id = desk.ask(&pending).await.map_err(not_asked)?;
        request.journey().note_approval(&id);
        if let Via::Outside(approver) = via {
            let origin = self.asking.origin();
            let name = approver.name();
            let question = Question::new(Arc::clone(desk), name, id.clone(), pending, origin);
            let asked = tokio::time::timeout(self.timeout, approver.ask(question)).await;
            match asked {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Err(unreached(error.to_string())),
                Err(_) => return Err(unreached("the approver did not answer")),
            }
        }
        Ok(id)
    }

    fn pending(&self, request: &Checked, purpose: &str) -> Result<Pending, Refusal> {
        let (index, entry, arguments) = self.called(request)?;
        let principal = request.principal();
        let asking = &self.asking;
        let (people, others) = asking.approvals.needs(entry.about.name);
        Ok(Pending {
            caller: Person::of(principal),
            client: principal.client().map(str::to_owned),
            server: asking.server.to_owned(),
            manifest: asking.manifest.clone(),
            tool: entry.about.name.to_owned(),
            title: entry.about.title.map(str::to_owned),
            description: entry.about.description.to_owned(),
            effects: asking.effects.get(index).cloned().unwrap_or_default(),
            held: request.held().map(|why| {
                format!("it can send to an address that is chosen at run time, and {why}")
            }),
            arguments: arguments.clone(),
            purpose: purpose.to_owned(),
            people,
            others_only: others.map(str::to_owned),
            remember: asking
                .approvals
                .remembers(entry.about.name)
                // A flow of data is looked at each time.
                .filter(|_| request.held().is_none())
                .map(|(time, same)| Offer::of(time, arguments, same)),
            approver: None,
            nonce: nonce().ok_or_else(|| Refusal::failed("approve/nonce", "no randomness"))?,
            until: asking.desk.until(),
        })
    }

    /// The answer of a round that is not settled: the link, or nothing but the state.
    fn come_again(
        &self,
        request: &Checked,
        purpose: &str,
        id: String,
        via: &Via,
    ) -> Result<Settled, Refusal> {
        let link = match via {
            Via::Page => Some(self.link(request, &id)?),
            Via::Outside(_) => None,
        };
        let round = Round {
            approved: false,
            nonce: id.clone(),
            answers: BTreeMap::new(),
            asked: vec![QUESTION.to_owned()],
            page: Some(id),
        };
        let state = self
            .sealer
            .seal(&round, request.principal(), purpose, ROUND_TTL)
            .ok_or_else(|| Refusal::failed("approve/seal", "the state could not be sealed"))?
            .into_string();
        let reply = match link {
            Some(link) => {
                let asked = InputRequest::Elicitation(ElicitRequest::new(link));
                let requests = BTreeMap::from([(QUESTION.to_owned(), asked)]);
                let mut reply = InputRequiredResult::from_input_requests(requests);
                reply.request_state = Some(state);
                reply
            }
            None => InputRequiredResult::from_request_state(state),
        };
        Ok(Settled::Ask(McpReply::CallTool(reply.into())))
    }

    /// Nothing of the call is in the link or beside it: a client shows both to whomever it likes.
    fn link(&self, request: &Checked, id: &str) -> Result<ElicitRequestParams, Refusal> {
        let CheckedOp::Tool { index, .. } = request.op() else {
            return Err(Refusal::failed("approve/op", "only tools are approved"));
        };
        let tool = self.registry.tools.get(*index);
        let tool = tool.map_or("", |entry| entry.about.name);
        let url = self.asking.link(id);
        let url = url.ok_or_else(|| Refusal::failed("approve/page", "there is no page"))?;
        Ok(ElicitRequestParams::UrlElicitationParams {
            meta: None,
            message: format!(
                "The tool `{tool}` runs when you approve it. The page shows exactly what it will \
                 be given."
            ),
            url,
            elicitation_id: id.to_owned(),
        })
    }
}

fn not_asked(error: DeskError) -> Refusal {
    match error {
        DeskError::Full => overloaded("approve/pending", "too many questions wait for an answer"),
        DeskError::Long => Refusal::denied(
            "approve/size",
            ErrorCode::INVALID_PARAMS,
            "the arguments are too long for a person to approve",
            "the arguments exceed what is shown in full",
        )
        .into_tool_result(),
        DeskError::Store(error) => out_of_reach(&error),
        DeskError::NoRandomness => Refusal::failed("approve/nonce", "no randomness"),
    }
}

fn out_of_reach(error: &StoreError) -> Refusal {
    Refusal::failed("approve/store", error.to_string())
}

fn nobody(reason: impl Into<std::borrow::Cow<'static, str>>) -> Refusal {
    Refusal::denied(
        "approve/unanswered",
        code::NOT_APPROVED,
        "nobody agreed to this call",
        reason,
    )
}

fn unreached(reason: impl Into<std::borrow::Cow<'static, str>>) -> Refusal {
    Refusal::denied(
        "approve/approver",
        code::NOT_APPROVED,
        "nobody could be asked to agree to this call",
        reason,
    )
}

/// A client that does not read is not waited for.
const TELLING: Duration = Duration::from_secs(1);

/// How long one round of a client waits for the person, who may be at the page by then. Shorter
/// than what clients and proxies give one answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
