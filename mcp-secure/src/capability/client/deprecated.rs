//! Sampling and roots: deprecated by SEP-2577, here for servers that must still serve them.
#![allow(deprecated)]

use rmcp::model::{
    CreateMessageRequest, CreateMessageRequestParams, CreateMessageResult, InputRequest,
    ListRootsRequest, ListRootsResult,
};

use super::{
    Answer,
    ask::{ask, ask_all, can_ask},
    elicit,
};
use crate::{
    call::{Call, ClientSide},
    capability::{Facts, Handle, Lease, sealed::Sealed},
    error::{ToolError, ToolResult},
};

/// Asks the client's model. The answer is text of a model: do not treat it as checked.
pub struct Sample {
    client: ClientSide,
    lease: Lease,
}

impl Sample {
    /// Lets the client's model write a message.
    ///
    /// # Errors
    ///
    /// When the client cannot, or will not.
    pub async fn create_message(
        &self,
        params: CreateMessageRequestParams,
    ) -> ToolResult<CreateMessageResult> {
        let request = InputRequest::CreateMessage(CreateMessageRequest::new(params));
        let answer = ask(&self.client, &self.lease, request).await?;
        serde_json::from_value(answer).map_err(|e| {
            ToolError::refused(
                "sample/answer",
                "the client's answer is malformed",
                e.to_string(),
            )
        })
    }

    /// Whether the client says that its model can be asked.
    pub fn is_available(&self) -> bool {
        can_ask(&self.client, |all| all.sampling.is_some())
    }

    /// A question to the person, one to the model and one for the roots, in one round.
    ///
    /// # Errors
    ///
    /// When the client cannot, or will not.
    pub async fn with_form_and_roots(
        &self,
        params: CreateMessageRequestParams,
        message: impl Into<String>,
        schema: rmcp::model::ElicitationSchema,
    ) -> ToolResult<(CreateMessageResult, Answer, ListRootsResult)> {
        let questions = vec![
            elicit::request(message.into(), schema.clone()).into(),
            InputRequest::CreateMessage(CreateMessageRequest::new(params)).into(),
            InputRequest::ListRoots(ListRootsRequest::default()).into(),
        ];
        let mut answers = ask_all(&self.client, &self.lease, questions)
            .await?
            .into_iter();
        let mut next = || answers.next().unwrap_or_default();
        let answer = elicit::checked(next(), &serde_json::to_value(&schema)?)?;
        let malformed = |e: serde_json::Error| {
            ToolError::refused(
                "sample/answer",
                "the client's answer is malformed",
                e.to_string(),
            )
        };
        let sampled = serde_json::from_value(next()).map_err(malformed)?;
        let roots = serde_json::from_value(next()).map_err(malformed)?;
        Ok((sampled, answer, roots))
    }
}

/// Asks the client for its roots. They are a hint of the client's and grant nothing.
pub struct Roots {
    client: ClientSide,
    lease: Lease,
}

impl Roots {
    /// The roots that the client names.
    ///
    /// # Errors
    ///
    /// When the client cannot, or will not.
    pub async fn list(&self) -> ToolResult<ListRootsResult> {
        let request = InputRequest::ListRoots(ListRootsRequest::default());
        let answer = ask(&self.client, &self.lease, request).await?;
        serde_json::from_value(answer).map_err(|e| {
            ToolError::refused(
                "roots/answer",
                "the client's answer is malformed",
                e.to_string(),
            )
        })
    }
}

impl Sealed for Sample {}

impl Handle for Sample {
    /// What it sends leaves the server for a model that the client chooses.
    const FACTS: &'static [Facts] = &[Facts {
        open_world: true,
        ..Facts::inert("sample")
    }];

    fn lend(call: &mut Call) -> ToolResult<Self> {
        Ok(Self {
            client: call.client.clone(),
            lease: call.lease.clone(),
        })
    }
}

impl Sealed for Roots {}

impl Handle for Roots {
    const FACTS: &'static [Facts] = &[Facts::inert("roots")];

    fn lend(call: &mut Call) -> ToolResult<Self> {
        Ok(Self {
            client: call.client.clone(),
            lease: call.lease.clone(),
        })
    }
}
