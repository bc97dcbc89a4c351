"""The baseline without feedback: several explanations of one answer are drawn, and one of them is taken.

Source: the self-consistency baseline of Wang and Atanasova (2025), arXiv 2505.22823, section 4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import xarray as xr

from explicate.core.cost import measure
from explicate.core.kinds import Narrative
from explicate.core.provenance import Provenance
from explicate.core.registry import register
from explicate.data.language.nle_tasks import ChoiceItem
from explicate.errors import InputError
from explicate.rationales import self_refine_prompts as prompts
from explicate.rationales.asking import Narrates
from explicate.rationales.feedback import Asking, messages
from explicate.rationales.self_refine import INVALID, NO_EXPLANATION, answered
from explicate.runtime.seeds import generator


@register("several-explanations")
@dataclass(frozen=True)
class SeveralExplanations(Narrates):
    """One of several drawn explanations: a random one, or the one nearest to the mean of all.

    Parameters
    ----------
    samples, temperature : how many are drawn, and how.
    choose : "centre" embeds all and takes the one with the highest cosine with the mean; "random".
    encoder : a sentence encoder, or its name; for "centre".
    answer_by : see `SelfRefiner`.
    chat, log, max_new_tokens : see `Asks`. Unreadable draws are left out and not asked for again.
    """

    samples: int = 20
    temperature: float = 1.0
    choose: Literal["centre", "random"] = "centre"
    encoder: Any = "minilm"
    answer_by: Literal["text", "log-probability"] = "text"

    def __post_init__(self) -> None:
        if self.samples < 1 or not self.temperature > 0:
            raise InputError(f"{self.samples} draws at temperature {self.temperature}; take 1 or more, above 0")
        if self.choose not in ("centre", "random"):
            raise InputError(f"choose {self.choose!r} is unknown; use centre or random")

    def parameters(self) -> dict[str, Any]:
        """The fields as JSON-able values; an encoder is written down by what loads it again, else by its name."""
        if isinstance(self.encoder, str):
            return super().parameters()
        known = getattr(self.encoder, "source", None) or getattr(self.encoder, "name", type(self.encoder).__name__)
        return replace(self, encoder=str(known)).parameters()

    def explain(
        self, items: Sequence[ChoiceItem], seed: int = 0, letters: Sequence[str | None] | None = None
    ) -> Narrative:
        """Explain the model's answers to items; see `SelfRefiner.explain`.

        Returns
        -------
        `text` (sample,), "" where there is none; `answer`, `status`, `item` (sample,); `candidate` (sample, draw), ""
        where a draw could not be read; `chosen` (sample,), -1 where none could.
        """
        if not len(items):
            raise InputError("several-explanations: no items to explain")
        chat = self.opened()
        with measure() as cost:
            if letters is None:
                asking = Asking(chat, self.attempts, self.max_new_tokens, seed)
                letters = [letter for letter, _ in answered(asking, items, self.answer_by)]
            candidates = np.full((len(items), self.samples), "", dtype=object)
            status, chosen = [], []
            for i, (item, letter) in enumerate(zip(items, letters, strict=True)):
                own: list[int] = []
                if letter is not None:
                    asked = messages(prompts.EXPLAIN.format(item=prompts.item_text(item), letter=letter))
                    for j, reply in enumerate(
                        chat.replies(
                            [asked] * self.samples,
                            repetition=list(range(self.samples)),
                            temperature=self.temperature,
                            max_new_tokens=self.max_new_tokens,
                            seed=seed,
                        )
                    ):
                        text, _ = prompts.parse_tagged(reply.text, "Explanation")
                        candidates[i, j] = text or ""
                    own = [j for j in range(self.samples) if candidates[i, j]]
                status.append(INVALID if letter is None else "ok" if own else NO_EXPLANATION)
                chosen.append(own[self._choice([candidates[i, j] for j in own], item, seed)] if own else -1)
        texts = [candidates[i, j] if j >= 0 else "" for i, j in enumerate(chosen)]
        data = xr.Dataset(
            {
                "text": (("sample",), np.array(texts, dtype=object)),
                "answer": (("sample",), np.array([letter or "" for letter in letters], dtype=object)),
                "status": (("sample",), np.array(status, dtype=object)),
                "item": (("sample",), np.array([item.name for item in items], dtype=object)),
                "candidate": (("sample", "draw"), candidates),
                "chosen": (("sample",), np.array(chosen)),
            },
            attrs={"chat": chat.name, "chat_fingerprint": chat.fingerprint(), "scripted": int(chat.scripted)},
        )
        return Narrative(data, Provenance.of(self, chat, [item.to_dict() for item in items], cost, seed))

    def _choice(self, texts: Sequence[str], item: ChoiceItem, seed: int) -> int:
        if self.choose == "random":
            return int(generator(seed, "choice", item.to_dict()).integers(len(texts)))
        return centre(self._encoder(), texts)

    def _encoder(self) -> Any:
        from explicate.models.loading import load_model

        return load_model(self.encoder) if isinstance(self.encoder, str) else self.encoder


def centre(encoder: Any, texts: Sequence[str]) -> int:
    """Which text's embedding has the highest cosine with the mean of all embeddings; the first of equals."""
    found = np.asarray(encoder.predict(encoder.encode(list(texts))), dtype=float)
    unit = found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)
    mean = found.mean(axis=0)
    return int(np.argmax(np.round(unit @ mean / max(float(np.linalg.norm(mean)), 1e-12), 9)))
