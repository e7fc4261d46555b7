//! A URL that may be granted is written in one way, reads the same to the URL standard's parser,
//! and grants nothing but itself; a redirect that it admits stays below it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mcp_secure::capability::net::__fuzz::{admit, is_inside, target};
use url::Url;

fuzz_target!(|input: (&str, &str)| {
    let (written, location) = input;
    for written in [written.to_owned(), format!("https://{written}"), format!("http://{written}")] {
        let Some(granted) = target(&written) else {
            continue;
        };
        assert_eq!(target(&granted).as_deref(), Some(granted.as_str()), "{written:?}");
        assert!(is_inside(&granted, &granted), "{granted:?}");
        let url = Url::parse(&granted).unwrap();
        assert!(matches!(url.scheme(), "https" | "http"));
        assert!(url.username().is_empty() && url.password().is_none());
        assert!(url.query().is_none() && url.fragment().is_none());
        // The path below is inside; the host below and the path beside are not.
        let below = format!("{granted}/x");
        assert!(is_inside(&below, &granted) && !is_inside(&granted, &below), "{granted:?}");
        assert!(!is_inside(&format!("{granted}x"), &granted) || url.path() == "/");
        redirect(&granted, &url, location);
    }
    redirect(GRANTED, &Url::parse(GRANTED).unwrap(), location);
});

fn redirect(granted: &str, url: &Url, location: &str) {
    let here = url.join("start").unwrap();
    let Ok(to) = here.join(location) else {
        return;
    };
    let Some((host, path)) = admit(granted, &to) else {
        return;
    };
    assert_eq!(to.scheme(), url.scheme());
    assert_eq!(to.port_or_known_default(), url.port_or_known_default());
    let of_grant = url.host_str().unwrap().trim_start_matches('[').trim_end_matches(']');
    match of_grant.strip_prefix("*.") {
        Some(suffix) => {
            let label = host.strip_suffix(suffix).and_then(|l| l.strip_suffix('.')).unwrap();
            assert!(!label.is_empty() && !label.contains('.'), "{host:?}");
        }
        None => assert_eq!(host, of_grant.trim_end_matches('.')),
    }
    let prefix = url.path().trim_end_matches('/');
    let (path, _) = path.split_once('?').unwrap_or((&path, ""));
    let rest = path.strip_prefix(prefix).unwrap();
    assert!(rest.is_empty() || rest.starts_with('/'), "{path:?}");
    assert!(!path.split('/').any(|part| part == ".."), "{path:?}");
    assert!(path.is_ascii() && !path.contains([' ', '\r', '\n', '#', '\\']), "{path:?}");
}

const GRANTED: &str = "https://*.example.com/api/v1";
