-- What was told to streams and webhooks already: of a case the number of its last event, of a flag that of its last turn.
CREATE TABLE told (
    kind TEXT NOT NULL CHECK (kind IN ('case', 'flag')),
    id TEXT NOT NULL,
    seq BIGINT NOT NULL,
    PRIMARY KEY (kind, id)
);
-- What lies before the first start that tells anything is no news.
INSERT INTO told (kind, id, seq) SELECT 'case', case_id, seq FROM cases;
INSERT INTO told (kind, id, seq) SELECT 'flag', id, step FROM flags;
CREATE INDEX cases_by_update ON cases (updated_at);
CREATE INDEX flags_by_turn ON flags (state_at);

-- Receivers of events. `events` are words separated by spaces; `secrets` is a JSON list, the newest first: a signature is made
-- with each, so they can't be kept as hashes.
INSERT INTO sequences (name, value) VALUES ('webhook', 0);
INSERT INTO sequences (name, value) VALUES ('webhook_delivery', 0);
CREATE TABLE webhooks (
    id BIGINT PRIMARY KEY,
    url TEXT NOT NULL,
    description TEXT NOT NULL,
    events TEXT NOT NULL,
    -- Only of this unit and those below it; NULL = of all.
    unit BIGINT,
    is_enabled BIGINT NOT NULL,
    secrets TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL
);

-- The queue, and the log of what became of it. The same thing is put in once for each receiver, whatever happens.
CREATE TABLE webhook_deliveries (
    id BIGINT PRIMARY KEY,
    webhook BIGINT NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    event TEXT NOT NULL,
    event_key TEXT NOT NULL,
    -- The case it speaks of: what became confidential since is not sent any more.
    case_id TEXT,
    body TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'delivered', 'failed', 'withheld')),
    attempts BIGINT NOT NULL,
    -- NULL = no further attempt.
    next_at BIGINT,
    last_at BIGINT,
    last_status BIGINT,
    last_error TEXT,
    UNIQUE (webhook, event_key)
);
CREATE INDEX webhook_deliveries_by_time ON webhook_deliveries (next_at);
CREATE INDEX webhook_deliveries_by_webhook ON webhook_deliveries (webhook, id);
