//! A credential of the caller's own, which they enter on a page: from their browser into the vault,
//! and through no client. What goes through a client is read by a model (spec, elicitation: no
//! secrets in a form).

use std::sync::Arc;

use secrecy::SecretString;

use crate::{
    Error, Result,
    auth::Principal,
    capability::{
        Opening,
        net::{NetError, Target},
    },
    vault::{self, NewCredential, Owner, People, Placement, Purse, Spends},
};

/// What each caller enters for one grant. A clone is the same one.
#[derive(Clone)]
pub(crate) struct Key(Arc<Inner>);

struct Inner {
    capability: &'static str,
    spends: Spends,
    placement: Placement,
    target: String,
    people: Arc<People>,
    purse: Purse,
}

/// What was opened for the grants of a server.
#[derive(Default)]
struct Keys(Vec<Key>);

impl Key {
    /// What callers may enter for this grant.
    ///
    /// # Errors
    ///
    /// When a page could not take it: it is not each caller's own, or goes into no request.
    pub(crate) fn open(
        capability: &'static str,
        spends: Option<Spends>,
        placement: &Placement,
        target: &Target,
        opening: &mut Opening,
    ) -> Result<()> {
        let spends = spends.filter(Spends::is_per_user).ok_or_else(|| {
            Error::new("callers are to enter a credential, and it spends none of theirs")
                .help("say `.credential_per_user(NAME)` before `.entered_by_callers(…)`")
        })?;
        if !matches!(
            placement,
            Placement::Bearer | Placement::Basic | Placement::Header(_)
        ) {
            return Err(Error::new(format!("a {placement} is entered on no page"))
                .help("name where it goes: `Placement::Bearer`, `Basic` or `Header`"));
        }
        let key = Self(Arc::new(Inner {
            capability,
            spends,
            placement: placement.clone(),
            target: target.to_string(),
            people: vault::people_to_write(opening)?,
            purse: Purse::open(spends, target, opening)?,
        }));
        // Now, and not when somebody enters one: a name or a host that cannot be kept.
        let _ = key.credential()?;
        if let Some(keys) = opening.shared::<Keys>() {
            keys.0.push(key);
        }
        Ok(())
    }

    pub(crate) fn capability(&self) -> &'static str {
        self.0.capability
    }

    /// What it is called in the vault.
    pub(crate) fn name(&self) -> &'static str {
        self.0.spends.name
    }

    pub(super) fn target(&self) -> &str {
        &self.0.target
    }

    pub(super) fn placement(&self) -> &Placement {
        &self.0.placement
    }

    pub(super) fn people(&self) -> &Arc<People> {
        &self.0.people
    }

    pub(super) async fn is_there(&self, caller: &Principal) -> std::result::Result<(), NetError> {
        let spent = self.0.purse.spent(Some(caller)).await?;
        let name = self.name();
        let Ok(owner) = Owner::new(caller.issuer(), caller.subject()) else {
            return Ok(());
        };
        // Not removed: one path of an endpoint that answers 401 is no reason to lose a key.
        match self.0.people.doubts().ask(&owner, name, spent.version()) {
            true => Err(NetError::NoCredential {
                detail: format!("the endpoint answered 401 to the caller's `{name}`"),
            }),
            false => Ok(()),
        }
    }

    /// Why this cannot be one, in words for who has entered it. Nothing of it is repeated.
    pub(super) fn check(&self, secret: &SecretString) -> Result<()> {
        self.credential()?.check(secret).map(|_| ())
    }

    /// Keeps what a caller has entered, for the host of the grant and no other.
    pub(super) async fn keep(&self, owner: Owner, secret: SecretString) -> Result<()> {
        let key = self.clone();
        let write = move || {
            let people = &key.0.people;
            let version = people.set(&owner, &key.credential()?, &secret)?;
            people.doubts().forget(&owner, key.name());
            Ok(version)
        };
        let written = tokio::task::spawn_blocking(write).await;
        written
            .map_err(|_| Error::new("the vault was not written"))?
            .map(|_| ())
    }

    fn credential(&self) -> Result<NewCredential> {
        NewCredential::new(
            self.name(),
            self.0.placement.clone(),
            [self.0.target.as_str()],
        )
    }
}

/// All that callers may enter at a server, once its grants are open.
pub(super) fn all(opening: &mut Opening) -> Vec<Key> {
    opening
        .shared::<Keys>()
        .map(|keys| keys.0.clone())
        .unwrap_or_default()
}
