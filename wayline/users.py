"""``wayline user``: who may log in to the SQL server, and in which roles."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from engine.catalog import access
from engine.catalog.access import ANALYSTS, Roll, User
from engine.governance.access import access_of_roles, closed_views
from engine.report.moments import instant_of
from sqlfront import users
from wayline.grants import described, grants_table, limits_text
from wayline.options import HERE, HomeOption, JsonOption, open_home
from wayline.output import console, print_json, print_table

user_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="""Users of the SQL server: who may log in, and in which roles, which say what they may read.

    Example: wayline user add maria --role germany

    Example: wayline user list
    """,
)

NameArgument = Annotated[str, typer.Argument(help="The user's name.")]
PasswordOption = Annotated[
    str | None, typer.Option(envvar="WAYLINE_PASSWORD", help="Default: a random one, shown once.")
]


def new_password() -> str:
    """Return a random password that is easy to paste."""
    return secrets.token_urlsafe(12)


@user_app.command("add")
def user_add(
    name: NameArgument,
    role: Annotated[
        list[str] | None, typer.Option(help="A role of the user, several times for more. Default: analysts.")
    ] = None,
    admin: Annotated[
        bool, typer.Option("--admin", help="May read everything, and who else there is.")
    ] = False,
    password: PasswordOption = None,
    valid_until: Annotated[
        str | None, typer.Option(help="From when on the user may not log in, such as 2027-01-01.")
    ] = None,
    home: HomeOption = HERE,
    json: JsonOption = False,
) -> None:
    """Add a user of the SQL server. Without --role the user gets the role analysts while there is one.

    Example: wayline user add maria

    Example: wayline user add karl --role germany --valid-until 2027-01-01
    """
    chosen = password or new_password()
    given = users.add_user(
        open_home(home).catalog,
        name,
        chosen,
        roles=role or ([] if admin else None),
        is_admin=admin,
        valid_until=None if valid_until is None else instant_of(valid_until),
    )
    if json:
        shown = None if password else chosen
        print_json({"user": name, "password": shown, "roles": given, "is_admin": admin})
        return
    secret = "" if password else f", password [bold]{chosen}[/] (not shown again)"
    console.print(f"User {name} may log in{secret}.")
    console.print(_what_it_may(given, admin, role is None))


def _what_it_may(roles: tuple[str, ...], admin: bool, by_default: bool) -> str:
    if admin:
        return "As an administrator it may read everything."
    if not roles:
        return "It has no role and may read nothing: wayline role join ROLE USER."
    said = f"Role{'' if len(roles) == 1 else 's'}: {', '.join(roles)}"
    if by_default and roles == (ANALYSTS,):
        return f"{said}, the role that wayline init makes for everybody; --role gives another."
    return f"{said}."


@user_app.command("list")
def user_list(home: HomeOption = HERE, json: JsonOption = False) -> None:
    """List users, their roles and tokens.

    Example: wayline user list
    """
    found = list(_listed(access.roll(open_home(home).catalog)))
    if json:
        print_json(found)
        return
    columns = ["user", "roles", "admin", "tokens", "last login", "valid until", "state"]
    print_table(columns, [tuple(entry.values()) for entry in found])


def _listed(roll: Roll) -> Iterator[dict[str, Any]]:
    now = datetime.now(UTC)
    for user in sorted(roll.users.values(), key=lambda user: user.name):
        kept = roll.credentials_of(user.name)
        used = [one.last_used_at for one in kept if one.last_used_at is not None]
        yield {
            "user": user.name,
            "roles": ", ".join(roll.roles_of(user.name)),
            "is_admin": user.is_admin,
            "tokens": sum(one.kind == "token" and one.is_live(now) for one in kept),
            "last_login": max(used, default=None),
            "valid_until": user.valid_until,
            "state": _state(user, now),
        }


def _state(user: User, now: datetime) -> str:
    if user.disabled_at is not None:
        return "disabled"
    return "may log in" if user.is_welcome(now) else "expired"


@user_app.command("show")
def user_show(name: NameArgument, home: HomeOption = HERE, json: JsonOption = False) -> None:
    """Show what a user may read, under which rules, with which limits, and the user's tokens.

    Example: wayline user show maria
    """
    opened = open_home(home)
    roll = access.roll(opened.catalog)
    roles = roll.roles_of(roll.user(name).name)
    definitions = opened.current().definitions
    entry = next(entry for entry in _listed(roll) if entry["user"] == name)
    grants = [described(grant) for grant in roll.grants_of(roles)]
    closed = closed_views(definitions, access_of_roles(roll, roles))
    tokens = [one.id for one in roll.credentials_of(name) if one.kind == "token"]
    if json:
        limits = asdict(roll.limits_of(roles))
        print_json(entry | {"grants": grants, "limits": limits, "tokens": tokens, "closed_views": closed})
        return
    console.print(f"User {name}: {entry['state']}{', administrator' if entry['is_admin'] else ''}.")
    grants_table(grants)
    console.print(f"Limits: {limits_text(roll.limits_of(roles)) or 'those of the server'}.")
    console.print(f"Tokens: {', '.join(tokens) or 'none'}.")
    for view in closed:
        console.print(f"View {view} is closed: its rule does not fit the view. Grant it anew.")


@user_app.command("remove")
def user_remove(name: NameArgument, home: HomeOption = HERE, json: JsonOption = False) -> None:
    """Remove a user with all passwords and tokens; sessions that are open end.

    Example: wayline user remove maria
    """
    catalog = open_home(home).catalog
    with access.changing(catalog) as connection:
        access.drop_user(connection, access.roll_in(connection).user(name).name)
    _done({"removed": name}, f"User {name} is removed.", json)


@user_app.command("password")
def user_password(
    name: NameArgument,
    password: PasswordOption = None,
    home: HomeOption = HERE,
    json: JsonOption = False,
) -> None:
    """Give a user a new password; sessions opened with the old one end. Tokens stay.

    Example: wayline user password maria
    """
    chosen = password or new_password()
    users.set_password(open_home(home).catalog, name, chosen)
    if json:
        print_json({"user": name, "password": None if password else chosen})
    elif password:
        console.print(f"User {name} has a new password.")
    else:
        console.print(f"User {name} has the password [bold]{chosen}[/] (not shown again).")


@user_app.command("disable")
def user_disable(name: NameArgument, home: HomeOption = HERE, json: JsonOption = False) -> None:
    """Let a user no longer log in; sessions that are open end. Nothing is removed.

    Example: wayline user disable maria
    """
    catalog = open_home(home).catalog
    with access.changing(catalog) as connection:
        user = access.roll_in(connection).user(name)
        access.save_user(connection, replace(user, disabled_at=datetime.now(UTC)))
    _done({"disabled": name}, f"User {name} may no longer log in.", json)


@user_app.command("enable")
def user_enable(name: NameArgument, home: HomeOption = HERE, json: JsonOption = False) -> None:
    """Let a user log in again who was disabled.

    Example: wayline user enable maria
    """
    catalog = open_home(home).catalog
    with access.changing(catalog) as connection:
        access.save_user(connection, replace(access.roll_in(connection).user(name), disabled_at=None))
    _done({"enabled": name}, f"User {name} may log in.", json)


def _done(machine: dict[str, str], sentence: str, json: bool) -> None:
    if json:
        print_json(machine)
    else:
        console.print(sentence, markup=False)
