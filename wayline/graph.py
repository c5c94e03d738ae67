"""``wayline graph``: look at the identity graph."""

from __future__ import annotations

import typer

from wayline.graph_show import show

graph_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="""The identity graph: which identities are one person's, and why.

    Example: wayline graph show Email:ann@example.com

    Example: wayline graph show ECID:38652 --history
    """,
)
graph_app.command()(show)
