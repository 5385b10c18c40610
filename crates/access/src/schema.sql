CREATE TABLE people (
    name TEXT PRIMARY KEY,
    password TEXT,
    issuer TEXT,
    subject TEXT,
    shown TEXT NOT NULL DEFAULT '',
    email TEXT NOT NULL DEFAULT '',
    disabled INTEGER NOT NULL DEFAULT 0,
    must_change INTEGER NOT NULL DEFAULT 0,
    made INTEGER NOT NULL,
    UNIQUE (issuer, subject)
) STRICT, WITHOUT ROWID;

CREATE TABLE grants (
    person TEXT NOT NULL REFERENCES people (name),
    role TEXT NOT NULL,
    domain TEXT NOT NULL,
    PRIMARY KEY (person, role, domain)
) STRICT, WITHOUT ROWID;

CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    hash BLOB NOT NULL,
    name TEXT NOT NULL,
    owner TEXT REFERENCES people (name),
    made_by TEXT NOT NULL,
    grants TEXT NOT NULL,
    made INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    used INTEGER,
    revoked INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE sign_ins (
    id TEXT PRIMARY KEY,
    hash BLOB NOT NULL,
    person TEXT NOT NULL REFERENCES people (name),
    address TEXT NOT NULL,
    begun INTEGER NOT NULL,
    proved INTEGER NOT NULL,
    used INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sign_ins_of ON sign_ins (person);

CREATE TABLE agents (
    id TEXT PRIMARY KEY,
    hash BLOB NOT NULL,
    session TEXT NOT NULL,
    agent TEXT NOT NULL,
    domain TEXT NOT NULL,
    parent TEXT REFERENCES agents (id),
    line TEXT NOT NULL,
    scopes TEXT NOT NULL,
    made INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    revoked INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX agents_of ON agents (session);
CREATE INDEX agents_below ON agents (parent);

CREATE TABLE ended (
    session TEXT PRIMARY KEY,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE failures (
    who BLOB PRIMARY KEY,
    count INTEGER NOT NULL,
    until INTEGER NOT NULL,
    last INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE changes (
    id TEXT PRIMARY KEY,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
