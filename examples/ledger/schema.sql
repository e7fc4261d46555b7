CREATE TABLE accounts (
    name  TEXT PRIMARY KEY,
    cents INTEGER NOT NULL CHECK (cents >= 0)
) STRICT;

CREATE TABLE payments (
    id      INTEGER PRIMARY KEY,
    payer   TEXT NOT NULL REFERENCES accounts (name),
    payee   TEXT NOT NULL REFERENCES accounts (name),
    cents   INTEGER NOT NULL CHECK (cents > 0),
    purpose TEXT NOT NULL
) STRICT;

INSERT INTO accounts VALUES ('alice', 12000), ('bob', 3000), ('club', 50000);
INSERT INTO payments (payer, payee, cents, purpose) VALUES
    ('alice', 'club', 2500, 'Membership, spring'),
    ('bob', 'club', 2500, 'Membership, spring'),
    ('club', 'alice', 1890, 'Varnish for the boat');
