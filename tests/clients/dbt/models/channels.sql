select channel, sum(visitors) as people, sum(occurrences) as events
from {{ source('wayline', 'shop') }}
where channel is not null
group by channel
