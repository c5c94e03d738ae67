-- Which person each row has, as one number for all rows: equal for equal rows in any order.
SELECT sum(hash(_event_id, _person))::VARCHAR AS persons, count(*) AS events FROM {rows}
