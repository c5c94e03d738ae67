-- One round: every identity takes the smallest label next to it, then that label's own label.
CREATE OR REPLACE TABLE nearer AS
SELECT labels.node, least(min(next.label), any_value(labels.label)) AS label
FROM labels JOIN edges ON edges.one = labels.node JOIN labels AS next ON next.node = edges.other
GROUP BY labels.node;
CREATE OR REPLACE TABLE further AS
SELECT nearer.node, least(nearer.label, own.label) AS label
FROM nearer JOIN nearer AS own ON own.node = nearer.label;
CREATE OR REPLACE TABLE changes AS
SELECT count(*) AS changed FROM further JOIN labels USING (node) WHERE further.label <> labels.label;
CREATE OR REPLACE TABLE labels AS SELECT node, label FROM further;
