"""Coalitions of passages that a fusion-in-decoder model reads: each passage is encoded once for all of them."""

from __future__ import annotations

import numpy as np

from explicate.attribution.textgenshap.document_tree import DocumentTree
from explicate.core.capabilities import Array, Floats, Masks
from explicate.errors import CapabilityError
from explicate.models.language.fusion_in_decoder import Encoded, FusionInDecoder

QUESTION = "Question:"


class PassageReader:
    """Question and document make a passage; an absent word keeps its place, and nobody sees it.

    Without any document, the model reads the question alone. A passage without some of its words is encoded anew.

    Parameters
    ----------
    encode_once : False encodes all passages anew for every coalition, for comparison.
    """

    def __init__(
        self, model: FusionInDecoder, tree: DocumentTree, max_new_tokens: int, encode_once: bool = True
    ) -> None:
        self.model, self.tree, self.max_new_tokens, self.encode_once = model, tree, max_new_tokens, encode_once
        prompt = tree.prompt
        tail = prompt.text[prompt.documents[-1][1] :]
        lines = [line for line in tail.splitlines() if line.startswith(QUESTION)] or [tail]
        question = lines[0].removeprefix(QUESTION).strip()
        self.offset = len(question) + 1
        documents = [prompt.text[begin:end] for begin, end in prompt.contents]
        self.filled = [number for number, text in enumerate(documents) if text]
        texts = [f"{question} {documents[number]}" for number in self.filled]
        self.ids, self.spans = model.tokens([*texts, question])
        self.decoded = 0
        self._whole: Encoded | None = None

    @property
    def counts(self) -> dict[str, int]:
        """Passes of the decoder, passages encoded, coalitions decoded."""
        return {"passes": self.model.passes, "encoded": self.model.encoded, "decoded": self.decoded}

    def write(self, masks: Masks) -> list[str]:
        """What the model answers."""
        self.decoded += len(masks)
        members = self.tree.members[[self.tree.documents[number] for number in self.filled]]
        inside = (masks[:, None] & members[None]).sum(axis=2)
        whole = np.asarray(((inside == 0) | (inside == members.sum(axis=1))).all(axis=1))
        found: list[str] = [""] * len(masks)
        rows = np.flatnonzero(whole) if self.encode_once else np.empty(0, dtype=np.int64)
        if len(rows):
            if self._whole is None:
                self._whole = self.model.encode_passages(self.ids)
            written = self.model.write(self._whole, self._visible(inside[rows] > 0), self.max_new_tokens)
            for row, ids in zip(rows.tolist(), written, strict=True):
                found[row] = self.model.text(ids)
        for row in range(len(masks)):
            if not (self.encode_once and bool(whole[row])):
                found[row] = self._anew(masks[row], inside[row] > 0)
        return found

    def log_probabilities(self, masks: Masks, answer: str) -> Floats:
        """Not offered: the paper's game needs what is written alone."""
        raise CapabilityError(f"{self.model.name!r} is asked for what it writes only; use worth='output'")

    def _anew(self, mask: Array, present: Masks) -> str:
        """Encode what a coalition leaves of its passages, and answer from that."""
        kept = self.tree.kept(mask[None])[0]
        used = [place for place in range(len(self.filled)) if present[place]] or [len(self.filled)]
        seen = []
        for place in used:
            spans = self.spans[place]
            begin = self.tree.prompt.contents[self.filled[place]][0] if place < len(self.filled) else 0
            at = begin + spans[:, 0] - self.offset
            own = (spans[:, 1] > spans[:, 0]) & (spans[:, 0] >= self.offset)
            seen.append(~own | kept[np.clip(at, 0, len(kept) - 1)] if place < len(self.filled) else np.ones_like(own))
        encoded = self.model.encode_passages([self.ids[place] for place in used], seen)
        (ids,) = self.model.write(encoded, np.ones((1, len(used)), dtype=bool), self.max_new_tokens)
        return self.model.text(ids)

    def _visible(self, present: Masks) -> Masks:
        """Which passages each set looks at; the question alone where there is none."""
        return np.concatenate([present, ~present.any(axis=1, keepdims=True)], axis=1)
