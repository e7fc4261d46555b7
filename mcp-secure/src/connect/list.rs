//! What a person has connected: they see it, and take it back.

use std::sync::Arc;

use bytes::Bytes;
use http::{Response, StatusCode, request::Parts};

use super::{
    Access, Desk, html,
    page::{PREFIX, another_page, field, not_this_browser, nothing},
};
use crate::{
    Error, Result,
    approval::Person,
    audit::Change,
    page::{Entered, Session, html_page, is_form_of, see, unavailable},
    vault::{Entry, Owner, People},
};

impl Desk {
    /// All that this person has. Where nobody signs in, it is not known who that would be.
    pub(super) async fn list(&self, head: &Parts) -> Response<Bytes> {
        let session = match self.entrance.enter(head, PREFIX, &[]) {
            Entered::In(session) => session,
            Entered::Sent(answer) => return answer,
        };
        let Some(person) = &session.person else {
            return nothing(None);
        };
        match self.entries(person).await {
            Ok(entries) => {
                let rows: Vec<html::Row<'_>> = entries
                    .iter()
                    .map(|entry| html::Row {
                        entry,
                        access: self.access_of(entry.name()),
                        token: session.token(&removal(entry.name())),
                    })
                    .collect();
                html_page(StatusCode::OK, html::list(self.server, person, &rows))
            }
            Err(error) => failed(&error),
        }
    }

    /// Takes one of them back.
    pub(super) async fn take_back(&self, head: &Parts, form: &[u8]) -> Response<Bytes> {
        if !self.entrance.is_from_here(&head.headers) {
            return another_page();
        }
        let session = self.entrance.session(&head.headers);
        let Some((session, person)) = session.as_ref().and_then(with_person) else {
            return nothing(None);
        };
        let name = field(form, "name").unwrap_or_default();
        let token = field(form, "token");
        let token = token.as_deref().map(String::as_str);
        if !is_form_of(session, &removal(&name), token) {
            return not_this_browser();
        }
        match self.removed(person, &name).await {
            // A second tab, or the back button: it is gone, which is what was wanted.
            Ok(None | Some(true)) => see(PREFIX),
            Ok(Some(false)) => html_page(StatusCode::OK, html::not_taken_back()),
            Err(error) => failed(&error),
        }
    }

    /// Whether its issuer took it back, if it was there and has one.
    async fn removed(&self, person: &Person, name: &str) -> Result<Option<bool>> {
        let owner = Owner::new(&person.issuer, &person.subject)?;
        let subject = &person.subject;
        if let Some(Access::Account(account)) = self.access_of(name) {
            let taken_back = account.disconnect(owner).await?;
            tracing::info!(
                target: "mcp_secure::upstream",
                subject, name, ?taken_back,
                "disconnected on the page"
            );
            if let Some(is_so) = taken_back {
                self.record_removed(person, name, Some(is_so));
            }
            return Ok(taken_back);
        }
        let Some(people) = self.people() else {
            return Ok(None);
        };
        let gone = name.to_owned();
        let was_there = blocking(move || people.shred(&owner, &gone)).await?;
        tracing::info!(
            target: "mcp_secure::upstream",
            subject, name, was_there,
            "removed on the page"
        );
        if was_there {
            self.record_removed(person, name, None);
        }
        Ok(was_there.then_some(true))
    }

    fn record_removed(&self, person: &Person, name: &str, taken_back: Option<bool>) {
        self.record(&Change {
            what: "removed",
            grant: self.access_of(name).map(Access::capability),
            entry: name,
            whose: person,
            how: Some(self.how()),
            taken_back,
            control: None,
        });
    }

    async fn entries(&self, person: &Person) -> Result<Vec<Entry>> {
        let owner = Owner::new(&person.issuer, &person.subject)?;
        match self.people() {
            Some(people) => blocking(move || people.list(&owner)).await,
            None => Ok(Vec::new()),
        }
    }

    fn people(&self) -> Option<Arc<People>> {
        Some(Arc::clone(self.all.first()?.people()))
    }

    fn access_of(&self, name: &str) -> Option<&Access> {
        self.all.iter().find(|access| access.entry() == name)
    }
}

fn with_person(session: &Session) -> Option<(&Session, &Person)> {
    Some((session, session.person.as_ref()?))
}

/// The form of one row.
fn removal(name: &str) -> String {
    format!("remove:{name}")
}

fn failed(error: &Error) -> Response<Bytes> {
    tracing::error!(target: "mcp_secure::upstream", %error, "what a person has is not to be read");
    unavailable()
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| Error::new("the vault was not read"))?
}
