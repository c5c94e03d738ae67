-- Same touch in ClickHouse: every conversion has its own event's channel.
SELECT channel, {period} sum(revenue), sum(orders), sum(start)
FROM peers.events
GROUP BY ALL
SETTINGS max_threads = 2
