//! `allow_text("rule", reason = "why", until = "2027-06-30")`.

use mcp_secure_text::rule;
use syn::{Expr, ExprLit, Lit, Token, parse::ParseStream, parse::Parser};

use super::options::{Bracketed, Options};
use crate::{
    errors::Errors,
    model::{Exception, Exceptions, Text},
};

/// Every `allow_text(…)` among the options. One with a mistake in it that still names a rule
/// counts, so that what it excuses is not reported on top.
pub(crate) fn exceptions(options: &mut Options, errors: &mut Errors) -> Exceptions {
    let mut exceptions = Exceptions::default();
    for given in options.bracketed() {
        let Some(exception) = exception(given, errors) else {
            continue;
        };
        if exceptions.rules().contains(&exception.rule) {
            errors.at(
                exception.span,
                format_args!("`{}` is excused twice: remove one", exception.rule),
            );
        } else {
            exceptions.0.push(exception);
        }
    }
    exceptions
}

fn exception(given: Bracketed, errors: &mut Errors) -> Option<Exception> {
    let span = given.key.span();
    let mut name = None;
    let mut rest = proc_macro2::TokenStream::new();
    let parse = |input: ParseStream<'_>| {
        let is_option = input.peek(syn::Ident) && input.peek2(Token![=]);
        if !input.is_empty() && !is_option {
            name = Some(input.parse::<Expr>()?);
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        rest = input.parse()?;
        Ok(())
    };
    if let Err(error) = parse.parse2(given.tokens) {
        errors.push(error);
        return None;
    }
    let rule = match name {
        Some(Expr::Lit(ExprLit {
            lit: Lit::Str(name),
            ..
        })) => {
            let known = known(&name.value());
            if known.is_none() {
                errors.on(&name, unknown(&name.value()));
            }
            known
        }
        Some(other) => {
            errors.on(other, format_args!("the rule is a string: {EXAMPLE}"));
            None
        }
        None => {
            errors.at(span, format_args!("name the rule first: {EXAMPLE}"));
            None
        }
    };
    let mut options = Options::of_tokens("allow_text", span, rest, errors);
    let before = errors.count();
    let reason = options
        .string("reason", "why", errors)
        .map(|given| Text::literal(&given.value));
    let until = options
        .string("until", "2027-06-30", errors)
        .map(|given| given.value);
    let unread = errors.count() > before;
    options.finish(&["reason", "until"], errors);
    match &reason {
        Some(reason) if reason.value.trim().chars().count() < SHORTEST_REASON => errors.at(
            reason.span(),
            "`reason` is read by an auditor: say why the rule does not hold here, in a sentence",
        ),
        None if !unread => errors.at(
            span,
            "this exception does not say why: add `reason = \"…\"`",
        ),
        _ => {}
    }
    match &until {
        Some(until) if !is_day(&until.value()) => errors.on(
            until,
            format_args!(
                "`{}` is no day: write year, month and day, `until = \"2027-06-30\"`",
                until.value().escape_debug()
            ),
        ),
        None if !unread => errors.at(
            span,
            "this exception never ends: add the day on which it is looked at again, \
             `until = \"2027-06-30\"`",
        ),
        _ => {}
    }
    Some(Exception {
        span,
        rule: rule?,
        reason: reason.unwrap_or_default(),
        until: until.map(|until| until.value()).unwrap_or_default(),
        spent: false,
    })
}

fn known(name: &str) -> Option<&'static str> {
    rule::ALL.iter().copied().find(|rule| *rule == name)
}

/// The rules that were probably meant.
fn unknown(name: &str) -> String {
    let shown = name.escape_debug();
    let last = |name: &str| name.rsplit('/').next().unwrap_or_default().to_owned();
    let mut near: Vec<(usize, &str)> = rule::ALL
        .iter()
        .filter(|_| name.len() <= 64)
        .map(|rule| {
            let whole = distance(name, rule);
            (whole.min(distance(&last(name), &last(rule))), *rule)
        })
        .filter(|(distance, _)| *distance <= last(name).chars().count() / 2)
        .collect();
    near.sort_unstable();
    near.truncate(3);
    if near.is_empty() {
        return format!(
            "there is no text rule `{shown}`: they have names such as `{}`, which stand at the \
             end of what they report",
            rule::ZERO_WIDTH
        );
    }
    let near: Vec<String> = near.iter().map(|(_, rule)| format!("`{rule}`")).collect();
    format!(
        "there is no text rule `{shown}`: did you mean {}?",
        near.join(" or ")
    )
}

/// Insertions, deletions and replacements (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut row = vec![i + 1];
        let mut left = i + 1;
        for ((y, diagonal), above) in b.iter().zip(&last).zip(last.iter().skip(1)) {
            left = (diagonal + usize::from(x != *y))
                .min(above + 1)
                .min(left + 1);
            row.push(left);
        }
        last = row;
    }
    last.last().copied().unwrap_or_default()
}

/// A day of the Gregorian calendar as `YYYY-MM-DD` (RFC 3339, `full-date`).
fn is_day(text: &str) -> bool {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text.as_bytes() else {
        return false;
    };
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0_u32, |number, digit| {
            digit
                .is_ascii_digit()
                .then(|| number * 10 + u32::from(digit - b'0'))
        })
    };
    let (Some(year), Some(month), Some(day)) = (
        number(&[*y1, *y2, *y3, *y4]),
        number(&[*m1, *m2]),
        number(&[*d1, *d2]),
    ) else {
        return false;
    };
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return false,
    };
    // Not a slip of the keyboard either.
    (2000..=9999).contains(&year) && (1..=days).contains(&day)
}

const EXAMPLE: &str =
    "`allow_text(\"hidden/soft-hyphen\", reason = \"why\", until = \"2027-06-30\")`";

/// Characters; what is shorter says nothing.
const SHORTEST_REASON: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_written_in_one_way_and_exists() {
        for day in ["2027-06-30", "2028-02-29", "2000-02-29", "9999-12-31"] {
            assert!(is_day(day), "{day}");
        }
        for bad in [
            "",
            "2027-6-30",
            "2027-06-31",
            "2027-02-29",
            "2100-02-29",
            "2027-13-01",
            "2027-00-01",
            "2027-01-00",
            "27-06-30",
            "1999-01-01",
            "2027/06/30",
            "2027-06-30 ",
            "2027-06-30T00:00:00Z",
            "+027-06-30",
            "２027-06-30",
        ] {
            assert!(!is_day(bad), "{bad}");
        }
    }

    #[test]
    fn the_rule_that_was_meant_is_named() {
        assert_eq!(
            unknown("hidden/soft-hypen"),
            "there is no text rule `hidden/soft-hypen`: did you mean `hidden/soft-hyphen`?"
        );
        assert!(unknown("zero_width").contains("`hidden/zero-width`"));
        assert!(unknown("x").contains("names such as"));
        assert!(unknown(&"x".repeat(100_000)).contains("names such as"));
    }
}
