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
    approval::{Desk, page::Pages},
    audit::Tally,
    page::{Door, Entrance, Place},
    state::Sealer,
};

/// The pages of one server, before it serves.
#[derive(Default)]
pub(crate) struct Persons {
    /// Where no browser reaches the server itself.
    listener: Option<PageListener>,
    /// The one way to all of them.
    entrance: Option<Arc<Entrance>>,
    /// They approve calls: the scopes by which approvers are known.
    approving: Option<Vec<String>>,
    sites: Vec<Arc<dyn Site>>,
}

/// What persons are needed for.
pub(crate) struct Wanted {
    /// They approve calls, and approvers are known by these scopes.
    pub(crate) approve: Option<Vec<String>>,
    /// They do it on the page, and not only outside, from where their answers come in.
    pub(crate) page: bool,
    /// Some tool always asks: not only when data flow together.
    pub(crate) always: bool,
    /// They connect something to this grant.
    pub(crate) connect: Option<&'static str>,
}

impl Wanted {
    /// Some tool cannot run unless somebody agrees on the page.
    fn asks_always(&self) -> bool {
        self.approve.is_some() && self.page && self.always
    }
}

impl Persons {
    /// Finds the place: beside the endpoint, or on loopback.
    ///
    /// # Errors
    ///
    /// When a person is needed, and nobody would know who is at the browser.
    pub(super) fn of(bound: &mut Bound, sealer: &Sealer, wanted: Wanted) -> Result<Self> {
        let mut persons = Self::default();
        if wanted.approve.is_none() && wanted.connect.is_none() {
            return Ok(persons);
        }
        let found = match bound {
            Bound::Http(bound) if bound.local_addr().is_some() => {
                // Somebody who has an API key or a certificate has no browser that shows it: the
                // link may agree to a call, and it may not give an account away.
                let is_one = bound.token_path().is_some();
                let page = bound.page.take();
                let page = page.filter(|(_, door)| match door {
                    Door::Link => is_one || wanted.connect.is_none(),
                    #[cfg(feature = "oauth")]
                    Door::SignIn(_) => true,
                    // Who only answers from outside signs in nowhere.
                    Door::Shut => !wanted.page && wanted.connect.is_none(),
                });
                // Where a person is asked only when data flow together, the call is refused then.
                let is_needed = wanted.asks_always() || wanted.connect.is_some();
                if page.is_none() && is_needed {
                    return Err(nobody_known(&wanted));
                }
                page
            }
            _ => Some((persons.loopback()?, Door::Link)),
        };
        if let Some((place, door)) = found {
            persons.entrance = Some(Arc::new(Entrance::new(place, door, sealer.clone())));
            persons.approving = wanted.approve;
        }
        Ok(persons)
    }

    /// A place on loopback, which is the same for all pages.
    fn loopback(&mut self) -> Result<Place> {
        let listener = self.listener.insert(PageListener::bind()?);
        Ok(listener.place())
    }

    /// Where they approve calls, if they do.
    pub(super) fn approve_at(&self) -> Option<Place> {
        let entrance = self.entrance.as_ref().filter(|_| self.approving.is_some());
        entrance.map(|entrance| entrance.place().clone())
    }

    /// The one way to the pages, if there are any.
    #[cfg(feature = "upstream")]
    pub(super) fn entrance(&self) -> Option<&Arc<Entrance>> {
        self.entrance.as_ref()
    }

    #[cfg(feature = "upstream")]
    pub(super) fn add(&mut self, site: Arc<dyn Site>) {
        self.sites.push(site);
    }

    /// The pages for the server's own ring. A listener of their own serves for as long as the
    /// runtime is there.
    pub(super) fn open(self, desk: &Arc<Desk>, tally: &Arc<Tally>) -> Arc<[Arc<dyn Site>]> {
        let mut sites = self.sites;
        if let Some(entrance) = self.entrance {
            if let Some(scopes) = self.approving {
                let entrance = Arc::clone(&entrance);
                sites.push(Arc::new(Pages::new(Arc::clone(desk), entrance, scopes)));
            }
            sites.push(entrance);
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

/// One word for all pages: what they are for, and what is missing.
fn nobody_known(wanted: &Wanted) -> Error {
    let connects = wanted
        .connect
        .map(|name| format!("callers give this server something of theirs for `{name}`"));
    let agree = wanted
        .asks_always()
        .then(|| "a tool needs a person's agreement".to_owned());
    let why: Vec<String> = agree.into_iter().chain(connects).collect();
    let or = match wanted.connect {
        None => "; or take the client's word, by `By::in_client()`",
        Some(_) => "",
    };
    Error::new(format!(
        "{}, and this server does not know by what persons sign in: somebody could finish what \
         another one began",
        why.join(", ")
    ))
    .help(format!(
        "take access tokens, register a public client at their issuer, with `{}` at this server as \
         its redirect, and say `.sign_in(\"its id\")` on the resource server{or}",
        crate::page::CALLBACK
    ))
}
