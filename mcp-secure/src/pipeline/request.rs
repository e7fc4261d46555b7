//! A request on its way: before the checks ([`McpRequest`]) and after them ([`Checked`]).

use std::{collections::BTreeMap, sync::Arc};

use rmcp::{
    RoleServer,
    model::{InputResponses, JsonObject},
    service::RequestContext,
};

use super::{Connection, Journey, McpOp, Taint};
use crate::auth::Principal;

/// A typed request with its context, as layers outside the checks see it.
///
/// This is what your own [`tower::Layer`]s are given: after the caller is known, before
/// anything is decided.
pub struct McpRequest(Box<Inner>);

pub(crate) struct Inner {
    pub(crate) op: McpOp,
    pub(crate) context: RequestContext<RoleServer>,
    pub(crate) journey: Arc<Journey>,
    pub(crate) connection: Arc<Connection>,
}

/// Travels with a request whose client cancels it by going away, and whose future is dropped
/// then.
#[derive(Clone)]
#[cfg_attr(not(feature = "http"), allow(dead_code, reason = "only HTTP has such"))]
pub(crate) struct LeavingCancels;

impl McpRequest {
    pub(crate) fn new(
        op: McpOp,
        context: RequestContext<RoleServer>,
        journey: Arc<Journey>,
        connection: Arc<Connection>,
    ) -> Self {
        Self(Box::new(Inner {
            op,
            context,
            journey,
            connection,
        }))
    }

    /// What is asked.
    pub fn op(&self) -> &McpOp {
        &self.0.op
    }

    /// What is asked, to be changed before it is checked. What you write here passes the
    /// same checks as what the client wrote.
    pub fn op_mut(&mut self) -> &mut McpOp {
        &mut self.0.op
    }

    /// Who asks. `None` only outside the identity layer.
    pub fn principal(&self) -> Option<&Principal> {
        self.0.journey.principal.get()
    }

    /// The id under which the audit log and masked errors speak of this request.
    pub fn correlation_id(&self) -> &str {
        self.0.journey.id.as_str()
    }

    /// What has been sent in this session before. A clone that is kept shows what this request
    /// adds.
    pub fn taint(&self) -> &Taint {
        self.0.connection.taint()
    }

    pub(crate) fn context(&self) -> &RequestContext<RoleServer> {
        &self.0.context
    }

    pub(crate) fn journey(&self) -> &Arc<Journey> {
        &self.0.journey
    }

    pub(crate) fn connection(&self) -> &Arc<Connection> {
        &self.0.connection
    }

    pub(crate) fn into_inner(self) -> Inner {
        *self.0
    }
}

/// A request that passed authorization and validation. It cannot be changed any more: what
/// was checked is what a person approves and what runs.
pub(crate) struct Checked(Box<CheckedInner>);

struct CheckedInner {
    op: CheckedOp,
    context: RequestContext<RoleServer>,
    journey: Arc<Journey>,
    principal: Principal,
    rounds: Rounds,
    approved: bool,
    /// Why a person must agree, beyond what the tool's handles say.
    held: Option<&'static str>,
}

#[allow(
    clippy::large_enum_variant,
    reason = "always behind the box of a checked request"
)]
/// What was asked, with names resolved to entries of the registry.
pub(crate) enum CheckedOp {
    Tool {
        index: usize,
        arguments: JsonObject,
    },
    Prompt {
        index: usize,
        arguments: JsonObject,
    },
    Resource {
        index: usize,
        uri: String,
        arguments: JsonObject,
    },
    Completion {
        index: usize,
        prefix: String,
    },
    /// Answered without user code; `cursor` is the opened offset of a list.
    Builtin {
        op: McpOp,
        offset: usize,
    },
}

/// The multi-round-trip side of a request (SEP-2322): what the client answered, and what it
/// carried for us.
#[derive(Default)]
pub(crate) struct Rounds {
    /// Answers to the last round, not validated.
    pub(crate) responses: Option<InputResponses>,
    /// The sealed state as it came.
    pub(crate) carried: Option<String>,
    /// Answers of earlier rounds, from the opened state.
    pub(crate) answers: BTreeMap<String, serde_json::Value>,
    /// The single-use number of the opened state; redeemed when the work is committed.
    pub(crate) nonce: Option<String>,
}

impl Checked {
    pub(crate) fn new(
        op: CheckedOp,
        context: RequestContext<RoleServer>,
        journey: Arc<Journey>,
        principal: Principal,
        rounds: Rounds,
    ) -> Self {
        let inner = CheckedInner {
            op,
            context,
            journey,
            principal,
            rounds,
            approved: false,
            held: None,
        };
        Self(Box::new(inner))
    }

    pub(crate) fn op(&self) -> &CheckedOp {
        &self.0.op
    }

    pub(crate) fn context(&self) -> &RequestContext<RoleServer> {
        &self.0.context
    }

    pub(crate) fn journey(&self) -> &Arc<Journey> {
        &self.0.journey
    }

    pub(crate) fn principal(&self) -> &Principal {
        &self.0.principal
    }

    pub(crate) fn rounds(&self) -> &Rounds {
        &self.0.rounds
    }

    pub(crate) fn rounds_mut(&mut self) -> &mut Rounds {
        &mut self.0.rounds
    }

    /// A person must agree to this call, whatever its handles say; called by the flow layer.
    pub(crate) fn hold(&mut self, why: &'static str) {
        self.0.held = Some(why);
    }

    pub(crate) fn held(&self) -> Option<&'static str> {
        self.0.held
    }

    /// The one place where a person's agreement enters; called by the approve layer.
    pub(crate) fn approve(&mut self, _: &crate::layer::approve::Agreed) {
        self.0.approved = true;
    }

    #[cfg(feature = "upstream")]
    pub(crate) fn is_approved(&self) -> bool {
        self.0.approved
    }

    pub(crate) fn into_parts(
        self,
    ) -> (
        CheckedOp,
        RequestContext<RoleServer>,
        Arc<Journey>,
        Principal,
        Rounds,
        bool,
    ) {
        let CheckedInner {
            op,
            context,
            journey,
            principal,
            rounds,
            approved,
            held: _,
        } = *self.0;
        (op, context, journey, principal, rounds, approved)
    }
}
