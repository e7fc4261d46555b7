//! What the pages show. maud escapes everything that is put into them.

use maud::{Markup, html};

use super::{Access, Key, page::PREFIX};
use crate::{
    approval::Person,
    auth::oauth::upstream::Account,
    page::html::{frame, shown},
    vault::{Entry, Placement},
};

/// Who asks, and whom.
pub(super) struct Asked<'a> {
    pub(super) id: &'a str,
    pub(super) server: &'a str,
    /// Of the form.
    pub(super) token: &'a str,
    pub(super) person: Option<&'a Person>,
}

/// One thing that a person has.
pub(super) struct Row<'a> {
    pub(super) entry: &'a Entry,
    pub(super) access: Option<&'a Access>,
    pub(super) token: String,
}

/// Connect an account: for what, and the one button.
pub(super) fn account(asked: &Asked<'_>, account: &Account) -> String {
    let issuer = account.issuer().url();
    let body = html! {
        h1 { "Connect an account?" }
        p.lead {
            "The server " strong { (shown(asked.server)) } " asks to use "
            strong.tool { (account.target()) } " in your name, through "
            strong.tool { (issuer) } "."
        }
        (signed_in(asked.person))
        @if !account.scopes().is_empty() {
            section aria-labelledby="for" {
                h2 id="for" { "It asks for" }
                ul { @for scope in account.scopes() { li { code { (shown(scope)) } } } }
            }
        }
        (yours())
        form method="post" action={ (PREFIX) (asked.id) } {
            input type="hidden" name="token" value=(asked.token);
            div.buttons { button.approve type="submit" { "Connect" } }
            p.small { "You go on to " code { (issuer) } ", where you can still refuse." }
        }
    };
    frame("Connect an account?", None, &body)
}

/// Enter a key. What was entered before is not in it.
pub(super) fn key(asked: &Asked<'_>, key: &Key, wrong: Option<&str>) -> String {
    let (what, example) = match key.placement() {
        Placement::Basic => (
            "Your name and password, as name:password",
            "Authorization: Basic",
        ),
        Placement::Header(name) => ("Your key", name.as_str()),
        _ => ("Your key", "Authorization: Bearer"),
    };
    let body = html! {
        h1 { "Enter a key?" }
        p.lead {
            "The server " strong { (shown(asked.server)) } " asks for a key of yours for "
            strong.tool { (key.target()) } "."
        }
        (signed_in(asked.person))
        p {
            "It is sent to " strong.tool { (key.target()) } " and to no other place, in "
            code { (example) } ", when a tool calls it for you. Your client and its model never see it."
        }
        (yours())
        form method="post" action={ (PREFIX) (asked.id) } {
            input type="hidden" name="token" value=(asked.token);
            @if let Some(wrong) = wrong {
                p.warn id="wrong" role="alert" { strong { "Not kept: " } (shown(wrong)) "." }
            }
            label for="secret" { (what) }
            input #secret type="password" name="secret" required autocomplete="off"
                autocapitalize="off" spellcheck="false" minlength="8" maxlength="8192"
                aria-describedby=[wrong.map(|_| "wrong")];
            div.buttons { button.approve type="submit" { "Keep it" } }
            p.small {
                "It is kept encrypted, for you alone."
                @if asked.person.is_some() {
                    " You see and remove what you have given on " a href=(PREFIX) { "this page" } "."
                }
            }
        }
    };
    frame("Enter a key?", None, &body)
}

/// It is done.
pub(super) fn connected(access: &Access) -> String {
    let body = html! {
        h1 { "Connected" }
        p.lead role="status" {
            "Your calls to " strong.tool { (access.target()) } " are made in your name now."
        }
        p { "You can close this page and go back to your client." }
    };
    frame("Connected", None, &body)
}

/// All that somebody has.
pub(super) fn list(server: &str, person: &Person, rows: &[Row<'_>]) -> String {
    let body = html! {
        h1 { "What you have connected" }
        p.lead { "What the server " strong { (shown(server)) } " keeps of yours, and for whom." }
        (signed_in(Some(person)))
        @if rows.is_empty() { p { "Nothing." } }
        @for row in rows {
            section {
                h2 { (shown(name(row))) }
                p {
                    @match row.access {
                        Some(Access::Account(account)) => {
                            "An account at " strong.tool { (account.issuer().url()) } "."
                        }
                        _ => { "A key, as " code { (shown(row.entry.placement())) } "." }
                    }
                    " It goes to " @for host in row.entry.hosts() { strong.tool { (host) } " " }
                    "only."
                }
                form method="post" action=(PREFIX) {
                    input type="hidden" name="token" value=(row.token);
                    input type="hidden" name="name" value=(row.entry.name());
                    div.buttons {
                        button.refuse type="submit" { "Remove " (shown(name(row))) }
                    }
                }
            }
        }
        p.small {
            "An account is taken back at its issuer, too. A key is good at its host until you \
             delete it there."
        }
    };
    frame("What you have connected", None, &body)
}

/// It is gone here, and not there.
pub(super) fn not_taken_back() -> String {
    let body = html! {
        h1 { "Removed here, and not at its issuer" }
        p.lead role="status" {
            "This server has it no more. Its issuer did not take it back: do that there, on the \
             page where you see what you have agreed to."
        }
        p { a href=(PREFIX) { "Back to what you have connected" } }
    };
    frame("Removed here, and not at its issuer", None, &body)
}

/// There is no such page.
pub(super) fn nothing() -> String {
    let body = html! {
        h1 { "There is nothing to connect here" }
        p { "The link is not known, was used in another browser, is over, or is another person's." }
        p { "If your client asked you to come here, ask it to try again." }
    };
    frame("Nothing here", None, &body)
}

/// What a person knows it as.
fn name<'a>(row: &Row<'a>) -> &'a str {
    match row.access {
        Some(access) => access.capability(),
        None => row.entry.name(),
    }
}

fn signed_in(person: Option<&Person>) -> Markup {
    html! {
        @if let Some(person) = person {
            p.small { "You are signed in as " b { (shown(&person.subject)) } "." }
        }
    }
}

fn yours() -> Markup {
    html! {
        p.warn role="note" {
            "Go on only if you have just asked for this yourself. What you give here is used for \
             your calls and for nobody else's."
        }
    }
}
