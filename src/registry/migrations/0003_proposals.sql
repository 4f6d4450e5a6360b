-- Changes of the registry that would clear open flags and wait for a second person. Never deleted.
CREATE TABLE proposals (
    id BIGINT PRIMARY KEY,
    at BIGINT NOT NULL,
    by TEXT NOT NULL,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    preview TEXT NOT NULL,
    state TEXT NOT NULL,
    decided_by TEXT,
    decided_at BIGINT
);
CREATE INDEX proposals_by_state ON proposals (state, id);

-- The flags that an approved proposal lets go.
CREATE TABLE clearances (
    flag TEXT NOT NULL,
    proposal BIGINT NOT NULL REFERENCES proposals (id),
    PRIMARY KEY (flag, proposal)
);
