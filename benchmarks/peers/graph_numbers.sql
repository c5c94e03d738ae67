-- Identities as numbers, each its own label; pairs both ways round.
CREATE OR REPLACE TABLE nodes AS
SELECT row_number() OVER () AS node, identity
FROM (SELECT one AS identity FROM pairs UNION SELECT other FROM pairs);
CREATE OR REPLACE TABLE numbered AS
SELECT DISTINCT a.node AS one, b.node AS other
FROM pairs JOIN nodes AS a ON pairs.one = a.identity JOIN nodes AS b ON pairs.other = b.identity;
CREATE OR REPLACE TABLE edges AS
SELECT one, other FROM numbered UNION ALL SELECT other, one FROM numbered;
CREATE OR REPLACE TABLE labels AS SELECT node, node AS label FROM nodes;
