-- The same rows, sorted on disk the way that the windows want them.
CREATE DATABASE peers ENGINE = Atomic;

CREATE TABLE peers.by_person
(
    person Int32,
    ts DateTime64(6, 'UTC'),
    channel Nullable(String),
    revenue Nullable(Float64),
    orders Nullable(Int32)
)
ENGINE = MergeTree ORDER BY (person, ts);

INSERT INTO peers.by_person
SELECT person, ts, channel, revenue, orders FROM file('{rows}');

OPTIMIZE TABLE peers.by_person FINAL;

-- Session starts are found each time that somebody asks.
CREATE VIEW peers.events AS
SELECT
    *,
    if(row_number() OVER journey > 1 AND ts <= lagInFrame(ts) OVER journey + INTERVAL 30 MINUTE, 0, 1) AS start
FROM peers.by_person
WINDOW journey AS (
    PARTITION BY person ORDER BY ts ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
);
