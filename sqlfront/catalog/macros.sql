-- PostgreSQL's catalog functions as DuckDB macros. Macros are not hygienic: what they read inside
-- must not be named like anything in a client's statement, hence the aliases with underscores.
CREATE MACRO pg.caller(_what) AS getvariable('caller')[_what];
CREATE MACRO pg.version() AS 'PostgreSQL ' || pg.caller('setting.server_version') || ' (wayline)';
CREATE MACRO pg.current_database() AS pg.caller('database');
CREATE MACRO pg.current_schema() AS 'public';
CREATE MACRO pg.session_name() AS pg.caller('user');
CREATE MACRO pg.caller_name() AS
    CASE WHEN lower(coalesce(pg.caller('setting.role'), 'none')) = 'none' THEN pg.caller('user')
    ELSE pg.caller('setting.role') END;
CREATE MACRO pg.lines(_what) AS
    list_transform(list_filter(string_split(coalesce(pg.caller(_what), ''), chr(10)),
        lambda _line: _line <> ''), lambda _line: string_split(_line, chr(9)));
CREATE MACRO pg.role_oid(_name) AS CASE _name WHEN 'postgres' THEN 10 WHEN pg.caller('user') THEN 16385
    ELSE 16386 + CAST(hash(_name) % 2000000000 AS BIGINT) END;
CREATE MACRO pg.current_schemas(_implicit) AS
    CASE WHEN _implicit THEN ['pg_catalog', 'public'] ELSE ['public'] END;
CREATE MACRO pg.current_setting(_name, _missing_ok := false) AS
    coalesce(pg.caller('setting.' || lower(_name)),
        CASE WHEN _missing_ok THEN NULL
        ELSE error('unrecognized configuration parameter "' || _name || '"') END);
CREATE MACRO pg.set_config(_name, _value, _local) AS _value;
CREATE MACRO pg.pg_backend_pid() AS CAST(pg.caller('process') AS INTEGER);
CREATE MACRO pg.pg_is_in_recovery() AS false;
CREATE MACRO pg.pg_my_temp_schema() AS 0;
CREATE MACRO pg.pg_is_other_temp_schema(_oid) AS false;
CREATE MACRO pg.pg_advisory_unlock_all() AS CAST(NULL AS VARCHAR);
CREATE MACRO pg.pg_postmaster_start_time() AS CAST(pg.caller('started') AS TIMESTAMPTZ);
CREATE MACRO pg.inet_server_addr() AS CAST(NULL AS VARCHAR);
CREATE MACRO pg.pg_encoding_to_char(_code) AS CASE WHEN _code = 6 THEN 'UTF8' ELSE '' END;
CREATE MACRO pg.pg_char_to_encoding(_name) AS CASE WHEN upper(_name) = 'UTF8' THEN 6 ELSE -1 END;
CREATE MACRO pg.regtype_name(_oid) AS coalesce(
    (SELECT _names.display FROM pg.type_names AS _names WHERE _names.oid = _oid),
    CASE WHEN _oid = 0 THEN '-' ELSE CAST(_oid AS VARCHAR) END);
CREATE MACRO pg.format_type(_oid, _modifier) AS
    CASE WHEN _oid IS NULL THEN NULL ELSE pg.regtype_name(_oid) || CASE
        WHEN _modifier IS NULL OR _modifier < 0 THEN ''
        WHEN _oid IN (1042, 1043) THEN '(' || (_modifier - 4) || ')'
        WHEN _oid = 1700 THEN '(' || ((_modifier - 4) // 65536) || ',' || ((_modifier - 4) % 65536) || ')'
        ELSE '' END END;
CREATE MACRO pg.regtype_oid(_name) AS coalesce(try_cast(_name AS BIGINT),
    (SELECT min(_names.oid) FROM pg.type_names AS _names
     WHERE replace(replace(lower(_name), 'pg_catalog.', ''), '"', '') IN (_names.name, _names.display)));
CREATE MACRO pg.regproc_name(_oid) AS CASE WHEN _oid = 0 THEN '-' ELSE
    (SELECT _procs.proname FROM pg.pg_proc AS _procs WHERE _procs.oid = _oid) END;
CREATE MACRO pg.regproc_oid(_name) AS
    (SELECT min(_procs.oid) FROM pg.pg_proc AS _procs
     WHERE _procs.proname = replace(_name, 'pg_catalog.', ''));
CREATE MACRO pg.quote_ident(_name) AS CASE WHEN regexp_full_match(_name, '[a-z_][a-z0-9_$]*')
    THEN _name ELSE '"' || replace(_name, '"', '""') || '"' END;
CREATE MACRO pg.regclass_name(_oid) AS coalesce(
    (SELECT CASE WHEN _classes.nspname IN ('pg_catalog', 'public') THEN '' ELSE _classes.nspname || '.' END
         || pg.quote_ident(_classes.relname)
     FROM pg.classes AS _classes WHERE _classes.oid = _oid), CAST(_oid AS VARCHAR));
CREATE MACRO pg.regclass_oid(_name) AS coalesce(try_cast(_name AS BIGINT),
    (SELECT min(_classes.oid) FROM pg.classes AS _classes
     WHERE replace(_name, '"', '') = _classes.nspname || '.' || _classes.relname
        OR (_classes.nspname IN ('pg_catalog', 'public') AND replace(_name, '"', '') = _classes.relname)));
CREATE MACRO pg.to_regclass(_name) AS pg.regclass_oid(_name);
CREATE MACRO pg.to_regtype(_name) AS pg.regtype_oid(_name);
CREATE MACRO pg.regnamespace_name(_oid) AS
    (SELECT _spaces.nspname FROM pg.pg_namespace AS _spaces WHERE _spaces.oid = _oid);
CREATE MACRO pg.regnamespace_oid(_name) AS
    (SELECT _spaces.oid FROM pg.pg_namespace AS _spaces WHERE _spaces.nspname = _name);
CREATE MACRO pg.quote_literal(_text) AS '''' || replace(_text, '''', '''''') || '''';
CREATE MACRO pg.pg_get_userbyid(_oid) AS CASE _oid WHEN 10 THEN 'postgres'
    WHEN 16385 THEN pg.caller('user') ELSE coalesce(
        list_filter(pg.lines('principals'), lambda _who: pg.role_oid(_who[1]) = _oid)[1][1],
        'unknown (OID=' || _oid || ')') END;
CREATE MACRO pg.pg_table_is_visible(_oid) AS coalesce(
    (SELECT _classes.nspname IN ('pg_catalog', 'public') FROM pg.classes AS _classes
     WHERE _classes.oid = _oid), false);
CREATE MACRO pg.pg_type_is_visible(_oid) AS true;
CREATE MACRO pg.pg_function_is_visible(_oid) AS true;
CREATE MACRO pg.pg_operator_is_visible(_oid) AS true;
CREATE MACRO pg.pg_opclass_is_visible(_oid) AS true;
CREATE MACRO pg.pg_opfamily_is_visible(_oid) AS true;
CREATE MACRO pg.pg_collation_is_visible(_oid) AS true;
CREATE MACRO pg.pg_conversion_is_visible(_oid) AS true;
CREATE MACRO pg.pg_ts_config_is_visible(_oid) AS true;
CREATE MACRO pg.pg_ts_dict_is_visible(_oid) AS true;
CREATE MACRO pg.pg_ts_parser_is_visible(_oid) AS true;
CREATE MACRO pg.pg_ts_template_is_visible(_oid) AS true;
CREATE MACRO pg.pg_statistics_obj_is_visible(_oid) AS true;
CREATE MACRO pg.pg_relation_is_publishable(_oid) AS false;
CREATE MACRO pg.pg_relation_is_updatable(_oid, _triggers) AS 0;
CREATE MACRO pg.pg_column_is_updatable(_oid, _number, _triggers) AS false;
CREATE MACRO pg.obj_description(_oid, _catalog := NULL) AS
    (SELECT min(_texts.description) FROM pg.pg_description AS _texts
     WHERE _texts.objoid = _oid AND _texts.objsubid = 0);
CREATE MACRO pg.col_description(_oid, _number) AS
    (SELECT min(_texts.description) FROM pg.pg_description AS _texts
     WHERE _texts.objoid = _oid AND _texts.objsubid = _number);
CREATE MACRO pg.shobj_description(_oid, _catalog) AS CAST(NULL AS VARCHAR);
CREATE MACRO pg.pg_get_expr(_tree, _oid, _pretty := false) AS CAST(_tree AS VARCHAR);
CREATE MACRO pg.pg_get_constraintdef(_oid, _pretty := false) AS CAST(NULL AS VARCHAR);
CREATE MACRO pg.pg_get_indexdef(_oid, _column := 0, _pretty := false) AS CAST(NULL AS VARCHAR);
CREATE MACRO pg.pg_get_viewdef(_oid, _pretty := false) AS '';
CREATE MACRO pg.pg_get_ruledef(_oid, _pretty := false) AS '';
CREATE MACRO pg.pg_get_triggerdef(_oid, _pretty := false) AS '';
CREATE MACRO pg.pg_get_partkeydef(_oid) AS CAST(NULL AS VARCHAR);
CREATE MACRO pg.pg_get_partition_constraintdef(_oid) AS CAST(NULL AS VARCHAR);
CREATE MACRO pg.pg_get_serial_sequence(_table, _column) AS CAST(NULL AS VARCHAR);
CREATE MACRO pg.pg_get_statisticsobjdef_columns(_oid) AS '';
CREATE MACRO pg.pg_get_function_result(_oid) AS
    (SELECT pg.regtype_name(_procs.prorettype) FROM pg.pg_proc AS _procs WHERE _procs.oid = _oid);
CREATE MACRO pg.pg_get_function_arguments(_oid) AS '';
CREATE MACRO pg.pg_get_function_identity_arguments(_oid) AS '';
CREATE MACRO pg.pg_get_functiondef(_oid) AS '';
CREATE MACRO pg.pg_get_function_sqlbody(_oid) AS '';
CREATE MACRO pg.pg_relation_size(_oid, _fork := '') AS CAST(0 AS BIGINT);
CREATE MACRO pg.pg_total_relation_size(_oid) AS CAST(0 AS BIGINT);
CREATE MACRO pg.pg_table_size(_oid) AS CAST(0 AS BIGINT);
CREATE MACRO pg.pg_database_size(_oid) AS CAST(0 AS BIGINT);
CREATE MACRO pg.pg_tablespace_size(_oid) AS CAST(0 AS BIGINT);
CREATE MACRO pg.pg_tablespace_location(_oid) AS '';
CREATE MACRO pg.pg_size_pretty(_bytes) AS _bytes || ' bytes';
CREATE MACRO pg.asks(_privileges, _granted) AS
    list_has_any(list_transform(string_split(lower(_privileges), ','), lambda _each: trim(_each)), _granted);
CREATE MACRO pg.may_read(_table, _privileges) AS pg.asks(_privileges, ['select']) AND coalesce(
    (SELECT true FROM pg.classes AS _classes WHERE _classes.oid = pg.regclass_oid(CAST(_table AS VARCHAR))),
    false);
CREATE MACRO pg.has_table_privilege(_a, _b, _c := NULL) AS
    pg.may_read(CASE WHEN _c IS NULL THEN CAST(_a AS VARCHAR) ELSE CAST(_b AS VARCHAR) END,
        CAST(coalesce(_c, _b) AS VARCHAR));
CREATE MACRO pg.has_any_column_privilege(_a, _b, _c := NULL) AS pg.has_table_privilege(_a, _b, _c);
CREATE MACRO pg.has_column_privilege(_a, _b, _c, _d := NULL) AS
    pg.may_read(CASE WHEN _d IS NULL THEN CAST(_a AS VARCHAR) ELSE CAST(_b AS VARCHAR) END,
        CAST(coalesce(_d, _c) AS VARCHAR));
CREATE MACRO pg.has_schema_privilege(_a, _b, _c := NULL) AS
    pg.asks(CAST(coalesce(_c, _b) AS VARCHAR), ['usage']);
CREATE MACRO pg.has_database_privilege(_a, _b, _c := NULL) AS
    pg.asks(CAST(coalesce(_c, _b) AS VARCHAR), ['connect', 'temporary', 'temp']);
CREATE MACRO pg.has_function_privilege(_a, _b, _c := NULL) AS
    pg.asks(CAST(coalesce(_c, _b) AS VARCHAR), ['execute']);
CREATE MACRO pg.has_sequence_privilege(_a, _b, _c := '') AS false;
CREATE MACRO pg.has_role(_role) AS coalesce(
    CAST(_role AS VARCHAR) IN (pg.caller('user'), '16385') OR
    len(list_filter(pg.lines('principals'), lambda _who:
        CAST(_role AS VARCHAR) IN (_who[1], CAST(pg.role_oid(_who[1]) AS VARCHAR)))) > 0, false);
CREATE MACRO pg.pg_has_role(_a, _b, _c := NULL) AS
    pg.has_role(CASE WHEN _c IS NULL THEN CAST(_a AS VARCHAR) ELSE CAST(_b AS VARCHAR) END);
CREATE MACRO pg.array_upper(_list, _dimension) AS nullif(len(_list), 0);
CREATE MACRO pg.array_lower(_list, _dimension) AS CASE WHEN len(_list) > 0 THEN 1 END;
CREATE MACRO pg.array_to_string(_list, _separator) AS
    coalesce(list_aggregate(CAST(_list AS VARCHAR[]), 'string_agg', _separator),
        CASE WHEN _list IS NOT NULL THEN '' END);
CREATE MACRO pg._pg_expandarray(_list) AS
    unnest(list_transform(range(1, len(_list) + 1), lambda _at: {'x': _list[_at], 'n': _at}));
CREATE MACRO pg.generate_subscripts(_list, _dimension) AS unnest(range(1, len(_list) + 1));
CREATE MACRO pg._pg_truetypid(_attribute, _type) AS _type.oid;
CREATE MACRO pg.timezone_abbreviation() AS 'UTC';
CREATE MACRO pg.pg_get_keywords() AS TABLE
    SELECT keyword_name AS word,
        CASE keyword_category WHEN 'reserved' THEN 'R' WHEN 'column_name' THEN 'C'
            WHEN 'type_function' THEN 'T' ELSE 'U' END AS catcode,
        keyword_category AS catdesc
    FROM duckdb_keywords();
CREATE MACRO pg.pg_available_extensions() AS TABLE
    SELECT NULL::VARCHAR AS name WHERE false;
CREATE MACRO pg.array_remove(_list, _element) AS
    list_filter(_list, lambda _each: _each IS DISTINCT FROM _element);
