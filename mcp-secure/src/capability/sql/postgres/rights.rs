//! What the role may do, asked before the server serves.
//!
//! A handle that reads is a promise that a role with rights to write cannot keep: whatever
//! finds a way to run a statement of its own has them. So a role that could do more than the
//! handles of the program need stops the start, with the name of what is too much.

use tokio_postgres::Client;

use crate::error::{Error, Result};

/// Asks for the rights of the role, and of every role that it could become.
pub(super) async fn ask(client: &Client, name: &str, writes: bool) -> Result<()> {
    let rows = match client.query(QUESTION, &[&writes]).await {
        Ok(rows) => rows,
        Err(error) => {
            // Said where it cannot be asked; what a statement may do is still the server's to
            // decide.
            tracing::warn!(
                grant = name,
                sqlstate = error.code().map(tokio_postgres::error::SqlState::code),
                "the rights of the database role cannot be asked"
            );
            return Ok(());
        }
    };
    let found: Vec<String> = rows
        .iter()
        .filter_map(|row| row.try_get::<_, String>(0).ok())
        .collect();
    if found.is_empty() {
        return Ok(());
    }
    let needed = if writes {
        "read and write"
    } else {
        "only read"
    };
    Err(Error::new(format!(
        "the database role of the grant `{name}` may do more than {needed}: {}",
        found.join("; ")
    ))
    .help(
        "make a role for this server with `CREATE ROLE … LOGIN NOSUPERUSER`, and grant it \
         `USAGE` on a schema and what it needs on tables, such as `SELECT`",
    ))
}

/// At most five rights that are too much.
const QUESTION: &str = "
WITH roles AS (
    SELECT r.* FROM pg_catalog.pg_roles r
    WHERE pg_catalog.pg_has_role(session_user, r.oid, 'MEMBER')
),
me AS (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = session_user),
relations AS (
    SELECT c.oid, n.nspname || '.' || c.relname AS name
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
      AND n.nspname NOT IN ('pg_catalog', 'information_schema')
      AND n.nspname !~ '^pg_(toast|temp)'
)
SELECT x.what::text FROM (
    SELECT 1 AS rank, 'it is a superuser' AS what FROM me WHERE rolsuper
    UNION ALL
    SELECT 1, 'it may become the superuser ' || r.rolname FROM roles r, me
    WHERE r.rolsuper AND NOT me.rolsuper
    UNION ALL
    SELECT 2, r.rolname || ' has ' || a.attribute FROM roles r, me, LATERAL (VALUES
        ('CREATEROLE', r.rolcreaterole), ('CREATEDB', r.rolcreatedb),
        ('REPLICATION', r.rolreplication), ('BYPASSRLS', r.rolbypassrls)
    ) AS a (attribute, held)
    WHERE a.held AND NOT me.rolsuper
    UNION ALL
    SELECT 3, 'it is a member of ' || r.rolname FROM roles r, me
    WHERE NOT me.rolsuper AND (r.rolname IN ('pg_read_server_files', 'pg_write_server_files',
            'pg_execute_server_program', 'pg_signal_backend', 'pg_maintain',
            'pg_create_subscription', 'pg_checkpoint')
        OR (r.rolname = 'pg_write_all_data' AND NOT $1::bool))
    UNION ALL
    SELECT 4, 'it may call ' || p.proname FROM pg_catalog.pg_proc p, me
    WHERE NOT me.rolsuper
      AND p.proname IN ('pg_read_file', 'pg_read_binary_file', 'pg_ls_dir', 'pg_stat_file',
        'pg_file_write', 'pg_file_unlink', 'pg_file_rename', 'lo_import', 'lo_export',
        'dblink', 'dblink_connect', 'dblink_connect_u', 'dblink_exec', 'dblink_send_query')
      AND EXISTS (SELECT FROM roles r
        WHERE pg_catalog.has_function_privilege(r.oid, p.oid, 'EXECUTE'))
    UNION ALL
    SELECT 5, 'it may write to ' || c.name FROM relations c, me
    WHERE NOT me.rolsuper AND NOT $1::bool AND EXISTS (SELECT FROM roles r
        WHERE pg_catalog.has_table_privilege(r.oid, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
           OR pg_catalog.has_any_column_privilege(r.oid, c.oid, 'INSERT, UPDATE'))
    UNION ALL
    SELECT 6, 'it may create tables in the schema ' || n.nspname
    FROM pg_catalog.pg_namespace n, me
    WHERE NOT me.rolsuper AND n.nspname !~ '^pg_' AND EXISTS (SELECT FROM roles r
        WHERE pg_catalog.has_schema_privilege(r.oid, n.oid, 'CREATE'))
) x
GROUP BY x.rank, x.what ORDER BY x.rank, x.what LIMIT 5";
