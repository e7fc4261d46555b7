//! Which tool asks whom.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use super::Approver;
use crate::{Error, Result};

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
///     .tool("draft", By::strongest().or_in_client());
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "approvals hold once a server has them"]
pub struct Approvals {
    pub(super) by: By,
    pub(super) tools: BTreeMap<String, By>,
    of_one: Option<usize>,
    of_all: Option<usize>,
}

/// One way to a person, or to several.
#[derive(Clone, Debug)]
#[must_use = "a way does nothing until a tool has it"]
pub struct By {
    pub(super) way: Way,
    pub(super) or_in_client: bool,
    pub(super) people: u8,
    pub(super) others: Option<String>,
    pub(super) remember: Option<Duration>,
    pub(super) same: Vec<String>,
}

#[derive(Clone)]
pub(super) enum Way {
    Strongest,
    InClient,
    Outside(Arc<dyn Approver>),
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Strongest => f.write_str("Strongest"),
            Self::InClient => f.write_str("InClient"),
            Self::Outside(approver) => write!(f, "Outside({})", approver.name()),
        }
    }
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
    pub fn strongest() -> Self {
        Self::on(Way::Strongest)
    }

    /// A form that the client shows. What comes back is the client's word that a person agreed,
    /// and a client that answers by itself looks the same: the record says `client-attested`, and
    /// so does the manifest.
    pub fn in_client() -> Self {
        Self::on(Way::InClient)
    }

    /// An approver that the client has no part in: a [`Terminal`](super::Terminal), or one of your
    /// own.
    pub fn outside(approver: impl Approver) -> Self {
        Self::on(Way::Outside(Arc::new(approver)))
    }

    fn on(way: Way) -> Self {
        Self {
            way,
            or_in_client: false,
            people: 1,
            others: None,
            remember: None,
            same: Vec::new(),
        }
    }

    /// A client that cannot show a link may show a form. Whoever writes the client chooses then
    /// which of the two it is: this is as strong as [`in_client`](Self::in_client).
    pub fn or_in_client(mut self) -> Self {
        self.or_in_client = true;
        self
    }

    /// Who called cannot agree; somebody else has to (four eyes). On the page that is whoever
    /// signs in with this scope: the caller passes the link on to them. An approver outside knows
    /// its persons by itself.
    pub fn others(mut self, scope: impl Into<String>) -> Self {
        self.others = Some(scope.into());
        self
    }

    /// So many different persons have to agree, and one no is enough to stop it. At most nine; on
    /// the page they are [`others`](Self::others).
    pub fn people(mut self, number: u8) -> Self {
        self.people = number;
        self
    }

    /// Lets the person say that their yes holds for so long: for this caller and client, this tool
    /// as it is, and arguments of the same names and types, whatever their values are. Nobody can
    /// who only has a client's form, nor where others have to agree. At most a day. What holds is
    /// listed at `/approve/remembered`, where it can be taken back.
    pub fn remember(mut self, time: Duration) -> Self {
        self.remember = Some(time);
        self
    }

    /// Of what is remembered, these arguments have to stay as the person saw them: to whom, if not
    /// how much.
    pub fn same<I: IntoIterator<Item = T>, T: Into<String>>(mut self, arguments: I) -> Self {
        self.same.extend(arguments.into_iter().map(Into::into));
        self
    }

    fn is_client_attested(&self) -> bool {
        let is_in_client = matches!(self.way, Way::InClient);
        is_in_client || self.or_in_client || (self.is_page() && !cfg!(feature = "http"))
    }

    fn is_page(&self) -> bool {
        matches!(self.way, Way::Strongest)
    }

    /// What cannot be meant. `signs_in` where it is known who is at the page.
    fn check(&self, signs_in: bool) -> Result<()> {
        if self.people == 0 || self.people > 9 {
            return Err(Error::new(format!("{} persons cannot agree", self.people))
                .help("say one to nine with `.people(…)`"));
        }
        let is_more = self.people > 1 || self.others.is_some();
        if let Some(time) = self.remember {
            if is_more || self.is_client_attested() {
                return Err(Error::new(
                    "what a client says, or what several agree to, is not remembered",
                )
                .help("take `.remember(…)` away, or ask one person on the page or outside"));
            }
            if time < LEAST_REMEMBERED || time > MOST_REMEMBERED {
                return Err(Error::new(format!("`{time:?}` is no time to remember"))
                    .help("say a second to a day with `.remember(…)`"));
            }
        } else if !self.same.is_empty() {
            return Err(
                Error::new("nothing is remembered, so nothing has to stay the same")
                    .help("say `.remember(…)` too, or take `.same(…)` away"),
            );
        }
        if is_more && self.is_client_attested() {
            return Err(Error::new("a client cannot say which persons agreed")
                .help("take `.or_in_client()` away, or `.others(…)` and `.people(…)`"));
        }
        if is_more && self.is_page() && !(signs_in && self.others.is_some()) {
            return Err(Error::new(
                "other persons are to agree on the page, and it cannot know them",
            )
            .help(
                "let callers come with an issuer's tokens, say `.sign_in(…)` on the resource \
                 server, and `.others(\"a scope that approvers have\")`",
            ));
        }
        Ok(())
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

    /// How many calls may wait for an answer: of one caller (16 if nothing is said), and of all
    /// (1,024). More are refused.
    pub fn pending(mut self, of_one: usize, of_all: usize) -> Self {
        self.of_one = Some(of_one);
        self.of_all = Some(of_all);
        self
    }

    pub(crate) fn bounds(&self, time: Duration) -> super::Bounds {
        super::Bounds {
            of_one: self.of_one.unwrap_or(16),
            of_all: self.of_all.unwrap_or(1024),
            time,
        }
    }

    pub(super) fn of(&self, tool: &str) -> &By {
        self.tools.get(tool).unwrap_or(&self.by)
    }

    fn all(&self) -> impl Iterator<Item = &By> {
        std::iter::once(&self.by).chain(self.tools.values())
    }

    /// Whether anything of this asks on a page.
    #[cfg_attr(not(feature = "http"), allow(dead_code, reason = "there is no page"))]
    pub(crate) fn wants_page(&self) -> bool {
        self.all().any(By::is_page)
    }

    /// Whether answers may come from outside.
    #[cfg_attr(not(feature = "http"), allow(dead_code, reason = "nothing comes in"))]
    pub(crate) fn hears(&self) -> bool {
        self.outside()
            .iter()
            .any(|approver| approver.takes_answers())
    }

    /// The approvers that are to be started, each once: several tools may have one.
    pub(crate) fn outside(&self) -> Vec<&Arc<dyn Approver>> {
        let mut found: Vec<&Arc<dyn Approver>> = Vec::new();
        for by in self.all() {
            if let Way::Outside(approver) = &by.way
                && !found.iter().any(|known| Arc::ptr_eq(known, approver))
            {
                found.push(approver);
            }
        }
        found
    }

    /// The scopes by which persons are known as approvers.
    #[cfg_attr(not(feature = "http"), allow(dead_code, reason = "there is no page"))]
    pub(crate) fn approver_scopes(&self) -> Vec<String> {
        let mut scopes: Vec<String> = self.all().filter_map(|by| by.others.clone()).collect();
        scopes.sort_unstable();
        scopes.dedup();
        scopes
    }

    /// Holds it against the tools that there are, and the page that there is.
    ///
    /// # Errors
    ///
    /// When it names what is not there, or what cannot be meant.
    pub(crate) fn check(&self, tools: &[&str], signs_in: bool) -> Result<()> {
        let mut named = self.tools.keys();
        if let Some(unknown) = named.find(|name| !tools.contains(&name.as_str())) {
            return Err(Error::new(format!(
                "the approvals name the tool `{unknown}`, which is not there"
            ))
            .help("correct its name, or take it out of `.approvals(…)`"));
        }
        let outside = self.outside();
        let names = |name: &str| outside.iter().filter(|one| one.name() == name).count();
        // Their answers come to one path.
        let mut heard = outside.iter().filter(|one| one.takes_answers());
        if let Some(twice) = heard.find(|one| names(one.name()) > 1) {
            return Err(Error::new(format!(
                "two approvers are called `{}`, and answers are for one of them",
                twice.name()
            ))
            .help("give one of them another name, such as by `Webhook::named`"));
        }
        self.all().try_for_each(|by| by.check(signs_in))
    }

    /// How many have to agree, and which others.
    pub(crate) fn needs(&self, tool: &str) -> (u8, Option<&str>) {
        let by = self.of(tool);
        (by.people, by.others.as_deref())
    }

    /// For how long a yes may hold, and which arguments have to stay the same.
    pub(crate) fn remembers(&self, tool: &str) -> Option<(Duration, &[String])> {
        let by = self.of(tool);
        Some((by.remember?, by.same.as_slice()))
    }

    /// Whom a call of this tool asks, of a client that can be reached like this.
    pub(crate) fn asked(&self, tool: &str, has_page: bool, reach: Reach) -> Asked {
        let by = self.of(tool);
        match &by.way {
            Way::Outside(approver) => Asked::Outside(Arc::clone(approver)),
            Way::Strongest if has_page && reach.url => Asked::Page,
            // A server without its page does not take less for it.
            Way::Strongest if cfg!(feature = "http") && !by.or_in_client => {
                Asked::Nobody { page: true }
            }
            // What only a page can say, nobody says where there is none.
            _ if by.people > 1 || by.others.is_some() => Asked::Nobody { page: true },
            _ if reach.form => Asked::InClient,
            _ => Asked::Nobody { page: false },
        }
    }

    /// For the manifest: who is asked, where it is not one person on the page.
    pub(crate) fn terms(&self) -> Vec<String> {
        let mut terms = Vec::new();
        terms.extend(said(&self.by, "tools that need a person"));
        for (tool, by) in &self.tools {
            terms.extend(said(by, &format!("`{tool}`")));
        }
        terms
    }
}

fn said(by: &By, what: &str) -> Option<String> {
    let mut said = match &by.way {
        Way::InClient => format!("{what}: asked in the client, client-attested"),
        Way::Strongest if by.or_in_client => {
            format!("{what}: asked in the client where it shows no page, client-attested")
        }
        Way::Strongest if by.people == 1 && by.others.is_none() && by.remember.is_none() => {
            return None;
        }
        Way::Strongest => format!("{what}: asked on the page"),
        Way::Outside(approver) => format!("{what}: asked by `{}`", approver.name()),
    };
    if by.people > 1 {
        said.push_str(&format!(", {} persons", by.people));
    }
    if let Some(time) = by.remember {
        let time = crate::manifest::time(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        said.push_str(&format!(", may hold for {time}"));
        if !by.same.is_empty() {
            said.push_str(&format!(" with the same {}", by.same.join(", ")));
        }
    }
    if let Some(scope) = &by.others {
        said.push_str(&format!(", others with `{scope}`"));
    }
    Some(said)
}

/// How a client says that it can ask a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reach {
    pub(crate) form: bool,
    pub(crate) url: bool,
}

/// Who is asked.
pub(crate) enum Asked {
    Page,
    InClient,
    Outside(Arc<dyn Approver>),
    /// The client cannot, and would have to show a page or a form.
    Nobody {
        page: bool,
    },
}

const LEAST_REMEMBERED: Duration = Duration::from_secs(1);
const MOST_REMEMBERED: Duration = Duration::from_secs(24 * 60 * 60);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
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

    fn asked(approvals: &Approvals, tool: &str, reach: Reach) -> &'static str {
        match approvals.asked(tool, true, reach) {
            Asked::Page => "page",
            Asked::InClient => "client",
            Asked::Outside(_) => "outside",
            Asked::Nobody { page: true } => "nobody without a page",
            Asked::Nobody { page: false } => "nobody",
        }
    }

    #[test]
    fn a_client_that_shows_no_link_is_refused_unless_the_policy_says_otherwise() {
        let strict = Approvals::default();
        assert_eq!(asked(&strict, "t", BOTH), "page");
        // The client would choose the weaker way.
        assert_eq!(asked(&strict, "t", FORM), "nobody without a page");
        let lax = Approvals::by(By::strongest().or_in_client());
        assert_eq!(asked(&lax, "t", BOTH), "page");
        assert_eq!(asked(&lax, "t", FORM), "client");
        let form = Approvals::by(By::in_client());
        assert_eq!(asked(&form, "t", BOTH), "client");
        assert_eq!(asked(&form, "t", URL), "nobody");
    }

    #[test]
    fn a_tool_may_ask_in_its_own_way_and_the_manifest_says_where_the_client_is_believed() {
        let approvals = Approvals::default().tool("draft", By::in_client());
        assert_eq!(asked(&approvals, "draft", BOTH), "client");
        assert_eq!(asked(&approvals, "send", BOTH), "page");
        assert_eq!(
            approvals.terms(),
            ["`draft`: asked in the client, client-attested"]
        );
        assert!(approvals.check(&["send"], true).is_err());
        assert!(approvals.check(&["send", "draft"], true).is_ok());
        assert!(Approvals::default().terms().is_empty());
    }

    #[test]
    fn several_persons_are_never_a_clients_word() {
        for (by, signs_in) in [
            (By::in_client().people(2), true),
            (By::in_client().others("approve"), true),
            (By::strongest().or_in_client().others("approve"), true),
            (By::strongest().people(2), true),
            (By::strongest().others("approve"), false),
            (By::strongest().people(0), true),
            (By::strongest().others("approve").people(10), true),
        ] {
            let error = Approvals::by(by.clone()).check(&[], signs_in).unwrap_err();
            assert!(error.to_string().contains("help:"), "{by:?}: {error}");
        }
        let two = Approvals::by(By::strongest().others("approve").people(2));
        assert!(two.check(&[], true).is_ok());
        assert!(matches!(
            two.asked("t", false, FORM),
            Asked::Nobody { page: true }
        ));
    }
}
