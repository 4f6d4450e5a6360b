-- Failed attempts by name and network, and under the network '' by name alone. A row that still holds something back (`holds_until`)
-- is never given up for a newer one. What the table of before counted was by name alone, and is forgotten.
DROP TABLE login_failures;
CREATE TABLE login_failures (
    name TEXT NOT NULL,
    network TEXT NOT NULL,
    failures BIGINT NOT NULL,
    failed_at BIGINT NOT NULL,
    holds_until BIGINT NOT NULL,
    PRIMARY KEY (name, network)
);
CREATE INDEX login_failures_by_age ON login_failures (failed_at);
