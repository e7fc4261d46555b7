//! What the operator wants of who is asked: as strong as the code says, or stronger.

use std::{path::PathBuf, sync::Arc};

use super::{
    Approvals, Approver,
    policy::{By, Way},
};
use crate::{Error, Result};

/// What a file says of all tools, or of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) by: Option<WishedWay>,
    pub(crate) people: Option<u8>,
    pub(crate) others: Option<String>,
    /// Each call is asked about.
    pub(crate) never_remembers: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WishedWay {
    InClient,
    Page,
    Webhook,
}

/// The operator's own approver.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hook {
    pub(crate) url: String,
    pub(crate) secret_file: Option<PathBuf>,
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) headers_file: Option<PathBuf>,
    pub(crate) allow_private: bool,
}

impl Hook {
    /// # Errors
    ///
    /// When it does not say by what both sides sign.
    pub(crate) fn open(&self) -> Result<Arc<dyn Approver>> {
        let Some(secret) = &self.secret_file else {
            return Err(Error::new("the webhook has no secret")
                .help("write `webhook_secret_file = \"…\"` beside its address"));
        };
        #[cfg(all(feature = "http", feature = "net"))]
        {
            let mut hook = super::Webhook::to(&self.url, secret).named("operator");
            if self.allow_private {
                hook = hook.allow_private();
            }
            if let Some(path) = &self.ca_file {
                hook = hook.ca_file(path);
            }
            if let Some(path) = &self.headers_file {
                hook = hook.headers_file(path);
            }
            Ok(Arc::new(hook))
        }
        #[cfg(not(all(feature = "http", feature = "net")))]
        {
            let _ = secret;
            Err(Error::new("this server is built without a network")
                .help("build it with the feature `net`, or leave the webhook out"))
        }
    }
}

impl Approvals {
    /// All tools ask as strongly as this, at least. What is said of a tool in code and is stronger
    /// stays as it is.
    ///
    /// # Errors
    ///
    /// Where what the code says of all tools would be weaker for it.
    pub(crate) fn strengthen_all(
        &mut self,
        wish: &Wish,
        hook: Option<&Arc<dyn Approver>>,
    ) -> Result<()> {
        self.by = self.by.strengthened(wish, hook, true)?;
        for by in self.tools.values_mut() {
            *by = by.strengthened(wish, hook, false)?;
        }
        Ok(())
    }

    /// The same of one tool.
    ///
    /// # Errors
    ///
    /// As above.
    pub(crate) fn strengthen(
        &mut self,
        tool: &str,
        wish: &Wish,
        hook: Option<&Arc<dyn Approver>>,
    ) -> Result<()> {
        let by = self.of(tool).strengthened(wish, hook, true)?;
        self.tools.insert(tool.to_owned(), by);
        Ok(())
    }

    /// By what persons sign in, where the code does not say it.
    ///
    /// # Errors
    ///
    /// Where it does.
    pub(crate) fn also_sign_in(&mut self, client_id: &str) -> Result<()> {
        match &self.client_id {
            Some(known) if known != client_id => Err(Error::new(format!(
                "persons sign in by `{known}`, as the code says"
            ))
            .help("leave `sign_in` away")),
            _ => {
                self.client_id = Some(client_id.to_owned());
                Ok(())
            }
        }
    }
}

impl By {
    /// `strict`: what is weaker is an error, and not passed over.
    fn strengthened(
        &self,
        wish: &Wish,
        hook: Option<&Arc<dyn Approver>>,
        strict: bool,
    ) -> Result<Self> {
        let mut by = self.clone();
        let weaker = |what: String| {
            Error::new(what).help(
                "the operator can ask more of who agrees, never less: in the client, on the page, \
                 by a webhook; and more persons",
            )
        };
        let is_outside = matches!(self.way, Way::Outside(_));
        match wish.by {
            None => {}
            Some(WishedWay::InClient) if strict && !matches!(self.way, Way::InClient) => {
                return Err(weaker(
                    "the client's word is asked for, and the code asks for more".to_owned(),
                ));
            }
            Some(WishedWay::InClient) => {}
            // The code knows why it asks somebody of its own.
            Some(_) if is_outside && strict => {
                return Err(weaker("the code asks an approver of its own".to_owned()));
            }
            Some(_) if is_outside => {}
            Some(WishedWay::Page) => {
                by.way = Way::Strongest;
                by.or_in_client = false;
            }
            Some(WishedWay::Webhook) => {
                let hook = hook.ok_or_else(|| {
                    Error::new("a webhook is to be asked, and there is none")
                        .help("write `webhook = \"https://…\"` under `[approvals]`")
                })?;
                by.way = Way::Outside(Arc::clone(hook));
                by.or_in_client = false;
            }
        }
        match wish.people {
            Some(people) if people < self.people && strict => {
                return Err(weaker(format!(
                    "{people} persons have to agree, and the code asks for {}",
                    self.people
                )));
            }
            Some(people) => by.people = people.max(self.people),
            None => {}
        }
        match (&wish.others, &self.others) {
            (Some(wish), Some(known)) if wish != known && strict => {
                return Err(weaker(format!(
                    "others with `{wish}` have to agree, and the code asks for others with \
                     `{known}`"
                )));
            }
            (Some(wish), None) => by.others = Some(wish.clone()),
            _ => {}
        }
        // What several agree to is not remembered, and neither is what the operator forbids.
        if wish.never_remembers || by.people > 1 || by.others.is_some() {
            by.remember = None;
            by.same.clear();
        }
        Ok(by)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use super::*;

    fn wish(by: Option<WishedWay>, people: Option<u8>, others: Option<&str>) -> Wish {
        Wish {
            by,
            people,
            others: others.map(str::to_owned),
            never_remembers: false,
        }
    }

    #[test]
    fn the_operator_asks_for_more_and_never_for_less() {
        use WishedWay::{InClient, Page};
        let two = || By::strongest().others("approve").people(2);
        for (code, wish, terms) in [
            (By::in_client(), wish(Some(Page), None, None), Some("")),
            (
                By::in_client(),
                wish(Some(InClient), None, None),
                Some("client-attested"),
            ),
            (
                By::strongest().or_in_client(),
                wish(Some(Page), None, None),
                Some(""),
            ),
            (
                By::strongest(),
                wish(None, Some(2), Some("approve")),
                Some("2 persons"),
            ),
            (
                two(),
                wish(None, Some(3), Some("approve")),
                Some("3 persons"),
            ),
            (By::strongest(), wish(Some(InClient), None, None), None),
            (
                By::strongest().or_in_client(),
                wish(Some(InClient), None, None),
                None,
            ),
            (two(), wish(None, Some(1), None), None),
            (two(), wish(None, None, Some("everybody")), None),
        ] {
            let mut approvals = Approvals::by(code.clone());
            let done = approvals.strengthen_all(&wish, None);
            assert_eq!(done.is_ok(), terms.is_some(), "{code:?} {wish:?}");
            if let Some(terms) = terms {
                let said = approvals.terms().concat();
                assert!(said.contains(terms), "{said}");
                assert_eq!(said.is_empty(), terms.is_empty(), "{said}");
            } else {
                assert!(done.unwrap_err().to_string().contains("help:"));
            }
        }
    }

    #[test]
    fn what_the_code_says_of_one_tool_stays_where_it_is_stronger() {
        let mut approvals = Approvals::by(By::in_client())
            .tool("wire", By::strongest().others("approve").people(3))
            .tool("draft", By::in_client());
        let page = wish(Some(WishedWay::Page), Some(1), None);
        approvals.strengthen_all(&page, None).unwrap();
        assert_eq!(approvals.needs("wire"), (3, Some("approve")));
        assert_eq!(approvals.terms().len(), 1, "{:?}", approvals.terms());
        assert!(approvals.strengthen("wire", &page, None).is_err());
    }

    #[test]
    fn what_is_remembered_may_be_forbidden() {
        let mut approvals = Approvals::by(By::strongest().remember(Duration::from_secs(60)));
        assert!(approvals.remembers("t").is_some());
        let never = Wish {
            never_remembers: true,
            ..Wish::default()
        };
        approvals.strengthen_all(&never, None).unwrap();
        assert!(approvals.remembers("t").is_none());
    }
}
