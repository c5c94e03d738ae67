-- For each device asked, the alphabetically first person of its graph.
CREATE OR REPLACE TABLE answers AS
WITH firsts AS (
    SELECT graph, min(value) AS person FROM nodes WHERE namespace = '{wanted}' GROUP BY graph
)
SELECT asked.value, firsts.person
FROM asked
LEFT JOIN nodes ON nodes.namespace = asked.namespace AND nodes.value = asked.value
LEFT JOIN firsts USING (graph)
