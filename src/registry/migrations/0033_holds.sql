-- What must not be removed when its time is over. Never deleted: a hold that was lifted says by whom and why. `starts` and `ends` are of
-- the time that the held data are about; NULL = without end on that side.
INSERT INTO sequences (name, value) VALUES ('hold', 0);
CREATE TABLE holds (
    id BIGINT PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('everything', 'device', 'vehicle', 'unit')),
    -- The device, vehicle or unit; NULL of everything.
    target BIGINT,
    starts BIGINT,
    ends BIGINT,
    reason TEXT NOT NULL,
    -- Holds until then; NULL = until somebody lifts it.
    until BIGINT,
    placed_at BIGINT NOT NULL,
    placed_by TEXT NOT NULL,
    placed_by_person BIGINT,
    lifted_at BIGINT,
    lifted_by TEXT,
    lift_reason TEXT
);
-- Flags and cases are looked for by age.
CREATE INDEX cases_by_day ON cases (day, case_id);
