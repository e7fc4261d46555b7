//! One question, all answers.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use hickory_resolver::{
    TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig},
    net::runtime::TokioRuntimeProvider,
    proto::rr::{Name, RecordType},
};

use super::DialError;

/// Asks for names; one resolver for each set of name servers, made on first use.
#[derive(Default)]
pub(super) struct Resolvers(Mutex<HashMap<Vec<SocketAddr>, TokioResolver>>);

impl Resolvers {
    /// Every address of a name, IPv4 first.
    pub(super) async fn all(
        &self,
        name: &str,
        nameservers: &[SocketAddr],
    ) -> Result<Vec<IpAddr>, DialError> {
        let failed = |detail: String| DialError::Resolve { detail };
        let resolver = self.of(nameservers).map_err(failed)?;
        // With the dot at the end no search domain is tried.
        let name = Name::from_ascii(format!("{name}.")).map_err(|e| failed(e.to_string()))?;
        let (v4, v6) = tokio::join!(
            resolver.lookup(name.clone(), RecordType::A),
            resolver.lookup(name, RecordType::AAAA)
        );
        let mut addresses = Vec::new();
        let mut trouble = None;
        for answer in [v4, v6] {
            match answer {
                Ok(answer) => addresses.extend(
                    answer
                        .answers()
                        .iter()
                        .filter_map(|record| record.data.ip_addr()),
                ),
                Err(error) => trouble = trouble.or(Some(error.to_string())),
            }
        }
        if addresses.is_empty() {
            return Err(failed(trouble.unwrap_or_else(|| "no address".to_owned())));
        }
        Ok(addresses)
    }

    fn of(&self, nameservers: &[SocketAddr]) -> Result<TokioResolver, String> {
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(resolver) = made.get(nameservers) {
            return Ok(resolver.clone());
        }
        let resolver = make(nameservers).map_err(|error| error.to_string())?;
        made.insert(nameservers.to_vec(), resolver.clone());
        Ok(resolver)
    }
}

fn make(nameservers: &[SocketAddr]) -> Result<TokioResolver, hickory_resolver::net::NetError> {
    let mut builder = if nameservers.is_empty() {
        TokioResolver::builder_tokio()?
    } else {
        let servers = nameservers.iter().map(|server| {
            let at = |mut connection: ConnectionConfig| {
                connection.port = server.port();
                connection
            };
            NameServerConfig::new(
                server.ip(),
                true,
                vec![at(ConnectionConfig::udp()), at(ConnectionConfig::tcp())],
            )
        });
        let config = ResolverConfig::from_name_servers(servers.collect());
        let mut builder =
            TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        // Who names the servers to ask does not mean the hosts file.
        builder.options_mut().use_hosts_file = ResolveHosts::Never;
        builder
    };
    let options = builder.options_mut();
    options.timeout = options.timeout.min(ANSWER_TIMEOUT);
    options.cache_size = CACHED;
    // An answer may not pin itself for a week.
    options.positive_max_ttl = Some(CACHED_FOR);
    options.negative_max_ttl = Some(CACHED_FOR);
    builder.build()
}

/// For one question to one server.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);

/// Answers that are kept, and judged again on each use.
const CACHED: u64 = 256;

/// The longest that one is kept.
const CACHED_FOR: Duration = Duration::from_secs(300);
