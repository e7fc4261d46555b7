use mcp_secure::prelude::*;

#[doc = "So\u{AD}ft."]
#[capability(fs, allow_text("hidden/zero-width", reason = "split for the operator", until = "2027-06-30"))]
pub struct Notes;

struct S;

#[secure_server(name = "s", allow_text("hidden/soft-hyphen", reason = "nothing is here", until = "2027-06-30"))]
impl S {
    /// Excuses nothing.
    #[tool(public, allow_text("hidden/zero-width", reason = "names are split by it", until = "2027-06-30"))]
    async fn nothing(&self, word: String) -> String { word }

    #[doc = "Ze\u{200B}ro."]
    #[tool(public, allow_text("hidden/zero-widht", reason = "names are split by it", until = "2027-06-30"))]
    async fn unknown(&self) {}

    #[doc = "Ze\u{200B}ro."]
    #[tool(public, allow_text("hidden/zero-width", until = "2027-06-30"))]
    async fn without_reason(&self) {}

    #[doc = "Ze\u{200B}ro."]
    #[tool(public, allow_text("hidden/zero-width", reason = "fine"))]
    async fn short_and_endless(&self) {}

    #[doc = "Ze\u{200B}ro."]
    #[tool(public, allow_text("hidden/zero-width", reason = "names are split by it", until = "30.06.2027"))]
    async fn bad_day(&self) {}

    #[doc = "Ze\u{200B}ro."]
    #[tool(
        public,
        allow_text("hidden/zero-width", reason = "names are split by it", until = "2027-06-30"),
        allow_text("hidden/zero-width", reason = "names are split by it", until = "2027-06-30"),
        allow_text = "hidden/zero-width",
    )]
    async fn twice(&self) {}

    /// Nameless.
    #[tool(public, allow_text(reason = "names are split by it", until = "2027-06-30"), allow_text(5, because = "why"))]
    async fn nameless(&self) {}

    /// Another rule than the one that is excused.
    #[prompt(public, allow_text("hidden/zero-width", reason = "names are split by it", until = "2027-06-30"))]
    async fn another(&self) -> String {
        format!("Be{} brief\u{202E}.", "\u{200B}")
    }

    #[allow_text("hidden/zero-width")]
    #[completion(prompt = "another", arg = "x", allow_text("hidden/zero-width", reason = "names are split by it", until = "2027-06-30"))]
    async fn complete(&self, prefix: String) -> Vec<String> { vec![prefix] }
}

/// Data.
#[mcp_secure::args]
struct Data {
    #[serde(rename = "a\u{200B}")]
    #[schemars(title = "A\nB", extend("x-note" = "C\u{7}"))]
    field: String,
}

/// Data.
#[mcp_secure::output(allow_text("hidden/zero-width", reason = "nothing is here", until = "2027-06-30"))]
enum Kind {
    #[serde(rename = "d\u{E0041}")]
    One,
}

fn main() {}
