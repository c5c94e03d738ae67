-- The peers' tables. session_start is computed here, by DuckDB itself, so that the floor need not.
CREATE TABLE by_person AS
SELECT
    *,
    CASE WHEN ts <= lag(ts) OVER (PARTITION BY person ORDER BY ts) + INTERVAL 30 MINUTE THEN 0 ELSE 1 END
        AS session_start
FROM rows
ORDER BY person, ts;

CREATE TABLE by_time AS
SELECT person, ts, channel, revenue, orders FROM rows ORDER BY ts, person;

DROP TABLE rows;
