//! An address and a link that stand in a text are found, whatever stands around them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mcp_secure::capability::net::__found::{addresses, links};

fuzz_target!(|input: (&str, &str)| {
    let (before, after) = input;
    // Between spaces nothing can grow together with them.
    let text = format!("{before} phan@giftshop.club {after}");
    assert!(addresses(&text).iter().any(|found| found == "phan@giftshop.club"), "{text:?}");
    let text = format!("{before} <phan@giftshop.club> {after}");
    assert!(addresses(&text).iter().any(|found| found == "phan@giftshop.club"), "{text:?}");
    for link in ["https://evil.example/x", "//evil.example/x", "evil.example/x?y"] {
        let text = format!("{before} {link} {after}");
        assert!(links(&text).iter().any(|host| host == "evil.example"), "{text:?}");
    }
    // What the parser of a browser makes of a link is what is compared.
    for host in links(before) {
        assert!(url(&host), "{host:?}");
    }
});

fn url(host: &str) -> bool {
    !host.is_empty() && !host.contains(['/', '@', '?', '#', ' ']) && host == host.to_lowercase()
}
