"""``wayline graph``: look at the identity graph, or try settings on a few records first."""

from __future__ import annotations

import typer

from wayline.graph_show import show
from wayline.graph_simulate import simulate

graph_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    help="""The identity graph: which identities are one person's, and why.

    Example: wayline graph show Email:ann@example.com

    Example: wayline graph show ECID:38652 --history

    Example: wayline graph simulate family.yaml
    """,
)
graph_app.command()(show)
graph_app.command()(simulate)
