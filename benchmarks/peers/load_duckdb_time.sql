-- The same rows as they arrived, in order of time.
CREATE TABLE by_time AS
SELECT person, ts, channel, revenue, orders FROM by_person ORDER BY ts, person
