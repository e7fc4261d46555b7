//! One decision.

use std::collections::{BTreeSet, HashMap};

use cedar_policy::{
    AuthorizationError, Authorizer, Context, Decision, Entities, PartialResponse, PolicyId,
    PolicySet, Request, RestrictedExpression,
};
use chrono::{DateTime, Datelike as _, Utc};

use super::{
    value::{self, Unfit},
    world::{Action, World},
};
use crate::policy::{Decider, Question, Ruling};

/// Policies, ready to decide.
pub(super) struct Cedar {
    world: World,
    slices: HashMap<String, Slice>,
    authorizer: Authorizer,
}

/// What is about one action.
pub(super) struct Slice {
    pub(super) policies: PolicySet,
    /// The arguments that a policy may look at. Others are not converted: they cost nothing, and
    /// cannot deny by having no form in Cedar.
    pub(super) reads: BTreeSet<String>,
    /// A policy may look at the time.
    pub(super) timed: bool,
}

impl Cedar {
    pub(super) fn new(world: World, slices: Vec<(String, Slice)>) -> Self {
        Self {
            world,
            slices: slices.into_iter().collect(),
            authorizer: Authorizer::new(),
        }
    }

    /// The request as Cedar has it. Without arguments, with an unknown in their place.
    fn put<'a>(
        &'a self,
        question: &Question<'_>,
        whole: bool,
    ) -> Result<(&'a Slice, Request, Entities), Unfit> {
        let unfit = |what: &str| Unfit(what.to_owned());
        let (action, resource, thing) = self
            .world
            .action(question)
            .ok_or_else(|| unfit("the action"))?;
        let slice = self
            .slices
            .get(action.uid.id().unescaped())
            .ok_or_else(|| unfit("the action"))?;
        let (principal, who) = self
            .world
            .principal(question.principal)
            .ok_or_else(|| unfit("the principal"))?;
        let context = context(action, slice, question, whole)?;
        let request = Request::builder()
            .principal(principal)
            .action(action.uid.clone())
            .resource(resource.clone())
            .context(context)
            .build();
        let entities = action.entities.iter().cloned().chain([thing.clone(), who]);
        let entities =
            Entities::from_entities(entities, None).map_err(|_| unfit("the entities"))?;
        Ok((slice, request, entities))
    }
}

impl Decider for Cedar {
    fn decide(&self, question: &Question<'_>) -> Ruling {
        let (slice, request, entities) = match self.put(question, true) {
            Ok(put) => put,
            Err(unfit) => return unfit.ruling(),
        };
        let response = self
            .authorizer
            .is_authorized(&request, &slice.policies, &entities);
        // Cedar goes on without a policy that fails. If that is a `forbid`, what it was written
        // against goes through: who can make it fail (by an amount whose sum overflows) is past
        // it. So an error denies, whatever the others say.
        let failed = ids(response.diagnostics().errors().map(|error| match error {
            AuthorizationError::PolicyEvaluationError(error) => error.policy_id(),
        }));
        if !failed.is_empty() {
            return Ruling::error(failed, FAILED);
        }
        let deciding = ids(response.diagnostics().reason());
        match response.decision() {
            Decision::Allow => Ruling::permit(deciding),
            Decision::Deny if deciding.is_empty() => Ruling::deny(deciding, NOT_PERMITTED),
            Decision::Deny => Ruling::deny(deciding, FORBIDDEN),
        }
    }

    fn foresee(&self, question: &Question<'_>) -> Option<Ruling> {
        let (slice, request, entities) = match self.put(question, false) {
            Ok(put) => put,
            Err(unfit) => return Some(unfit.ruling()),
        };
        let response = self
            .authorizer
            .is_authorized_partial(&request, &slice.policies, &entities);
        if let Some(decided) = foreseen(&response) {
            return decided.err();
        }
        if !slice.timed {
            return None;
        }
        // The time is left out at first: beside a call of a function Cedar does not look into
        // what else is known.
        let now = now(question);
        let response = response
            .reauthorize_with_bindings([(NOW, &now)], &self.authorizer, &entities)
            .ok()?;
        foreseen(&response)?.err()
    }
}

/// What is decided already, if something is: permitted, or denied by this ruling.
fn foreseen(response: &PartialResponse) -> Option<Result<(), Ruling>> {
    // What fails before any argument is looked at fails for all of them.
    let failed = ids(response.definitely_errored());
    if !failed.is_empty() {
        return Some(Err(Ruling::error(failed, FAILED)));
    }
    match response.decision()? {
        Decision::Allow => Some(Ok(())),
        Decision::Deny => {
            let must = response.must_be_determining();
            let mut deciding: Vec<String> = must.map(|policy| policy.id().to_string()).collect();
            deciding.sort();
            let reason = match deciding.is_empty() {
                true => NOT_PERMITTED,
                false => FORBIDDEN,
            };
            Some(Err(Ruling::deny(deciding, reason)))
        }
    }
}

impl Unfit {
    fn ruling(self) -> Ruling {
        let Self(place) = self;
        let reason = format!("`{place}` cannot be put before the policies");
        Ruling::error(Vec::new(), reason)
    }
}

/// `whole` if the arguments are known.
fn context(
    action: &Action,
    slice: &Slice,
    question: &Question<'_>,
    whole: bool,
) -> Result<Context, Unfit> {
    let unknown = RestrictedExpression::new_unknown;
    let text = |text: &str| RestrictedExpression::new_string(text.to_owned());
    let time: DateTime<Utc> = question.now.into();
    let taint = [
        ("untrusted_text", question.taint.has_untrusted_text()),
        ("secret", question.taint.has_met_secrets()),
        ("private", question.taint.has_read_private()),
    ];
    let taint = taint.map(|(name, is)| (name.to_owned(), RestrictedExpression::new_bool(is)));
    let mut context = vec![
        (NOW, if whole { now(question) } else { unknown(NOW) }),
        (
            "weekday",
            RestrictedExpression::new_long(i64::from(time.weekday().number_from_monday())),
        ),
        (
            "taint",
            RestrictedExpression::new_record(taint).map_err(|_| Unfit("taint".to_owned()))?,
        ),
    ];
    if let Some(args) = &action.args {
        let args = match question.arguments {
            Some(given) if whole => {
                let wanted = |name: &str| slice.reads.contains(name);
                value::object(args, given, wanted)?
            }
            None if whole => return Err(Unfit("the arguments".to_owned())),
            _ => unknown("args"),
        };
        context.push(("args", args));
    }
    if action.has_uri {
        let uri = match question.uri {
            Some(uri) if whole => text(uri),
            None if whole => return Err(Unfit("the URI".to_owned())),
            _ => unknown("uri"),
        };
        context.push(("uri", uri));
    }
    if let Some(argument) = question.completes {
        context.push(("argument", text(argument)));
    }
    let context = context.into_iter().map(|(name, v)| (name.to_owned(), v));
    Context::from_pairs(context).map_err(|_| Unfit("the arguments".to_owned()))
}

fn now(question: &Question<'_>) -> RestrictedExpression {
    let time: DateTime<Utc> = question.now.into();
    RestrictedExpression::new_datetime(time.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
}

fn ids<'a>(ids: impl Iterator<Item = &'a PolicyId>) -> Vec<String> {
    let mut ids: Vec<String> = ids.map(ToString::to_string).collect();
    ids.sort();
    ids
}

const NOW: &str = "now";
const FAILED: &str = "a policy could not be evaluated";
const FORBIDDEN: &str = "a policy forbids it";
const NOT_PERMITTED: &str = "no policy permits it";
