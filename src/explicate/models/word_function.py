"""A function of the words of a text as a model: rules whose truth is known, for methods that explain texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from explicate.core.capabilities import Array, Floats, ModelKind
from explicate.errors import InputError, TargetError
from explicate.models.base import Model
from explicate.runtime.fingerprint import digest

ABSENT = -1


class WordFunction(Model):
    """A handle on a function from texts, each a list of words, to scores; offers `Predictor`. Tokens are words.

    Parameters
    ----------
    function : maps a list of lists of words to scores (sample,) or (sample, output).
    vocabulary : all words that texts may hold; texts are split at white space.
    class_names : names of the outputs.
    version : what the fingerprint depends on besides name and vocabulary; change it when the function changes.

    Raises
    ------
    InputError : a text holds a word that is not in the vocabulary, or none at all.
    """

    kind: ClassVar[ModelKind] = "text"
    feature_dims: ClassVar[tuple[str, ...]] = ("token",)

    def __init__(
        self,
        function: Callable[[list[list[str]]], Any],
        vocabulary: Sequence[str],
        *,
        class_names: Sequence[str] | None = None,
        name: str = "words",
        source: str | None = None,
        version: int | str = 0,
    ) -> None:
        super().__init__(name, source)
        self.function = function
        self.vocabulary = tuple(dict.fromkeys(vocabulary))
        self.class_names = None if class_names is None else tuple(class_names)
        self.version = version
        self._places = {word: place for place, word in enumerate(self.vocabulary)}

    @property
    def output_count(self) -> int:
        """Number of outputs, found by evaluating one word."""
        if self._output_count is None:
            self.predict(np.zeros((1, 1), dtype=np.int64))
        return super().output_count

    def output_name(self, index: int) -> str:
        """The class's name; of a single output with two names, the second."""
        if self.class_names is None:
            return super().output_name(index)
        return self.class_names[1 if len(self.class_names) > self.output_count else index]

    def output_index(self, name: str) -> int:
        """The index of a class name."""
        names = [self.output_name(index) for index in range(self.output_count)]
        if name not in names:
            raise TargetError(f"the model {self.name!r} has no output {name!r}; it has {', '.join(names)}")
        return names.index(name)

    def encode(self, inputs: Any) -> Array:
        """Texts as places in the vocabulary (sample, token), -1 on the right where a text is shorter."""
        if isinstance(inputs, np.ndarray) and inputs.dtype.kind in "iu":
            if inputs.ndim != 2 or inputs.max(initial=-1) >= len(self.vocabulary):
                raise InputError(f"{self.name!r} takes places in its vocabulary, (sample, token)")
            return inputs.astype(np.int64)
        texts = [inputs] if isinstance(inputs, str) else list(inputs)
        rows = []
        for number, text in enumerate(texts):
            words = str(text).split()
            unknown = [word for word in words if word not in self._places]
            if unknown or not words:
                problem = f"{unknown[0]!r} is not in the vocabulary" if unknown else "there is no word in it"
                raise InputError(f"text {number} of {self.name!r}: {problem}")
            rows.append([self._places[word] for word in words])
        found = np.full((len(rows), max(map(len, rows), default=0)), ABSENT, dtype=np.int64)
        for i, row in enumerate(rows):
            found[i, : len(row)] = row
        return found

    def token_text(self, index: int) -> str:
        """The word, with a space in front."""
        return f" {self.vocabulary[index]}" if index >= 0 else ""

    def words(self, sample: Array) -> Array:
        """The word that each token belongs to: each is its own, -1 where there is none."""
        present = np.asarray(sample) >= 0
        return np.where(present, np.cumsum(present) - 1, ABSENT)

    def feature_labels(self, inputs: Array) -> Mapping[str, Any]:
        """The words as "input_text", and which of them are there as "present"."""
        texts = np.empty(inputs.shape, dtype=object)
        for place, index in np.ndenumerate(inputs):
            texts[place] = self.token_text(int(index))
        return {"input_text": (("sample", "token"), texts), "present": (("sample", "token"), inputs != ABSENT)}

    def fingerprint(self) -> str:
        """A hash of name, vocabulary and version."""
        return digest(self.kind, self.name, list(self.vocabulary), self.version)

    def _forward(self, inputs: Array) -> Floats:
        texts = [[self.vocabulary[int(index)] for index in row if index >= 0] for row in inputs]
        return np.asarray(self.function(texts), dtype=float)
