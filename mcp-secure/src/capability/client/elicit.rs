//! Questions to the person at the client.

use rmcp::model::{
    ElicitRequest, ElicitRequestParams, ElicitResult, ElicitationAction, ElicitationSchema,
    InputRequest,
};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::ask::{Question, ask, ask_all, can_ask};
use crate::{
    call::{Call, ClientSide},
    capability::{Facts, Handle, Lease, sealed::Sealed},
    error::{ToolError, ToolResult},
};

/// Asks the person at the client to fill in a form.
///
/// It does nothing by itself, so it needs no approval; and it proves only that the *client*
/// says that a person answered. Never ask for a secret: forms pass through the client.
///
/// A client that did not declare elicitation is told so and the tool ends.
pub struct Elicit {
    client: ClientSide,
    lease: Lease,
}

/// What the person did.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Filled in the form; this conforms to the schema that was asked for.
    Accepted(Value),
    /// Said no.
    Declined,
    /// Closed the form.
    Cancelled,
}

impl Elicit {
    /// Asks for a flat struct of strings, numbers, switches and enums. `None` if the person
    /// declined or closed the form.
    ///
    /// # Errors
    ///
    /// When the client cannot ask, or its answer does not have the shape of `T`. In the
    /// 2026-07-28 revision the first run of the tool ends here: pass the error on with `?`.
    pub async fn form<T: DeserializeOwned + JsonSchema>(
        &self,
        message: impl Into<String>,
    ) -> ToolResult<Option<T>> {
        let mut schema = serde_json::to_value(schemars::schema_for!(T))?;
        crate::audit::take_marks(&mut schema);
        match self.ask(message, serde_json::from_value(schema)?).await? {
            Answer::Accepted(content) => Ok(Some(
                serde_json::from_value(content).map_err(|e| malformed(e.to_string()))?,
            )),
            Answer::Declined | Answer::Cancelled => Ok(None),
        }
    }

    /// Asks with a schema made by hand.
    ///
    /// # Errors
    ///
    /// As [`form`](Self::form).
    pub async fn ask(
        &self,
        message: impl Into<String>,
        schema: ElicitationSchema,
    ) -> ToolResult<Answer> {
        let expected = serde_json::to_value(&schema)?;
        let answer = ask(&self.client, &self.lease, request(message.into(), schema)).await?;
        checked(answer, &expected)
    }

    /// Asks under a name of your own: the key of the answer in the 2026-07-28 revision, for
    /// clients that look at it. Each name may be asked once in a call.
    ///
    /// # Errors
    ///
    /// As [`form`](Self::form).
    pub async fn ask_named(
        &self,
        name: &'static str,
        message: impl Into<String>,
        schema: ElicitationSchema,
    ) -> ToolResult<Answer> {
        let expected = serde_json::to_value(&schema)?;
        let question = Question {
            name: Some(name),
            request: request(message.into(), schema),
        };
        checked(ask(&self.client, &self.lease, question).await?, &expected)
    }

    /// Whether the client says that it can ask a person at all.
    pub fn is_available(&self) -> bool {
        can_ask(&self.client, |all| all.elicitation.is_some())
    }

    /// Asks several things in one round, each as [`ask`](Self::ask) would.
    ///
    /// # Errors
    ///
    /// As [`form`](Self::form).
    pub async fn ask_all(
        &self,
        questions: Vec<(String, ElicitationSchema)>,
    ) -> ToolResult<Vec<Answer>> {
        let expected: Vec<Value> = questions
            .iter()
            .map(|(_, schema)| serde_json::to_value(schema))
            .collect::<Result<_, _>>()?;
        let questions = questions
            .into_iter()
            .map(|(message, schema)| request(message, schema).into())
            .collect();
        let answers = ask_all(&self.client, &self.lease, questions).await?;
        answers
            .into_iter()
            .zip(&expected)
            .map(|(answer, schema)| checked(answer, schema))
            .collect()
    }
}

pub(super) fn request(message: String, requested_schema: ElicitationSchema) -> InputRequest {
    InputRequest::Elicitation(ElicitRequest::new(
        ElicitRequestParams::FormElicitationParams {
            meta: None,
            message,
            requested_schema,
        },
    ))
}

/// What comes back is unvalidated JSON of the client's; it is held against what was asked.
pub(super) fn checked(answer: Value, expected: &Value) -> ToolResult<Answer> {
    let answer: ElicitResult =
        serde_json::from_value(answer).map_err(|e| malformed(e.to_string()))?;
    match answer.action {
        ElicitationAction::Accept => {
            let content = answer
                .content
                .unwrap_or_else(|| Value::Object(Default::default()));
            let validator = jsonschema::draft202012::options()
                .with_pattern_options(jsonschema::PatternOptions::regex())
                .build(expected)
                .map_err(|e| ToolError::internal(e.masked()))?;
            match validator.validate(&content) {
                Ok(()) => Ok(Answer::Accepted(content)),
                Err(error) => Err(malformed(error.masked().to_string())),
            }
        }
        ElicitationAction::Decline => Ok(Answer::Declined),
        ElicitationAction::Cancel => Ok(Answer::Cancelled),
        _ => Err(malformed("an action that is not known".to_owned())),
    }
}

fn malformed(detail: String) -> ToolError {
    ToolError::refused(
        "elicit/answer",
        "the answer does not match the form",
        detail,
    )
}

impl Sealed for Elicit {}

impl Handle for Elicit {
    const FACTS: &'static [Facts] = &[Facts::inert("elicit")];

    fn lend(call: &mut Call) -> ToolResult<Self> {
        Ok(Self {
            client: call.client.clone(),
            lease: call.lease.clone(),
        })
    }
}
