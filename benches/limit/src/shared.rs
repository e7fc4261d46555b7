//! What one question to Redis costs, beside one for a script that does nothing.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use mcp_secure::state::{RedisLimits, RedisStore};
use redis::aio::MultiplexedConnection;

use crate::{ROUNDS, median};

const ASKED: usize = 5_000;

/// Skipped where there is no `redis-server`.
pub(crate) fn measure() {
    let Some(redis) = Redis::start() else {
        println!("no redis-server: its row is left out");
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(redis.beside_nothing());
}

struct Redis(Child, u16);

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Redis {
    fn start() -> Option<Self> {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let args = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
        let child = Command::new("redis-server")
            .args(args)
            .args(["--port", &port.to_string()])
            .stdout(Stdio::null())
            .spawn()
            .ok()?;
        Some(Self(child, port))
    }

    async fn connection(&self) -> MultiplexedConnection {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", self.1)).unwrap();
        for _ in 0..200 {
            if let Ok(connection) = client.get_multiplexed_async_connection().await {
                return connection;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("redis-server does not answer");
    }

    async fn beside_nothing(&self) {
        let mut connection = self.connection().await;
        let limits = RedisLimits::on(RedisStore::at("redis://127.0.0.1").allow_private());
        let load = |script: &str| redis::cmd("SCRIPT").arg("LOAD").arg(script).clone();
        let nothing: String = load("return 0").query_async(&mut connection).await.unwrap();
        let empty = redis::cmd("EVALSHA").arg(&nothing).arg(0).clone();
        let [_, whole] = limits.check_for_bench("user-0");
        let _: redis::Value = whole.query_async(&mut connection).await.unwrap();

        let (mut ratios, mut times) = (Vec::new(), (Vec::new(), Vec::new()));
        for round in 0..ROUNDS {
            let checks: Vec<redis::Cmd> = (0..ASKED)
                .map(|n| {
                    let [by_digest, _] = limits.check_for_bench(&format!("user-{}", n % 1000));
                    by_digest
                })
                .collect();
            let empties = vec![empty.clone(); ASKED];
            let (a, b) = if round % 2 == 0 {
                let a = time(&mut connection, &checks).await;
                (a, time(&mut connection, &empties).await)
            } else {
                let b = time(&mut connection, &empties).await;
                (time(&mut connection, &checks).await, b)
            };
            times.0.push(a);
            times.1.push(b);
            ratios.push(a / b);
        }
        println!(
            "Redis, three buckets in one question: {:.0} µs, a script that does nothing {:.0} µs, ratio {:.2}",
            median(&mut times.0),
            median(&mut times.1),
            median(&mut ratios),
        );
    }
}

async fn time(connection: &mut MultiplexedConnection, commands: &[redis::Cmd]) -> f64 {
    let begun = Instant::now();
    for command in commands {
        let _: redis::Value = command.query_async(connection).await.unwrap();
    }
    begun.elapsed().as_secs_f64() * 1e6 / commands.len() as f64
}
