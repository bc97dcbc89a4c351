"""What TextGenSHAP finds: a tree of documents, phrases and words, each with a value for every output seen."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import numpy as np

from explicate.core.kinds import Attribution
from explicate.core.registry import register
from explicate.errors import InputError


@register("hierarchical-attribution", "kinds")
class HierarchicalAttribution(Attribution):
    """Attributions of pieces of a text within pieces, for each of several outputs.

    Variables
    ---------
    attribution, standard_error, inputs, ... : as of any `Attribution`: the value of the finest valued pieces for the
        explained output, shared equally among their tokens.
    piece_level, piece_parent, piece_begin, piece_end, piece_text : (sample, piece); level 1 is a document, 2 a phrase,
        3 a word, -1 no piece; a parent is a place in the same list, or -1; characters of `prompt` (sample,).
    value, value_error : (sample, piece, output), for each output that was seen; of a log-probability, one output.
    include : (sample, piece, output), the chance that the piece brings the output in.
    influence : (sample, piece), the chance that it changes what is written.
    output : (sample, output) as text, "" where a sample has fewer; `output_count`: for how many coalitions it came.
    explained : (sample,), the place of the explained output.

    Attributes of `data`: `levels` and `cost` (JSON: draws, coalitions, passes, seconds of each level), `masking`,
    `attention`, `worth`, `sampling`.
    """

    kind: ClassVar[str] = "hierarchical-attribution"

    def pieces(self, level: int = 1, sample: int = 0) -> np.ndarray:
        """Places of the pieces of one level in the list of pieces, in the order of the text."""
        return np.flatnonzero(self.data["piece_level"].values[sample] == level)

    def values_of(self, level: int = 1, output: str | None = None, sample: int = 0) -> np.ndarray:
        """Values of the pieces of one level for one output; None: the explained one."""
        place = int(self.data["explained"].values[sample]) if output is None else self._place(output, sample)
        return np.asarray(self.data["value"].values[sample, self.pieces(level, sample), place])

    def influence_of(self, level: int = 1, sample: int = 0) -> np.ndarray:
        """The chance that each piece of one level changes what is written."""
        return np.asarray(self.data["influence"].values[sample, self.pieces(level, sample)])

    def outputs(self, sample: int = 0) -> dict[str, int]:
        """The texts that were written, and for how many coalitions."""
        texts, counts = (self.data[name].values[sample] for name in ("output", "output_count"))
        return {str(text): int(count) for text, count in zip(texts, counts, strict=True) if count}

    def rerank(self, by: str = "value", sample: int = 0) -> list[int]:
        """Documents from the most to the least important; equal ones keep their order.

        Parameters
        ----------
        by : "value" of the explained output, or "influence".
        """
        if by not in ("value", "influence"):
            raise InputError(f"documents are ranked by value or influence, not by {by!r}")
        found = self.values_of(1, sample=sample) if by == "value" else self.influence_of(1, sample)
        return [int(place) for place in np.argsort(-np.round(found, 12), kind="stable")]

    def by_first_word(self, sample: int = 0) -> tuple[list[str], np.ndarray]:
        """Values with outputs merged that begin with the same word: the words, and values (piece, word)."""
        words = [next(iter(text.split()), "") for text in self.data["output"].values[sample]]
        distinct = list(dict.fromkeys(words))
        merged = np.array([[word == one for one in distinct] for word in words], dtype=float)
        return distinct, np.asarray(self.data["value"].values[sample] @ merged)

    @property
    def cost(self) -> list[dict[str, Any]]:
        """Draws, coalitions, passes and seconds of each level of each sample."""
        found: list[dict[str, Any]] = json.loads(self.data.attrs["cost"])
        return found

    def to_tree(self, sample: int = 0) -> dict[str, Any]:
        """Everything about one sample as nested dictionaries of numbers and texts, as JSON takes them."""
        names = list(self.data["output"].values[sample])
        nodes = [self._node(place, names, sample) for place in range(self.data.sizes["piece"])]
        roots: list[dict[str, Any]] = []
        for place, node in enumerate(nodes):
            if node["level"] < 0:
                continue
            parent = int(self.data["piece_parent"].values[sample, place])
            (roots if parent < 0 else nodes[parent]["children"]).append(node)
        return {
            "prompt": str(self.data["prompt"].values[sample]),
            "explained": names[int(self.data["explained"].values[sample])],
            "outputs": self.outputs(sample),
            "documents": roots,
        }

    def _node(self, place: int, names: list[str], sample: int) -> dict[str, Any]:
        def of(name: str) -> Any:
            return self.data[name].values[sample, place]

        return {
            "level": int(of("piece_level")),
            "span": [int(of("piece_begin")), int(of("piece_end"))],
            "text": str(of("piece_text")),
            "influence": float(of("influence")),
            "values": {name: float(value) for name, value in zip(names, of("value"), strict=True) if name},
            "standard_errors": {
                name: float(error) for name, error in zip(names, of("value_error"), strict=True) if name
            },
            "children": [],
        }

    def _place(self, output: str, sample: int) -> int:
        names = [str(name) for name in self.data["output"].values[sample]]
        if output not in names:
            raise InputError(f"the output {output!r} was never written; there are {', '.join(map(repr, names))}")
        return names.index(output)
