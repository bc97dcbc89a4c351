"""TextGenSHAP: which documents, sentences and words made a model write its answer.

Source: Enouen, Nakhost, Ebrahimi, Arik, Liu, Pfister (2024), "TextGenSHAP: Scalable Post-hoc Explanations in Text
Generation with Long Documents", Findings of ACL, arXiv 2312.01279.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np

from explicate.attribution.explainer import Explainer, Found
from explicate.attribution.textgenshap.assembling import Explained, assembled
from explicate.attribution.textgenshap.coalitions import Coalitions, Reader
from explicate.attribution.textgenshap.document_tree import ROOT, DocumentTree, Split
from explicate.attribution.textgenshap.passages import PassageReader
from explicate.attribution.textgenshap.prompts import DocumentPrompt
from explicate.attribution.textgenshap.readers import BlockReader, TextReader, TokenReader
from explicate.attribution.textgenshap.result import HierarchicalAttribution
from explicate.attribution.textgenshap.sampling import Sampling
from explicate.attribution.textgenshap.token_layout import Masking, TokenLayout
from explicate.attribution.textgenshap.values import Values, estimated
from explicate.core.capabilities import Array, Generator, Targets
from explicate.core.cost import measure
from explicate.core.provenance import Provenance
from explicate.core.registry import register
from explicate.core.targets import Target
from explicate.errors import CapabilityError, InputError, TargetError
from explicate.models.language import FusionInDecoder, LanguageModel
from explicate.runtime.seeds import generator

Attention = Literal["full", "blocks"]
Worth = Literal["output", "log-probability"]
Empty = Literal["decode", "null"]


@register("textgenshap")
@dataclass(frozen=True)
class TextGenSHAP(Explainer):
    """Values of documents, of the phrases of important ones, and of the words of important phrases.

    The worth of some pieces is what greedy decoding writes when they alone are there: a voting game with many outputs,
    of which each piece gets a value for every one. Values of all documents add up to 1 for the answer written from
    everything, if nothing else writes it. The next level is opened where a piece surely matters, and all is drawn anew.

    Parameters
    ----------
    sampling : "permutations" (nested, as in the paper), "subsets" (Shapley's values from random coalitions), "banzhaf",
        "pairs" (regression on pairs of complements by the coalition engine; steadier for log-probabilities), or "exact"
        (all coalitions; few pieces).
    draws : permutations, coalitions or pairs at each level, at most. tolerance : stop earlier, once the standard error
        of every value is no more than this; 0: never.
    levels : 1 documents, 2 also phrases, 3 also words.
    thresholds : of documents and of phrases: one is opened where the chance that it brings an output in, less its
        standard error, reaches this (of log-probabilities: the share of the whole that its value has).
    worth : "output", or "log-probability" of the answer that is written from everything (or named as the target).
    masking : "slice" cuts removed text out and counts documents anew; "pad" hides it, and all else stays where it is.
    attention : "full", or "blocks": documents do not see each other, so each is read once and a coalition costs no more
        than question and answer. A model not trained so is then another one, so ask for it only where
        `evaluation.generated_answers.block_agreement` says that it answers alike.
    split : phrases are "sentences", or as in the "paper": up to each full stop and comma.
    empty : "decode" the prompt without documents, or let it be "null", an output of its own.
    probability : of a piece to be in a coalition for "banzhaf".
    max_new_tokens, stop : of an answer; it ends before a stop text.
    speculation, speculated, reuse : check known outputs in one pass (at most so many tokens), and keep the beginning
        that a prompt shares with the last; both change the time and nothing else.
    temperature, seed_per_subset : above 0 an answer is drawn, which is a game only with a seed for each coalition.

    Notes
    -----
    Takes a `DocumentPrompt`, or a text that is read as one (see `DocumentPrompt.read`). Models that only answer texts
    (chat models) are sliced, without speculation.
    """

    needs: ClassVar[type] = Generator
    kinds: ClassVar[tuple[str, ...]] = ("text",)
    complete: ClassVar[bool] = True
    compared: ClassVar[bool] = False

    sampling: Sampling = "permutations"
    draws: int = 100
    tolerance: float = 0.0
    levels: int = 3
    thresholds: tuple[float, ...] = (0.3, 0.3)
    worth: Worth = "output"
    masking: Masking = "slice"
    attention: Attention = "full"
    split: Split = "sentences"
    empty: Empty = "decode"
    probability: float = 0.5
    max_new_tokens: int = 20
    stop: tuple[str, ...] = ("\n",)
    speculation: bool = True
    speculated: int = 32
    reuse: bool = True
    temperature: float = 0.0
    seed_per_subset: bool = False

    def attribute(self, model: Any, inputs: Array, targets: Targets, rng: np.random.Generator) -> Found:
        raise CapabilityError(f"{self.name} explains what is written, not scores; call explain")

    def explain(
        self,
        model: Any,
        inputs: DocumentPrompt | str | Sequence[DocumentPrompt | str] | Array,
        target: Target = None,
        seed: int = 0,
    ) -> HierarchicalAttribution:
        """Explain what `model` writes for each prompt.

        Parameters
        ----------
        model : a `LanguageModel`, a `FusionInDecoder`, or anything with `generate`, such as a chat model.
        inputs : prompts, texts, or token ids of texts.
        target : the output that `attribution` is about, as text; None: what is written from everything. A token id is
            taken for the first token of that.
        seed : all randomness comes from it.

        Raises
        ------
        InputError : a parameter that does not fit, no documents, or an empty text.
        WindowError : a prompt that the model does not take whole.
        CapabilityError : a model that cannot be read as asked.
        """
        self.check_fields()
        self._check()
        prompts = _prompts(model, inputs)
        wanted = [target] * len(prompts) if target is None or isinstance(target, str | int) else list(target)  # type: ignore[arg-type]
        if len(wanted) != len(prompts):
            raise TargetError(f"{len(wanted)} targets for {len(prompts)} prompts; give one for all or one each")
        with measure() as cost:
            found = [
                self._one(model, prompt, one, generator(seed, number), seed)
                for number, (prompt, one) in enumerate(zip(prompts, wanted, strict=True))
            ]
        data = assembled(model, found, self)
        return HierarchicalAttribution(data, Provenance.of(self, model, data["inputs"].values, cost, seed))

    def reader(self, model: Any, tree: DocumentTree, seed: int = 0) -> Reader:
        """How `model` reads the pieces of a tree."""
        if isinstance(model, FusionInDecoder):
            return PassageReader(model, tree, self.max_new_tokens)
        if self.temperature or not isinstance(model, LanguageModel):
            if not hasattr(model, "generate"):
                raise CapabilityError(
                    f"{self.name} needs text generation, which {getattr(model, 'name', type(model).__name__)!r} does "
                    "not offer; use kernel-shap"
                )
            if self.masking == "pad" or self.attention == "blocks":
                raise CapabilityError(
                    f"{getattr(model, 'name', type(model).__name__)!r} takes texts here, so removed text can only be "
                    "cut out: use masking='slice' and attention='full'"
                )
            return TextReader(model, tree, self.max_new_tokens, self.stop, self.temperature, seed)
        layout = TokenLayout(model, tree, self.masking, self.max_new_tokens)
        speculated = self.speculated if self.speculation else 0
        if self.attention == "blocks":
            return BlockReader(layout, self.max_new_tokens, self.stop, speculated)
        return TokenReader(layout, self.max_new_tokens, self.stop, speculated, self.reuse)

    def game(self, model: Any, tree: DocumentTree, answer: str | None = None, seed: int = 0) -> Coalitions:
        """The game that is played; `answer` is the text whose log-probability is the worth, where that is asked."""
        return Coalitions(self.reader(model, tree, seed), answer, self.empty == "decode")

    def _one(self, model: Any, prompt: DocumentPrompt, target: Any, rng: np.random.Generator, seed: int) -> Explained:
        tree = DocumentTree.of(prompt, self.levels, self.split)
        if len(tree.atoms) == 0:
            raise InputError("no document has a text")
        reader = self.reader(model, tree, seed)
        everything = np.ones((1, len(tree.atoms)), dtype=bool)
        (written,) = reader.write(everything)
        answer = target if isinstance(target, str) else written
        if isinstance(target, int | np.integer):
            _check_first(model, written, int(target))
        game = Coalitions(reader, answer if self.worth == "log-probability" else None, self.empty == "decode")
        ends = game(np.concatenate([everything, ~everything]))
        expanded, costs = {ROOT}, []
        for level in range(1, self.levels + 1):
            start, before, asked = time.perf_counter(), dict(reader.counts), game.asked
            values = estimated(game, tree, expanded, self.sampling, self.draws, self.tolerance, self.probability, rng)
            spent = {name: count - before.get(name, 0) for name, count in reader.counts.items()}
            costs.append({"level": level, "draws": values.draws, "coalitions": game.asked - asked, **spent,
                          "seconds": time.perf_counter() - start})  # fmt: skip
            if level == self.levels:
                break
            opened = self._opened(tree, values, game, expanded, level)
            if not opened:
                break
            expanded |= opened
        if game.answer is None and answer not in game.outputs:
            game.outputs.append(answer)
            game.uses.append(0)
        return Explained(tree, frozenset(expanded), values, game, written, answer, ends, costs)

    def _opened(self, tree: DocumentTree, values: Values, game: Coalitions, expanded: set[int], level: int) -> set[int]:
        """Pieces whose children are to be valued."""
        found = set()
        lower = (values.include - values.include_error).max(axis=1)
        if game.answer is not None:
            whole = np.abs(values.value).sum(axis=0)[0] / level or 1.0
            lower = lower / whole
        for place, piece in enumerate(values.pieces):
            depth = tree.pieces[piece].level
            if piece in expanded or not tree.children[piece] or depth > len(self.thresholds):
                continue
            if lower[place] >= self.thresholds[depth - 1]:
                found.add(piece)
        return found

    def _check(self) -> None:
        for name, value, words in (
            ("sampling", self.sampling, get_args(Sampling)),
            ("worth", self.worth, get_args(Worth)),
            ("attention", self.attention, get_args(Attention)),
            ("empty", self.empty, get_args(Empty)),
        ):
            if value not in words:
                raise InputError(f"{name} {value!r} is unknown; use {', '.join(words)}")
        if self.draws < 1 or self.max_new_tokens < 1 or self.tolerance < 0 or self.speculated < 0:
            raise InputError("draws and max_new_tokens must be at least 1, tolerance and speculated not negative")
        if self.draws < 2 and self.levels > 1 and self.sampling != "exact":
            raise InputError("a single draw has no standard error, so no piece can be opened: more draws, or levels=1")
        if not 0 < self.probability < 1:
            raise InputError(f"probability is {self.probability}; it must lie between 0 and 1")
        if self.levels > 1 and len(self.thresholds) < self.levels - 1:
            raise InputError(f"{self.levels} levels need {self.levels - 1} thresholds, one for each level but the last")
        if self.temperature < 0 or (self.temperature and not self.seed_per_subset):
            raise InputError(
                f"temperature {self.temperature}: drawn answers are no function of the coalition; use 0, or "
                "seed_per_subset=True"
            )


def _prompts(model: Any, inputs: Any) -> list[DocumentPrompt]:
    if isinstance(inputs, DocumentPrompt):
        return [inputs]
    if isinstance(inputs, str):
        return [DocumentPrompt.read(inputs)]
    if isinstance(inputs, np.ndarray) and inputs.dtype.kind in "iu":
        if not isinstance(model, LanguageModel):
            raise InputError("token ids are for language models; give the prompt as text")
        rows = inputs if inputs.ndim == 2 else inputs[None]
        return [DocumentPrompt.read(text) for text in model.decode(rows)]
    found = [one if isinstance(one, DocumentPrompt) else DocumentPrompt.read(one) for one in inputs]
    if not found:
        raise InputError("textgenshap: no prompts to explain")
    return found


def _check_first(model: Any, written: str, target: int) -> None:
    if not isinstance(model, LanguageModel):
        raise TargetError(f"name the output of {getattr(model, 'name', 'the model')!r} as text, not as a number")
    ids = model.tokenizer(f" {written}", add_special_tokens=False)["input_ids"]
    if not ids or target != ids[0]:
        raise TargetError(
            f"the target {model.token_text(target)!r} does not begin what is written, {written!r}; name the output "
            "as text"
        )
