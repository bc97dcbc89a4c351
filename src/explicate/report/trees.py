"""A decision tree as a picture: questions on the left, what is decided on the right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from explicate.core.kinds import Rules
from explicate.core.registry import register
from explicate.errors import InputError
from explicate.report.pictures import LOWERS, NEUTRAL, RAISES, blend, new_axes, shortened
from explicate.report.profiles import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Test = tuple[str, str, float, str]  # column, operator, number, text
_OPPOSITE = {"<=": ">", ">": "<=", "==": "!=", "!=": "=="}


@dataclass(frozen=True)
class Node:
    """A question with two ways on, or (where `test` is None) a leaf: the place of its rule."""

    test: Test | None
    rule: int = -1
    yes: Node | None = None
    no: Node | None = None

    def leaves(self) -> list[int]:
        """Rules below, from top to bottom."""
        if self.test is None:
            return [self.rule]
        assert self.yes is not None
        assert self.no is not None
        return [*self.yes.leaves(), *self.no.leaves()]


@register("decision-tree", "pictures")
def tree(explanation: Rules, ax: Axes | None = None) -> Axes:
    """Draw the rules of a decision tree as the tree they are the paths of.

    Raises
    ------
    InputError : the rules are not the leaves of a tree.
    """
    root = tree_of(explanation)
    order = root.leaves()
    depth = _depth(root)
    ax = ax or new_axes(width=2.3 * depth + 2.6, height=0.6 + 0.55 * len(order))
    heights = {rule: float(len(order) - 1 - place) for place, rule in enumerate(order)}
    labels = [str(label) for label in explanation["label"].values]
    _draw(ax, explanation, root, 0, heights, labels)
    ax.set_xlim(-0.1, depth + 1.2)
    ax.set_ylim(-0.6, len(order) - 0.4)
    ax.axis("off")
    return ax


def tree_of(explanation: Rules) -> Node:
    """The tree whose paths the rules are."""
    paths: list[list[Test]] = [[] for _ in explanation.texts]
    parts = [explanation[f"literal_{part}"].values for part in ("rule", "column", "operator", "number", "text")]
    for rule, column, operator, number, text in zip(*parts, strict=True):
        paths[int(rule)].append((str(column), str(operator), float(number), str(text)))
    return _grown(dict(enumerate(paths)), 0)


def _grown(paths: dict[int, list[Test]], depth: int) -> Node:
    if len(paths) == 1 and len(next(iter(paths.values()))) == depth:
        return Node(None, next(iter(paths)))
    if any(len(path) <= depth for path in paths.values()):
        raise InputError("the rules are not the leaves of a tree; draw them with view of kind 'rules'")
    first = next(iter(paths.values()))[depth]
    sides: tuple[dict[int, list[Test]], dict[int, list[Test]]] = ({}, {})
    for rule, path in paths.items():
        here = path[depth]
        if _key(here) not in (_key(first), _key((first[0], _OPPOSITE[first[1]], *first[2:]))):
            raise InputError("the rules are not the leaves of a tree; draw them with view of kind 'rules'")
        sides[here[1] in (">", "!=")][rule] = path
    if not all(sides):
        raise InputError("the rules are not the leaves of a tree; draw them with view of kind 'rules'")
    asked = first if first[1] in ("<=", "==") else (first[0], _OPPOSITE[first[1]], *first[2:])
    return Node(asked, yes=_grown(sides[0], depth + 1), no=_grown(sides[1], depth + 1))


def _key(test: Test) -> tuple[str, str, str]:
    return test[0], test[1], test[3] if np.isnan(test[2]) else repr(test[2])


def _depth(node: Node) -> int:
    return 0 if node.test is None else 1 + max(_depth(node.yes), _depth(node.no))  # type: ignore[arg-type]


def _draw(ax: Axes, explanation: Rules, node: Node, depth: int, heights: dict[int, float], labels: list[str]) -> float:
    """Draw what is below a node; returns its height."""
    if node.test is None:
        height = heights[node.rule]
        _leaf(ax, explanation, node.rule, depth, height, labels)
        return height
    ways = [(node.yes, "yes"), (node.no, "no")]
    below = [_draw(ax, explanation, each, depth + 1, heights, labels) for each, _ in ways if each is not None]
    height = sum(below) / 2
    for (_, word), end in zip(ways, below, strict=True):
        ax.plot([depth + 0.05, depth + 0.9], [height, end], color=NEUTRAL, linewidth=0.9, zorder=1)
        ax.text(depth + 0.72, height + (end - height) * 0.78, word, fontsize=7, color=NEUTRAL, ha="center",
                backgroundcolor="white", zorder=2)  # fmt: skip
    ax.text(depth, height, f"{_question(node.test)}", fontsize=8, ha="left", va="center", zorder=3,
            bbox={"boxstyle": "round,pad=0.3", "facecolor": "white", "edgecolor": NEUTRAL})  # fmt: skip
    return height


def _leaf(ax: Axes, explanation: Rules, rule: int, depth: int, height: float, labels: list[str]) -> None:
    head = int(explanation["head"].values[rule])
    colours = (LOWERS, RAISES) if len(labels) == 2 else COLOURS
    text = labels[head]
    share = float(explanation["precision"].values[rule]) if "precision" in explanation.data else 0.5
    if "coverage" in explanation.data:
        text += f"\n{int(explanation['coverage'].values[rule]):,} rows, {100 * share:.0f} % right"
    ax.text(depth, height, text, fontsize=8, ha="left", va="center", zorder=3,
            bbox={"boxstyle": "round,pad=0.3", "facecolor": blend(colours[head % len(colours)], share * 0.6),
                  "edgecolor": "none"})  # fmt: skip


def _question(test: Test) -> str:
    column, operator, number, text = test
    value = (text or "missing") if operator == "==" else f"{number:,.6g}"
    return f"{shortened(column, 24)}\n{'is ' if operator == '==' else '≤ '}{shortened(value, 24)}?"
