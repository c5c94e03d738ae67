"""A session's settings: any name can be set; those that would change our output are checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache, cached_property
from typing import Final
from zoneinfo import available_timezones

from engine.errors import InputError
from engine.report.moments import instant_of
from sqlfront.durations import MOST, NoDurationError, milliseconds, shown
from sqlfront.forbidden import check_set, check_shown
from sqlfront.known_settings import known_settings
from sqlfront.sqlstate import SqlError

SERVER_VERSION: Final = "15.18"
IDENTITY_AS_OF: Final = "wayline.identity_as_of"
"""Setting: as of when a question sees who is who; empty is as of now."""
COMPAT: Final = "wayline.compat"
"""Setting: on gives questions the ranges, orders and limits of the reference service."""
AUTO_TO_JSON: Final = "auto_to_json"
"""Setting: on shows objects and arrays as JSON, and not in PostgreSQL's spelling of composites."""
DROP_SYSTEM_COLUMNS: Final = "drop_system_columns"
"""Setting: off shows the columns of datasets that tell of a row's batch."""
_DEFAULTS: Final[Mapping[str, str]] = {
    "application_name": "",
    "bytea_output": "hex",
    "client_encoding": "UTF8",
    "client_min_messages": "notice",
    "DateStyle": "ISO, MDY",
    "default_table_access_method": "heap",
    "default_transaction_isolation": "repeatable read",
    "default_transaction_read_only": "on",
    "extra_float_digits": "1",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
    "in_hot_standby": "off",
    "integer_datetimes": "on",
    "IntervalStyle": "postgres",
    "is_superuser": "off",
    "jit": "off",
    "lc_collate": "C.UTF-8",
    "lc_ctype": "C.UTF-8",
    "lock_timeout": "0",
    "max_identifier_length": "63",
    "max_index_keys": "32",
    "search_path": '"$user", public',
    "role": "none",
    "server_encoding": "UTF8",
    "server_version": SERVER_VERSION,
    "server_version_num": "150018",
    "session_authorization": "",
    "ssl": "off",
    "standard_conforming_strings": "on",
    "statement_timeout": "0",
    "TimeZone": "UTC",
    "transaction_isolation": "repeatable read",
    "transaction_read_only": "on",
    AUTO_TO_JSON: "off",
    COMPAT: "off",
    DROP_SYSTEM_COLUMNS: "on",
    IDENTITY_AS_OF: "",
}
REPORTED: Final = (
    "application_name",
    "client_encoding",
    "DateStyle",
    "default_transaction_read_only",
    "in_hot_standby",
    "integer_datetimes",
    "IntervalStyle",
    "is_superuser",
    "server_encoding",
    "server_version",
    "session_authorization",
    "standard_conforming_strings",
    "TimeZone",
)
"""Settings that clients are told of at the start and whenever they change."""

TIMEOUTS: Final = frozenset(
    (
        *("statement_timeout", "lock_timeout"),
        *("idle_session_timeout", "idle_in_transaction_session_timeout"),
    )
)
_FIXED: Final = frozenset(
    (
        *("in_hot_standby", "integer_datetimes", "is_superuser", "lc_collate", "lc_ctype"),
        *("max_identifier_length", "max_index_keys", "server_encoding", "server_version"),
        *("server_version_num", "ssl"),
    )
)
_SWITCHES: Final = frozenset({AUTO_TO_JSON, COMPAT, DROP_SYSTEM_COLUMNS})
_CANONICAL: Final = {name.lower(): name for name in _DEFAULTS}
_ENCODINGS: Final = ("utf8", "unicode", "sqlascii", "default")


@dataclass(frozen=True)
class Settings:
    """What ``SHOW`` answers; immutable, so that a rollback just takes the earlier one.

    Attributes:
        initial: values at the start of the session, which ``RESET`` goes back to.
        changed: values set since.
    """

    initial: Mapping[str, str] = field(default_factory=lambda: dict(_DEFAULTS))
    changed: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def values(self) -> Mapping[str, str]:
        """All settings, names in lower case."""
        return {name.lower(): value for name, value in {**self.initial, **self.changed}.items()}

    def show(self, name: str) -> str:
        """Return a setting's value.

        Raises:
            SqlError: it is not known and has not been set.
            ForbiddenError: it concerns the server.
        """
        name = canonical(name)
        if name in self.changed:
            return self.changed[name]
        if name in self.initial:
            return self.initial[name]
        check_shown(name)
        if name not in known_settings():
            raise SqlError(f'unrecognized configuration parameter "{name}"', "42704")
        return known_settings()[name]

    def with_value(self, name: str, value: str) -> Settings:
        """Return settings in which ``name`` is ``value``.

        Raises:
            SqlError: it cannot be changed, or not to this.
            ForbiddenError: it concerns the server.
        """
        name = canonical(name)
        if name not in _DEFAULTS:
            check_set(name)
        if name in _FIXED:
            raise SqlError(f'parameter "{name}" cannot be changed', "55P02")
        return replace(self, changed={**self.changed, name: _checked(name, value)})

    def without(self, name: str) -> Settings:
        """Return settings in which ``name`` has its initial value again."""
        name = canonical(name)
        return replace(self, changed={k: v for k, v in self.changed.items() if k != name})

    def reset(self) -> Settings:
        """Return the initial settings."""
        return replace(self, changed={})


def canonical(name: str) -> str:
    """Return a setting's name as PostgreSQL spells it."""
    return _CANONICAL.get(name.lower(), name.lower())


def identity_as_of(settings: Mapping[str, str]) -> datetime | None:
    """Return as of when settings (names in lower case) want to know who is who; None is now."""
    text = settings.get(IDENTITY_AS_OF, "")
    return instant_of(text) if text else None


def is_compatible(settings: Mapping[str, str]) -> bool:
    """Tell whether settings (names in lower case) ask for what ``COMPAT`` gives."""
    return settings.get(COMPAT, "off") == "on"


def shows_json(settings: Mapping[str, str]) -> bool:
    """Tell whether settings (names in lower case) ask for objects and arrays as JSON."""
    return settings.get(AUTO_TO_JSON, "off") == "on"


def shows_system_columns(settings: Mapping[str, str]) -> bool:
    """Tell whether settings (names in lower case) ask for the columns that tell of a row's batch."""
    return settings.get(DROP_SYSTEM_COLUMNS, "on") == "off"


def role_of(settings: Mapping[str, str]) -> str | None:
    """Return the role to which settings (names in lower case) narrow a user; None: all of the user's."""
    role = settings.get("role", "none")
    return None if role.lower() == "none" else role


def initial_settings(
    user: str, parameters: Mapping[str, str], server: Mapping[str, str] | None = None
) -> Settings:
    """Return the settings of a new session from the client's startup parameters and those of the server.

    Raises:
        SqlError: the client asks for something that we cannot give, such as another encoding.
    """
    settings = Settings({**_DEFAULTS, **(server or {})})
    for name, value in _requested(parameters).items():
        settings = settings.with_value(name, value)
    return Settings({**settings.initial, **settings.changed, "session_authorization": user})


def _requested(parameters: Mapping[str, str]) -> dict[str, str]:
    """Return settings among the startup parameters, those in ``options=-c name=value`` included."""
    options = parameters.get("options", "").replace("-c ", "-c").split()
    pairs = [word[2:].lstrip("-").partition("=") for word in options if word.startswith(("-c", "--"))]
    asked = {name.replace("-", "_"): value for name, _, value in pairs}
    plain = {
        name: value
        for name, value in parameters.items()
        if name not in ("user", "database", "options", "replication") and not name.startswith("_pq_.")
    }
    return {**asked, **plain}


def _checked(name: str, value: str) -> str:
    """Return the value to keep, or refuse one that our output would not follow."""
    word = value.strip("'\" ").lower()
    if name == "client_encoding":
        if word.replace("-", "").replace("_", "") not in _ENCODINGS:
            raise _refused(name, value, "UTF8")
        return "UTF8"
    if name == "DateStyle":
        if "iso" not in word and not {part.strip() for part in word.split(",")} <= _DATE_ORDERS:
            raise _refused(name, value, "ISO")
        return "ISO, DMY" if "dmy" in word else "ISO, YMD" if "ymd" in word else "ISO, MDY"
    if name == IDENTITY_AS_OF:
        return _instant(name, value)
    if name in _SWITCHES:
        if word not in _SWITCH:
            raise SqlError(f'parameter "{name}" requires a Boolean value', "22023")
        return _SWITCH[word]
    if name in TIMEOUTS:
        return _timeout(name, value)
    if name == "TimeZone":
        return _zone(value)
    if name in _ONLY and word != _ONLY[name]:
        raise _refused(name, value, _ONLY[name])
    return value


def _timeout(name: str, value: str) -> str:
    """Return a time as it is shown: in the largest unit that leaves a whole number."""
    try:
        time = milliseconds(value)
    except NoDurationError as problem:
        message = f'invalid value for parameter "{name}": "{value}"'
        raise SqlError(message, "22023", hint=str(problem) or None) from None
    if not 0 <= time <= MOST:
        message = f'{time} ms is outside the valid range for parameter "{name}" (0 .. {MOST})'
        raise SqlError(message, "22023")
    return shown(time)


def _instant(name: str, value: str) -> str:
    """Return an instant as it is shown: in UTC, with its offset; empty or ``now`` is none."""
    if value.strip().lower() in ("", "now"):
        return ""
    try:
        return instant_of(value).isoformat(" ")
    except InputError:
        hint = "Write a time such as 2026-03-01 12:30, in UTC or with an offset."
        raise SqlError(f'invalid value for parameter "{name}": "{value}"', "22023", hint=hint) from None


_SWITCH: Final = {
    **dict.fromkeys(("on", "true", "yes", "1"), "on"),
    **dict.fromkeys(("off", "false", "no", "0"), "off"),
}


def _zone(value: str) -> str:
    """Return a time zone as it is shown: by its name, or as PostgreSQL writes hours east of Greenwich."""
    word = value.strip("'\" ")
    known = _zones().get(word.lower())
    if known is not None:
        return known
    hours = _HOURS.fullmatch(word)
    if hours is not None and abs(float(word)) <= _MOST_HOURS:
        east = _offset(round(float(word) * 60))
        return f"<{east}>{'-' if east[0] == '+' else '+'}{east[1:]}"
    posix = _POSIX.fullmatch(word)
    if posix is None or int(posix["hours"]) > _MOST_HOURS:
        raise SqlError(
            f'invalid value for parameter "TimeZone": "{value}"',
            "22023",
            hint="Name a zone of the IANA time zone database, such as Europe/Berlin.",
        )
    return word


def arrow_zone(shown: str) -> str:
    """Return a checked setting ``TimeZone`` as Arrow names it: ``Europe/Berlin``, ``+05:30``."""
    posix = _POSIX.fullmatch(shown)
    if posix is None:
        return shown
    west = int(posix["hours"]) * 60 + int(posix["minutes"] or 0)
    return _offset(west if posix["sign"] == "-" else -west, always_minutes=True)


def _offset(minutes: int, *, always_minutes: bool = False) -> str:
    hour, minute = divmod(abs(minutes), 60)
    rest = f":{minute:02d}" if minute or always_minutes else ""
    return f"{'-' if minutes < 0 else '+'}{hour:02d}{rest}"


@cache
def _zones() -> dict[str, str]:
    """Return the zones that there are, by name in lower case."""
    return {name.lower(): name for name in available_timezones()}


_HOURS: Final = re.compile(r"[+-]?\d+(?:\.\d+)?")
_POSIX: Final = re.compile(
    r"(?:[A-Za-z]{3,}|<[\w+:-]+>)(?P<sign>[+-]?)(?P<hours>\d\d?)(?::(?P<minutes>\d\d))?"
)
_MOST_HOURS: Final = 15
_DATE_ORDERS: Final = {"dmy", "mdy", "ymd", "default"}
_ONLY: Final = {
    "IntervalStyle": "postgres",
    "bytea_output": "hex",
    "standard_conforming_strings": "on",
}


def _refused(name: str, value: str, instead: str) -> SqlError:
    return SqlError(
        f'invalid value for parameter "{name}": "{value}"',
        "22023",
        hint=f"Only {instead} is served.",
    )
