use mcp_secure::prelude::*;

struct S;

#[secure_server]
impl S {
    /// Keeps what cannot be sent.
    #[tool(public)]
    async fn keeps(&self) {
        let kept = std::rc::Rc::new(());
        std::future::ready(()).await;
        drop(kept);
    }
}

fn main() {}
