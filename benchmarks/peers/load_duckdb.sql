-- The peers' table in journey order. session_start is computed here, by DuckDB itself, so that the floor need not.
CREATE TABLE by_person AS
SELECT
    *,
    CASE WHEN ts <= lag(ts) OVER (PARTITION BY person ORDER BY ts) + INTERVAL 30 MINUTE THEN 0 ELSE 1 END
        AS session_start
FROM rows
ORDER BY person, ts;

DROP TABLE rows;
