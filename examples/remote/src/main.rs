//! A server for others: HTTPS, access tokens of one issuer, and a scope for each tool.

use mcp_secure::prelude::*;

struct Remote;

#[secure_server(name = "remote")]
impl Remote {
    /// Greet somebody.
    #[tool(scope = "greetings:read")]
    async fn greet(&self, name: String) -> String {
        format!("Hello, {name}!")
    }
}

fn main() -> mcp_secure::Result<()> {
    let issued = ResourceServer::new("https://auth.example", "https://mcp.example/mcp");
    let tls = Tls::files("cert.pem", "key.pem");
    let http = Http::on("0.0.0.0:8443").tls(tls).resource_server(issued);
    SecureServer::new(Remote).http(http).run()
}
