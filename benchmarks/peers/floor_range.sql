-- The floor with the report's time predicate.
SELECT channel, sum(revenue), sum(orders), sum(session_start)
FROM by_person
WHERE ts >= make_timestamp({start}) AND ts < make_timestamp({end})
GROUP BY channel
