-- Views of the catalogs over their tables. Columns that a view leaves out are NULL.
-- view pg_catalog.pg_roles
SELECT 10 AS oid, 'postgres' AS rolname, true AS rolsuper, true AS rolinherit, false AS rolcreaterole,
    false AS rolcreatedb, false AS rolcanlogin, false AS rolreplication, -1 AS rolconnlimit,
    false AS rolbypassrls
UNION ALL
SELECT pg.role_oid(who[1]), who[1], who[3] = 't', true, false, false, who[2] = 't', false, -1, who[3] = 't'
FROM (SELECT unnest(pg.lines('principals')) AS who) WHERE who[1] <> 'postgres'
UNION ALL
SELECT 16385, pg.caller('user'), false, true, false, false, true, false, -1, false
WHERE pg.caller('user') <> 'postgres' AND pg.caller('principals') IS NULL;
-- view pg_catalog.pg_auth_members
SELECT pg.role_oid(pair[1]) AS roleid, pg.role_oid(pair[2]) AS member, 10 AS grantor, false AS admin_option
FROM (SELECT unnest(pg.lines('memberships')) AS pair);
-- view pg_catalog.pg_user
SELECT rolname AS usename, oid AS usesysid, rolcreatedb AS usecreatedb, rolsuper AS usesuper,
    rolreplication AS userepl, rolbypassrls AS usebypassrls
FROM pg.pg_roles WHERE rolcanlogin;
-- view pg_catalog.pg_database
SELECT 16384 AS oid, pg.caller('database') AS datname, 10 AS datdba, 6 AS encoding,
    'c' AS datlocprovider, false AS datistemplate, true AS datallowconn, -1 AS datconnlimit,
    1663 AS dattablespace, 'C.UTF-8' AS datcollate, 'C.UTF-8' AS datctype;
-- view pg_catalog.pg_settings
SELECT coalesce(known.name, substr(told.key, 9)) AS name, coalesce(told.value, known.setting) AS setting,
    known.unit, coalesce(known.category, 'Customized Options') AS category,
    coalesce(known.short_desc, '') AS short_desc, known.extra_desc, coalesce(known.context, 'user') AS context,
    coalesce(known.vartype, 'string') AS vartype, CASE WHEN told.key IS NULL THEN 'default' ELSE 'session' END
        AS source, known.min_val, known.max_val, known.enumvals, coalesce(told.value, known.setting) AS boot_val,
    coalesce(told.value, known.setting) AS reset_val, false AS pending_restart
FROM (SELECT pair.key, pair.value FROM (SELECT unnest(map_entries(getvariable('caller'))) AS pair)
      WHERE pair.key LIKE 'setting.%') AS told
FULL JOIN pg.settings AS known ON lower(known.name) = substr(told.key, 9);
-- view pg_catalog.pg_tables
SELECT n.nspname AS schemaname, c.relname AS tablename, pg.pg_get_userbyid(c.relowner) AS tableowner,
    false AS hasindexes, false AS hasrules, false AS hastriggers, false AS rowsecurity
FROM pg.pg_class AS c JOIN pg.pg_namespace AS n ON n.oid = c.relnamespace WHERE c.relkind = 'r';
-- view pg_catalog.pg_views
SELECT n.nspname AS schemaname, c.relname AS viewname, pg.pg_get_userbyid(c.relowner) AS viewowner,
    pg.pg_get_viewdef(c.oid) AS definition
FROM pg.pg_class AS c JOIN pg.pg_namespace AS n ON n.oid = c.relnamespace WHERE c.relkind = 'v';
-- view pg_catalog.pg_stat_user_tables
SELECT c.oid AS relid, n.nspname AS schemaname, c.relname
FROM pg.pg_class AS c JOIN pg.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname = 'public';
-- view pg_catalog.pg_stat_ssl
SELECT CAST(pg.caller('process') AS INTEGER) AS pid, pg.caller('ssl_version') IS NOT NULL AS ssl,
    pg.caller('ssl_version') AS version, pg.caller('ssl_cipher') AS cipher,
    CAST(pg.caller('ssl_bits') AS INTEGER) AS bits;
-- view pg_catalog.pg_timezone_names
SELECT name, abbrev, CAST(utc_offset AS VARCHAR) AS utc_offset, is_dst FROM pg_timezone_names();
-- view information_schema.schemata
SELECT pg.caller('database') AS catalog_name, nspname AS schema_name,
    pg.pg_get_userbyid(nspowner) AS schema_owner
FROM pg.pg_namespace;
-- view information_schema.tables
SELECT pg.caller('database') AS table_catalog, n.nspname AS table_schema, c.relname AS table_name,
    CASE WHEN n.nspname = 'pg_temp_1' THEN 'LOCAL TEMPORARY' WHEN c.relkind = 'v' THEN 'VIEW'
        ELSE 'BASE TABLE' END AS table_type,
    CASE n.nspname WHEN 'pg_temp_1' THEN 'YES' ELSE 'NO' END AS is_insertable_into, 'NO' AS is_typed
FROM pg.pg_class AS c JOIN pg.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind <> 'c';
-- view information_schema.views
SELECT pg.caller('database') AS table_catalog, n.nspname AS table_schema, c.relname AS table_name,
    pg.pg_get_viewdef(c.oid) AS view_definition, 'NONE' AS check_option, 'NO' AS is_updatable, 'NO' AS is_insertable_into,
    'NO' AS is_trigger_updatable, 'NO' AS is_trigger_deletable, 'NO' AS is_trigger_insertable_into
FROM pg.pg_class AS c JOIN pg.pg_namespace AS n ON n.oid = c.relnamespace WHERE c.relkind = 'v';
-- view information_schema.columns
SELECT pg.caller('database') AS table_catalog, n.nspname AS table_schema, c.relname AS table_name,
    a.attname AS column_name, a.attnum AS ordinal_position, 'YES' AS is_nullable,
    pg.standard_type(t.oid, t.typtype, t.typelem, t.typlen) AS data_type,
    CASE WHEN t.typname IN ('text', 'varchar', 'json', 'name') THEN 1073741824 END
        AS character_octet_length,
    CASE t.typname WHEN 'int2' THEN 16 WHEN 'int4' THEN 32 WHEN 'int8' THEN 64 WHEN 'float4' THEN 24
        WHEN 'float8' THEN 53
        WHEN 'numeric' THEN CASE WHEN a.atttypmod > 0 THEN (a.atttypmod - 4) // 65536 END END
        AS numeric_precision,
    CASE WHEN t.typname IN ('int2', 'int4', 'int8', 'float4', 'float8') THEN 2
        WHEN t.typname = 'numeric' THEN 10 END AS numeric_precision_radix,
    CASE WHEN t.typname IN ('int2', 'int4', 'int8') THEN 0
        WHEN t.typname = 'numeric' AND a.atttypmod > 0 THEN (a.atttypmod - 4) % 65536 END AS numeric_scale,
    CASE WHEN t.typname = 'date' THEN 0
        WHEN t.typname IN ('time', 'timestamp', 'timestamptz', 'interval') THEN 6 END
        AS datetime_precision,
    pg.caller('database') AS udt_catalog, u.nspname AS udt_schema, t.typname AS udt_name,
    CAST(a.attnum AS VARCHAR) AS dtd_identifier, 'NO' AS is_self_referencing, 'NO' AS is_identity,
    'NO' AS identity_cycle, 'NEVER' AS is_generated, 'NO' AS is_updatable
FROM pg.pg_attribute AS a JOIN pg.pg_class AS c ON c.oid = a.attrelid
JOIN pg.pg_namespace AS n ON n.oid = c.relnamespace JOIN pg.pg_type AS t ON t.oid = a.atttypid
JOIN pg.pg_namespace AS u ON u.oid = t.typnamespace WHERE a.attnum > 0 AND c.relkind <> 'c';
-- view information_schema.attributes
SELECT pg.caller('database') AS udt_catalog, n.nspname AS udt_schema, c.relname AS udt_name,
    a.attname AS attribute_name, a.attnum AS ordinal_position, 'YES' AS is_nullable,
    pg.standard_type(t.oid, t.typtype, t.typelem, t.typlen) AS data_type,
    pg.caller('database') AS attribute_udt_catalog, u.nspname AS attribute_udt_schema,
    t.typname AS attribute_udt_name, CAST(a.attnum AS VARCHAR) AS dtd_identifier, 'NO' AS is_derived_reference_attribute
FROM pg.pg_attribute AS a JOIN pg.pg_class AS c ON c.oid = a.attrelid
JOIN pg.pg_namespace AS n ON n.oid = c.relnamespace JOIN pg.pg_type AS t ON t.oid = a.atttypid
JOIN pg.pg_namespace AS u ON u.oid = t.typnamespace WHERE a.attnum > 0 AND c.relkind = 'c';
-- view information_schema.user_defined_types
SELECT pg.caller('database') AS user_defined_type_catalog, n.nspname AS user_defined_type_schema,
    c.relname AS user_defined_type_name, 'STRUCTURED' AS user_defined_type_category, 'YES' AS is_instantiable
FROM pg.pg_class AS c JOIN pg.pg_namespace AS n ON n.oid = c.relnamespace WHERE c.relkind = 'c';
-- view information_schema.table_privileges
SELECT 'postgres' AS grantor, pg.caller('user') AS grantee, pg.caller('database') AS table_catalog,
    n.nspname AS table_schema, c.relname AS table_name, 'SELECT' AS privilege_type,
    'NO' AS is_grantable, 'YES' AS with_hierarchy
FROM pg.pg_class AS c JOIN pg.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind <> 'c';
-- view information_schema.role_table_grants
SELECT * FROM info.table_privileges;
-- view information_schema.character_sets
SELECT 'UTF8' AS character_set_name, 'UCS' AS character_repertoire, 'UTF8' AS form_of_use,
    pg.caller('database') AS default_collate_catalog, 'pg_catalog' AS default_collate_schema,
    'C.UTF-8' AS default_collate_name;
-- view information_schema.enabled_roles
SELECT rolname AS role_name FROM pg.pg_roles WHERE rolname <> 'postgres' AND pg.has_role(rolname);
-- view information_schema.information_schema_catalog_name
SELECT pg.caller('database') AS catalog_name;
