-- Same touch: every conversion has its own event's channel.
SELECT channel, {period} sum(revenue), sum(orders), sum(start)
FROM relevant
GROUP BY ALL
