//! A server over any back end, and the options of the attribute.

#![allow(missing_docs, unreachable_pub, clippy::indexing_slicing)]

use ::mcp_secure as sdk;
use sdk::prelude::*;

pub trait Backend {
    type Key: sdk::ToolArg;
    fn find(&self, key: Self::Key) -> Option<String>;
}

pub struct Store<B, const N: usize>
where
    B: Backend,
{
    backend: B,
}

#[sdk::secure_server(
    name = "store", version = "2.0.0", instructions = "Find things by key.", crate = ::mcp_secure
)]
impl<B, const N: usize> Store<B, N>
where
    B: Backend,
{
    /// Find a value.
    #[tool(public)]
    async fn find(&self, key: B::Key) -> ToolResult<String> {
        self.backend
            .find(key)
            .ok_or_else(|| ToolError::new("nothing has this key"))
    }
}

struct Fixed;

impl Backend for Fixed {
    type Key = u8;
    fn find(&self, key: u8) -> Option<String> {
        Some(key.to_string())
    }
}

mod inner {
    pub struct Empty;
}

/// Nothing here yet.
#[secure_server]
impl inner::Empty {}

enum Either {
    A,
}

#[secure_server]
impl Either {
    /// Says which.
    #[tool(public)]
    async fn which(&self) -> &'static str {
        match self {
            Either::A => "a",
        }
    }
}

fn main() {
    use sdk::__private::SecureService;

    // Inside a function as well.
    struct Local;
    #[secure_server]
    impl Local {
        /// Local.
        #[tool(public)]
        async fn local(&self) {}
    }

    let definition = Store::<Fixed, 3>::definition();
    assert_eq!((definition.name, definition.version), ("store", "2.0.0"));
    assert_eq!(definition.instructions, Some("Find things by key."));
    assert_eq!(
        definition.tools[0].input.schema["properties"]["key"]["maximum"],
        255
    );
    assert_eq!(
        inner::Empty::definition().instructions,
        Some("Nothing here yet.")
    );
    assert_eq!(Either::definition().tools.len(), 1);
    assert_eq!(Local::definition().name, "local");
    assert_eq!(Local::definition().version, env!("CARGO_PKG_VERSION"));
    let _ = (Either::A, Store::<_, 1> { backend: Fixed });
}
