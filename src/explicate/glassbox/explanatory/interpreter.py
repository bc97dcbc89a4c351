"""The interpreter: reads a rule and says of any structure whether the rule holds; it learned what the words mean.

Source: Norelli et al. (2022), arXiv 2201.10222, section 3.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from explicate.core.capabilities import Array, Floats, Masks
from explicate.core.cost import spend
from explicate.data.odeen import CELLS, Phenomena, all_structures, encode_structures, symbol_features
from explicate.errors import FileFormatError, InputError
from explicate.glassbox.explanatory.shapes import SMALL_INTERPRETER, NetworkShape
from explicate.glassbox.explanatory.training import JudgedBatch, JudgedSamples, fingerprint, tag_loss
from explicate.glassbox.explanatory.words import Words
from explicate.models.tiny.descent import DecoderRecipe
from explicate.models.tiny.drawn import trained
from explicate.runtime.fingerprint import digest

if TYPE_CHECKING:
    import torch

CHUNK = 4096  # (rule, structure) pairs that are judged at a time

INTERPRETER_RECIPE = DecoderRecipe(
    steps=4000,
    batch=1024,
    learning_rate=2e-3,
    weight_decay=0.1,
    warmup=100,
    checkpoints=(2000, 3000),
    save_every=250,
)
"""Four million samples: some eight minutes of one core."""

PAPER_INTERPRETER_RECIPE = DecoderRecipe(
    steps=56_000, batch=512, learning_rate=3e-4, weight_decay=0.0, schedule="constant", save_every=1000
)
"""Two epochs of 1,438 rules with 10,000 structures."""


@dataclass(frozen=True, eq=False)
class RuleInterpreter:
    """A network from a rule and a structure to true or false.

    Attributes
    ----------
    shape, words : its size, and the words that it knows. module : the network.
    """

    shape: NetworkShape
    words: Words
    module: torch.nn.Module

    @classmethod
    def build(cls, words: Words, shape: NetworkShape = SMALL_INTERPRETER) -> Self:
        """An untrained one; its weights come from torch's generator."""
        import torch

        from explicate.models.tiny.rule_modules import InterpreterModule

        features = torch.tensor(symbol_features())
        module = InterpreterModule(words.count, features, CELLS, words.longest, **shape.options())
        return cls(shape, words, module.eval())

    @classmethod
    def train(
        cls,
        phenomena: Phenomena,
        validation: Phenomena | None = None,
        *,
        words: Words | None = None,
        shape: NetworkShape = SMALL_INTERPRETER,
        recipe: DecoderRecipe = INTERPRETER_RECIPE,
        together: int = 32,
        cache: bool = True,
    ) -> Self:
        """Train one on rules, structures and tags alone, or read it from the user's cache.

        Parameters
        ----------
        phenomena : what is learned from. validation : other phenomena, by which the best checkpoint is taken.
        words : that it shall know; by default those of the phenomena's rules.
        together : structures judged by each rule drawn; see `JudgedSamples`.
        """
        words = words or Words.of(phenomena.rules)
        samples = JudgedSamples(phenomena, words, together)

        def loss(module: Any, batch: JudgedBatch) -> Any:
            return tag_loss(_logits(module, batch.rules, batch.structures), batch.tags)

        def validate(module: Any) -> float:
            assert validation is not None
            codes = all_structures()[validation.structures].astype(np.int64)
            logits = [
                _logits(module, words.encode([rule]), own[None])
                for rule, own in zip(validation.rules, codes, strict=True)
            ]
            import torch

            return float(tag_loss(torch.cat(logits), validation.tags))

        module = trained(
            lambda: cls.build(words, shape).module,
            samples.batch,
            loss,
            recipe,
            (
                "interpreter",
                asdict(shape),
                asdict(words),
                together,
                *map(fingerprint, filter(None, (phenomena, validation))),
            ),
            "interpreter",
            None if validation is None else validate,
            cache,
        )
        return cls(shape, words, module)

    def logits(self, rules: Sequence[str], structures: Sequence[str] | Array) -> Floats:
        """(rule, structure, 2): of false and of true.

        Parameters
        ----------
        structures : texts, or codes (structure, cell).

        Raises
        ------
        InputError : a structure that is none, or a rule with words that were never seen.
        """
        import torch

        codes = as_codes(structures)
        tokens = self.words.encode(rules)
        found = np.zeros((len(tokens), len(codes), 2), dtype=np.float32)
        rows = max(1, CHUNK // max(1, len(codes)))
        with torch.inference_mode():
            for start in range(0, len(tokens), rows):
                some = tokens[start : start + rows]
                for first in range(0, len(codes), CHUNK):
                    part = codes[first : first + CHUNK]
                    shown = np.broadcast_to(part, (len(some), *part.shape))
                    found[start : start + rows, first : first + CHUNK] = _logits(self.module, some, shown).numpy()
        spend(evaluations=found.shape[0] * found.shape[1])
        return found

    def tags(self, rules: Sequence[str], structures: Sequence[str] | Array) -> Masks:
        """(rule, structure): whether each rule holds for each structure, as the interpreter sees it."""
        found = self.logits(rules, structures)
        tags: Masks = found[..., 1] > found[..., 0]
        return tags

    @cached_property
    def weights(self) -> Array:
        """All weights in one float32 vector; with `settings`, all there is to know of it."""
        return np.concatenate([value.detach().numpy().ravel() for value in self.module.parameters()])

    @property
    def settings(self) -> str:
        """Its shape and words as JSON."""
        return json.dumps({"shape": asdict(self.shape), "words": asdict(self.words)}, sort_keys=True)

    @classmethod
    def from_weights(cls, weights: Array, settings: str) -> Self:
        """The interpreter that `weights` and `settings` were taken from.

        Raises
        ------
        FileFormatError : they do not fit each other.
        """
        import torch

        try:
            stored = json.loads(settings)
            words = Words(tuple(stored["words"]["words"]), int(stored["words"]["longest"]))
            found = cls.build(words, NetworkShape(**stored["shape"]))
        except (ValueError, KeyError, TypeError) as error:
            raise FileFormatError(f"an interpreter's settings cannot be read ({error})") from error
        needed = sum(value.numel() for value in found.module.parameters())
        if len(weights) != needed:
            raise FileFormatError(f"an interpreter of {needed:,} weights cannot be made of {len(weights):,}")
        with torch.no_grad():
            torch.nn.utils.vector_to_parameters(torch.tensor(np.asarray(weights)), found.module.parameters())
        return found

    def fingerprint(self) -> str:
        """A content hash."""
        return digest(self.settings, self.weights)

    def __repr__(self) -> str:
        return f"RuleInterpreter({len(self.words.words)} words, {len(self.weights):,} weights)"


def _logits(module: Any, rules: Array, structures: Array) -> Any:
    import torch

    return module(torch.as_tensor(rules), torch.tensor(structures))


def as_codes(structures: Sequence[str] | Array) -> Array:
    """Codes (structure, cell) of structures given as texts, or as codes already."""
    if isinstance(structures, np.ndarray) and structures.dtype.kind in "iu":
        if structures.ndim != 2 or structures.shape[1] != CELLS:
            raise InputError(f"structures of shape {structures.shape}; give codes (structure, {CELLS})")
        return structures.astype(np.int64)
    return encode_structures(list(structures))
