//! A browser, as far as an issuer and a page need one: cookies and redirects.

use std::{collections::BTreeMap, net::TcpStream};

use crate::{
    http::{Answer, exchange},
    wire::Authority,
    world::encoded,
};

/// One browser. Whoever is asked to log in says who they are by `login_hint`. A clone is a copy of its
/// profile.
#[derive(Clone)]
pub(crate) struct Browser {
    person: String,
    /// By host and port, since the tests have many servers on one.
    cookies: BTreeMap<String, BTreeMap<String, String>>,
}

impl Browser {
    pub(crate) fn of(person: &str) -> Self {
        Self {
            person: person.to_owned(),
            cookies: BTreeMap::new(),
        }
    }

    /// One request.
    pub(crate) fn get(&mut self, url: &str) -> Answer {
        self.send("GET", url, "", "")
    }

    /// A form, from a page of the same origin.
    pub(crate) fn post(&mut self, url: &str, form: &[(&str, &str)]) -> Answer {
        let body: Vec<String> = form
            .iter()
            .map(|(name, value)| format!("{name}={}", encoded(value)))
            .collect();
        let origin = origin(url);
        let headers = format!(
            "Origin: {origin}\r\nSec-Fetch-Site: same-origin\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n"
        );
        self.send("POST", url, &headers, &body.join("&"))
    }

    pub(crate) fn send(&mut self, method: &str, url: &str, headers: &str, body: &str) -> Answer {
        let (scheme, rest) = url.split_once("://").unwrap();
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let jar = self.cookies.entry(authority.to_owned()).or_default();
        let shown: Vec<String> = jar
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let cookies = match shown.is_empty() {
            true => String::new(),
            false => format!("Cookie: {}\r\n", shown.join("; ")),
        };
        let head = format!("{method} /{path} HTTP/1.1\r\nHost: {authority}\r\n{cookies}{headers}");
        let to = authority.parse().unwrap();
        let answer = match scheme {
            "https" => exchange(Authority::get().connect(to, None), &head, body),
            _ => exchange(TcpStream::connect(to).unwrap(), &head, body),
        };
        for set in answer.all("set-cookie") {
            let (pair, _) = set.split_once(';').unwrap_or((set, ""));
            let (name, value) = pair.split_once('=').unwrap();
            match value.is_empty() {
                true => jar.remove(name),
                false => jar.insert(name.to_owned(), value.to_owned()),
            };
        }
        answer
    }

    /// Goes where it is sent, until `is_there` or until it is sent nowhere: the last URL, and the
    /// answer if it was asked.
    pub(crate) fn go_until(
        &mut self,
        url: &str,
        is_there: impl Fn(&str) -> bool,
    ) -> (String, Option<Answer>) {
        let mut url = url.to_owned();
        for _ in 0..20 {
            if is_there(&url) {
                return (url, None);
            }
            if url.contains("/auth?") && !url.contains("login_hint") {
                url = format!("{url}&login_hint={}", self.person);
            }
            let answer = self.get(&url);
            let to = answer.header("location").map(str::to_owned);
            let Some(to) = to.or_else(|| onward(&answer)) else {
                return (url, Some(answer));
            };
            url = match to.starts_with('/') {
                true => format!("{}{to}", origin(&url)),
                false => to,
            };
        }
        panic!("it goes round: {url}");
    }

    pub(crate) fn go(&mut self, url: &str) -> Answer {
        self.go_until(url, |_| false).1.unwrap()
    }

    /// The page behind a link, and its button, up to where the issuer sends the browser back.
    pub(crate) fn agree(&mut self, link: &str) -> String {
        let (page, answer) = self.go_until(link, |_| false);
        let answer = answer.unwrap();
        assert_eq!(answer.status, 200, "{page} {answer:?}");
        let to = self.press(link, &answer);
        let (back, answer) = self.go_until(&to, |url| url.contains("/connect/callback"));
        assert!(answer.is_none(), "{back} {answer:?}");
        back
    }

    /// The button of a page, and where it leads.
    #[track_caller]
    pub(crate) fn press(&mut self, link: &str, page: &Answer) -> String {
        let token = token(page);
        let answer = self.post(link, &[("token", &token)]);
        assert_eq!(answer.status, 200, "{answer:?}");
        onward(&answer).unwrap_or_else(|| panic!("{answer:?}"))
    }
}

/// Where a page sends a browser by itself.
pub(crate) fn onward(page: &Answer) -> Option<String> {
    let (_, rest) = page.body.split_once("content=\"0;url=")?;
    Some(rest.split('"').next()?.replace("&amp;", "&"))
}

/// What the form of a page says.
pub(crate) fn token(page: &Answer) -> String {
    let at = page.body.find("name=\"token\" value=\"").unwrap() + "name=\"token\" value=\"".len();
    page.body[at..].split('"').next().unwrap().to_owned()
}

fn origin(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap();
    format!("{scheme}://{}", rest.split('/').next().unwrap())
}
