"""SQL text to trees: PostgreSQL's syntax, and backquoted identifiers beside double-quoted ones.

Only questions (SELECT, WITH, VALUES, TABLE, EXPLAIN) become trees; what a session handles itself
(SET, BEGIN, DECLARE, …) is split off and named by its first keyword, and its text is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar, Final

from sqlglot import exp
from sqlglot.dialects.postgres import Postgres
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokenizer_core import Token, TokenType

from sqlfront.problems import PositionedSyntaxProblem, UnknownFunctionError
from sqlfront.spelling import in_our_words


class Wayline(Postgres):
    """PostgreSQL as clients send it, plus backquotes."""

    class Tokenizer(Postgres.Tokenizer):
        """Takes both quote characters; reads commands token by token so that they split well."""

        IDENTIFIERS: ClassVar[list[str | tuple[str, str]]] = ['"', "`"]
        COMMANDS: ClassVar[set[TokenType]] = set()


@dataclass(frozen=True)
class Statement:
    """One statement.

    Attributes:
        text: as it was sent, without the semicolon.
        tree: the parsed question (for EXPLAIN the explained one); None for all other kinds.
        kind: ``select``, ``explain``, ``analyze`` (EXPLAIN ANALYZE), ``empty`` or the lower-case first
            keyword (``set``, …).
    """

    text: str
    tree: exp.Expr | None
    kind: str


QUESTION_WORDS: Final = ("select", "with", "values", "table")
"""Words that a question begins with, if not with a bracket."""
_QUESTIONS: Final = frozenset({*QUESTION_WORDS, "("})
_SAME_KIND: Final = {"start": "begin", "end": "commit", "abort": "rollback"}
_ANALYZE: Final = frozenset({"analyze", "analyse"})
_OFF: Final = frozenset({"false", "off", "0"})
_EXPLAIN_OPTIONS: Final = _ANALYZE | {"verbose"}

_MISSING: Final = re.compile(r"missing for <class '[\w.]+\.(\w+)'>")
_GRAMMAR: Final = (
    exp.Binary,
    exp.Case,
    exp.If,
    exp.Cast,
    exp.Exists,
    exp.Coalesce,
    exp.Greatest,
    exp.Least,
    exp.Nullif,
)
"""What looks like a function and is syntax, in PostgreSQL as well."""
_FUNCTION_NAMES: Final = frozenset({TokenType.VAR, TokenType.FORMAT, TokenType.MAP})
AS_WRITTEN: Final = "as_written_"
"""Prefix of functions that the parser must not interpret, as their format strings need care."""
_WRITTEN_BY_US: Final = """to_char to_date to_timestamp to_number date_part make_interval
    substr to_hex encode decode octet_length format normalize
    ltrim rtrim btrim regexp_match regexp_matches regexp_substr regexp_count regexp_like regexp_instr
    regexp_replace regexp_split_to_array string_to_array array_to_string array_length array_remove
    array_prepend array_upper array_lower cardinality json_agg jsonb_agg json_object_agg jsonb_object_agg
    json_typeof jsonb_typeof json_build_object jsonb_build_object json_build_array jsonb_build_array
    json_array_length jsonb_array_length json_extract_path json_extract_path_text jsonb_extract_path
    jsonb_extract_path_text to_jsonb mod div log sign width_bucket
    justify_days justify_hours justify_interval char_length character_length
    date_add date_sub datediff add_months date_format unix_timestamp from_unixtime
    to_utc_timestamp from_utc_timestamp regexp_extract split nvl2 percentile percentile_approx
    from_json get_json_object count_if map map_keys map_values size aggregate named_struct
    collect_list collect_set array_distinct array_join array_max array_min sort_array sha2
    element_at isnull isnotnull"""
_AS_WRITTEN_FUNCTIONS: Final = frozenset(_WRITTEN_BY_US.split())


def parse(sql: str) -> tuple[Statement, ...]:
    """Split a message into statements and parse those that are questions.

    Raises:
        SyntaxProblem: a statement cannot be read; the message names line and column.
    """
    return tuple(_statement(tokens, sql) for tokens in _split(_tokens(sql)))


def _tokens(sql: str) -> list[Token]:
    try:
        return Wayline().tokenize(sql)
    except TokenError:
        raise PositionedSyntaxProblem(
            "syntax error: a quoted string, identifier or comment is not closed",
            hint="Close it with the quote that opened it.",
        ) from None


def _split(tokens: Sequence[Token]) -> Iterator[list[Token]]:
    statement: list[Token] = []
    found = False
    for token in tokens:
        if token.token_type != TokenType.SEMICOLON:
            statement.append(token)
        elif statement:
            yield statement
            statement, found = [], True
    if statement or not found:
        yield statement


def _statement(tokens: list[Token], sql: str) -> Statement:
    if not tokens:
        return Statement("", None, "empty")
    text = sql[tokens[0].start : tokens[-1].end + 1]
    word = tokens[0].text.lower()
    if word in _QUESTIONS:
        return Statement(text, _question(tokens, sql), "select")
    if word == "explain":
        question = _after_explain(tokens)
        options = [token.text.lower() for token in tokens[: len(tokens) - len(question)]]
        return Statement(text, _question(question, sql), "analyze" if _runs(options) else "explain")
    return Statement(text, None, _SAME_KIND.get(word, word))


def _runs(options: list[str]) -> bool:
    """Whether EXPLAIN's options ask to run the statement: ANALYZE, and not ANALYZE false."""
    pairs = zip(options, [*options[1:], ""], strict=True)
    return any(option in _ANALYZE and value not in _OFF for option, value in pairs)


def _after_explain(tokens: list[Token]) -> list[Token]:
    """Return the tokens of the explained statement, which follows EXPLAIN's options."""
    if len(tokens) > 2 and tokens[1].text == "(" and tokens[2].text.lower() not in _QUESTIONS:
        closing = next((at for at, token in enumerate(tokens) if token.text == ")"), 1)
        return tokens[closing + 1 :]
    start = 1
    while start < len(tokens) and tokens[start].text.lower() in _EXPLAIN_OPTIONS:
        start += 1
    return tokens[start:]


def _question(tokens: list[Token], sql: str) -> exp.Expr:
    if not tokens:
        raise _problem("at end of input", sql, len(sql))
    _keep_as_written(tokens)
    try:
        trees = Wayline().parser().parse(in_our_words(tokens), sql)
    except ParseError as error:
        first = error.errors[0]
        place = _offset(sql, first["line"] or 1, first["col"] or 1) - len(str(first["highlight"]))
        if _is_about_arguments(str(first["description"])):
            _check_call(tokens, place)
        raise _problem(f'at or near "{first["highlight"]}"', sql, place) from None
    except (TypeError, AttributeError, IndexError, ValueError):  # the parser's own, of what it misses
        raise PositionedSyntaxProblem("syntax error: an operand or a name is missing") from None
    tree = trees[0]
    if len(trees) != 1 or tree is None or isinstance(tree, exp.Command):
        raise _problem(f'at or near "{tokens[0].text}"', sql, tokens[0].start)
    _remember_names(tree, sql)
    return _with_arrows_of_json(tree)


def _is_about_arguments(problem: str) -> bool:
    """Tell whether the parser misses an argument of a function, or knows of no place for one."""
    missing = _MISSING.search(problem)
    kind = None if missing is None else getattr(exp, missing[1], None)
    if isinstance(kind, type) and issubclass(kind, exp.Func):
        return not issubclass(kind, _GRAMMAR)
    return problem.startswith("The number of provided arguments")


def _check_call(tokens: Sequence[Token], end: int) -> None:
    """Raise if what ends at an offset is a call, well-formed but for the number of its arguments.

    Raises:
        UnknownFunctionError: it is.
    """
    closing = next((at for at, token in enumerate(tokens) if token.start == end), 0)
    if closing < 2 or tokens[closing].text != ")" or tokens[closing - 1].text == ",":
        return
    depth, at = 1, closing
    while depth and at > 1:
        at -= 1
        depth += {")": 1, "(": -1}.get(tokens[at].text, 0)
    name = tokens[at - 1].text.lower().removeprefix(AS_WRITTEN)
    raise UnknownFunctionError(
        f"function {name} does not take these arguments",
        hint="See PostgreSQL's documentation for what it takes.",
    )


def is_function_of_elements(arrow: exp.Lambda) -> bool:
    """Tell whether ``x -> …`` is an argument that a function of arrays takes, such as ``transform``."""
    around = arrow.parent
    named = isinstance(around, exp.Anonymous) and around.name == f"{AS_WRITTEN}aggregate"
    return named or isinstance(around, (exp.Transform, exp.ArrayFilter))


def _with_arrows_of_json(tree: exp.Expr) -> exp.Expr:
    """Return a tree in which ``lower(x -> 'a')`` reads a field of JSON, and is no function of elements."""
    for arrow in list(tree.find_all(exp.Lambda)):
        if is_function_of_elements(arrow) or len(arrow.expressions) != 1:
            continue
        first = arrow.this
        while not isinstance(first, exp.Literal) and isinstance(first.this, exp.Expr):
            first = first.this
        if not isinstance(first, exp.Literal):
            continue
        value, path = exp.Column(this=arrow.expressions[0]), Wayline().to_json_path(first)
        field = exp.JSONExtract(this=value, expression=path, only_json_types=True)
        whole = field if first is arrow.this else arrow.this
        first.replace(field)
        arrow.replace(whole)
    return tree


def _keep_as_written(tokens: list[Token]) -> None:
    for token, following in pairwise(tokens):
        if following.text != "(":
            continue
        quoted = token.token_type == TokenType.IDENTIFIER
        name = token.text if quoted else token.text.lower()
        if name in _AS_WRITTEN_FUNCTIONS and (quoted or token.token_type in _FUNCTION_NAMES):
            token.token_type = TokenType.VAR
            token.text = AS_WRITTEN + name


def _remember_names(tree: exp.Expr, sql: str) -> None:
    """Keep the name that each function was called by, as the parser maps several names to one node.

    All other places in the text are dropped: trees are copied a lot.
    """
    for node in tree.walk():
        start, end = node.meta_get("start"), node.meta_get("end")
        node._meta = None
        if isinstance(node, exp.Func) and start is not None and end is not None:
            node.meta["name"] = _name(sql[start : end + 1])


def _name(written: str) -> str:
    """Return the name of a function: in quotes it is taken as it is."""
    quote = written[:1]
    return written[1:-1].replace(quote * 2, quote) if quote in ('"', "`") else written.lower()


def _offset(sql: str, line: int, column: int) -> int:
    """Return the offset behind the character at a one-based line and column."""
    return sum(len(text) + 1 for text in sql.split("\n")[: line - 1]) + column


def _problem(where: str, sql: str, offset: int) -> PositionedSyntaxProblem:
    line = sql.count("\n", 0, offset) + 1
    column = offset - (sql.rfind("\n", 0, offset) + 1) + 1
    return PositionedSyntaxProblem(
        f"syntax error {where} (line {line}, column {column})", position=offset + 1
    )
