//! What the records say of a question, which is less than what a person is shown of it: no
//! argument, and no more memory than a name takes.

use serde::{Deserialize, Serialize};

use super::{Pending, Person};
use crate::audit::{Audit, shape};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Matter {
    pub(crate) caller: Person,
    pub(crate) client: Option<String>,
    pub(crate) tool: String,
    /// How many had to agree.
    pub(crate) people: u8,
    /// Of the arguments: their shape, and their digest by the key of the log.
    pub(crate) arguments: String,
    pub(crate) arguments_digest: Option<String>,
}

impl Matter {
    pub(crate) fn of(pending: &Pending, audit: Option<&Audit>) -> Self {
        let digest = audit.and_then(|audit| audit.key().arguments(&pending.arguments));
        Self {
            caller: pending.caller.clone(),
            client: pending.client.clone(),
            tool: pending.tool.clone(),
            people: pending.people,
            arguments: shape(&pending.arguments),
            arguments_digest: digest.map(|(digest, _)| digest),
        }
    }
}
