-- The floor: what any answer must at least do, group and add up the same columns. It attributes nothing and
-- reads session_start ready-made, so it shares only its grand total with the report.
SELECT channel, sum(revenue), sum(orders), sum(session_start)
FROM by_person
GROUP BY channel
