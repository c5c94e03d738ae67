"""``wayline graph show``: draws the graph of an identity, its cut links, and how it came to be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Annotated, Any

import typer
from rich.text import Text
from rich.tree import Tree

from engine.definitions.identity import Identity, identity_of
from engine.identities.show import Graph, Link, Moment, Node, graph_of, history
from wayline.options import HERE, HomeOption, JsonOption, open_home
from wayline.output import console, print_json, print_table, shown


def show(
    identity: Annotated[str, typer.Argument(metavar="NAMESPACE:VALUE", help="The identity.")],
    home: HomeOption = HERE,
    past: Annotated[
        bool, typer.Option("--history", help="What the graph was after each batch that changed it.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Draw the graph of an identity: who is linked to whom, since when, by which batches; what was cut.

    Example: wayline graph show CRMID:31260XYZ

    Example: wayline graph show ECID:38652 --history --json
    """
    opened, asked = open_home(home), identity_of(identity)
    with opened.pin() as world:
        graph = graph_of(opened, world, asked)
        moments = history(opened, world, asked) if past else ()
    if json:
        print_json(
            {**_facts(graph), **({"history": [_moment(moment) for moment in moments]} if past else {})}
        )
        return
    for moment in moments:
        console.print(Text(f"{shown(moment.at)}  {moment.dataset} batch {moment.batch}", style="bold"))
        _print(moment.graph)
        console.print()
    if not past:
        _print(graph)


def _print(graph: Graph) -> None:
    if not graph.links:
        console.print(Text(f"{_name(graph.identity)} is in no graph: all its links are cut or evicted."))
    else:
        console.print(_tree(graph))
    if graph.cut:
        rows = [(f"{_name(link.a)} – {_name(link.b)}", link.last, link.reason) for link in graph.cut]
        print_table(["link that does not count", "last seen (UTC)", "why"], rows)


def _tree(graph: Graph) -> Tree:
    """Draw a graph from its first identity; a link back to one that is drawn already is a line."""
    nodes = {(node.namespace, node.value): node for node in graph.nodes}
    root = next(iter(nodes))
    tree, drawn, used = Tree(_label(nodes[root], graph.identity)), {root}, set[Link]()
    waiting = [(root, tree)]
    while waiting:
        here, branch = waiting.pop(0)
        for link in graph.links:
            if here not in (link.a, link.b) or link in used:
                continue
            used.add(link)
            other = link.b if link.a == here else link.a
            label = _label(nodes[other], graph.identity) if other not in drawn else Text(f"↑ {_name(other)}")
            inner = branch.add(label.append(f"  {_told(link)}", style="dim"))
            if other not in drawn:
                drawn.add(other)
                waiting.append((other, inner))
    return tree


def _label(node: Node, asked: Identity) -> Text:
    here = (node.namespace, node.value) == asked
    name = Text(_name((node.namespace, node.value)), style="bold green" if here else "bold")
    return name.append(f"  {node.type}", style="not bold")


def _told(link: Link) -> str:
    """Say when and by which batches a link was seen."""
    first, last = shown(link.first), shown(link.last)
    span = first if first == last else f"{first} to {last}"
    return f"{span}, {_batches(link)}"


def _batches(link: Link) -> str:
    parts = []
    for dataset, sights in groupby(link.sights, lambda sight: sight.dataset):
        numbers = [str(sight.batch) for sight in sights]
        few = numbers if len(numbers) <= 4 else [*numbers[:2], "…", numbers[-1]]
        parts.append(f"{dataset} batch{'es' if len(numbers) > 1 else ''} {', '.join(few)}")
    return "; ".join(parts)


def _name(identity: Identity) -> str:
    return ":".join(identity)


def _moment(moment: Moment) -> dict[str, Any]:
    return {"dataset": moment.dataset, "batch": moment.batch, "at": moment.at, **_facts(moment.graph)}


def _facts(graph: Graph) -> dict[str, Any]:
    return {
        "identity": _name(graph.identity),
        "nodes": [asdict(node) for node in graph.nodes],
        "links": _links(graph.links),
        "cut": _links(graph.cut),
    }


def _links(links: Iterable[Link]) -> Sequence[dict[str, Any]]:
    return [
        {
            "a": _name(link.a),
            "b": _name(link.b),
            "first": link.first,
            "last": link.last,
            "state": link.state,
            "reason": link.reason,
            "seen_in": [asdict(sight) for sight in link.sights],
        }
        for link in links
    ]
