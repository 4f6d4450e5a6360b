-- Plans of the weekly blind sample. The commitment is published with the plan, the seed only when it was drawn.
CREATE TABLE sample_plans (
    number BIGINT PRIMARY KEY,
    -- The Monday of its week as a number, for example 20260302.
    monday BIGINT NOT NULL,
    size BIGINT NOT NULL,
    commitment TEXT NOT NULL,
    seed TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    -- NULL = not drawn yet.
    drawn_at BIGINT
);
