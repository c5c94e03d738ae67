-- What the identity graph's peer is given: each pair of identities as texts, namespace first.
CREATE OR REPLACE TABLE pairs AS
SELECT namespace_a || ':' || value_a AS one, namespace_b || ':' || value_b AS other FROM links;
