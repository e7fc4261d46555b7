//! Which tool asks whom.

use std::{collections::BTreeMap, time::Duration};

/// Who is asked before a tool runs that needs a person's agreement.
///
/// Without it, every such tool asks on the strongest way that the transport has: a page of this
/// server's own. A client that cannot show a link is refused then, unless
/// [`or_in_client`](By::or_in_client) says otherwise.
///
/// ```
/// use mcp_secure::approval::{Approvals, By};
///
/// Approvals::by(By::strongest())
///     .sign_in("approvals")
///     .tool("draft", By::strongest().or_in_client());
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "approvals hold once a server has them"]
pub struct Approvals {
    by: By,
    tools: BTreeMap<String, By>,
    client_id: Option<String>,
    scopes: Vec<String>,
    of_one: Option<usize>,
    of_all: Option<usize>,
}

/// One way to a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a way does nothing until a tool has it"]
pub struct By {
    way: Way,
    or_in_client: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Strongest,
    InClient,
}

impl Default for By {
    fn default() -> Self {
        Self::strongest()
    }
}

impl By {
    /// The page, where there is one: with the feature `http`. The person is given a link by
    /// their client, signs in where the server's callers do, sees exactly what will run, and says
    /// yes or no to this server and to nobody between. Without that feature it is
    /// [`in_client`](Self::in_client).
    pub const fn strongest() -> Self {
        Self {
            way: Way::Strongest,
            or_in_client: false,
        }
    }

    /// A form that the client shows. What comes back is the client's word that a person agreed,
    /// and a client that answers by itself looks the same: the record says `client-attested`, and
    /// so does the manifest.
    pub const fn in_client() -> Self {
        Self {
            way: Way::InClient,
            or_in_client: false,
        }
    }

    /// A client that cannot show a link may show a form. Whoever writes the client chooses then
    /// which of the two it is: this is as strong as [`in_client`](Self::in_client).
    pub const fn or_in_client(mut self) -> Self {
        self.or_in_client = true;
        self
    }

    fn is_client_attested(self) -> bool {
        self.way == Way::InClient || self.or_in_client || !cfg!(feature = "http")
    }
}

impl Approvals {
    /// All tools ask like this, unless [`tool`](Self::tool) says otherwise.
    pub fn by(by: By) -> Self {
        Self {
            by,
            ..Self::default()
        }
    }

    /// This tool asks like that.
    pub fn tool(mut self, name: impl Into<String>, by: By) -> Self {
        self.tools.insert(name.into(), by);
        self
    }

    /// The id of the client that persons sign in by on the page, at the issuer of the server's
    /// tokens: a public client with PKCE, whose redirect is `/approve/callback` at this server.
    /// A server that takes access tokens has no page without it.
    pub fn sign_in(mut self, client_id: impl Into<String>) -> Self {
        self.client_id = Some(client_id.into());
        self
    }

    /// What persons are signed in with, where the issuer insists on some scope: `openid`. A token
    /// that comes of it is looked at once, and thrown away.
    pub fn sign_in_scopes<I: IntoIterator<Item = T>, T: Into<String>>(mut self, scopes: I) -> Self {
        self.scopes.extend(scopes.into_iter().map(Into::into));
        self
    }

    /// How many calls may wait for an answer: of one caller (16 if nothing is said), and of all
    /// (1,024). More are refused.
    pub fn pending(mut self, of_one: usize, of_all: usize) -> Self {
        self.of_one = Some(of_one);
        self.of_all = Some(of_all);
        self
    }

    #[cfg_attr(not(feature = "oauth"), allow(dead_code, reason = "nobody signs in"))]
    pub(crate) fn signs_in_by(&self) -> Option<(&str, &[String])> {
        Some((self.client_id.as_deref()?, &self.scopes))
    }

    pub(crate) fn bounds(&self, time: Duration) -> super::Bounds {
        super::Bounds {
            of_one: self.of_one.unwrap_or(16),
            of_all: self.of_all.unwrap_or(1024),
            time,
        }
    }

    fn of(&self, tool: &str) -> By {
        self.tools.get(tool).copied().unwrap_or(self.by)
    }

    /// Whether anything of this asks on a page.
    pub(crate) fn wants_page(&self) -> bool {
        let strongest = |by: &By| by.way == Way::Strongest;
        strongest(&self.by) || self.tools.values().any(strongest)
    }

    /// Tools that are named and do not exist.
    pub(crate) fn unknown<'a>(&'a self, tools: &[&str]) -> Option<&'a str> {
        let mut named = self.tools.keys();
        named
            .find(|name| !tools.contains(&name.as_str()))
            .map(String::as_str)
    }

    /// Whom a call of this tool asks, of a client that can be reached like this.
    pub(crate) fn asked(&self, tool: &str, has_page: bool, reach: Reach) -> Asked {
        let by = self.of(tool);
        match by.way {
            Way::Strongest if has_page && reach.url => Asked::Page,
            Way::Strongest if has_page && !by.or_in_client => Asked::Nobody { page: true },
            _ if reach.form => Asked::InClient,
            _ => Asked::Nobody { page: false },
        }
    }

    /// For the manifest: where the client's word is taken. What is the strongest has no line.
    pub(crate) fn terms(&self) -> Vec<String> {
        let mut terms = Vec::new();
        if self.by.is_client_attested() && (self.by.way == Way::InClient || self.by.or_in_client) {
            terms.push(said(self.by, "tools that need a person"));
        }
        for (tool, by) in &self.tools {
            if by.way == Way::InClient || by.or_in_client {
                terms.push(said(*by, &format!("`{tool}`")));
            }
        }
        terms
    }
}

fn said(by: By, what: &str) -> String {
    match by.way {
        Way::InClient => format!("{what} ask in the client: client-attested"),
        Way::Strongest => {
            format!("{what} ask in the client where it shows no page: client-attested")
        }
    }
}

/// How a client says that it can ask a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reach {
    pub(crate) form: bool,
    pub(crate) url: bool,
}

/// Who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Page,
    InClient,
    /// The client cannot, and would have to show a page or a form.
    Nobody {
        page: bool,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: Reach = Reach {
        form: true,
        url: true,
    };
    const FORM: Reach = Reach {
        form: true,
        url: false,
    };
    const URL: Reach = Reach {
        form: false,
        url: true,
    };

    #[test]
    fn a_client_that_shows_no_link_is_refused_unless_the_policy_says_otherwise() {
        let strict = Approvals::default();
        assert_eq!(strict.asked("t", true, BOTH), Asked::Page);
        assert_eq!(
            strict.asked("t", true, FORM),
            Asked::Nobody { page: true },
            "the client would choose the weaker way"
        );
        let lax = Approvals::by(By::strongest().or_in_client());
        assert_eq!(lax.asked("t", true, BOTH), Asked::Page);
        assert_eq!(lax.asked("t", true, FORM), Asked::InClient);
        let form = Approvals::by(By::in_client());
        assert_eq!(form.asked("t", true, BOTH), Asked::InClient);
        assert_eq!(form.asked("t", true, URL), Asked::Nobody { page: false });
    }

    #[test]
    fn a_tool_may_ask_in_its_own_way_and_the_manifest_says_where_the_client_is_believed() {
        let approvals = Approvals::default().tool("draft", By::in_client());
        assert_eq!(approvals.asked("draft", true, BOTH), Asked::InClient);
        assert_eq!(approvals.asked("send", true, BOTH), Asked::Page);
        assert_eq!(
            approvals.terms(),
            ["`draft` ask in the client: client-attested"]
        );
        assert_eq!(approvals.unknown(&["send"]), Some("draft"));
        assert!(Approvals::default().terms().is_empty());
    }
}
