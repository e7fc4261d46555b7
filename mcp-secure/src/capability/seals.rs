//! What a client carries for a tool: baskets, job numbers, places in a list.

use std::{borrow::Cow, fmt, marker::PhantomData, sync::Arc, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use sha2::{Digest as _, Sha256};

use super::{Facts, Handle, Lease, sealed};
use crate::{
    auth::Principal,
    call::Call,
    error::{ToolError, ToolResult},
    hex::hex,
    state::{Sealer, Store},
};

/// A value that clients carry between calls of tools.
///
/// ```
/// use std::time::Duration;
/// use mcp_secure::{serde, state::Carried};
///
/// /// An order that was put together and not yet sent.
/// #[derive(serde::Serialize, serde::Deserialize)]
/// # #[serde(crate = "mcp_secure::serde")]
/// struct Draft { order: u64 }
///
/// impl Carried for Draft {
///     const PURPOSE: &'static str = "draft of an order";
///     const LIFETIME: Duration = Duration::from_secs(15 * 60);
/// }
/// ```
pub trait Carried: Serialize + DeserializeOwned + Send + 'static {
    /// What it is, and nothing else is: what was sealed for another purpose does not open.
    const PURPOSE: &'static str;
    /// How long it is good for.
    const LIFETIME: Duration;
}

/// Text that stands for a [`Carried`] value: an argument and an answer of tools.
///
/// It is encrypted and authenticated (XChaCha20-Poly1305). Who carries it learns nothing from it
/// and can change nothing; who steals it has nothing, because it opens only for the issuer,
/// subject and client whom it was sealed for (OWASP calls the contrary an insecure direct object
/// reference; the spec's best practices, state handle hijacking).
pub struct Sealed<T>(String, PhantomData<fn() -> T>);

/// Seals [`Carried`] values for the caller and opens what the caller brings back.
///
/// ```
/// # use std::time::Duration;
/// use mcp_secure::{prelude::*, serde, schemars, state::Carried};
/// # #[derive(serde::Serialize, serde::Deserialize)]
/// # #[serde(crate = "mcp_secure::serde")]
/// # struct Draft { order: u64 }
/// # impl Carried for Draft {
/// #     const PURPOSE: &'static str = "draft of an order";
/// #     const LIFETIME: Duration = Duration::from_secs(15 * 60);
/// # }
/// # struct S;
/// # #[secure_server] impl S {
/// /// Begin an order.
/// #[tool(public)]
/// async fn draft(&self, order: u64, seals: Seals<Draft>) -> ToolResult<Sealed<Draft>> {
///     seals.seal(&Draft { order })
/// }
///
/// /// Send an order, once.
/// #[tool(public)]
/// async fn send(&self, draft: Sealed<Draft>, seals: Seals<Draft>) -> ToolResult<String> {
///     let draft = seals.redeem(draft).await?;
///     Ok(format!("sent {}", draft.order))
/// }
/// # }
/// ```
pub struct Seals<T> {
    sealing: Sealing,
    principal: Principal,
    lease: Lease,
    of: PhantomData<fn() -> T>,
}

/// What seals of a call are made with.
#[derive(Clone)]
pub(crate) struct Sealing {
    pub(crate) sealer: Sealer,
    pub(crate) store: Arc<dyn Store>,
}

impl<T: Carried> Seals<T> {
    /// Seals a value for the caller.
    ///
    /// # Errors
    ///
    /// If it cannot be written as JSON, and after the call has ended.
    pub fn seal(&self, value: &T) -> ToolResult<Sealed<T>> {
        self.live()?;
        let sealed = self
            .sealing
            .sealer
            .seal(value, &self.principal, &purpose::<T>(), T::LIFETIME)
            .ok_or_else(|| ToolError::internal("a value that a client carries has no JSON"))?
            .into_string();
        if sealed.len() > MAX_LEN {
            return Err(ToolError::internal(format!(
                "a value that a client carries is {} bytes, more than {MAX_LEN}, once sealed",
                sealed.len()
            )));
        }
        Ok(Sealed(sealed, PhantomData))
    }

    /// Opens what the caller brought. It can be brought again until it has run out.
    ///
    /// # Errors
    ///
    /// `handle/sealed` if it was not sealed here, for this caller and this purpose, or has run out. The
    /// caller is not told which.
    pub fn open(&self, sealed: &Sealed<T>) -> ToolResult<T> {
        self.live()?;
        self.sealing
            .sealer
            .open(&sealed.0, &self.principal, &purpose::<T>())
            .map_err(|_| {
                ToolError::refused(
                    "handle/sealed",
                    "this is not valid, or not any more",
                    format!("what was brought is no `{}` of this caller's", T::PURPOSE),
                )
            })
    }

    /// Opens it for the only time: of any number of calls with the same text, at all replicas, one
    /// is answered with the value.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open); `handle/used` if it was redeemed before; `handle/store` if that
    /// cannot be found out.
    pub async fn redeem(&self, sealed: Sealed<T>) -> ToolResult<T> {
        let value = self.open(&sealed)?;
        // The text has one form: base64 without padding whose spare bits must be zero.
        let key = format!("handle:{}", hex(&Sha256::digest(&sealed.0)));
        match self.sealing.store.insert_new(&key, T::LIFETIME).await {
            Ok(true) => Ok(value),
            Ok(false) => Err(ToolError::refused(
                "handle/used",
                "this was used before",
                format!(
                    "a `{}` that is good for one use was brought again",
                    T::PURPOSE
                ),
            )),
            Err(error) => Err(ToolError::refused(
                "handle/store",
                "the server cannot do this at the moment",
                format!(
                    "whether a `{}` was used before is not known: {error}",
                    T::PURPOSE
                ),
            )),
        }
    }

    fn live(&self) -> ToolResult<()> {
        if self.lease.is_live() {
            return Ok(());
        }
        Err(ToolError::internal(
            "a seal was used after its call had ended",
        ))
    }
}

/// Apart from what the server itself seals.
fn purpose<T: Carried>() -> String {
    format!("handle:{}", T::PURPOSE)
}

/// The longest text of a sealed value, in bytes.
const MAX_LEN: usize = 8192;

impl<T> Serialize for Sealed<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de, T> Deserialize<'de> for Sealed<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(String::deserialize(deserializer)?, PhantomData))
    }
}

impl<T> JsonSchema for Sealed<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Sealed".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "maxLength": MAX_LEN, "pattern": "^[A-Za-z0-9_-]+$" })
    }
}

impl<T> fmt::Debug for Sealed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed")
    }
}

impl<T: Send + 'static> crate::ToolOutput for Sealed<T> {
    fn into_reply(self) -> ToolResult<crate::ToolReply> {
        self.0.into_reply()
    }
}

impl<T> sealed::Sealed for Seals<T> {}

impl<T: Carried> Handle for Seals<T> {
    const FACTS: &'static [Facts] = &[Facts::inert("seals")];

    fn lend(call: &mut Call) -> ToolResult<Self> {
        let sealing = call
            .sealing
            .clone()
            .ok_or_else(|| ToolError::internal("there is nobody to seal for outside of a call"))?;
        Ok(Self {
            sealing,
            principal: call.principal.clone(),
            lease: call.lease.clone(),
            of: PhantomData,
        })
    }
}
