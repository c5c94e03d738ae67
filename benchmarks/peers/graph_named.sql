-- The answer with its texts: each identity and the smallest text of its component.
CREATE OR REPLACE TABLE components AS
SELECT identity, min(identity) OVER (PARTITION BY label) AS component
FROM nodes JOIN labels USING (node);
