"""Names of the functions that a statement may call."""

from __future__ import annotations

from typing import Final

from sqlglot import exp

from sqlfront.dialect import AS_WRITTEN

_AGGREGATES: Final = """any_value approx_count_distinct arg_max arg_min array_agg avg bit_and bit_or bit_xor
    bool_and bool_or corr count covar_pop covar_samp every first grouping json_agg json_object_agg
    jsonb_agg jsonb_object_agg last list max median min mode percentile_cont percentile_disc quantile_cont
    regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy stddev
    stddev_pop stddev_samp string_agg sum var_pop var_samp variance"""

_AGGREGATES_OF_SPARK: Final = "collect_list collect_set count_if mean percentile percentile_approx"
_OF_SPARK: Final = """add_months aggregate array_distinct array_join array_max array_min date_format
    element_at explode filter from_json from_unixtime from_utc_timestamp get_json_object inline isnotnull
    isnull map map_keys map_values named_struct nvl2 posexplode sha2 size sort_array split struct
    to_utc_timestamp transform unix_timestamp"""

AGGREGATES: Final = frozenset((*_AGGREGATES.split(), *_AGGREGATES_OF_SPARK.split()))
"""Aggregate functions, by the name that a statement calls them."""

_WINDOWS: Final = """cume_dist dense_rank first_value lag last_value lead nth_value ntile percent_rank
    rank row_number"""

_SCALARS: Final = """abs acos acosh age array_append array_cat array_contains array_length array_lower
    array_position array_prepend array_remove array_replace array_to_json array_to_string
    array_upper ascii asin asinh
    atan atan2 atanh bit_count bit_length btrim cardinality cbrt ceil
    ceiling char_length character_length chr clock_timestamp coalesce concat concat_ws cos cosh cot
    current_date current_time current_timestamp
    date date_add date_bin date_diff date_part date_sub date_trunc datediff day dayname dayofmonth
    dayofweek dayofyear decode degrees div encode epoch epoch_ms exp expm1 extract factorial floor format
    format_date gcd
    gen_random_uuid greatest hour if ifnull initcap isfinite isinf isnan isodow isoyear json_array_length
    json_build_array json_build_object json_extract json_extract_path json_extract_path_text
    json_extract_string json_typeof jsonb_typeof jsonb_array_length jsonb_build_array jsonb_build_object
    jsonb_extract_path jsonb_extract_path_text justify_days justify_hours justify_interval
    last_day lcm lcase least left length levenshtein ln localtime localtimestamp log
    log10 log1p log2 lower lpad ltrim make_date make_interval make_time make_timestamp md5 microsecond
    millisecond minute mod
    month monthname negative normalize now nullif num_nonnulls num_nulls nvl octet_length overlay pg_typeof
    pi position positive pow power quarter quote_ident quote_literal quote_nullable
    radians random regexp_count regexp_extract regexp_full_match regexp_instr regexp_like regexp_match
    regexp_matches regexp_replace regexp_split_to_array regexp_split_to_table regexp_substr
    repeat replace reverse right round row row_to_json rpad rtrim second sha256
    sign sin sinh split_part sqrt square starts_with statement_timestamp strftime string_split
    string_to_array string_to_table strip_accents strlen strpos strptime substr substring tan tanh
    time_bucket timeofday timezone
    timestamp to_char to_date to_hex to_json to_jsonb to_number to_timestamp transaction_timestamp translate
    trim trunc
    ucase unistr unnest upper user version week weekday weekofyear width_bucket year yearweek array
    current_role generate_series all"""

SAFE: Final = AGGREGATES | frozenset((*_WINDOWS.split(), *_SCALARS.split(), *_OF_SPARK.split()))
"""Every function that a statement may call."""

TABLE_FUNCTIONS: Final = frozenset({"generate_series", "unnest"})
"""Functions that may stand in FROM."""

GENERATORS: Final = frozenset({"explode", "posexplode", "inline"})
"""Functions that make rows, among the outputs and behind LATERAL VIEW."""

SYSTEM_FUNCTIONS: Final = ("credit", "identity_history")
"""Our own functions in schema ``system``; each is a table."""


def called(function: exp.Expr) -> str | None:
    """Return the lower-case name by which a function was called; None for syntax such as CASE."""
    name = function.meta_get("name")
    if name is not None:
        return str(name)
    if isinstance(function, exp.Anonymous):
        return str(function.name).removeprefix(AS_WRITTEN).lower()
    return None


def system_function(item: exp.Expr) -> str | None:
    """Return which function of schema ``system`` an item of FROM calls, such as ``credit``; else None."""
    if not isinstance(item, exp.Table) or not isinstance(item.this, exp.Func) or item.db.lower() != "system":
        return None
    name = called(item.this)
    return name if name in SYSTEM_FUNCTIONS else None
