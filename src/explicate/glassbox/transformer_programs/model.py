"""A trained Transformer Program as a model: it predicts with every choice at its largest logit, and is its program."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from functools import cached_property
from typing import Any, Self

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.core.kinds import Rules
from explicate.core.registry import register
from explicate.data.language.tagged import UNKNOWN, Tagged
from explicate.errors import InputError
from explicate.glassbox.contract import GlassBox
from explicate.glassbox.transformer_programs.conversion import converted
from explicate.glassbox.transformer_programs.explanations import explained, replayed
from explicate.glassbox.transformer_programs.interventions import Given, checked, network_read, network_set
from explicate.glassbox.transformer_programs.program import Program, Sentences, encoded, tag_codes, tagged
from explicate.models.tiny.programs import TransformerProgramConfig
from explicate.models.tiny.training import Recipe, train
from explicate.runtime.fingerprint import digest

ROWS = 1024  # sequences sent through at once
RECIPE = Recipe("sequence-cross-entropy", epochs=250, batch=512, learning_rate=0.05)


@register("transformer-program", "glassboxes")
@dataclasses.dataclass(frozen=True, eq=False)
class TransformerProgram(GlassBox):
    """A constrained Transformer that was trained by gradient descent and converts to a program exactly.

    Make one with `TransformerProgram.train`. Predictions are those of the model with each sampled choice at its largest
    logit, in double precision; `program` is the same as tables, and `program.to_python()` as a file.

    Parameters
    ----------
    config, vocabulary, tags, context : its shape, tokens, tags and longest sequence. module : a `ProgramModule`.
    """

    config: TransformerProgramConfig
    vocabulary: tuple[str, ...]
    tags: tuple[str, ...]
    context: int
    module: Any = dataclasses.field(repr=False)

    @classmethod
    def train(
        cls,
        examples: Sequence[Tagged],
        config: TransformerProgramConfig | None = None,
        recipe: Recipe = RECIPE,
        *,
        vocabulary: Sequence[str] | None = None,
        context: int | None = None,
        vectors: Floats | None = None,
        name: str = "a Transformer Program",
        cache: bool = True,
    ) -> Self:
        """Learn from tagged sequences, or load what was learned from them before.

        Tokens whose tag is None are not learned from; whether "<unk>" is a tag, `config.mask_unknown` says.

        Parameters
        ----------
        config, recipe : shape, and how it is trained; the published recipe by default.
        vocabulary : the tokens; by default those of the examples. With "<unk>" in it, other tokens are read as that.
        context : longest sequence that the program will take; by default that of the examples.
        vectors : (token, number) word vectors from which learned embeddings begin.
        name : what the progress bar says. cache : False trains anew and keeps nothing.

        Raises
        ------
        InputError : no examples, or a vocabulary or context that does not fit `width`.
        ModelError : the loss became NaN or infinite; the message names the step and the batch.
        """
        config = config or TransformerProgramConfig()
        if not examples:
            raise InputError("there are no examples to learn from")
        words = tuple(vocabulary or sorted({token for row in examples for token in row.tokens}))
        masked = {UNKNOWN} if config.mask_unknown else set()
        tags = tuple(sorted({tag for row in examples for tag in row.tags if tag is not None} - masked))
        if not tags:
            raise InputError("the examples have no tags to learn")
        longest = context or max(len(row.tokens) for row in examples)
        codes = encoded([row.tokens for row in examples], words, longest)
        config.width_for(len(words), longest)

        def build() -> Any:
            from explicate.models.tiny.programs.module import ProgramModule

            return ProgramModule(config, len(words), len(tags), longest, vectors)

        module = train(
            build,
            codes,
            tag_codes([row.tags for row in examples], tags, codes.shape[1]),
            recipe,
            name=name,
            cache=cache,
            begin_step=lambda inner, share: inner.begin_step(share),
        )
        return cls(config, words, tags, longest, module)

    @cached_property
    def program(self) -> Program:
        """The program that the model is."""
        return converted(self._exact, self.vocabulary, self.tags)

    def to_python(self, *, inline: bool = True, unreachable: bool = False) -> str:
        """The program as a Python file, see `Program.to_python`."""
        return self.program.to_python(inline=inline, unreachable=unreachable)

    def logits(self, X: Sentences, given: Given | None = None) -> Floats:
        """(sample, position, tag) of the network itself; `given` as in `predict`."""
        import torch

        codes = encoded(X, self.vocabulary, self.context)
        values = checked(self.program, given, codes.shape) if given else {}
        parts = [np.zeros((0, *codes.shape[1:], len(self.tags)))]
        for start in range(0, len(codes), ROWS):
            rows = slice(start, start + ROWS)
            own = {name: value[rows] for name, value in values.items()}
            with torch.no_grad(), network_set(self._exact, own):
                parts.append(self._exact(torch.as_tensor(codes[rows])).numpy())
        return np.concatenate(parts)

    def capture(self, X: Sentences) -> dict[str, Array]:
        """Variable -> (sample, position): what each head and MLP of the network chose, as codes; counts as numbers."""
        import torch

        codes = torch.as_tensor(encoded(X, self.vocabulary, self.context))
        with torch.no_grad(), network_read(self._exact) as found:
            self._exact(codes)
        return found

    def predict(self, X: Sentences, given: Given | None = None) -> Array:
        """(sample,) for each list of tokens its tags, a tuple; computed by the network, not by the program.

        Parameters
        ----------
        given : variable of a head or MLP -> (sample, position) codes or numbers that it has instead of its own.

        Raises
        ------
        InputError, WindowError, UnknownNameError : see `Program.encode`.
        """
        codes = encoded(X, self.vocabulary, self.context)
        return tagged(self.logits(X, given).argmax(-1), codes, self.tags, self.config.pooled)

    def explain(self, X: Sentences | None = None) -> Rules:
        """The program (X is None), or the program and what each of its variables was for each list of tokens."""
        return explained(self.program, X, self.name, self.config, self.fingerprint())

    @classmethod
    def replay(cls, explanation: Rules, X: Sentences | None = None) -> Array:
        """Tags computed from the program in the explanation alone; equal to `predict`."""
        return replayed(explanation, X)

    def fingerprint(self) -> str:
        """A content hash of the weights, words and shape."""
        weights = {key: value.detach().numpy() for key, value in self.module.state_dict().items()}
        return digest(weights, repr(self.config), list(self.vocabulary), list(self.tags), self.context)

    @cached_property
    def _exact(self) -> Any:
        return copy.deepcopy(self.module).double().eval()
