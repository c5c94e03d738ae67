"""``wayline token``: further secrets of a user, which every SQL client takes as a password."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from engine.catalog import access
from sqlfront import users
from wayline.options import HERE, HomeOption, JsonOption, duration, open_home
from wayline.output import console, print_json, print_table

token_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="""Tokens: passwords for programs, each of which can end or be revoked by itself.

    Example: wayline token add maria --label "Power BI" --expires 90d
    """,
)


@token_app.command("add")
def token_add(
    user: Annotated[str, typer.Argument(help="Whose it is.")],
    label: Annotated[str, typer.Option(help="What it is for.")] = "",
    expires: Annotated[str, typer.Option(help="How long it counts, such as 90d; never.")] = "90d",
    home: HomeOption = HERE,
    json: JsonOption = False,
) -> None:
    """Make a token of a user and show it, once. SQL clients take it as the user's password.

    Example: wayline token add maria --label "Power BI" --expires never
    """
    ends = None if expires == "never" else datetime.now(UTC) + duration(expires, "--expires")
    token, secret = users.add_token(open_home(home).catalog, user, label=label, expires_at=ends)
    if json:
        print_json({"id": token.id, "user": user, "token": secret, "expires_at": ends})
        return
    console.print(f"Token [bold]{secret}[/] (not shown again).")
    until = "until it is revoked" if ends is None else f"until {ends:%Y-%m-%d %H:%M} UTC"
    console.print(f"It counts as a password of {user} {until}: wayline token revoke {token.id}")


@token_app.command("list")
def token_list(
    user: Annotated[str | None, typer.Argument(help="Whose; all, if nobody is named.")] = None,
    home: HomeOption = HERE,
    json: JsonOption = False,
) -> None:
    """List tokens that were not revoked; what they are is not known.

    Example: wayline token list maria
    """
    roll = access.roll(open_home(home).catalog)
    known = [roll.user(user).name] if user is not None else sorted(roll.users)
    now = datetime.now(UTC)
    found = [
        {
            "id": one.id,
            "user": one.user,
            "label": one.label,
            "created_at": one.created_at,
            "expires_at": one.expires_at,
            "last_used_at": one.last_used_at,
            "state": "counts" if one.is_live(now) else "expired",
        }
        for name in known
        for one in roll.credentials_of(name)
        if one.kind == "token"
    ]
    if json:
        print_json(found)
    else:
        columns = ["token", "user", "label", "made", "expires", "last used", "state"]
        print_table(columns, [tuple(entry.values()) for entry in found])


@token_app.command("revoke")
def token_revoke(
    token: Annotated[str, typer.Argument(help="The token's id, such as wl_8f3k2a.")],
    home: HomeOption = HERE,
    json: JsonOption = False,
) -> None:
    """Let a token no longer count; sessions that were opened with it end.

    Example: wayline token revoke wl_8f3k2a
    """
    revoked = users.revoke_token(open_home(home).catalog, token)
    if json:
        print_json({"revoked": revoked.id, "user": revoked.user})
    else:
        console.print(f"Token {revoked.id} of {revoked.user} no longer counts.")
