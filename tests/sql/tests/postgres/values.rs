//! What goes there and comes back, and what is made whole or not at all.

use mcp_secure::{
    capability::sql::Param as _,
    serde_json::{self, json},
};
use serde::Deserialize;

use super::*;

#[tokio::test]
async fn a_value_is_never_read_as_sql() {
    let cluster = cluster!();
    let server = server(&cluster.socket("writer"), SqlLimits::default());
    let db: Writing = server.lend().unwrap();
    let nasty = [
        "' OR '1'='1",
        "'; DELETE FROM entries; --",
        "boat' UNION SELECT word FROM secrets --",
        "$1",
        "$$; DELETE FROM entries; $$",
        "\\'; DELETE FROM entries; --",
        "*/ OR 1=1 /*",
        r#"a"},{"b\"#,
        "\u{bf}' OR 1=1 --",
        "NULL",
        "{}",
        "",
    ];
    for (count, value) in nasty.iter().enumerate() {
        let find = "SELECT name FROM entries WHERE name = $1";
        assert!(
            db.query(find, (*value,)).await.unwrap().is_empty(),
            "{value}"
        );
        db.execute("INSERT INTO entries (name) VALUES ($1)", (*value,))
            .await
            .unwrap();
        let found = db.query(find, (*value,)).await.unwrap();
        assert_eq!(found.one::<String>().unwrap(), *value);
        let all: Vec<String> = nasty.iter().map(|&text| text.to_owned()).collect();
        let listed = db
            .query("SELECT name FROM entries WHERE name = ANY($1)", (all,))
            .await
            .unwrap();
        assert_eq!(listed.len(), count + 1, "{value}");
    }
    assert_eq!(cluster.run("SELECT count(*) FROM entries"), "14");
    for values in [vec![], vec![1.into_value(), 2.into_value()]] {
        let count = error(db.query("SELECT $1::bigint", values).await);
        assert!(matches!(count, SqlError::Parameter { index: 0, .. }));
    }
    assert!(matches!(
        error(db.query("SELECT $1::text", ("a\0b",)).await),
        SqlError::Parameter { index: 1, .. }
    ));
}

#[derive(Deserialize, Debug, PartialEq)]
struct Everything {
    b: bool,
    i: i16,
    n: i64,
    f: f64,
    t: String,
    y: Vec<u8>,
    none: Option<String>,
    j: serde_json::Value,
    u: String,
    at: String,
    local: String,
    day: String,
    money: String,
    mood: String,
    list: Vec<Option<String>>,
    numbers: Vec<i64>,
}

#[tokio::test]
async fn every_kind_of_value_goes_there_and_comes_back() {
    let cluster = cluster!();
    let server = server(&cluster.socket("reader"), SqlLimits::default());
    let db: Reading = server.lend().unwrap();
    let rows = db
        .query(
            "SELECT $1::bool AS b, $2::int2 AS i, $3::int8 AS n, $4::float8 AS f, $5::text AS t,
                    $6::bytea AS y, $7::text AS none, $8::jsonb AS j, $9::uuid AS u,
                    $10::timestamptz AS at, '2026-02-28 23:59:59.5'::timestamp AS local,
                    '1999-12-31'::date AS day, $11::numeric AS money, $12::mood AS mood,
                    ARRAY['a', NULL] AS list, '{1,-2}'::int4[] AS numbers",
            (
                true,
                -7,
                i64::MIN,
                0.1,
                "\u{2603}",
                vec![0_u8, 255],
                None::<String>,
                r#"{"a": [1, null]}"#,
                "00112233-4455-6677-8899-aabbccddeeff",
                "2026-11-27T20:00:00+01:00",
                "-12345.60",
                "cross",
            ),
        )
        .await
        .unwrap();
    let expected = Everything {
        b: true,
        i: -7,
        n: i64::MIN,
        f: 0.1,
        t: "\u{2603}".into(),
        y: vec![0, 255],
        none: None,
        j: json!({ "a": [1, null] }),
        u: "00112233-4455-6677-8899-aabbccddeeff".into(),
        at: "2026-11-27T19:00:00Z".into(),
        local: "2026-02-28T23:59:59.500".into(),
        day: "1999-12-31".into(),
        money: "-12345.60".into(),
        mood: "cross".into(),
        list: vec![Some("a".into()), None],
        numbers: vec![1, -2],
    };
    assert_eq!(rows.one::<Everything>().unwrap(), expected);
    // What is not read says what to write, to the log.
    let range = error(db.query("SELECT '[1,2)'::int4range", ()).await);
    assert!(matches!(range, SqlError::Shape(_)));
}

#[tokio::test]
async fn a_batch_is_made_whole_or_not_at_all() {
    let cluster = cluster!();
    let server = server(&cluster.socket("writer"), SqlLimits::default());
    let db: Writing = server.lend().unwrap();
    let take = |cents: i64, from: &str| {
        Statement::new(
            "UPDATE entries SET cents = cents - $1 WHERE name = $2 AND cents >= $1",
            (cents, from),
        )
        .changes(1)
    };
    let give = |cents: i64, to: &str| {
        Statement::new(
            "UPDATE entries SET cents = cents + $1 WHERE name = $2",
            (cents, to),
        )
        .changes(1)
    };
    let done = db.batch([take(30, "boat"), give(30, "pond")]).await;
    assert_eq!(done, Ok(vec![1, 1]));
    let nobody = db.batch([take(30, "boat"), give(30, "nobody")]).await;
    assert_eq!(nobody, Err(SqlError::Unmet { statement: 2 }));
    let twice = db
        .batch([
            take(1, "boat"),
            Statement::new("INSERT INTO entries (name) VALUES ($1)", ("pond",)),
        ])
        .await;
    assert!(matches!(twice, Err(SqlError::Conflict(_))));
    let returned = db
        .query(
            "UPDATE entries SET text = NULL WHERE name = $1 RETURNING name",
            ("pond",),
        )
        .await
        .unwrap();
    assert_eq!(returned.one::<String>().unwrap(), "pond");
    assert_eq!(
        cluster.run("SELECT string_agg(cents::text, ',' ORDER BY name) FROM entries"),
        "70,80"
    );
}
