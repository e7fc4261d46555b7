//! A value stays one segment of a path and one value of a query, as the URL standard's parser
//! reads them and after one more round of decoding.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mcp_secure::capability::net::__fuzz::{path, query};
use url::Url;

fuzz_target!(|input: (&str, &str)| {
    let (first, second) = input;
    let values = [("a", first.to_owned()), ("b", second.to_owned())];
    for (template, parts) in [
        ("/users/{a}/x/{b}", 4),
        ("/{a}{b}", 1),
        ("/v.{a}/{b}.json", 2),
        ("/{a}/", 2),
    ] {
        let values = &values[..template.matches('{').count()];
        let Some(path) = path(template, values) else {
            continue;
        };
        let query = query("q", first);
        let whole = format!("https://api.example.com/v1{path}?{query}");
        let url = Url::parse(&whole).unwrap();
        // Nothing was repaired: what is sent is what was judged.
        assert_eq!(url.as_str(), whole);
        assert_eq!((url.host_str(), url.port()), (Some("api.example.com"), None));
        assert!(url.fragment().is_none() && url.username().is_empty());
        assert_eq!(url.path().split('/').count(), parts + 2, "{whole}");
        let pairs: Vec<_> = url.query_pairs().collect();
        assert_eq!(pairs.len(), 1);
        assert!(pairs[0].0 == "q" && pairs[0].1 == first, "{whole}");
        // A server that decodes before it splits finds no other segment, and none of dots.
        let decoded = decode(&decode(url.path().as_bytes()));
        assert_eq!(decoded.iter().filter(|b| **b == b'/').count(), parts + 1, "{whole}");
        assert!(!decoded.contains(&b'\\') && !decoded.contains(&0), "{whole}");
        for part in decoded.split(|b| *b == b'/').skip(1) {
            assert!(!matches!(part, b"." | b".."), "{whole}");
        }
    }
    // Whatever the template is, it does not leave.
    if let Some(path) = path(first, &[]) {
        assert!(path.starts_with('/'));
        let url = Url::parse(&format!("https://api.example.com/v1{path}")).unwrap();
        assert!(url.path().starts_with("/v1/"), "{path:?}");
    }
});

fn decode(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).and_then(|h| std::str::from_utf8(h).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) if bytes[at] == b'%' => {
                out.push(byte);
                at += 3;
            }
            _ => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    out
}
