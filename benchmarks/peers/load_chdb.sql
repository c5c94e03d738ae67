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
