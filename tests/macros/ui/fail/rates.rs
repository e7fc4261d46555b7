use mcp_secure::prelude::*;

struct S;

#[secure_server]
impl S {
    /// No time.
    #[tool(public, rate = "10")]
    async fn no_time(&self) {}

    /// Never.
    #[tool(public, rate = "0/min")]
    async fn never(&self) {}

    /// In weeks.
    #[tool(public, rate = "10/week")]
    async fn weeks(&self) {}

    /// A number.
    #[tool(public, rate = 10)]
    async fn number(&self) {}

    /// Of what.
    #[tool(public, burst = 5)]
    async fn of_what(&self) {}

    /// None at once.
    #[tool(public, rate = "10/min", burst = 0)]
    async fn none_at_once(&self) {}

    /// For nothing.
    #[tool(public, cost = 0)]
    async fn for_nothing(&self) {}

    /// All together, in weeks.
    #[tool(public, total_rate = "100/week")]
    async fn total_in_weeks(&self) {}

    /// A quota of the hour.
    #[tool(public, quota = "10/h")]
    async fn hourly(&self) {}

    /// Bytes without a unit.
    #[tool(public, output_quota = "50/day")]
    async fn no_unit(&self) {}

    /// Always.
    #[tool(public, repeat = true)]
    async fn always(&self) {}

    /// Not once.
    #[tool(public, repeat = 0)]
    async fn not_once(&self) {}
}

fn main() {}
