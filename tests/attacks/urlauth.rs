//! URLAUTH: an address says something else than it seems to.
//!
//! The twin puts addresses together from texts, and checks them as texts: by how they begin, by
//! what is somewhere inside, or not at all.

use std::{env, fs, io, path::PathBuf};

use crate::{
    internet::{
        Place,
        case::{Case, Harm},
        client,
    },
    report::Attack,
    twin,
};

/// The naive server; its argument is the folder.
pub fn twin() {
    let root = PathBuf::from(env::args().nth(1).unwrap());
    let outside = root.join("../../outside");
    twin::over_stdio(|line| {
        twin::answer(&serde_json::from_str(line).ok()?, |tool, arguments| {
            let argument = |name: &str| arguments[name].as_str().unwrap_or_default().to_owned();
            match tool {
                "user" => client::get(
                    &format!("http://api.example/api/v1/users/{}", argument("id")),
                    &[],
                ),
                "product" => client::get(
                    &format!("http://api.example/product/{}", argument("product_number")),
                    &[],
                ),
                "docs" if argument("url").starts_with("https://docs.apify.com") => {
                    client::get(&argument("url"), &[])
                }
                "search" if argument("base_url").contains("https://dati.gov.it") => {
                    client::get(&argument("base_url"), &[])
                }
                "open_url" => {
                    // What the device does with an intent.
                    let url = client::parse(&argument("url"))?;
                    match url.scheme() {
                        "tel" => fs::write(outside.join("dialed"), url.path())?,
                        "content" => return fs::read_to_string(outside.join("etc/passwd")),
                        _ => {}
                    }
                    Ok("opened".to_owned())
                }
                _ => Err(io::Error::other("not allowed")),
            }
        })
    });
}

pub fn attacks() -> Vec<Attack> {
    CASES
        .iter()
        .flat_map(|case| case.attacks("twin urlauth"))
        .collect()
}

const BOTH: [&str; 2] = ["stdio", "http"];

const CASES: &[Case] = &[
    Case {
        advisory: "CVE-2026-32871",
        variant: BOTH,
        words: "an id leads to another endpoint of the service",
        tool: "user",
        arguments: r#"{ "id": "../../../admin/delete-all?" }"#,
        harm: Harm::Arrived(Place::Public, "/admin/delete-all"),
        control: "net/path",
    },
    Case {
        advisory: "CVE-2026-57496",
        variant: BOTH,
        words: "a product number leads to the tokens",
        tool: "product",
        arguments: r#"{ "product_number": "../token" }"#,
        harm: Harm::Leak,
        control: "net/path",
    },
    Case {
        advisory: "CVE-2026-46341",
        variant: BOTH,
        words: "the attacker's host begins like the documentation's",
        tool: "docs",
        arguments: r#"{ "url": "https://docs.apify.com.evil.com/" }"#,
        harm: Harm::Misled,
        control: "net/path",
    },
    Case {
        advisory: "CVE-2026-73845",
        variant: BOTH,
        words: "the portal's name is the user name before the attacker's host",
        tool: "search",
        arguments: r#"{ "base_url": "https://dati.gov.it@attacker.com/x" }"#,
        harm: Harm::Misled,
        control: "net/host",
    },
    Case {
        advisory: "CVE-2026-35394",
        variant: ["tel, stdio", "tel, http"],
        words: "an address makes the device dial",
        tool: "open_url",
        arguments: r#"{ "url": "tel:*#06#" }"#,
        harm: Harm::Made("outside/dialed"),
        control: "validate/schema",
    },
    Case {
        advisory: "CVE-2026-35394",
        variant: ["content, stdio", "content, http"],
        words: "an address makes the device show its contacts",
        tool: "open_url",
        arguments: r#"{ "url": "content://com.android.contacts/data" }"#,
        harm: Harm::File,
        control: "validate/schema",
    },
];
