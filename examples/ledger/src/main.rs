//! The books of a club: who has how much, what was paid, and a payment that a person agrees to.

use mcp_secure::{prelude::*, serde::Deserialize};

/// The books: accounts and payments.
#[capability(sql = "sqlite", private)]
pub struct Ledger;

struct LedgerServer;

/// One account.
#[mcp_secure::output]
#[derive(Deserialize)]
struct Account {
    /// Whose it is.
    name: String,
    /// What is in it.
    cents: i64,
}

/// The accounts that were asked for.
#[mcp_secure::output]
struct Accounts {
    /// At most 100.
    accounts: Vec<Account>,
}

/// One payment.
#[mcp_secure::output]
#[derive(Deserialize)]
struct Payment {
    /// From whom.
    payer: String,
    /// To whom.
    payee: String,
    /// How much.
    cents: i64,
    /// What for.
    purpose: String,
}

/// The payments that were asked for.
#[mcp_secure::output]
struct Payments {
    /// The latest first.
    payments: Vec<Payment>,
}

/// How accounts are sorted.
#[mcp_secure::args]
enum Order {
    Name,
    Balance,
}

impl Order {
    /// An order cannot be bound to a placeholder. It is one of two statements.
    fn statement(&self) -> &'static str {
        match self {
            Self::Name => "SELECT name, cents FROM accounts ORDER BY name LIMIT 100",
            Self::Balance => "SELECT name, cents FROM accounts ORDER BY cents DESC LIMIT 100",
        }
    }
}

#[secure_server]
impl LedgerServer {
    /// List the accounts and what is in them.
    #[tool(scope = "ledger:read")]
    async fn list_accounts(
        &self,
        /// How they are sorted.
        order: Order,
        ledger: Sql<Ledger, ReadOnly>,
    ) -> ToolResult<Json<Accounts>> {
        let accounts = ledger.query(order.statement(), ()).await?.all()?;
        Ok(Json(Accounts { accounts }))
    }

    /// Find payments by words of their purpose.
    #[tool(scope = "ledger:read")]
    async fn find_payments(
        &self,
        /// What the purpose contains.
        #[arg(min_len = 1, max_len = 100)]
        words: String,
        /// How many at most.
        #[arg(range = 1..=100)]
        limit: u32,
        ledger: Sql<Ledger, ReadOnly>,
    ) -> ToolResult<Json<Payments>> {
        let rows = ledger
            .query(
                "SELECT payer, payee, cents, purpose FROM payments
                 WHERE instr(lower(purpose), lower(?1)) ORDER BY id DESC LIMIT ?2",
                (words, limit),
            )
            .await?;
        Ok(Json(Payments {
            payments: rows.all()?,
        }))
    }

    /// Pay from one account to another. A person must agree each time.
    #[tool(scope = "ledger:pay")]
    async fn pay(
        &self,
        /// Whose account it is taken from.
        payer: String,
        /// Whose account it is added to.
        payee: String,
        /// How much.
        #[arg(range = 1..=1_000_000)]
        cents: u32,
        /// What for.
        #[arg(max_len = 200)]
        purpose: String,
        ledger: Approved<Sql<Ledger, ReadWrite>>,
    ) -> ToolResult<String> {
        ledger
            .batch([
                Statement::new(
                    "UPDATE accounts SET cents = cents - ?1 WHERE name = ?2 AND cents >= ?1",
                    (cents, &payer),
                )
                .changes(1),
                Statement::new(
                    "UPDATE accounts SET cents = cents + ?1 WHERE name = ?2",
                    (cents, &payee),
                )
                .changes(1),
                Statement::new(
                    "INSERT INTO payments (payer, payee, cents, purpose) VALUES (?1, ?2, ?3, ?4)",
                    (&payer, &payee, cents, purpose),
                ),
            ])
            .await?;
        Ok(format!("{payer} paid {cents} cents to {payee}"))
    }
}

fn main() -> mcp_secure::Result<()> {
    SecureServer::new(LedgerServer)
        .grant(Ledger::from_operator())
        // A client that cannot show the page is believed.
        .approvals(Approvals::by(By::strongest().or_in_client()))
        .stdio(Principal::local_user().scopes(["ledger:read", "ledger:pay"]))
        .run()
}
