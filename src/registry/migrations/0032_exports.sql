-- Exports that take longer than a request. `request` and `plan` are JSON; what they mean is not known here. The files are not in the
-- registry: they wait in a folder until they are deleted.
INSERT INTO sequences (name, value) VALUES ('export', 0);
CREATE TABLE exports (
    id BIGINT PRIMARY KEY,
    -- Who sees it and its file: an account or a token.
    owner TEXT NOT NULL,
    account BIGINT,
    created_by TEXT NOT NULL,
    ip TEXT NOT NULL,
    request TEXT NOT NULL,
    -- Which devices at which times, as it was allowed when the export was asked for.
    plan TEXT NOT NULL,
    purpose TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled', 'expired')),
    created_at BIGINT NOT NULL,
    started_at BIGINT,
    ended_at BIGINT,
    -- How far it is: rows and bytes written, and thousandths of the work.
    rows BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    permille BIGINT NOT NULL,
    -- Files of the archive that could not be read.
    damaged BIGINT NOT NULL,
    -- Why it failed.
    reason TEXT
);
CREATE INDEX exports_by_owner ON exports (owner, id);
CREATE INDEX exports_by_state ON exports (state, id);
