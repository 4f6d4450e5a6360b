-- What terminals are told to do, and what became of it. `command` is JSON; what it means is not known here.
INSERT INTO sequences (name, value) VALUES ('command', 0);
CREATE TABLE commands (
    id BIGINT PRIMARY KEY,
    device BIGINT NOT NULL,
    command TEXT NOT NULL,
    -- Whether it may be sent again when nobody knows whether it arrived.
    is_harmless BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('queued', 'sent', 'confirmed', 'failed', 'unknown', 'expired')),
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    -- Not sent any more after this.
    expires_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    sent_at BIGINT,
    ended_at BIGINT,
    -- What the terminal, or the protocol, said.
    detail TEXT
);
CREATE INDEX commands_by_device ON commands (device, id);
CREATE INDEX commands_by_state ON commands (state, device);
