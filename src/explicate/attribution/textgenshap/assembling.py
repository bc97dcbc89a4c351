"""From values of pieces to an explanation: arrays over tokens, and over pieces and outputs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from explicate.attribution.textgenshap.coalitions import Coalitions
from explicate.attribution.textgenshap.document_tree import DocumentTree
from explicate.attribution.textgenshap.values import Values
from explicate.core.capabilities import Array, Floats
from explicate.models.language import LanguageModel
from explicate.models.language.spans import Span
from explicate.models.language.tokens import ABSENT

if TYPE_CHECKING:
    from explicate.attribution.textgenshap.method import TextGenSHAP


@dataclass(frozen=True, eq=False)
class Explained:
    """What was found for one prompt.

    Attributes
    ----------
    expanded : pieces that were played by their children. written : what the whole prompt makes the model write.
    answer : the output that is explained. ends : worth of everything and of nothing. costs : of each level.
    """

    tree: DocumentTree
    expanded: frozenset[int]
    values: Values
    game: Coalitions
    written: str
    answer: str
    ends: Array
    costs: list[dict[str, Any]]

    @property
    def names(self) -> list[str]:
        """The outputs that have values."""
        return [self.answer] if self.game.answer is not None else list(self.game.outputs)

    @property
    def explained(self) -> int:
        """The place of the explained output."""
        return self.names.index(self.answer)

    def wide(self, values: Floats) -> Floats:
        """Values with a column for each output, also for those found after or never."""
        return np.pad(values, ((0, 0), (0, len(self.names) - values.shape[1])))

    def score(self, end: int) -> float:
        """The worth of everything (0) or nothing (1) for the explained output."""
        if self.game.answer is not None:
            return float(self.ends[end])
        return float(self.ends[end] == self.explained)


def assembled(model: Any, found: Sequence[Explained], method: TextGenSHAP) -> xr.Dataset:
    """The data of a `HierarchicalAttribution`."""
    texts = [_tokens(model, one.tree.prompt.text) for one in found]
    count, width = len(found), max(len(ids) for ids, _, _ in texts)
    pieces = max(len(one.values.pieces) for one in found)
    outputs = max(len(one.names) for one in found)
    ids = np.full((count, width), ABSENT, dtype=np.int64)
    pieces_text = np.full((count, width), "", dtype=object)
    attribution, error = np.zeros((2, count, width))
    level, parent, begin, end = np.full((4, count, pieces), -1, dtype=np.int64)
    text = np.full((count, pieces), "", dtype=object)
    value, value_error, include = np.zeros((3, count, pieces, outputs))
    influence = np.zeros((count, pieces))
    names, uses = np.full((count, outputs), "", dtype=object), np.zeros((count, outputs), dtype=np.int64)
    first = np.zeros(count, dtype=np.int64)
    for number, (one, (own, labels, spans)) in enumerate(zip(found, texts, strict=True)):
        ids[number, : len(own)], pieces_text[number, : len(own)] = own, labels
        here = slice(0, len(one.values.pieces))
        value[number, here, : len(one.names)] = one.wide(one.values.value)
        value_error[number, here, : len(one.names)] = np.nan_to_num(one.wide(one.values.standard_error), posinf=0.0)
        include[number, here, : len(one.names)] = one.wide(one.values.include)
        influence[number, here] = one.values.influence
        row = {piece: place for place, piece in enumerate(one.values.pieces)}
        for piece, place in row.items():
            about = one.tree.pieces[piece]
            level[number, place], begin[number, place], end[number, place] = about.level, about.begin, about.end
            parent[number, place] = row.get(about.parent, -1)
            text[number, place] = one.tree.text(piece)
        for piece in one.tree.frontier(one.expanded):
            about, place = one.tree.pieces[piece], row[piece]
            inside = [t for t, (a, b) in enumerate(spans) if a < b and about.begin <= a < about.end]
            attribution[number, inside] = value[number, place, one.explained] / max(1, len(inside))
            error[number, inside] = value_error[number, place, one.explained] / max(1, len(inside))
        names[number, : len(one.names)] = one.names
        uses[number, : len(one.names)] = one.game.uses if one.game.answer is None else [one.game.asked]
        first[number] = _first_token(model, one.answer)
    dims = ("sample", "token")
    facts = {name: getattr(method, name) for name in ("masking", "attention", "worth", "sampling")}
    of_piece = {"piece_level": level, "piece_parent": parent, "piece_begin": begin, "piece_end": end}
    return xr.Dataset(
        {
            "attribution": (dims, attribution),
            "standard_error": (dims, error),
            "inputs": (dims, ids),
            "target": (("sample",), first),
            "target_name": (("sample",), np.array([one.answer for one in found], dtype=object)),
            "score": (("sample",), np.array([one.score(0) for one in found])),
            "baseline_score": (("sample",), np.array([one.score(1) for one in found])),
            "prompt": (("sample",), np.array([one.tree.prompt.text for one in found], dtype=object)),
            "written": (("sample",), np.array([one.written for one in found], dtype=object)),
            **{name: (("sample", "piece"), values) for name, values in of_piece.items()},
            "piece_text": (("sample", "piece"), text),
            "value": (("sample", "piece", "output_place"), value),
            "value_error": (("sample", "piece", "output_place"), value_error),
            "include": (("sample", "piece", "output_place"), include),
            "influence": (("sample", "piece"), influence),
            "output": (("sample", "output_place"), names),
            "output_count": (("sample", "output_place"), uses),
            "explained": (("sample",), np.array([one.explained for one in found])),
        },
        coords={"input_text": (dims, pieces_text), "present": (dims, pieces_text != "")},
        attrs={
            "model_kind": "text",
            "signed": 1,
            "complete": int(method.sampling != "banzhaf"),
            "cost": json.dumps([{"sample": n, **each} for n, one in enumerate(found) for each in one.costs]),
            **facts,
        },
    )


def _tokens(model: Any, text: str) -> tuple[list[int], list[str], list[Span]]:
    """Ids, texts and characters of the prompt's tokens; of a model that takes texts, its words, numbered."""
    if isinstance(model, LanguageModel):
        read = model.tokenizer(text, return_offsets_mapping=True)
        ids = [int(i) for i in read["input_ids"]]
        return ids, [model.token_text(i) for i in ids], [(int(a), int(b)) for a, b in read["offset_mapping"]]
    import re

    spans = [match.span() for match in re.finditer(r"\s*\S+", text)]
    return list(range(len(spans))), [text[begin:end] for begin, end in spans], spans


def _first_token(model: Any, answer: str) -> int:
    if not isinstance(model, LanguageModel):
        return 0
    ids = model.tokenizer(f" {answer}", add_special_tokens=False)["input_ids"]
    return int(ids[0]) if ids else 0
