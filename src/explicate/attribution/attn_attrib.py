"""AttnAttrib: which part of a context an answer was taken from, read off one head while the answer is written.

Source: Basu et al. (2025), "On Mechanistic Circuits for Extractive Question-Answering", arXiv 2502.08059, section 4.
The head is one whose attention points at what is copied (`explicate.mechanisms.qa_circuit.rank_heads` finds it, once
for a model). For each answer token its attention is read at the position that *produces* the token, the one before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import xarray as xr

from explicate.core.capabilities import Array, Floats
from explicate.core.cost import measure
from explicate.core.kinds import Attribution
from explicate.core.method import Parameterised
from explicate.core.provenance import Provenance
from explicate.core.sites import Site
from explicate.data.language.questions import ContextQuestion
from explicate.errors import CapabilityError, InputError, WindowError, counted
from explicate.models.language import LanguageModel, sites
from explicate.models.language.positions import Selection
from explicate.models.language.spans import Span, token_spans

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class AttnAttrib(Parameterised):
    """Attribute answers to tokens and sentences of their contexts, at the cost of the answers alone.

    Parameters
    ----------
    heads : sites such as "L20.pattern.H5"; the attention of several is averaged.
    window : tokens on each side of the most attended one that make up the span.
    summed : whether a token's value adds up over the answer's tokens; False: its largest.
    floor : attention below which an answer is not supported by the context (see `HeadRanking.floor`); None: not judged.
    max_new_tokens : of an answer that is written.
    """

    name: ClassVar[str] = "attn-attrib"

    heads: tuple[str, ...] = ()
    window: int = 5
    summed: bool = False
    floor: float | None = None
    max_new_tokens: int = 12

    def answer(self, model: LanguageModel, questions: Sequence[ContextQuestion]) -> Attribution:
        """Let the model answer, and attribute what it writes; no pass is made but those that write.

        Returns
        -------
        Attribution : see `explain`.
        """
        chosen = self._sites(model)
        found = []
        with measure() as cost:
            for question in questions:
                ids = self._encoded(model, question, self.max_new_tokens)
                seen: list[list[Floats]] = []
                with ExitStack() as stack:
                    for site in chosen:
                        own: list[Floats] = []
                        seen.append(own)
                        sites.attach(model, site, _reader(own), stack)
                    (written,) = model.write([ids], max_new_tokens=self.max_new_tokens, stop=("\n",), alternatives=1)
                rows = [np.mean([own[step][: len(ids)] for own in seen], axis=0) for step in range(len(written.ids))]
                text = model.written_text(written.ids, ("\n",)).strip()
                found.append((question, ids, rows, text, written.ids, written.log_probabilities[0]))
        return self._attribution(model, found, cost)

    def explain(
        self, model: LanguageModel, questions: Sequence[ContextQuestion], answers: Sequence[str] | None = None
    ) -> Attribution:
        """Attribute given answers: one pass over each prompt with its answer.

        Parameters
        ----------
        answers : texts; None: the answers that the contexts hold.

        Returns
        -------
        Attribution : `attribution` (sample, token), attention over the context that adds up to 1 for each answer token,
            the largest or the sum over them, 0 outside the context; `score` is the log-probability of the answer's
            first token. `answer`, `best_token`, `span` (sample, end), `best_sentence`, `largest_attention`,
            `supported`, `trivial` (all (sample, ...)); `sentence_score` (sample, sentence), 0 where a context has no
            such sentence. A context of one sentence is `trivial`: whatever the model does, that one is attributed. The
            attribute `kernel` names the model's own attention, which gives way to plain attention while it is read.

        Raises
        ------
        CapabilityError : a model whose attention cannot be read.
        InputError : no heads, heads that are none, or as many answers as there are not questions.
        WindowError : a prompt that the model does not take whole.
        """
        chosen = self._sites(model)
        texts = [question.answer for question in questions] if answers is None else list(answers)
        if len(texts) != len(questions):
            raise InputError(f"{counted(len(texts), 'answer')} for {counted(len(questions), 'question')}")
        found = []
        with measure() as cost:
            for question, text in zip(questions, texts, strict=True):
                tail = model.tokenizer(f" {text.strip()}", add_special_tokens=False)["input_ids"]
                if not tail:
                    raise InputError(f"the answer {text!r} is empty")
                ids = self._encoded(model, question, len(tail))
                whole = [*ids, *(int(i) for i in tail)]
                first = Site("logits", positions=(-len(tail),))
                captured = model.capture([whole[:-1]], [*chosen, first])  # the last token produces nothing
                patterns = [np.asarray(captured[site])[0] for site in chosen]
                steps = range(len(ids) - 1, len(whole) - 1)
                rows = [np.mean([pattern[step][: len(ids)] for pattern in patterns], axis=0) for step in steps]
                logits = np.asarray(captured[first])[0, 0].astype(float)
                share = float(logits[tail[0]] - logits.max() - np.log(np.exp(logits - logits.max()).sum()))
                found.append((question, ids, rows, text.strip(), list(tail), share))
        return self._attribution(model, found, cost)

    def _sites(self, model: LanguageModel) -> list[Site]:
        if not isinstance(model, LanguageModel):
            name = getattr(model, "name", type(model).__name__)
            raise CapabilityError(f"{self.name} reads attention inside a language model; {name!r} shows none")
        if not self.heads:
            raise InputError("name the heads that point at answers; rank_heads finds them")
        found = [Site.parse(head) for head in self.heads]
        for site in found:
            if site.kind != "pattern" or site.head is None or site.positions is not None:
                raise InputError(f"{site} is no head's attention; write for example L20.pattern.H5")
            sites.check(model, site)
        if self.window < 0 or self.max_new_tokens < 1:
            raise InputError("window must be 0 or more and max_new_tokens at least 1")
        return found

    def _encoded(self, model: LanguageModel, question: ContextQuestion, more: int) -> list[int]:
        ids = [int(i) for i in model.encode([question.prompt()])[0] if i >= 0]
        if model.window is not None and len(ids) + more > model.window:
            raise WindowError(
                f"a context of {len(ids)} tokens and its answer are more than the {model.window} that {model.name!r} "
                "takes; give fewer sentences"
            )
        return ids

    def _attribution(self, model: LanguageModel, found: Sequence[Any], cost: Any) -> Attribution:
        if not found:
            raise InputError(f"{self.name}: no questions to explain")
        width = max(len(ids) for _, ids, *_ in found)
        most = max(len(question.sentences) for question, *_ in found)
        ids = np.full((len(found), width), -1, dtype=np.int64)
        values, sentence_scores = np.zeros((len(found), width)), np.zeros((len(found), most))
        token, span = np.zeros(len(found), dtype=np.int64), np.zeros((len(found), 2), dtype=np.int64)
        largest = np.zeros(len(found))
        for number, (question, own, rows, *_) in enumerate(found):
            ids[number, : len(own)] = own
            spans = token_spans(model, ids[number], question.context, question.sentence_spans)
            context = (spans[0][0], spans[-1][1])
            shares = np.stack([over_context(row, context) for row in rows])
            joint = shares.sum(axis=0) if self.summed else shares.max(axis=0)
            values[number, context[0] : context[1]] = joint
            token[number] = context[0] + int(joint.argmax())
            span[number] = (
                max(context[0], token[number] - self.window),
                min(context[1], token[number] + self.window + 1),
            )
            raw = np.stack([row[context[0] : context[1]] for row in rows])
            raw[:, 0] = 0.0 if context[0] == 0 else raw[:, 0]
            largest[number] = float(raw[0].max())
            sentence_scores[number, : len(spans)] = scores_of_sentences(values[number], spans, self.summed)
        names = np.array([text for *_, text, _, _ in found], dtype=object)
        data = xr.Dataset(
            {
                "attribution": (("sample", "token"), values),
                "inputs": (("sample", "token"), ids),
                "target": (("sample",), np.array([tail[0] for *_, tail, _ in found], dtype=np.int64)),
                "target_name": (("sample",), names),
                "score": (("sample",), np.array([share for *_, share in found], dtype=float)),
                "answer": (("sample",), names),
                "best_token": (("sample",), token),
                "span": (("sample", "end"), span),
                "sentence_score": (("sample", "sentence"), sentence_scores),
                "best_sentence": (("sample",), sentence_scores.argmax(axis=1)),
                "sentences": (("sample",), np.array([len(question.sentences) for question, *_ in found])),
                "trivial": (("sample",), np.array([len(question.sentences) == 1 for question, *_ in found])),
                "largest_attention": (("sample",), largest),
                "supported": (("sample",), largest >= (self.floor or 0.0)),
            },
            attrs={"model_kind": "text", "signed": 0, "complete": 0, "kernel": str(model.config._attn_implementation)},
        ).assign_coords(dict(model.feature_labels(ids)))
        return Attribution(data, Provenance.of(self, model, ids, cost, 0))


def scores_of_sentences(values: Floats, spans: Sequence[Span], summed: bool = False) -> Floats:
    """The largest value inside each sentence, or their sum."""
    inside = [values[begin:end] for begin, end in spans]
    return np.array([part.sum() if summed else part.max(initial=0.0) for part in inside])


def over_context(pattern: Floats, context: Span) -> Floats:
    """Attention over the context alone, adding up to 1; the text's first token, where attention rests, has none."""
    shares = np.array(pattern[context[0] : context[1]], dtype=float)
    if context[0] == 0 and len(shares) > 1:
        shares[0] = 0.0
    total = shares.sum()
    return shares / total if total > 0 else np.full(len(shares), 1.0 / len(shares))


def _reader(own: list[Floats]) -> Any:
    """Keeps the attention of the last position in each pass."""

    def read(activation: torch.Tensor, selection: Selection) -> None:
        found: Array = activation[0, -1].detach().float().cpu().numpy()
        own.append(found)

    return read
