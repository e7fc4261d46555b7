//! A browser that is nothing but its cookies.

use std::{collections::BTreeMap, net::TcpStream, time::Duration};

use url::Url;

use crate::http::{Answer, exchange};

/// Sends a head and a body, and reads to the end: as long as a call waits for a person in one round,
/// and longer.
pub(crate) fn send(to: &str, head: &str, body: &str) -> Answer {
    let stream = TcpStream::connect(to).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(40)))
        .unwrap();
    exchange(stream, head, body)
}

/// A browser: it keeps cookies by host, and follows what it is told to follow. Cookies know no
/// ports.
#[derive(Default)]
pub(crate) struct Browser {
    cookies: BTreeMap<String, String>,
    /// The person takes the scopes out of what the issuer is asked for.
    pub(crate) asks_for_no_scope: bool,
}

/// A page that was shown.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) url: Url,
    pub(crate) answer: Answer,
}

impl Browser {
    pub(crate) fn get(&mut self, url: &Url, more: &str) -> Answer {
        let path = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        self.ask(url, &format!("GET {path}"), more, "")
    }

    pub(crate) fn post(&mut self, url: &Url, more: &str, form: &str) -> Answer {
        let more = format!("Content-Type: application/x-www-form-urlencoded\r\n{more}");
        self.ask(url, &format!("POST {}", url.path()), &more, form)
    }

    fn ask(&mut self, url: &Url, line: &str, more: &str, body: &str) -> Answer {
        let host = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let cookies = match cookies.is_empty() {
            true => String::new(),
            false => format!("Cookie: {}\r\n", cookies.join("; ")),
        };
        let head = format!("{line} HTTP/1.1\r\nHost: {host}\r\n{cookies}{more}");
        let answer = send(&host, &head, body);
        for cookie in answer.all("set-cookie") {
            let (pair, _) = cookie.split_once(';').unwrap_or((cookie, ""));
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        answer
    }

    /// Opens a link, and follows where it leads. Signs in as `person` where it is asked to.
    pub(crate) fn open(&mut self, link: &str, person: &str) -> Page {
        let mut url = Url::parse(link).unwrap();
        for _ in 0..8 {
            let mut answer = self.get(&url, "");
            if answer.status == 303 || answer.status == 302 {
                url = url.join(answer.header("location").unwrap()).unwrap();
                if url.path() == "/authorize" {
                    if self.asks_for_no_scope {
                        without_scope(&mut url);
                    }
                    url.query_pairs_mut().append_pair("login_hint", person);
                }
                continue;
            }
            if let Some(at) = answer.body.find("http-equiv=\"refresh\"") {
                let to = answer.body[at..].split("0;url=").nth(1).unwrap();
                let to = to.split('"').next().unwrap();
                url = url.join(to).unwrap();
                answer = self.get(&url, "");
            }
            return Page { url, answer };
        }
        panic!("{link} leads nowhere");
    }

    /// Presses a button of a page that was shown.
    pub(crate) fn press(&mut self, page: &Page, answer: &str) -> Answer {
        self.send_form(page, &format!("answer={answer}"))
    }

    /// Agrees, and ticks that it holds for a while.
    pub(crate) fn press_for_a_while(&mut self, page: &Page) -> Answer {
        self.send_form(page, "answer=approve&remember=yes")
    }

    /// Sends a form of a page that was shown.
    pub(crate) fn send_form(&mut self, page: &Page, fields: &str) -> Answer {
        let form = format!("token={}&{fields}", page.token());
        let origin = page.url.origin().ascii_serialization();
        self.post(&page.url, &format!("Origin: {origin}"), &form)
    }
}

fn without_scope(url: &mut Url) {
    let kept: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(name, _)| name != "scope")
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    url.query_pairs_mut().clear().extend_pairs(kept);
}

impl Page {
    /// What the form says of the browser that it was made for.
    pub(crate) fn token(&self) -> &str {
        let body = &self.answer.body;
        let (_, rest) = body
            .split_once("name=\"token\" value=\"")
            .unwrap_or_else(|| panic!("no form: {} {body}", self.answer.status));
        rest.split('"').next().unwrap()
    }
}
