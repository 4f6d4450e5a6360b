-- Which device-days have to be folded again: written in the transaction that derives their trips, removed when the file of the day
-- holds them. Device 0 stands for all. `seq` grows with every mark, so that one that came meanwhile is not removed.
CREATE TABLE rollup_marks (
    day    BIGINT NOT NULL,
    device BIGINT NOT NULL,
    seq    BIGINT NOT NULL,
    PRIMARY KEY (day, device)
);
