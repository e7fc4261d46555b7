//! The same tools, for others than the user of the machine: TLS, proxies, certificates.

use mcp_secure::{
    prelude::*,
    server::http::{Authenticated, Tls},
};

use crate::{
    limits, setting,
    target::{Files, Target},
    traces::Traces,
    with_settings,
};

/// Writes nothing.
struct Reader;

#[secure_server]
impl Reader {
    /// Read one file.
    #[tool(scope = "files:read")]
    async fn read(&self, name: RelPath, files: Fs<Files, ReadOnly>) -> ToolResult<String> {
        Ok(files.read_to_string(&name).await?)
    }
}

pub(crate) fn serve() -> mcp_secure::Result<()> {
    let (limits, http_limits) = limits()?;
    let address = setting("ADDRESS").unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let mut http = Http::on(address).limits(http_limits);
    if let (Some(chain), Some(key)) = (setting("CHAIN"), setting("KEY")) {
        let mut tls = Tls::files(chain, key);
        if setting("TLS12").is_some() {
            tls = tls.tls12();
        }
        if let Some(authorities) = setting("CLIENTS") {
            tls = tls.client_certificates(authorities);
        }
        if let Some(authorities) = setting("OPTIONAL_CLIENTS") {
            tls = tls.optional_client_certificates(authorities);
        }
        http = http.tls(tls);
    }
    for host in words("HOSTS") {
        http = http.allow_host(host);
    }
    let proxies = words("PROXIES");
    if !proxies.is_empty() {
        http = http.behind_proxy(proxies);
    }
    let http = callers(http);
    if setting("READER").is_some() {
        let server = SecureServer::new(Reader).grant(Files::from_operator());
        return server.sandbox(with_settings()).http(http).run();
    }
    SecureServer::new(Target::new(Traces::from_env()))
        .grant(Files::from_operator())
        .sandbox(with_settings())
        .limits(limits)
        .http(http)
        .run()
}

fn callers(http: Http) -> Http<Authenticated> {
    if setting("LOCAL_TOKEN").is_some() {
        return http.local_token_at(setting("TOKEN").unwrap_or_default(), ["files:read"]);
    }
    if let Some(keys) = setting("KEYS") {
        return http.api_keys(keys);
    }
    let table = setting("TABLE").unwrap_or_default();
    if let Some((thumbprint, subject)) = table.split_once('=') {
        return http.client_certificates_table([(thumbprint, subject, &["files:read"][..])]);
    }
    http.test_users([("alice-token", "alice", &["files:read"][..])])
}

fn words(name: &str) -> Vec<String> {
    let all = setting(name).unwrap_or_default();
    all.split_whitespace().map(str::to_owned).collect()
}
