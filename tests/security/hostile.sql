-- One statement a line, asked by a user who was granted the view web and the dataset channels alone.
-- Every one must be refused. {canary}, {variable} and {port} stand for a file, an environment variable
-- and a listening port that nothing may touch.
-- questions
SELECT * FROM read_csv('/etc/passwd')
SELECT * FROM "read_csv"('/etc/passwd')
SELECT * FROM ReAd_CsV('/etc/passwd')
SELECT * FROM read_csv/**/('/etc/passwd')
SELECT * FROM main.read_csv('/etc/passwd')
SELECT * FROM system.main.read_csv('/etc/passwd')
SELECT * FROM '/etc/passwd'
SELECT * FROM "/etc/passwd"
SELECT * FROM public."/etc/passwd"
SELECT * FROM "s3://b/x.parquet"
SELECT * FROM 'http://x/y.csv'
SELECT read_text('/etc/passwd')
SELECT (read_text('/etc/passwd')).content
SELECT * FROM ROWS FROM (read_text('/etc/passwd'))
SELECT * FROM LATERAL read_text('/etc/passwd') t
SELECT * FROM web WHERE EXISTS (SELECT 1 FROM read_text('/etc/passwd'))
SELECT getenv('HOME')
SELECT "getenv"('HOME')
SELECT pg_catalog.getenv('HOME')
SELECT pg_catalog.pg_read_file('/etc/passwd')
SELECT pg_read_binary_file('/etc/passwd')
SELECT lo_import('/etc/passwd')
SELECT * FROM pg_ls_dir('/')
SELECT * FROM pg_ls_logdir()
SELECT pg_stat_file('/etc/passwd')
SELECT * FROM pg_hba_file_rules
SELECT * FROM pg_file_settings
SELECT * FROM pg_authid
SELECT * FROM pg_shadow
SELECT current_setting('data_directory')
WITH x AS MATERIALIZED (SELECT * FROM read_text('/etc/passwd')) SELECT * FROM x
WITH x AS (DELETE FROM web RETURNING *) SELECT * FROM x
SELECT * INTO x FROM web
SELECT * FROM duckdb_settings()
SELECT * FROM duckdb_secrets
SELECT * FROM sqlite_master
SELECT * FROM main.sqlite_master
SELECT * FROM _report_1
SELECT * FROM _dataset_web
SELECT * FROM pragma_table_info('x')
SELECT * FROM memory.main.x
SELECT * FROM temp.x
SELECT * FROM query('select 1')
SELECT * FROM query_table('web')
SELECT nextval('s')
SELECT pg_advisory_lock(1)
SELECT pg_cancel_backend(1)
SELECT pg_terminate_backend(1)
SELECT pg_reload_conf()
SELECT dblink('host=x','select 1')
SELECT query_to_xml('select 1',true,true,'')
SELECT database_to_xml(true,true,'')
SELECT xpath('/a','<a/>')
SELECT U&"\0067lob"('/')
SELECT * FROM read_csv(E'\x2fetc/passwd')
SELECT * FROM read_csv(chr(47)||'etc/passwd')
SELECT * FROM (VALUES ((SELECT content FROM read_text('/etc/passwd')))) v
SELECT CASE WHEN true THEN getenv('HOME') END
SELECT count(*) FILTER (WHERE getenv('HOME') IS NOT NULL) FROM web
SELECT count(*) OVER (ORDER BY getenv('HOME')) FROM web
SELECT 1 ORDER BY getenv('HOME')
SELECT 1 LIMIT (SELECT length(getenv('HOME')))
SELECT * FROM web JOIN read_text('/etc/passwd') ON true
SELECT 1 FROM web GROUP BY getenv('HOME')
SELECT 1 HAVING getenv('HOME') IS NULL
TABLE "/etc/passwd"
TABLE pg_authid
VALUES (getenv('HOME'))
SELECT * FROM web, read_text('/etc/passwd')
SELECT [getenv('HOME') for x in [1]]
SELECT {{'a': getenv('HOME')}}
SELECT web.* EXCLUDE (a) FROM web
SELECT * FROM web AT (VERSION => 1)
SELECT * FROM web FOR SYSTEM_TIME AS OF '2020-01-01'
SELECT getvariable('caller')
SELECT pg_catalog.getvariable('caller'), current_database()
SELECT * FROM pg.pg_class
SELECT relname FROM pg_class WHERE getvariable('x') IS NULL
SELECT relname, read_text('/etc/passwd') FROM pg_class
SELECT relname FROM pg_class, read_text('/etc/passwd')
SELECT relname FROM pg_class UNION SELECT content FROM read_text('/etc/passwd')
SELECT relname FROM pg_class, "/etc/passwd"
SELECT relname FROM pg_class, 'x.csv'
SELECT relname FROM pg_class, main."/etc/passwd"
SELECT relname FROM pg_class JOIN web ON true
SELECT * FROM plans
SELECT * FROM public.plans
TABLE plans
SELECT (SELECT max(budget) FROM plans)
SELECT * FROM web WHERE EXISTS (SELECT 1 FROM plans)
SELECT channel FROM web WHERE channel IN (SELECT channel FROM plans)
WITH p AS (SELECT * FROM plans) SELECT * FROM p
SELECT channel FROM web UNION ALL SELECT channel FROM plans
SELECT * FROM web w JOIN plans p ON p.channel = w.channel
SELECT * FROM channels c, LATERAL (SELECT * FROM plans p WHERE p.channel = c.channel) x
SELECT * FROM _dataset_plans
SELECT * FROM _dataset_channels
SELECT * FROM _system_queries
SELECT * FROM _temporary_x
SELECT * FROM _rows_system_queries
SELECT * FROM _call_1
SELECT * FROM _recursive_1
SELECT * FROM pg_temp._dataset_plans
WITH RECURSIVE _dataset_plans AS (SELECT 'x' AS id UNION ALL SELECT budget FROM plans) SELECT * FROM _dataset_plans
WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r, plans) SELECT * FROM r
SELECT * FROM read_csv_auto('{canary}')
SELECT * FROM read_text('{canary}')
SELECT * FROM read_blob('{canary}')
SELECT * FROM READ_TEXT('{canary}')
SELECT * FROM "READ_TEXT"('{canary}')
SELECT * FROM `read_text`('{canary}')
SELECT * FROM '{canary}'
SELECT * FROM "{canary}"
SELECT * FROM public."{canary}"
SELECT * FROM `{canary}`
SELECT * FROM read_parquet(['{canary}'])
SELECT * FROM read_json('{canary}')
SELECT * FROM read_ndjson_objects('{canary}')
SELECT * FROM parquet_metadata('{canary}')
SELECT * FROM parquet_kv_metadata('{canary}')
SELECT * FROM sniff_csv('{canary}')
SELECT read_text('{canary}') FROM web
SELECT channel FROM web ORDER BY getenv('{variable}')
SELECT channel FROM web GROUP BY channel HAVING getenv('{variable}') = 'x'
SELECT getenv('{variable}')
SELECT upper(getenv('{variable}'))
SELECT coalesce(getenv('{variable}'), 'x')
SELECT GETENV('{variable}') FROM web
SELECT channel || getenv('{variable}') FROM web
SELECT getenv('{variable}')::text
SELECT CAST(getenv('{variable}') AS varchar)
SELECT CASE channel WHEN getenv('{variable}') THEN 1 END FROM web
SELECT array[getenv('{variable}')]
SELECT row(getenv('{variable}'))
SELECT sum(length(getenv('{variable}'))) FROM web
SELECT sum(revenue) FILTER (WHERE getenv('{variable}') = 'x') FROM web
SELECT string_agg(channel, getenv('{variable}')) FROM web
SELECT string_agg(channel, ',' ORDER BY getenv('{variable}')) FROM web
SELECT rank() OVER (PARTITION BY getenv('{variable}')) FROM channels
SELECT channel FROM web WHERE channel LIKE getenv('{variable}')
SELECT channel FROM web WHERE channel ~ getenv('{variable}')
SELECT channel FROM web WHERE channel BETWEEN getenv('{variable}') AND 'z'
SELECT channel FROM web WHERE channel IN (getenv('{variable}'))
SELECT channel FROM web WHERE channel = ANY(array[getenv('{variable}')])
SELECT extract(year FROM getenv('{variable}')::date)
SELECT substring(getenv('{variable}') FROM 1 FOR 2)
SELECT trim(both getenv('{variable}') FROM 'x')
SELECT position(getenv('{variable}') IN 'x')
SELECT overlay('x' PLACING getenv('{variable}') FROM 1)
SELECT format('%s', getenv('{variable}'))
SELECT encode(read_blob('{canary}'), 'hex')
SELECT decode(getenv('{variable}'), 'escape')
SELECT regexp_replace('a', 'a', getenv('{variable}'))
SELECT regexp_matches(getenv('{variable}'), '.')
SELECT regexp_split_to_table(getenv('{variable}'), ',')
SELECT json_build_object('a', getenv('{variable}'))
SELECT to_json(getenv('{variable}'))
SELECT to_char(now(), getenv('{variable}'))
SELECT date_trunc(getenv('{variable}'), now())
SELECT now() AT TIME ZONE getenv('{variable}')
SELECT repeat(getenv('{variable}'), 2)
SELECT DISTINCT ON (getenv('{variable}')) channel FROM web
SELECT channel FROM web LIMIT length(getenv('{variable}'))
SELECT channel FROM web OFFSET length(getenv('{variable}'))
SELECT * FROM generate_series(1, length(getenv('{variable}')))
SELECT * FROM unnest(array[getenv('{variable}')])
SELECT * FROM (VALUES (getenv('{variable}'))) v(x)
SELECT * FROM channels JOIN web ON getenv('{variable}') = channels.channel
SELECT channel FROM web GROUP BY ROLLUP (getenv('{variable}'))
SELECT channel FROM web GROUP BY GROUPING SETS ((getenv('{variable}')), ())
SELECT relname FROM pg_class WHERE relname = getenv('{variable}')
SELECT relname FROM pg_class ORDER BY getenv('{variable}')
SELECT format('%s', getenv('{variable}')) FROM pg_class
SELECT encode(read_blob('{canary}'), 'hex') FROM pg_class
SELECT current_database(), getenv('{variable}')
SELECT version() || getenv('{variable}')
SELECT relname FROM pg_class, '{canary}'
SELECT relname FROM pg_class, "{canary}"
SELECT relname FROM pg_class, _dataset_plans
SELECT relname FROM pg_class, plans
SELECT relname FROM pg_class, own.definitions
SELECT * FROM own.definitions
SELECT * FROM pg.settings
SELECT * FROM info.tables
SELECT pg.caller('roles')
SELECT pg_catalog.caller('roles')
SELECT caller('roles') FROM pg_class
SELECT getvariable('caller') FROM pg_class
SELECT set_config(getenv('{variable}'), '1', false)
SELECT current_setting('hba_file')
SELECT current_setting('enable_external_access')
SELECT current_setting('allowed_directories')
SELECT current_setting('temp_directory') FROM web
SELECT 1, pg_sleep(0.1)
SELECT pg_sleep(length(getenv('{variable}')))
SELECT pg_sleep_for('1 day')
SELECT pg_sleep_until(now())
SELECT count(*) FROM web, pg_sleep(1)
SELECT pg_logical_emit_message(false, 'a', 'b')
SELECT pg_notify('a', 'b')
SELECT lo_export(1, '{canary}')
SELECT lo_get(1)
SELECT pg_read_file('{canary}', 0, 10)
SELECT pg_stat_file('{canary}', true)
SELECT pg_ls_waldir()
SELECT pg_relation_filepath('web')
SELECT pg_rotate_logfile()
SELECT pg_create_restore_point('a')
SELECT pg_switch_wal()
SELECT pg_promote()
SELECT schema_to_xml('public', true, true, '')
SELECT table_to_xml('plans', true, true, '')
SELECT query_to_xml('select * from plans', true, true, '')
SELECT cursor_to_xml('c', 1, true, true, '')
SELECT dblink_connect('host=127.0.0.1')
SELECT * FROM dblink('host=127.0.0.1', 'select 1') AS t(a int)
SELECT * FROM postgres_scan('host=127.0.0.1', 'public', 'a')
SELECT * FROM mysql_scan('host=127.0.0.1', 'a', 'b')
SELECT * FROM sqlite_scan('{canary}', 'a')
SELECT * FROM iceberg_scan('{canary}')
SELECT * FROM delta_scan('{canary}')
SELECT * FROM st_read('{canary}')
SELECT * FROM arrow_scan(1, 2, 3)
SELECT * FROM pandas_scan(1)
SELECT * FROM python_map_function()
SELECT * FROM query('select * from plans')
SELECT * FROM query_table('plans')
SELECT * FROM query_table(['plans', 'channels'])
SELECT * FROM json_execute_serialized_sql('{{}}')
SELECT json_serialize_sql('select 1')
SELECT * FROM from_substrait('x')
SELECT * FROM duckdb_tables()
SELECT * FROM duckdb_functions()
SELECT * FROM duckdb_secrets()
SELECT * FROM duckdb_views
SELECT * FROM duckdb_variables()
SELECT * FROM duckdb_temporary_files()
SELECT * FROM pragma_database_list
SELECT * FROM pragma_show('plans')
SELECT * FROM sqlite_temp_master
SELECT * FROM temp.plans
SELECT * FROM memory.plans
SELECT * FROM main.plans
SELECT * FROM "..".plans
SELECT * FROM "../catalog.db"
SELECT * FROM "catalog.db"
SELECT * FROM "datasets/plans/*.parquet"
SELECT * FROM '*.parquet'
SELECT * FROM "file:///etc/passwd"
SELECT * FROM "http://127.0.0.1:{port}/x.csv"
SELECT * FROM 'http://127.0.0.1:{port}/x.parquet'
SELECT * FROM read_csv('http://127.0.0.1:{port}/x.csv')
SELECT * FROM read_text('s3://bucket/x')
SELECT http_get('http://127.0.0.1:{port}/')
SELECT * FROM getenv('{variable}').web
SELECT * FROM read_text('{canary}').plans
SELECT (SELECT content FROM read_text('{canary}'))
SELECT * FROM (SELECT * FROM read_text('{canary}')) x
SELECT * FROM web TABLESAMPLE SYSTEM (10)
SELECT * FROM web FOR UPDATE
SELECT * FROM web FOR SHARE
SELECT 1 INTO plans
SELECT * INTO TABLE x FROM web
SELECT * INTO UNLOGGED x FROM web
WITH x AS (INSERT INTO web VALUES (1) RETURNING *) SELECT * FROM x
WITH x AS (UPDATE channels SET rate = 1 RETURNING *) SELECT * FROM x
WITH x AS (DELETE FROM channels RETURNING *) SELECT * FROM x
SELECT * FROM system.users
SELECT * FROM pg_catalog.pg_authid
SELECT rolpassword FROM pg_authid
SELECT passwd FROM pg_shadow
SELECT * FROM pg_user_mapping
SELECT * FROM pg_largeobject
SELECT * FROM pg_statistic
SELECT * FROM pg_catalog.pg_file_settings
SELECT U&"\0067etenv"('{variable}')
SELECT write_log('x')
SELECT which_secret('s3://x', 's3')
SELECT nextval('a')
SELECT setval('a', 1)
SELECT currval('a')
SELECT pg_advisory_lock(1), pg_advisory_xact_lock(2)
SELECT binary_upgrade_set_next_pg_type_oid(1)
-- commands
COPY web TO '/tmp/x'
COPY (SELECT 1) TO PROGRAM 'id'
COPY web FROM '/etc/passwd'
COPY web FROM STDIN
COPY (SELECT * FROM read_text('/etc/passwd')) TO STDOUT
DO $$ BEGIN PERFORM 1; END $$
DO LANGUAGE plpgsql 'x'
CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'select 1'
CREATE EXTENSION dblink
CREATE MACRO f() AS 1
CREATE SECRET s (TYPE s3)
CREATE OR REPLACE VIEW v AS SELECT 1
ATTACH '/tmp/x.db'
DETACH x
USE memory
PRAGMA version
INSTALL httpfs
LOAD httpfs
LOAD 'x.so'
EXPORT DATABASE '/tmp/x'
IMPORT DATABASE '/tmp/x'
CHECKPOINT
FORCE CHECKPOINT
VACUUM
CALL pragma_version()
SET enable_external_access = true
SET GLOBAL threads = 1
SET memory_limit='1TB'
SET SESSION AUTHORIZATION 'root'
SET ROLE admin
SET LOCAL allowed_directories='/'
PREPARE p AS SELECT * FROM read_text('/etc/passwd')
SELECT 1; COPY web TO '/tmp/x'
SELECT 1; DROP TABLE web
SELECT 1 /* ; */ ; /* */ ATTACH 'x'
EXPLAIN ANALYZE COPY web TO '/tmp/x'
EXPLAIN (ANALYZE) SELECT * FROM read_text('/etc/passwd')
DECLARE c CURSOR WITH HOLD FOR SELECT * FROM read_text('/etc/passwd')
INSERT INTO web VALUES (1)
UPDATE web SET a=1
DELETE FROM web
MERGE INTO web USING web b ON true WHEN MATCHED THEN DELETE
TRUNCATE web
GRANT ALL ON web TO x
REVOKE ALL ON web FROM x
ALTER USER analyst PASSWORD 'x'
CREATE USER x
DROP USER analyst
ALTER SYSTEM SET x = 1
ALTER TABLE web ADD COLUMN x int
FROM read_text('/etc/passwd')
FROM web SELECT *
SUMMARIZE web
DESCRIBE web
SHOW data_directory
PIVOT web ON a USING sum(b)
NOTIFY x
LOCK TABLE web
BEGIN; SET LOCAL ROLE x; COMMIT
REINDEX TABLE web
SECURITY LABEL ON x IS 'y'
COMMENT ON TABLE web IS 'x'
REFRESH MATERIALIZED VIEW x
IMPORT FOREIGN SCHEMA x FROM SERVER y INTO z
CREATE SERVER s FOREIGN DATA WRAPPER file_fdw
CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION y
COPY channels TO '{canary}'
COPY (SELECT * FROM channels) TO '{canary}' (FORMAT csv)
COPY (SELECT 1) TO PROGRAM 'touch {canary}'
COPY channels FROM '{canary}'
COPY channels FROM PROGRAM 'cat {canary}'
COPY channels FROM STDIN
COPY plans TO STDOUT
COPY plans (id) TO STDOUT
COPY BINARY plans TO STDOUT
COPY _dataset_plans TO STDOUT
COPY "{canary}" TO STDOUT
ATTACH '{canary}' AS x
ATTACH DATABASE '{canary}'
EXPORT DATABASE '{canary}'
IMPORT DATABASE '{canary}'
INSTALL httpfs FROM 'http://127.0.0.1:{port}'
FORCE INSTALL httpfs
LOAD '{canary}'
PRAGMA database_list
PRAGMA enable_external_access
SET allowed_directories = '/'
SET allowed_paths = '{canary}'
SET lock_configuration = false
SET SESSION threads = 4
SET temp_directory = '{canary}'
SET log_query_path = '{canary}'
SET profiling_output = '{canary}'
SET data_directory = '{canary}'
SET GLOBAL enable_external_access = true
SET VARIABLE caller = 'x'
SET enable_external_access TO true
SET "enable_external_access" = true
SET ROLE boss
SET ROLE 'boss'
SET role = 'boss'
SET LOCAL ROLE boss
SET SESSION AUTHORIZATION bob
SET session_authorization = 'bob'
SHOW enable_external_access
SHOW hba_file
SHOW allowed_directories
CREATE TABLE x (a int)
CREATE TABLE x AS SELECT 1
CREATE UNLOGGED TABLE x (a int)
CREATE VIEW v AS SELECT 1
CREATE TEMP VIEW v AS SELECT 1
CREATE MATERIALIZED VIEW v AS SELECT 1
CREATE SCHEMA s
CREATE DATABASE d
CREATE ROLE boss2 SUPERUSER
CREATE TRIGGER t BEFORE INSERT ON web EXECUTE FUNCTION f()
CREATE EVENT TRIGGER t ON ddl_command_start EXECUTE FUNCTION f()
CREATE LANGUAGE plpython3u
CREATE PERSISTENT SECRET s (TYPE s3)
CREATE TEMP TABLE x AS SELECT * FROM plans
CREATE TEMP TABLE x AS SELECT * FROM read_text('{canary}')
CREATE TEMP TABLE x AS SELECT getenv('{variable}')
SELECT * INTO TEMP x FROM plans
SELECT * INTO TEMP x FROM read_text('{canary}')
INSERT INTO channels VALUES ('a', 'b', 1)
INSERT INTO plans SELECT * FROM channels
INSERT INTO x SELECT * FROM plans
DROP TABLE channels
DROP VIEW web
DROP TABLE plans CASCADE
DROP SCHEMA public CASCADE
DROP DATABASE wayline
DROP OWNED BY bob
TRUNCATE channels
TRUNCATE TABLE plans, channels
ALTER ROLE eve SUPERUSER
ALTER USER eve WITH PASSWORD 'x'
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO eve
GRANT boss TO eve
GRANT SELECT ON plans TO eve
REASSIGN OWNED BY bob TO eve
PREPARE p AS SELECT getenv('{variable}')
PREPARE p AS COPY channels TO '{canary}'
PREPARE p AS ATTACH '{canary}'
DECLARE c CURSOR WITH HOLD FOR SELECT * FROM plans
DECLARE c CURSOR WITH HOLD FOR ATTACH '{canary}'
EXECUTE p (getenv('{variable}'))
EXPLAIN COPY channels TO '{canary}'
EXPLAIN ANALYZE ATTACH '{canary}'
EXPLAIN (ANALYZE, VERBOSE) INSTALL httpfs
EXPLAIN DROP TABLE plans
EXPLAIN SELECT * FROM plans
EXPLAIN ANALYZE SELECT getenv('{variable}')
DO $$ import os $$ LANGUAGE plpython3u
CALL load_aws_credentials()
LOAD 'pg_stat_statements'
LOCK TABLE channels IN ACCESS EXCLUSIVE MODE
NOTIFY a, 'b'
VACUUM FULL
ANALYZE channels
CLUSTER channels
DETACH memory
SUMMARIZE channels
DESCRIBE channels
PIVOT channels ON region
UNPIVOT channels ON rate INTO NAME a VALUE b
FROM plans
FROM '{canary}'
SELECT set_config('role', 'boss', false)
SELECT set_config('session_authorization', 'bob', false)
SELECT set_config('enable_external_access', 'true', false)
SELECT set_config('allowed_directories', '/', true)
SELECT pg_catalog.set_config('lock_configuration', 'false', false)
SELECT set_config('memory_limit', '1TB', false) AS m
