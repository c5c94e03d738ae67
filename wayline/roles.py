"""``wayline role``: what users have in common, grants and limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Annotated, Any

import typer

from engine.catalog import access
from engine.catalog.access import Role
from engine.errors import InputError
from engine.governance.access import access_of_roles, closed_views
from sqlfront.users import check_name
from wayline.grants import described, grants_table
from wayline.options import HERE, HomeOption, JsonOption, duration, open_home
from wayline.output import console, print_json, print_table

role_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="""Roles: what their users may read (wayline grant), and how much of the server they may take.

    Example: wayline role add germany --statements 4 --memory 25%
    """,
)

RoleArgument = Annotated[str, typer.Argument(help="The role's name.")]
UsersArgument = Annotated[list[str], typer.Argument(help="Names of users.")]
StatementsOption = Annotated[int | None, typer.Option(help="Statements at once.", min=1)]
MemoryOption = Annotated[str | None, typer.Option(help="Share of the memory, such as 25%.")]
TimeoutOption = Annotated[str | None, typer.Option(help="Longest time of a statement, such as 10min.")]
QueueOption = Annotated[str | None, typer.Option(help="Longest wait of a statement, such as 60s.")]
ConnectionsOption = Annotated[int | None, typer.Option(help="Sessions at once.", min=1)]
DescriptionOption = Annotated[str | None, typer.Option(help="What the role is for.")]


@role_app.command("add")
def role_add(
    name: RoleArgument,
    description: DescriptionOption = None,
    statements: StatementsOption = None,
    memory: MemoryOption = None,
    timeout: TimeoutOption = None,
    queue: QueueOption = None,
    connections: ConnectionsOption = None,
    home: HomeOption = HERE,
    json: JsonOption = False,
) -> None:
    """Add a role. What is not limited follows the server's own limits.

    Example: wayline role add germany --description "Sees German events"
    """
    limits = _limits(description, statements, memory, timeout, queue, connections)
    with access.changing(open_home(home).catalog) as connection:
        check_name(access.roll_in(connection), name)
        role = replace(Role(name), **limits)
        access.save_role(connection, role)
    if json:
        print_json(asdict(role))
    else:
        console.print(f"Role {name} may read nothing yet: wayline grant {name} view:NAME", markup=False)


@role_app.command("set")
def role_set(
    name: RoleArgument,
    description: DescriptionOption = None,
    statements: StatementsOption = None,
    memory: MemoryOption = None,
    timeout: TimeoutOption = None,
    queue: QueueOption = None,
    connections: ConnectionsOption = None,
    unlimited: Annotated[
        bool, typer.Option("--unlimited", help="First go back to the server's own limits.")
    ] = False,
    home: HomeOption = HERE,
    json: JsonOption = False,
) -> None:
    """Change a role's limits; those that are not named stay.

    Example: wayline role set germany --timeout 5min
    """
    limits = _limits(description, statements, memory, timeout, queue, connections)
    with access.changing(open_home(home).catalog) as connection:
        known = access.roll_in(connection).role(name)
        before = Role(name, known.description) if unlimited else known
        role = replace(before, **limits)
        access.save_role(connection, role)
    if json:
        print_json(asdict(role))
    else:
        console.print(f"Role {name} is changed.")


def _limits(
    description: str | None,
    statements: int | None,
    memory: str | None,
    timeout: str | None,
    queue: str | None,
    connections: int | None,
) -> dict[str, Any]:
    """Return the options that were given, as fields of a role."""
    found: dict[str, Any] = {
        "description": description,
        "statements": statements,
        "memory_percent": None if memory is None else _percent(memory),
        "timeout_ms": None if timeout is None else _milliseconds(timeout, "--timeout"),
        "queue_ms": None if queue is None else _milliseconds(queue, "--queue"),
        "connections": connections,
    }
    return {name: value for name, value in found.items() if value is not None}


def _percent(text: str) -> int:
    number = text.removesuffix("%").strip()
    if not number.isascii() or not number.isdigit() or not 1 <= int(number) <= 100:
        raise InputError(f"{text!r} is not a share of the memory", hint="For example: --memory 25%")
    return int(number)


def _milliseconds(text: str, option: str) -> int:
    return duration(text, option) // timedelta(milliseconds=1)


@role_app.command("list")
def role_list(home: HomeOption = HERE, json: JsonOption = False) -> None:
    """List roles with their limits and users.

    Example: wayline role list
    """
    roll = access.roll(open_home(home).catalog)
    found = [
        asdict(role) | {"users": sorted(user for user, name in roll.memberships if name == role.name)}
        for role in roll.roles.values()
    ]
    if json:
        print_json(found)
        return
    columns = ["role", "description", "statements", "memory %", "timeout ms", "queue ms", "sessions", "users"]
    print_table(columns, [(*list(entry.values())[:-1], ", ".join(entry["users"])) for entry in found])


@role_app.command("show")
def role_show(name: RoleArgument, home: HomeOption = HERE, json: JsonOption = False) -> None:
    """Show what a role was granted, under which rules, its limits and users.

    Example: wayline role show germany
    """
    opened = open_home(home)
    roll = access.roll(opened.catalog)
    role = roll.role(name)
    closed = closed_views(opened.current().definitions, access_of_roles(roll, (name,)))
    entry: Mapping[str, Any] = asdict(role) | {
        "users": sorted(user for user, known in roll.memberships if known == name),
        "grants": [described(grant) for grant in roll.grants_of((name,))],
        "closed_views": closed,
    }
    if json:
        print_json(dict(entry))
        return
    console.print(f"Role {name}{f': {role.description}' if role.description else ''}", markup=False)
    grants_table(entry["grants"])
    limits = {key: value for key, value in list(asdict(role).items())[2:] if value is not None}
    console.print(f"Limits: {', '.join(f'{k} {v}' for k, v in limits.items()) or 'those of the server'}.")
    console.print(f"Users: {', '.join(entry['users']) or 'none'}.", markup=False)
    for view in closed:
        console.print(f"View {view} is closed: its rule does not fit the view. Grant it anew.")


@role_app.command("remove")
def role_remove(name: RoleArgument, home: HomeOption = HERE, json: JsonOption = False) -> None:
    """Remove a role with its grants; its users stay.

    Example: wayline role remove germany
    """
    with access.changing(open_home(home).catalog) as connection:
        access.drop_role(connection, access.roll_in(connection).role(name).name)
    if json:
        print_json({"removed": name})
    else:
        console.print(f"Role {name} is removed.")


@role_app.command("join")
def role_join(
    name: RoleArgument, users: UsersArgument, home: HomeOption = HERE, json: JsonOption = False
) -> None:
    """Give users a role.

    Example: wayline role join germany maria karl
    """
    with access.changing(open_home(home).catalog) as connection:
        roll = access.roll_in(connection)
        for user in users:
            access.join(connection, roll.user(user).name, roll.role(name).name)
    if json:
        print_json({"role": name, "joined": users})
    else:
        console.print(f"{', '.join(users)}: in role {name}.", markup=False)


@role_app.command("leave")
def role_leave(
    name: RoleArgument, users: UsersArgument, home: HomeOption = HERE, json: JsonOption = False
) -> None:
    """Take a role from users.

    Example: wayline role leave analysts maria
    """
    with access.changing(open_home(home).catalog) as connection:
        roll = access.roll_in(connection)
        for user in users:
            if not access.leave(connection, roll.user(user).name, roll.role(name).name):
                raise InputError(f'user "{user}" does not have role "{name}"', hint="Nothing was changed.")
    if json:
        print_json({"role": name, "left": users})
    else:
        console.print(f"{', '.join(users)}: no longer in role {name}.", markup=False)
