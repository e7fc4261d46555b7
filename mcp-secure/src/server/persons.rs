//! Where persons are asked: at the server's own address, or on loopback at one that is for nothing
//! else. All pages of a server are in one place.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::{
    http::{PageListener, Site},
    run::Bound,
    serve::Sink,
};
use crate::{
    Error, Result,
    approval::{
        Desk,
        page::{Door, Pages, Place},
    },
    audit::Tally,
    definition::Definition,
};

/// The pages of one server, before it serves.
#[derive(Default)]
pub(crate) struct Persons {
    /// Where no browser reaches the server itself.
    listener: Option<PageListener>,
    /// Where they approve, and how it is known who they are.
    approving: Option<(Place, Door)>,
    sites: Vec<Arc<dyn Site>>,
}

impl Persons {
    /// A place on loopback, which is the same for all pages.
    pub(super) fn loopback(&mut self) -> Result<Place> {
        let listener = match self.listener.take() {
            Some(listener) => listener,
            None => PageListener::bind()?,
        };
        Ok(self.listener.insert(listener).place())
    }

    /// They approve calls, beside the endpoint or on loopback.
    ///
    /// # Errors
    ///
    /// When a person has to be asked `always`, and nobody would know who answers.
    pub(super) fn approve_by(&mut self, bound: &mut Bound, always: bool) -> Result<()> {
        self.approving = match bound {
            Bound::Http(bound) => match bound.page.take() {
                None if bound.local_addr().is_none() => Some((self.loopback()?, Door::Link)),
                // Where a person is asked only when data flow together, the call is refused then.
                None if always => {
                    return Err(Error::new(
                        "a tool needs a person's agreement, and this server does not know by \
                         what persons sign in",
                    )
                    .help(
                        "register a public client at the issuer, with `/approve/callback` at this \
                         server as its redirect, and say `.approvals(Approvals::default()\
                         .sign_in(\"its id\"))`; or take the client's word, by `By::in_client()`",
                    ));
                }
                page => page,
            },
            Bound::Stdio(_) => Some((self.loopback()?, Door::Link)),
        };
        Ok(())
    }

    /// Where they approve calls, if they do.
    pub(super) fn approve_at(&self) -> Option<Place> {
        self.approving.as_ref().map(|(place, _)| place.clone())
    }

    #[cfg(feature = "upstream")]
    pub(super) fn add(&mut self, site: Arc<dyn Site>) {
        self.sites.push(site);
    }

    /// The pages for the server's own ring. A listener of their own serves for as long as the
    /// runtime is there.
    pub(super) fn open(self, desk: &Arc<Desk>, tally: &Arc<Tally>) -> Arc<[Arc<dyn Site>]> {
        let mut sites = self.sites;
        if let Some((place, door)) = self.approving {
            sites.push(Arc::new(Pages::new(Arc::clone(desk), place, door)));
        }
        let sites = Arc::from(sites);
        let Some(listener) = self.listener else {
            return sites;
        };
        let sink = Arc::new(Sink(Arc::clone(tally)));
        tokio::spawn(async move {
            let serving = listener.serve(sites, sink, CancellationToken::new());
            if let Err(error) = serving.await {
                tracing::error!(%error, "there is no page for persons");
            }
        });
        Arc::from([])
    }
}

/// Whether a person may have to be asked about some tool: always, or when data flow together.
pub(super) fn may_ask<S>(definition: &Definition<S>) -> bool {
    definition.tools.iter().any(|tool| {
        let is_open = || tool.about.facts().any(|facts| facts.open_sink);
        tool.about.needs_approval() || (tool.about.policy.allow_flow.is_none() && is_open())
    })
}
