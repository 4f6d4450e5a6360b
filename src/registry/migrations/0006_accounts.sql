-- People with accounts, what they may do, where they are logged in, and the log of what everybody did. One text for SQLite and
-- PostgreSQL, as in the first migration. Of every secret that opens something only a hash is kept.
INSERT INTO sequences (name, value) VALUES ('account', 0), ('grant', 0), ('login', 0), ('purpose', 0);

-- `person` is out of the sequence of people, which tokens that stand for a person share: cases tell people apart by it. `name` is
-- what is typed at the log-in, in lower case. An account is never deleted: the log names it.
CREATE TABLE accounts (
    id BIGINT PRIMARY KEY,
    person BIGINT NOT NULL UNIQUE,
    name TEXT NOT NULL UNIQUE,
    display_name TEXT NOT NULL,
    -- The unit the person belongs to: nobody reviews the own unit.
    unit BIGINT,
    -- The row of the register of drivers that the person is.
    driver BIGINT,
    is_disabled BIGINT NOT NULL,
    is_demo BIGINT NOT NULL,
    -- argon2 with its parameters (PHC string); NULL until the set-up link was used.
    password TEXT,
    password_at BIGINT,
    must_change_password BIGINT NOT NULL,
    -- TOTP: the secret in hex, since when it is in force (NULL = not confirmed), and the last time step that was used up.
    totp_secret TEXT,
    totp_since BIGINT,
    totp_step BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL
);

CREATE TABLE recovery_codes (
    account BIGINT NOT NULL REFERENCES accounts (id),
    code_sha256 TEXT NOT NULL,
    used_at BIGINT,
    PRIMARY KEY (account, code_sha256)
);

-- A role on a unit with all below it (NULL = on everything) until a date. `is_secret`: cars on secret work too.
CREATE TABLE grants (
    id BIGINT PRIMARY KEY,
    account BIGINT NOT NULL REFERENCES accounts (id),
    role TEXT NOT NULL,
    unit BIGINT,
    is_secret BIGINT NOT NULL,
    until BIGINT,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    revoked_at BIGINT,
    revoked_by TEXT
);
CREATE INDEX grants_by_account ON grants (account);

-- Where people are logged in. The cookie holds 256 random bits, this table their SHA-256.
CREATE TABLE logins (
    id BIGINT PRIMARY KEY,
    account BIGINT NOT NULL REFERENCES accounts (id),
    secret_sha256 TEXT NOT NULL UNIQUE,
    created_at BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    ip TEXT NOT NULL,
    agent TEXT NOT NULL,
    ended_at BIGINT
);
CREATE INDEX logins_by_account ON logins (account);

-- Links that set a password once. `account` NULL: the first start's, which makes the first account.
CREATE TABLE account_links (
    secret_sha256 TEXT PRIMARY KEY,
    account BIGINT REFERENCES accounts (id),
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT
);

-- Failed log-ins by name, whether there is such an account or not, so that an answer tells nobody which names there are.
CREATE TABLE login_failures (
    name TEXT PRIMARY KEY,
    failures BIGINT NOT NULL,
    failed_at BIGINT NOT NULL
);
CREATE INDEX login_failures_by_age ON login_failures (failed_at);

-- What somebody wanted to know when opening what a person did. Holds for the log-in, for the vehicle or case, for the local day.
CREATE TABLE purposes (
    id BIGINT PRIMARY KEY,
    login BIGINT NOT NULL REFERENCES logins (id),
    account BIGINT NOT NULL REFERENCES accounts (id),
    vehicle BIGINT,
    case_id TEXT,
    day BIGINT NOT NULL,
    text TEXT NOT NULL,
    at BIGINT NOT NULL
);
CREATE INDEX purposes_by_login ON purposes (login, day);

-- Who did what: a chain of hashes, see accounts/chain.rs. Only ever appended.
CREATE TABLE audit_log (
    seq BIGINT PRIMARY KEY,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    person BIGINT,
    ip TEXT NOT NULL,
    action TEXT NOT NULL,
    object TEXT NOT NULL,
    vehicle BIGINT,
    case_id TEXT,
    detail TEXT NOT NULL,
    detail_sha256 TEXT NOT NULL,
    prev_hash TEXT NOT NULL,
    hash TEXT NOT NULL
);
CREATE INDEX audit_log_by_vehicle ON audit_log (vehicle, seq);

-- Who asked for a change and who decided, by number, where they are people with accounts or tokens of their own.
ALTER TABLE proposals ADD COLUMN by_person BIGINT;
ALTER TABLE proposals ADD COLUMN decided_by_person BIGINT;
