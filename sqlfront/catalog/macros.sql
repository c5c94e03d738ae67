-- PostgreSQL's catalog functions as DuckDB macros. Macros are not hygienic: what they read inside
-- must not be named like anything in a client's statement, hence the aliases with underscores.
-- place: of the schema among those that are searched for names without one.
CREATE VIEW pg.classes AS SELECT oid, relname, nspname, place,
    coalesce(place = min(place) OVER (PARTITION BY relname), false) AS visible
FROM (SELECT c.oid, c.relname, n.nspname,
          CASE n.nspname WHEN 'pg_temp_1' THEN 1 WHEN 'pg_catalog' THEN 2 WHEN 'public' THEN 3 END AS place
      FROM pg.pg_class AS c JOIN pg.pg_namespace AS n ON n.oid = c.relnamespace);
CREATE MACRO pg.quote_ident(_name) AS CASE WHEN regexp_full_match(_name, '[a-z_][a-z0-9_$]*')
    THEN _name ELSE '"' || replace(_name, '"', '""') || '"' END;
CREATE VIEW pg.type_names AS SELECT t.oid, n.nspname AS space, t.typname AS name, CASE
    WHEN n.nspname IN ('pg_catalog', 'public', 'pg_temp_1') THEN '' ELSE pg.quote_ident(n.nspname) || '.' END || CASE
    WHEN t.typelem <> 0 AND t.typlen = -1 AND t.typcategory = 'A' AND t.typname LIKE '\_%' ESCAPE '\'
        THEN coalesce(e.display, pg.quote_ident(substr(t.typname, 2))) || '[]'
    ELSE coalesce(d.display, pg.quote_ident(t.typname)) END AS display
FROM pg.pg_type AS t JOIN pg.pg_namespace AS n ON n.oid = t.typnamespace
LEFT JOIN pg.displays AS d ON d.oid = t.oid LEFT JOIN pg.displays AS e ON e.oid = t.typelem;
INSERT INTO own.pg_namespace (oid, nspname, nspowner)
VALUES (11, 'pg_catalog', 10), (2200, 'public', 10), (13001, 'system', 10), (13000, 'information_schema', 10);
INSERT INTO own.pg_description (objoid, classoid, objsubid, description)
VALUES (11, 2615, 0, 'system catalog schema'), (2200, 2615, 0, 'Data views and datasets'),
    (13001, 2615, 0, 'What wayline tells of itself'), (13000, 2615, 0, 'standard catalogs of SQL');
CREATE TABLE pg.arguments AS SELECT p.oid, string_agg(t.display, ', ' ORDER BY p.number) AS types
FROM (SELECT oid, unnest(proargtypes) AS type, unnest(range(len(proargtypes))) AS number FROM pg.pg_proc) AS p
JOIN pg.type_names AS t ON t.oid = p.type GROUP BY p.oid;
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
CREATE MACRO pg.role_oid(_name) AS CASE WHEN _name IS NULL THEN NULL WHEN _name = 'postgres' THEN 10
    WHEN _name = pg.caller('user') THEN 16385 ELSE 16386 + CAST(hash(_name) % 2000000000 AS BIGINT) END;
CREATE MACRO pg.pg_my_temp_schema() AS CASE WHEN pg.caller('temporaries') IS NULL THEN 0 ELSE 13002 END;
CREATE MACRO pg.current_schemas(_implicit) AS
    CASE WHEN NOT _implicit THEN ['public'] WHEN pg.pg_my_temp_schema() = 0 THEN ['pg_catalog', 'public']
    ELSE ['pg_temp_1', 'pg_catalog', 'public'] END;
CREATE MACRO pg.current_setting(_name, _missing_ok := false) AS
    coalesce(pg.caller('setting.' || lower(_name)),
        (SELECT min(_known.shown) FROM pg.settings AS _known WHERE lower(_known.name) = lower(_name)),
        CASE WHEN _missing_ok THEN NULL
        ELSE error('unrecognized configuration parameter "' || _name || '"') END);
CREATE MACRO pg.set_config(_name, _value, _local) AS _value;
CREATE MACRO pg.pg_backend_pid() AS CAST(pg.caller('process') AS INTEGER);
CREATE MACRO pg.pg_is_in_recovery() AS false;
CREATE MACRO pg.pg_is_other_temp_schema(_oid) AS false;
CREATE MACRO pg.pg_advisory_unlock_all() AS CAST(NULL AS VARCHAR);
CREATE MACRO pg.pg_postmaster_start_time() AS CAST(pg.caller('started') AS TIMESTAMPTZ);
CREATE MACRO pg.inet_server_addr() AS CAST(NULL AS VARCHAR);
CREATE MACRO pg.inet_server_port() AS CAST(NULL AS INTEGER);
CREATE MACRO pg.inet_client_addr() AS CAST(NULL AS VARCHAR);
CREATE MACRO pg.inet_client_port() AS CAST(NULL AS INTEGER);
CREATE MACRO pg.pg_is_wal_replay_paused() AS false;
CREATE MACRO pg.pg_last_wal_receive_lsn() AS CAST(NULL AS VARCHAR);
CREATE MACRO pg.pg_last_wal_replay_lsn() AS CAST(NULL AS VARCHAR);
CREATE MACRO pg.pg_last_xact_replay_timestamp() AS CAST(NULL AS TIMESTAMPTZ);
CREATE MACRO pg.pg_jit_available() AS false;
CREATE MACRO pg.pg_trigger_depth() AS 0;
CREATE MACRO pg.txid_current() AS CAST(pg.caller('listing') AS BIGINT);
CREATE MACRO pg.pg_current_xact_id() AS pg.txid_current();
CREATE MACRO pg.pg_current_xact_id_if_assigned() AS CAST(NULL AS BIGINT);
CREATE MACRO pg.txid_current_if_assigned() AS CAST(NULL AS BIGINT);
CREATE MACRO pg.getdatabaseencoding() AS 'UTF8';
CREATE MACRO pg.pg_client_encoding() AS 'UTF8';
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
CREATE MACRO pg.standard_type(_oid, _kind, _element, _size) AS CASE
    WHEN _element <> 0 AND _size = -1 THEN 'ARRAY' WHEN _kind = 'c' THEN 'USER-DEFINED'
    ELSE pg.regtype_name(_oid) END;
CREATE MACRO pg.regtype_oid(_name) AS coalesce(try_cast(_name AS BIGINT),
    (SELECT min(_names.oid) FROM pg.type_names AS _names
     WHERE list_has_any([replace(_name, '"', ''), lower(replace(_name, '"', ''))],
         [_names.name, replace(_names.display, '"', ''), _names.space || '.' || _names.name,
          _names.space || '.' || replace(_names.display, '"', '')])));
CREATE MACRO pg.regtype_names(_oids) AS
    (SELECT list(coalesce(_names.display, CAST(_each.oid AS VARCHAR)) ORDER BY _each.place)
     FROM (SELECT unnest(_oids) AS oid, unnest(range(len(_oids))) AS place) AS _each
     LEFT JOIN pg.type_names AS _names ON _names.oid = _each.oid);
CREATE MACRO pg.regtype_oids(_texts) AS
    (SELECT list(coalesce(try_cast(_each.name AS BIGINT), _names.oid) ORDER BY _each.place)
     FROM (SELECT unnest(_texts) AS name, unnest(range(len(_texts))) AS place) AS _each
     LEFT JOIN pg.type_names AS _names ON _each.name IN (_names.name, _names.display));
CREATE MACRO pg.regproc_name(_oid) AS CASE WHEN _oid = 0 THEN '-' ELSE coalesce(
    (SELECT _procs.proname FROM pg.pg_proc AS _procs WHERE _procs.oid = _oid), CAST(_oid AS VARCHAR)) END;
CREATE MACRO pg.regproc_oid(_name) AS
    (SELECT min(_procs.oid) FROM pg.pg_proc AS _procs
     WHERE _procs.proname = replace(_name, 'pg_catalog.', ''));
CREATE MACRO pg.regclass_name(_oid) AS coalesce(
    (SELECT CASE WHEN _classes.visible THEN '' ELSE _classes.nspname || '.' END
         || pg.quote_ident(_classes.relname)
     FROM pg.classes AS _classes WHERE _classes.oid = _oid),
    CASE WHEN _oid = 0 THEN '-' ELSE CAST(_oid AS VARCHAR) END);
CREATE MACRO pg.plain_name(_name) AS CASE WHEN contains(_name, '"') THEN replace(_name, '"', '')
    WHEN EXISTS (SELECT 1 FROM pg.pg_class AS _known WHERE _known.relname = _name) THEN _name
    ELSE lower(_name) END;
CREATE MACRO pg.regclass_oid(_name) AS coalesce(try_cast(_name AS BIGINT),
    (SELECT min(_classes.oid) FROM pg.classes AS _classes
     WHERE regexp_replace(pg.plain_name(_name), '^pg_temp\.', 'pg_temp_1.')
            = _classes.nspname || '.' || _classes.relname
        OR (_classes.visible AND pg.plain_name(_name) = _classes.relname)));
CREATE MACRO pg.to_regclass(_name) AS pg.regclass_oid(_name);
CREATE MACRO pg.to_regtype(_name) AS pg.regtype_oid(_name);
CREATE MACRO pg.to_regproc(_name) AS pg.regproc_oid(_name);
CREATE MACRO pg.regnamespace_name(_oid) AS
    (SELECT _spaces.nspname FROM pg.pg_namespace AS _spaces WHERE _spaces.oid = _oid);
CREATE MACRO pg.regoper_name(_oid) AS CASE WHEN _oid = 0 THEN '0' ELSE coalesce(
    (SELECT _operators.oprname FROM pg.pg_operator AS _operators WHERE _operators.oid = _oid),
    CAST(_oid AS VARCHAR)) END;
CREATE MACRO pg.regoper_oid(_name) AS coalesce(try_cast(_name AS BIGINT),
    (SELECT min(_operators.oid) FROM pg.pg_operator AS _operators WHERE _operators.oprname = _name));
CREATE MACRO pg.regcollation_name(_oid) AS CASE WHEN _oid = 0 THEN '-' ELSE coalesce(
    (SELECT pg.quote_ident(_collations.collname) FROM pg.pg_collation AS _collations
     WHERE _collations.oid = _oid), CAST(_oid AS VARCHAR)) END;
CREATE MACRO pg.regcollation_oid(_name) AS coalesce(try_cast(_name AS BIGINT),
    (SELECT min(_collations.oid) FROM pg.pg_collation AS _collations
     WHERE _collations.collname = replace(replace(_name, 'pg_catalog.', ''), '"', '')));
CREATE MACRO pg.regclass_names(_oids) AS
    (SELECT list(coalesce(_names.relname, CAST(_each.oid AS VARCHAR)) ORDER BY _each.place)
     FROM (SELECT unnest(_oids) AS oid, unnest(range(len(_oids))) AS place) AS _each
     LEFT JOIN pg.classes AS _names ON _names.oid = _each.oid);
CREATE MACRO pg.regproc_names(_oids) AS
    (SELECT list(coalesce(_names.proname, CAST(_each.oid AS VARCHAR)) ORDER BY _each.place)
     FROM (SELECT unnest(_oids) AS oid, unnest(range(len(_oids))) AS place) AS _each
     LEFT JOIN pg.pg_proc AS _names ON _names.oid = _each.oid);
CREATE MACRO pg.regnamespace_oid(_name) AS
    (SELECT _spaces.oid FROM pg.pg_namespace AS _spaces WHERE _spaces.nspname = _name);
CREATE MACRO pg.to_regnamespace(_name) AS pg.regnamespace_oid(_name);
-- What a text is cast to: the number of what has that name, and an error if nothing has.
CREATE MACRO pg.found(_oid, _name, _what) AS CASE WHEN _name IS NULL THEN NULL WHEN _name = '-' THEN 0
    ELSE coalesce(_oid, error(_what || ' "' || _name || '" does not exist')) END;
CREATE MACRO pg.regclass_cast(_name) AS pg.found(pg.regclass_oid(_name), _name, 'relation');
CREATE MACRO pg.regtype_cast(_name) AS pg.found(pg.regtype_oid(_name), _name, 'type');
CREATE MACRO pg.regproc_cast(_name) AS pg.found(pg.regproc_oid(_name), _name, 'function');
CREATE MACRO pg.regoper_cast(_name) AS pg.found(pg.regoper_oid(_name), _name, 'operator');
CREATE MACRO pg.regcollation_cast(_name) AS pg.found(pg.regcollation_oid(_name), _name, 'collation');
CREATE MACRO pg.regnamespace_cast(_name) AS pg.found(pg.regnamespace_oid(_name), _name, 'schema');
CREATE MACRO pg.quote_literal(_text) AS '''' || replace(_text, '''', '''''') || '''';
CREATE MACRO pg.pg_get_userbyid(_oid) AS CASE _oid WHEN 10 THEN 'postgres'
    WHEN 16385 THEN pg.caller('user') ELSE coalesce(
        list_filter(pg.lines('principals'), lambda _who: pg.role_oid(_who[1]) = _oid)[1][1],
        'unknown (OID=' || _oid || ')') END;
CREATE MACRO pg.regrole_name(_oid) AS pg.quote_ident(
    CASE WHEN pg.pg_get_userbyid(_oid) LIKE 'unknown (OID=%' THEN CAST(_oid AS VARCHAR)
    ELSE pg.pg_get_userbyid(_oid) END);
CREATE MACRO pg.regrole_oid(_name) AS coalesce(try_cast(_name AS BIGINT), pg.role_oid(
    list_filter(list_append(list_transform(pg.lines('principals'), lambda _who: _who[1]), 'postgres'),
        lambda _known: _known = replace(_name, '"', ''))[1]));
CREATE MACRO pg.regrole_cast(_name) AS pg.found(pg.regrole_oid(_name), _name, 'role');
CREATE MACRO pg.to_regrole(_name) AS pg.regrole_oid(_name);
CREATE MACRO pg.pg_table_is_visible(_oid) AS coalesce(
    (SELECT _classes.visible FROM pg.classes AS _classes
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
CREATE MACRO pg.class_number(_catalog) AS CASE _catalog WHEN 'pg_class' THEN 1259 WHEN 'pg_type' THEN 1247
    WHEN 'pg_proc' THEN 1255 WHEN 'pg_operator' THEN 2617 WHEN 'pg_cast' THEN 2605 WHEN 'pg_am' THEN 2601
    WHEN 'pg_language' THEN 2612 WHEN 'pg_collation' THEN 3456 WHEN 'pg_namespace' THEN 2615 ELSE -1 END;
CREATE MACRO pg.obj_description(_oid, _catalog := NULL) AS
    (SELECT min(_texts.description) FROM pg.pg_description AS _texts WHERE _texts.objoid = _oid
     AND _texts.objsubid = 0 AND (_catalog IS NULL OR _texts.classoid = pg.class_number(_catalog)));
CREATE MACRO pg.col_description(_oid, _number) AS
    (SELECT min(_texts.description) FROM pg.pg_description AS _texts
     WHERE _texts.objoid = _oid AND _texts.objsubid = _number AND _texts.classoid = 1259);
CREATE MACRO pg.shobj_description(_oid, _catalog) AS CAST(NULL AS VARCHAR);
CREATE MACRO pg.pg_get_expr(_tree, _oid, _pretty := false) AS CAST(_tree AS VARCHAR);
CREATE MACRO pg.pg_get_constraintdef(_oid, _pretty := false) AS CAST(NULL AS VARCHAR);
CREATE MACRO pg.pg_get_indexdef(_oid, _column := 0, _pretty := false) AS CAST(NULL AS VARCHAR);
CREATE MACRO pg.pg_get_viewdef(_view, _pretty := false) AS coalesce(
    (SELECT min(_texts.definition) FROM own.definitions AS _texts
     WHERE _texts.oid = pg.regclass_oid(CAST(_view AS VARCHAR))
        AND CAST(_texts.listing AS VARCHAR) = pg.caller('listing')), '');
CREATE MACRO pg.pg_get_ruledef(_oid, _pretty := false) AS '';
CREATE MACRO pg.pg_get_triggerdef(_oid, _pretty := false) AS '';
CREATE MACRO pg.pg_get_partkeydef(_oid) AS CAST(NULL AS VARCHAR);
CREATE MACRO pg.pg_get_partition_constraintdef(_oid) AS CAST(NULL AS VARCHAR);
CREATE MACRO pg.pg_get_serial_sequence(_table, _column) AS CAST(NULL AS VARCHAR);
CREATE MACRO pg.pg_get_statisticsobjdef_columns(_oid) AS '';
CREATE MACRO pg.pg_get_function_result(_oid) AS
    (SELECT pg.regtype_name(_procs.prorettype) FROM pg.pg_proc AS _procs WHERE _procs.oid = _oid);
CREATE MACRO pg.pg_get_function_arguments(_oid) AS coalesce(
    (SELECT _types.types FROM pg.arguments AS _types WHERE _types.oid = _oid), '');
CREATE MACRO pg.pg_get_function_identity_arguments(_oid) AS pg.pg_get_function_arguments(_oid);
CREATE MACRO pg.pg_get_function_arg_default(_oid, _number) AS CAST(NULL AS VARCHAR);
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
CREATE MACRO pg.may_read(_table, _privileges) AS coalesce(
    (SELECT pg.asks(_privileges, CASE _classes.nspname WHEN 'pg_temp_1' THEN ['select', 'insert', 'truncate']
         ELSE ['select'] END)
     FROM pg.classes AS _classes WHERE _classes.oid = pg.regclass_oid(CAST(_table AS VARCHAR))), false);
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
    unnest(list_transform(range(1, len(_list) + 1), lambda _at: {'x': _list[_at], 'n': CAST(_at AS INTEGER)}));
CREATE MACRO pg.generate_subscripts(_list, _dimension) AS unnest(range(1, len(_list) + 1));
CREATE MACRO pg._pg_truetypid(_attribute, _type) AS _type.oid;
CREATE MACRO pg.timezone_abbreviation() AS 'UTC';
CREATE MACRO pg.pg_get_keywords() AS TABLE SELECT * FROM pg.keywords;
CREATE MACRO pg.pg_available_extensions() AS TABLE
    SELECT NULL::VARCHAR AS name WHERE false;
CREATE MACRO pg.array_remove(_list, _element) AS
    list_filter(_list, lambda _each: _each IS DISTINCT FROM _element);
