-- The registry's first tables. One text for SQLite and PostgreSQL: times are BIGINT milliseconds UTC, secrets
-- are hex text, identities are handed out from `sequences` so that a number is never used twice.

-- Counters: `change` numbers every write that a snapshot must notice, `device` hands out device numbers.
CREATE TABLE sequences (
    name TEXT PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO sequences (name, value) VALUES ('change', 0), ('device', 0);

-- What the server keeps for itself, for example its secret.
CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

-- Every terminal that somebody approved once. Rows are never deleted.
CREATE TABLE devices (
    id INTEGER PRIMARY KEY,
    protocol TEXT NOT NULL,
    terminal_key TEXT NOT NULL,
    terminal TEXT NOT NULL,
    name TEXT,
    state TEXT NOT NULL CHECK (state IN ('approved', 'blocked')),
    profile TEXT NOT NULL,
    code_generation INTEGER NOT NULL,
    province INTEGER,
    city INTEGER,
    maker TEXT,
    model TEXT,
    terminal_id TEXT,
    plate_colour INTEGER,
    plate TEXT,
    registered_at BIGINT,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    approved_at BIGINT NOT NULL,
    approved_by TEXT NOT NULL,
    UNIQUE (protocol, terminal_key)
);

-- What was changed: valid from when, known since when, by whom.
CREATE TABLE device_history (
    device_id INTEGER NOT NULL REFERENCES devices (id),
    change BIGINT NOT NULL,
    valid_from BIGINT NOT NULL,
    recorded_at BIGINT NOT NULL,
    who TEXT NOT NULL,
    what TEXT NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (device_id, change)
);

-- Terminals that nobody approved; bounded by the configuration.
CREATE TABLE quarantine (
    protocol TEXT NOT NULL,
    terminal_key TEXT NOT NULL,
    terminal TEXT NOT NULL,
    first_seen BIGINT NOT NULL,
    last_seen BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    peer TEXT NOT NULL,
    registration TEXT,
    PRIMARY KEY (protocol, terminal_key)
);
CREATE INDEX quarantine_by_last_seen ON quarantine (last_seen, terminal_key);

-- Bearer tokens: only the hash of the secret is kept.
CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    secret_sha256 TEXT NOT NULL,
    scopes TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    expires_at BIGINT,
    last_used_at BIGINT
);
