-- Rows of our relations, and of the catalogs themselves, from what is given of each relation and column.
-- What is left out here has its column's default: zero, false, empty, NULL.
INSERT INTO own.pg_namespace BY NAME
SELECT DISTINCT g.listing, g.schema AS oid, 'pg_temp_1' AS nspname, g.owner AS nspowner
FROM given_relations AS g WHERE g.schema = 13002;
INSERT INTO own.pg_type BY NAME
SELECT g.listing, g.row_type AS oid, g.name AS typname, g.schema AS typnamespace, g.owner AS typowner, -1 AS typlen,
    'c' AS typtype, 'C' AS typcategory, true AS typisdefined, ',' AS typdelim, g.oid AS typrelid,
    g.array_type AS typarray,
    2290 AS typinput, 2291 AS typoutput, 2402 AS typreceive, 2403 AS typsend, 'd' AS typalign, 'x' AS typstorage,
    -1 AS typtypmod
FROM given_relations AS g WHERE g.row_type <> 0;
INSERT INTO own.pg_type BY NAME
SELECT g.listing, g.array_type AS oid, '_' || g.name AS typname, g.schema AS typnamespace, g.owner AS typowner,
    -1 AS typlen, 'b' AS typtype, 'A' AS typcategory, true AS typisdefined, ',' AS typdelim, 6179 AS typsubscript,
    g.row_type AS typelem, 750 AS typinput, 751 AS typoutput, 2400 AS typreceive, 2401 AS typsend,
    3816 AS typanalyze, 'd' AS typalign, 'x' AS typstorage, -1 AS typtypmod
FROM given_relations AS g WHERE g.row_type <> 0;
INSERT INTO own.pg_class BY NAME
SELECT g.listing, g.oid, g.name AS relname, g.schema AS relnamespace, g.row_type AS reltype, g.owner AS relowner,
    CASE g.kind WHEN 'r' THEN 2 ELSE 0 END AS relam, -1 AS reltuples,
    CASE g.schema WHEN 13002 THEN 't' ELSE 'p' END AS relpersistence, g.kind AS relkind,
    g.columns AS relnatts, g.kind = 'v' AS relhasrules, true AS relispopulated,
    CASE g.kind WHEN 'r' THEN 'd' ELSE 'n' END AS relreplident
FROM given_relations AS g;
INSERT INTO own.pg_attribute BY NAME
SELECT g.listing, g.relation AS attrelid, g.name AS attname, t.oid AS atttypid, -1 AS attstattarget,
    t.typlen AS attlen, g.number AS attnum, g.dimensions AS attndims, -1 AS attcacheoff, g.modifier AS atttypmod,
    t.typbyval AS attbyval, t.typalign AS attalign, t.typstorage AS attstorage, g.shown IS NOT NULL AS atthasdef,
    true AS attislocal, t.typcollation AS attcollation
FROM given_columns AS g JOIN own.pg_type AS t ON t.oid = g.type AND t.listing IN (0, g.listing);
INSERT INTO own.pg_attrdef BY NAME
SELECT g.listing, 1 + row_number() OVER () AS oid, g.relation AS adrelid, g.number AS adnum, g.shown AS adbin
FROM given_columns AS g WHERE g.shown IS NOT NULL;
INSERT INTO own.pg_description BY NAME
SELECT g.listing, g.oid AS objoid, 1259 AS classoid, 0 AS objsubid, g.comment AS description
FROM given_relations AS g WHERE g.comment <> '' UNION ALL BY NAME
SELECT g.listing, g.relation AS objoid, 1259 AS classoid, g.number AS objsubid, g.comment AS description
FROM given_columns AS g WHERE g.comment <> '';
INSERT INTO own.definitions BY NAME
SELECT g.listing, g.oid, g.definition FROM given_relations AS g WHERE g.definition <> '';
