//! What the pages show. maud escapes everything that is put into them.

use maud::{Markup, html};
use serde_json::Value;

use crate::{
    approval::{
        Memory, Pending, Person,
        show::{Piece, pieces, pretty},
    },
    page::html::{frame, mark, shown},
};

/// The question. What is asked stands before the buttons, all of it, however long it is.
pub(super) fn question(
    id: &str,
    pending: &Pending,
    token: &str,
    person: Option<&Person>,
) -> String {
    let Pending {
        server,
        tool,
        title,
        description,
        effects,
        held,
        arguments,
        client,
        until,
        remember,
        ..
    } = pending;
    let hidden = count_hidden(&Value::Object(arguments.clone()));
    let body = html! {
        h1 { "Allow this call?" }
        p.lead {
            "Something that acts for you asks the server " strong { (shown(server)) }
            " to run the tool " strong.tool { (shown(tool)) } ", once."
        }
        @if let Some(person) = person {
            p.small { "You are signed in as " b { (shown(&person.subject)) } "." }
        }
        @if let Some(client) = client {
            p.small { "It was asked by the client " code { (shown(client)) } "." }
        }
        @if let Some(why) = held {
            p.warn role="note" { strong { "Look closely: " } (shown(why)) "." }
        }
        section aria-labelledby="arguments" {
            h2 id="arguments" { "What the tool will be given" }
            @if hidden > 0 {
                p.warn role="note" {
                    strong { "Hidden characters: " } (hidden)
                    @if hidden == 1 { " is" } @else { " are" }
                    " in here. Each is shown as a mark such as " (mark('\u{200b}')) "."
                }
            }
            @if arguments.is_empty() { p { "Nothing: it has no arguments." } }
            dl {
                @for (name, value) in sorted(arguments) {
                    div {
                        dt { (shown(name)) }
                        dd { (argument(value)) }
                    }
                }
            }
        }
        section aria-labelledby="may" {
            h2 id="may" { "What the tool may do" }
            ul {
                @for line in effects { li { (shown(line)) } }
                @if effects.is_empty() { li { "Nothing that stays." } }
            }
            details {
                summary { "What the server says of the tool" }
                @if let Some(title) = title { p { b { (shown(title)) } } }
                p.text { (shown(description)) }
            }
            details {
                summary { "All arguments as JSON" }
                pre { code { (shown(&pretty(arguments).unwrap_or_default())) } }
            }
        }
        form method="post" action={ "/approve/" (id) } {
            input type="hidden" name="token" value=(token);
            @if let Some(offer) = remember {
                div.remember {
                    p {
                        input type="checkbox" id="remember" name="remember" value="yes";
                        " "
                        label for="remember" {
                            "Do not ask me again for " (lasting(offer.seconds))
                            " about this tool, with arguments like these"
                        }
                    }
                    ul.small { @for line in &offer.words { li { (shown(line)) } } }
                    p.small {
                        "It runs without you then. What holds is listed at "
                        a href="/approve/remembered" { "what you let run" }
                        ", where you can take it back."
                    }
                }
            }
            div.buttons {
                button.refuse type="submit" name="answer" value="refuse" { "Refuse" }
                button.approve type="submit" name="answer" value="approve" {
                    @if remember.is_some() { "Approve" } @else { "Approve once" }
                }
            }
            p.small {
                @if remember.is_some() { "Without the tick, yes is" } @else { "Yes is" }
                " good for this one call with exactly these arguments, until "
                time { (clock(*until)) } ". If you did not expect this, refuse."
            }
        }
    };
    frame("Allow this call?", None, &body)
}

/// How it was answered.
pub(super) fn settled(pending: &Pending, yes: bool) -> String {
    let title = if yes { "Approved" } else { "Refused" };
    let body = html! {
        h1 { (title) }
        p.lead role="status" {
            "The tool " strong.tool { (shown(&pending.tool)) }
            @if yes { " may run once with what you saw." } @else { " will not run." }
        }
        @if yes && pending.remember.is_some() {
            p {
                "If you let it run for longer, it is listed at "
                a href="/approve/remembered" { "what you let run" } "."
            }
        }
        p { "You can close this page and go back to your client." }
    };
    frame(title, None, &body)
}

/// What somebody let run for a while.
pub(super) fn remembered(all: &[Memory], token: &str, person: Option<&Person>) -> String {
    let body = html! {
        h1 { "What you let run" }
        @if let Some(person) = person {
            p.small { "You are signed in as " b { (shown(&person.subject)) } "." }
        }
        @if all.is_empty() { p { "Nothing: you are asked each time." } }
        @for memory in all {
            section aria-labelledby={ "of-" (memory.id) } {
                h2 id={ "of-" (memory.id) } { (shown(&memory.matter.tool)) }
                @if let Some(client) = &memory.matter.client {
                    p.small { "For the client " code { (shown(client)) } "." }
                }
                ul { @for line in &memory.words { li { (shown(line)) } } }
                form method="post" action="/approve/remembered" {
                    input type="hidden" name="token" value=(token);
                    input type="hidden" name="revoke" value=(memory.id);
                    p.small { "Until " time { (clock(memory.until)) } "." }
                    div.buttons { button.refuse type="submit" { "Ask me again" } }
                }
            }
        }
    };
    frame("What you let run", None, &body)
}

fn lasting(seconds: u64) -> String {
    let (number, unit) = match seconds {
        s if s % 3600 == 0 => (s / 3600, "hour"),
        s if s % 60 == 0 => (s / 60, "minute"),
        s => (s, "second"),
    };
    match number {
        1 => format!("one {unit}"),
        n => format!("{n} {unit}s"),
    }
}

/// There is no such page.
pub(super) fn nothing() -> String {
    let body = html! {
        h1 { "There is nothing to approve here" }
        p { "The link is not known, was used in another browser, is over, or is another person's." }
        p { "If your client asked you to come here, ask it to try again." }
    };
    frame("Nothing here", None, &body)
}

/// One argument. A text is shown as it reads, everything else as JSON.
fn argument(value: &Value) -> Markup {
    match value {
        Value::String(text) if text.is_empty() => html! { p.empty { "(empty text)" } },
        Value::String(text) => html! { pre.text { (shown(text)) } },
        other => {
            let json = serde_json::to_string_pretty(other).unwrap_or_default();
            html! { pre { code { (shown(&json)) } } }
        }
    }
}

fn count_hidden(value: &Value) -> usize {
    let of = |text: &str| {
        let hidden = |piece: &Piece<'_>| matches!(piece, Piece::Hidden(_));
        pieces(text).iter().filter(|piece| hidden(piece)).count()
    };
    match value {
        Value::String(text) => of(text),
        Value::Array(items) => items.iter().map(count_hidden).sum(),
        Value::Object(members) => members
            .iter()
            .map(|(name, member)| of(name) + count_hidden(member))
            .sum(),
        _ => 0,
    }
}

fn sorted(arguments: &serde_json::Map<String, Value>) -> Vec<(&String, &Value)> {
    let mut arguments: Vec<_> = arguments.iter().collect();
    arguments.sort_unstable_by_key(|(name, _)| *name);
    arguments
}

fn clock(until: u64) -> String {
    i64::try_from(until)
        .ok()
        .and_then(|seconds| chrono::DateTime::from_timestamp(seconds, 0))
        .map(|time| time.format("%H:%M UTC").to_string())
        .unwrap_or_default()
}
