"""One sentence as a table row: a column for each word, whose values are the word and others that could stand there.

So every method for rows of categories explains sentences too: "absent" is another word that fits, not a hole.

Source of the idea: Hase and Bansal (2020), arXiv 2005.01831, section 4: a language model, or neighbours in a space of
word vectors, say what could stand in a word's place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from explicate.core.capabilities import Array, Floats, Targets
from explicate.core.features import Feature
from explicate.errors import InputError
from explicate.models.table_model import BACKGROUND_ROWS, TableModel
from explicate.models.tiny.word_chain import END, WordChain
from explicate.runtime.fingerprint import digest
from explicate.runtime.seeds import generator


class WordChoices:
    """Which words could stand in a word's place, and how likely.

    Half of them are the nearest in a space of word vectors, where there is one; the rest are the likeliest ones of a
    language model, given the neighbours. Marks and numbers keep their place.

    Parameters
    ----------
    chain : the language model; all choices are words of it.
    vectors : word -> vector; none: the language model alone.
    count : other words at each place.
    """

    def __init__(self, chain: WordChain, vectors: Mapping[str, Floats] | None = None, count: int = 20) -> None:
        if count < 1:
            raise InputError(f"{count} other words at each place; give 1 or more")
        self.chain, self.vectors, self.count = chain, dict(vectors or {}), count
        self._usable = np.array([word.isalpha() for word in chain.words])
        known = [place for place in np.flatnonzero(self._usable) if chain.words[place] in self.vectors]
        self._known = np.array(known, dtype=int)
        self._space = np.array([_unit(self.vectors[chain.words[place]]) for place in known])

    def at(self, words: Sequence[str], place: int) -> tuple[tuple[str, ...], Floats]:
        """Words for one place of a sentence, its own one first, and their shares, which add up to 1."""
        word = words[place]
        if not word.isalpha():
            return (word,), np.ones(1)
        left, right = (words[at] if 0 <= at < len(words) else END for at in (place - 1, place + 1))
        shares = self.chain.between(left, right)
        others = shares * self._usable
        own = self.chain.code.get(word)
        if own is not None:
            others[own] = 0.0
        near = self._near(word, own)[: self.count // 2]
        likely = [int(code) for code in np.argsort(-others, kind="stable") if others[code] > 0 and code not in near]
        chosen = [*near, *likely[: self.count - len(near)]]
        mass = np.array([shares[own] if own is not None else 0.0, *shares[chosen]])
        mass[0] = mass[0] or mass[1:].min(initial=1.0)  # a word that the language model does not know is rare, not none
        return (word, *(self.chain.words[code] for code in chosen)), mass / mass.sum()

    def _near(self, word: str, own: int | None) -> list[int]:
        if word not in self.vectors or not len(self._known):
            return []
        likeness = self._space @ _unit(self.vectors[word])
        order = self._known[np.argsort(-likeness, kind="stable")]
        return [int(code) for code in order[: self.count] if code != own]


class SentenceChoices(TableModel):
    """A model of sentences, seen as a model of rows "Word 1", "Word 2", ... of one sentence; code 0 is its own word.

    Parameters
    ----------
    inner : takes sentences as texts (`encode`) and as codes (`predict`), see `explicate.models.tiny.sentences`.
    sentence : words with blanks between. choices : what could stand in their places. seed : of the background.

    Attributes
    ----------
    row : the sentence itself, encoded (1, word).
    """

    def __init__(self, inner: Any, sentence: str, choices: WordChoices, seed: int = 0) -> None:
        super().__init__(f"{inner.name} on one sentence")
        self.inner = inner
        self.words = tuple(sentence.split())
        found = [choices.at(self.words, place) for place in range(len(self.words))]
        self.shares = [shares for _, shares in found]
        features = [Feature(f"Word {place + 1}", "categorical", own) for place, (own, _) in enumerate(found)]
        rng = generator(seed, "choices", sentence)
        rows = np.stack([rng.choice(len(own), BACKGROUND_ROWS, p=own) for own in self.shares], axis=1).astype(float)
        self._set_table(rows, features, (), inner.class_names)
        self.score = getattr(inner, "score", "probability")
        self.row = np.zeros((1, len(self.words)))
        codes = inner.encode([" ".join(own) for own, _ in found])
        self._codes = [codes[place, : len(own)] for place, (own, _) in enumerate(found)]

    def fingerprint(self) -> str:
        """A hash of the model, the sentence and its choices."""
        return digest(self.kind, self.inner.fingerprint(), [list(one.categories) for one in self.features], self.shares)

    def sentence(self, row: Array) -> str:
        """The sentence that an encoded row (word,) stands for."""
        return " ".join(one.categories[int(code)] for one, code in zip(self.features, row, strict=True))

    def conditional(self, inputs: Array, feature: int) -> Floats:
        """p(word at one place | its neighbours in the sentence), the same for each row (sample, choice)."""
        return np.tile(self.shares[feature], (len(inputs), 1))

    def latent(self, inputs: Array) -> Floats:
        """The inner model's latent space (sample, width)."""
        return np.asarray(self.inner.latent(self.codes(inputs)))

    def probabilities(self, inputs: Array, targets: Targets) -> Floats:
        """The inner model's probabilities of the targets (sample,)."""
        return np.asarray(self.inner.probabilities(self.codes(inputs), targets))

    def codes(self, inputs: Array) -> Array:
        """Rows as the inner model's codes (sample, word)."""
        return np.stack(
            [own[inputs[:, place].astype(int)] for place, own in enumerate(self._codes)], axis=1
        )  # fmt: skip

    def _forward(self, inputs: Array) -> Floats:
        return np.asarray(self.inner.predict(self.codes(inputs)))


def _unit(vector: Floats) -> Floats:
    return vector / max(float(np.linalg.norm(vector)), 1e-12)
