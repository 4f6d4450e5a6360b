-- What judgement reads and writes. One text for SQLite and PostgreSQL, as in the first migration: BIGINT times (milliseconds
-- UTC), BIGINT booleans (0, 1), JSON and hashes as TEXT.

-- `recorded_at` is the latest time of recording that was handed out: it never goes back.
INSERT INTO sequences (name, value) VALUES ('recorded_at', 0);

-- Rows of the register, every version for ever. See registry/entries/mod.rs.
CREATE TABLE entries (
    kind TEXT NOT NULL,
    id BIGINT NOT NULL,
    version BIGINT NOT NULL,
    change BIGINT NOT NULL,
    recorded_at BIGINT NOT NULL,
    recorded_by TEXT NOT NULL,
    -- The change and time of recording that took its place; NULL = it is what is known now.
    superseded_change BIGINT,
    superseded_at BIGINT,
    -- When it holds in the world; valid_to NULL = still so; valid_to = valid_from = never (ended before it began).
    valid_from BIGINT NOT NULL,
    valid_to BIGINT,
    -- The time it speaks of, both included: of an order the planned time, of a fuel bill that of the transaction, else when
    -- it holds.
    about_from BIGINT NOT NULL,
    about_to BIGINT NOT NULL,
    natural_key TEXT,
    vehicle BIGINT,
    other_vehicle BIGINT,
    unit BIGINT,
    body TEXT NOT NULL,
    PRIMARY KEY (kind, id, version)
);
CREATE INDEX entries_by_key ON entries (kind, natural_key);
CREATE INDEX entries_by_vehicle ON entries (kind, vehicle, about_to);
CREATE INDEX entries_by_time ON entries (kind, about_to, about_from);
CREATE INDEX entries_by_change ON entries (change);
CREATE INDEX entries_by_superseding ON entries (superseded_change);

-- Trips, moves, stops and gaps of a device. The id is a hash of the content; a version that was superseded stays.
CREATE TABLE trip_versions (
    id TEXT PRIMARY KEY,
    device BIGINT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('trip', 'move', 'stop', 'gap')),
    starts BIGINT NOT NULL,
    ends BIGINT NOT NULL,
    body TEXT NOT NULL,
    -- The first version of this one's line, and the version it took the place of.
    lineage TEXT NOT NULL,
    predecessor TEXT,
    recorded_at BIGINT NOT NULL,
    lsn BIGINT NOT NULL,
    -- NULL = current. A version can be superseded by none: the range was cut so that nothing is there.
    superseded_at BIGINT,
    superseded_by TEXT
);
CREATE INDEX trip_versions_by_device ON trip_versions (device, ends);
CREATE INDEX trip_versions_by_lineage ON trip_versions (lineage);

-- Where the cutting of each device's track can resume.
CREATE TABLE rests (
    device BIGINT PRIMARY KEY,
    seen BIGINT NOT NULL,
    body TEXT NOT NULL
);

-- Flags: what rules found. The id is the finding's hash.
CREATE TABLE flags (
    id TEXT PRIMARY KEY,
    lineage TEXT NOT NULL,
    predecessor TEXT,
    vehicle BIGINT NOT NULL,
    unit BIGINT NOT NULL,
    -- The local day as a number, for example 20260304.
    day BIGINT NOT NULL,
    rule TEXT NOT NULL,
    outcome TEXT NOT NULL,
    colour TEXT NOT NULL,
    nature TEXT NOT NULL,
    is_trial BIGINT NOT NULL,
    starts BIGINT NOT NULL,
    ends BIGINT NOT NULL,
    body TEXT NOT NULL,
    recorded_at BIGINT NOT NULL,
    change BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'superseded', 'closed')),
    state_at BIGINT NOT NULL,
    superseded_by TEXT,
    reason TEXT,
    -- Counts the lines of its history.
    step BIGINT NOT NULL
);
CREATE INDEX flags_by_vehicle ON flags (vehicle, day);
CREATE INDEX flags_by_day ON flags (day, id);
CREATE INDEX flags_by_lineage ON flags (lineage);

-- Every state that a flag ever had. Never changed, never deleted.
CREATE TABLE flag_history (
    flag TEXT NOT NULL REFERENCES flags (id),
    step BIGINT NOT NULL,
    at BIGINT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT,
    superseded_by TEXT,
    PRIMARY KEY (flag, step)
);

-- Up to where a fold has read the journal and the registry. Written with what it derived from them, in one transaction.
CREATE TABLE checkpoints (
    name TEXT PRIMARY KEY,
    lsn BIGINT NOT NULL,
    change BIGINT NOT NULL,
    recorded_at BIGINT NOT NULL
);

-- Cases: the events are the truth and are only ever appended; `cases` is their fold, kept for lists.
CREATE TABLE case_events (
    case_id TEXT NOT NULL,
    seq BIGINT NOT NULL,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (case_id, seq)
);
CREATE TABLE cases (
    case_id TEXT PRIMARY KEY,
    vehicle BIGINT NOT NULL,
    day BIGINT NOT NULL,
    unit BIGINT NOT NULL,
    state TEXT NOT NULL,
    colour TEXT NOT NULL,
    rank BIGINT NOT NULL,
    assignee TEXT,
    due_at BIGINT,
    is_confidential BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    summary TEXT NOT NULL
);
CREATE INDEX cases_by_rank ON cases (rank, case_id);
CREATE INDEX cases_by_vehicle ON cases (vehicle, day);
CREATE INDEX cases_by_assignee ON cases (assignee, rank, case_id);

-- Files that people attached to cases. Never changed, never deleted.
CREATE TABLE attachments (
    id BIGINT PRIMARY KEY,
    case_id TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    name TEXT NOT NULL,
    media_type TEXT NOT NULL,
    size BIGINT NOT NULL,
    recorded_at BIGINT NOT NULL,
    recorded_by TEXT NOT NULL,
    bytes BYTEA NOT NULL
);
CREATE INDEX attachments_by_case ON attachments (case_id, id);

-- Answers to requests that carried an Idempotency-Key; status NULL = the request still runs.
CREATE TABLE idempotency_keys (
    token TEXT NOT NULL,
    key TEXT NOT NULL,
    request_sha256 TEXT NOT NULL,
    at BIGINT NOT NULL,
    status BIGINT,
    body TEXT,
    PRIMARY KEY (token, key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (at);
