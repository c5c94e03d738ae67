-- What the demo's answers must be, from the raw files alone: duplicates, stitching, sessions and touches
-- written out for DuckDB. {web}, {calls} and {products} are lists of files.
CREATE TABLE web AS
SELECT * EXCLUDE copy FROM (
    SELECT *, row_number() OVER (PARTITION BY event_id ORDER BY ts) AS copy
    FROM read_parquet({web}))
WHERE copy = 1;

CREATE TABLE calls AS
SELECT call_id AS event_id, TRY_CAST(ts AS TIMESTAMPTZ) AS ts, customer_id
FROM read_csv({calls}, all_varchar = true, null_padding = true, header = true)
WHERE TRY_CAST(ts AS TIMESTAMPTZ) IS NOT NULL AND TRY_CAST(duration_seconds AS INTEGER) IS NOT NULL
  AND handled IN ('true', 'false');

CREATE TABLE products AS SELECT * FROM read_csv({products});

CREATE TABLE stitched AS
SELECT *, 0 AS dataset, coalesce(
    customer_id,
    last_value(customer_id IGNORE NULLS) OVER (PARTITION BY device_id ORDER BY ts
        RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW),
    first_value(customer_id IGNORE NULLS) OVER (PARTITION BY device_id ORDER BY ts
        RANGE BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING),
    device_id) AS person
FROM web;

CREATE TABLE events AS
WITH united AS (
    SELECT person, ts, dataset, event_id, channel, revenue, orders, items FROM stitched
    UNION ALL BY NAME
    SELECT customer_id AS person, ts, 1 AS dataset, event_id FROM calls),
started AS (
    SELECT *, coalesce(ts - lag(ts) OVER w > INTERVAL 30 MINUTE, true) AS starts
    FROM united WINDOW w AS (PARTITION BY person ORDER BY ts, dataset, event_id))
SELECT *, sum(starts::INT) OVER w AS session, row_number() OVER w AS place,
       timezone('Europe/Berlin', ts) AS local
FROM started
WINDOW w AS (PARTITION BY person ORDER BY ts, dataset, event_id ROWS UNBOUNDED PRECEDING);

-- Every conversion beside every touch of the 30 days before it; a touch's freshness halves each week.
CREATE TABLE credit AS
SELECT conversion.person, conversion.local, conversion.revenue, touch.channel,
       row_number() OVER (w ORDER BY touch.place) AS nth,
       row_number() OVER (w ORDER BY touch.place DESC) AS nth_from_last,
       count(touch.place) OVER w AS touches,
       row_number() OVER (PARTITION BY conversion.person, conversion.place, touch.channel) AS nth_of_channel,
       pow(2, -epoch(conversion.ts - touch.ts) / 604800) AS freshness,
       sum(freshness) OVER w AS freshness_of_all
FROM events AS conversion
LEFT JOIN events AS touch
  ON touch.person = conversion.person AND touch.channel IS NOT NULL
 AND touch.place <= conversion.place AND conversion.ts - touch.ts <= INTERVAL 30 DAY
WHERE conversion.revenue IS NOT NULL
WINDOW w AS (PARTITION BY conversion.person, conversion.place);
