-- The same by recursion that keeps one row per identity; only identities whose label changed go on.
CREATE OR REPLACE TABLE labels AS
WITH RECURSIVE found (node, label) USING KEY (node) AS (
    SELECT node, node FROM nodes
    UNION
    SELECT edges.other, min(found.label)
    FROM found JOIN edges ON edges.one = found.node
    JOIN recurring.found AS known ON known.node = edges.other
    WHERE found.label < known.label
    GROUP BY edges.other
)
SELECT node, label FROM found;
