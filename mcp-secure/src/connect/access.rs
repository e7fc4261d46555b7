//! One thing that each caller has of their own.

use std::sync::Arc;

use super::key::{self, Key};
use crate::{
    audit::Audit,
    auth::{
        Principal,
        oauth::upstream::{Account, accounts_of},
    },
    capability::{Opening, net::NetError},
    state::Store,
    vault::People,
};

/// What a grant spends of each caller's. A clone is the same one.
#[derive(Clone)]
pub(crate) enum Access {
    /// An account at another server.
    Account(Account),
    /// A credential that they enter.
    Key(Key),
}

/// All that callers give to a server, once its grants are open.
pub(crate) fn all(opening: &mut Opening) -> Vec<Access> {
    let accounts = accounts_of(opening).into_iter().map(Access::Account);
    let mut all: Vec<Access> = accounts.collect();
    all.extend(key::all(opening).into_iter().map(Access::Key));
    all
}

impl Access {
    /// The grant that spends it.
    pub(crate) fn capability(&self) -> &'static str {
        match self {
            Self::Account(account) => account.capability(),
            Self::Key(key) => key.capability(),
        }
    }

    /// What is called with it, for who is asked for it.
    pub(super) fn target(&self) -> &str {
        match self {
            Self::Account(account) => account.target(),
            Self::Key(key) => key.target(),
        }
    }

    /// What it is called among the credentials of a caller.
    pub(super) fn entry(&self) -> &str {
        match self {
            Self::Account(account) => account.entry(),
            Self::Key(key) => key.name(),
        }
    }

    /// Where all that callers have is kept.
    pub(super) fn people(&self) -> &Arc<People> {
        match self {
            Self::Account(account) => account.people(),
            Self::Key(key) => key.people(),
        }
    }

    /// Whether persons type a code elsewhere.
    pub(crate) fn is_by_device(&self) -> bool {
        match self {
            Self::Account(account) => account.is_by_device(),
            Self::Key(_) => false,
        }
    }

    /// What a person does on the page.
    pub(crate) fn words(&self) -> &'static str {
        match self {
            Self::Account(_) => "Connect your account there on this page, once.",
            Self::Key(_) => "Enter your key for it on this page, once, and nowhere else.",
        }
    }

    /// Replicas speak to each other by this.
    pub(crate) fn share(&self, store: &Arc<dyn Store>) {
        if let Self::Account(account) = self {
            account.share(store);
        }
    }

    /// What becomes of it without its caller is written down there.
    pub(crate) fn record_in(&self, audit: &Arc<Audit>) {
        if let Self::Account(account) = self {
            account.record_in(audit);
        }
    }

    /// Nothing, where this caller has one that can be spent.
    pub(crate) async fn is_there(&self, caller: &Principal) -> Result<(), NetError> {
        match self {
            Self::Account(account) => account.spent(Some(caller)).await.map(|_| ()),
            Self::Key(key) => key.is_there(caller).await,
        }
    }
}
