"""Models, readers and answers whose truth is known, to hold the study kit and its analysis against."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from explicate.core.capabilities import Array, Floats, ModelKind, Targets
from explicate.core.features import Feature, decode_frame
from explicate.data.language.labelled_texts import LabelledTexts
from explicate.data.language.review_sentences import in_parts, made_reviews, sentiments
from explicate.data.table import Table
from explicate.errors import InputError
from explicate.evaluation.simulatability.answers import SIMULATED, Answer
from explicate.evaluation.simulatability.study import Item, SimulationStudy
from explicate.models.base import Model
from explicate.models.sentence_choices import WordChoices
from explicate.models.tabular import TabularModel
from explicate.models.tiny.sentences import Vocabulary
from explicate.models.tiny.word_chain import WordChain
from explicate.runtime.fingerprint import digest
from explicate.runtime.seeds import generator

CLASSES = ("no", "yes")
FAKE = "fake-user"


@dataclass(frozen=True)
class PlantedTable:
    """A made-up classifier of categories, and rows with labels that it sometimes misses.

    Attributes
    ----------
    model : scores are probabilities. development, test : rows that are drawn uniformly.
    """

    model: TabularModel
    development: Table
    test: Table


def additive_table(
    columns: int = 8, values: int = 4, rows: int = 4000, spread: float = 1.0, seed: int = 0
) -> PlantedTable:
    """A logistic model of a sum of normal weights, one for each value; labels are drawn from its probability."""
    rng = generator(seed, "additive")
    weights = rng.normal(0, spread, (columns, values))
    weights -= weights.mean(axis=1, keepdims=True)

    def probability(codes: Array) -> Floats:
        total = weights[np.arange(columns), codes.astype(int)].sum(axis=1)
        return np.asarray(1 / (1 + np.exp(-total)))

    return _table("additive", probability, columns, values, rows, rng)


def rule_table(columns: int = 8, values: int = 3, rows: int = 4000, noise: float = 0.3, seed: int = 0) -> PlantedTable:
    """ "yes" if the first two columns have their first values. A share `noise` of the labels is turned."""
    rng = generator(seed, "rule")

    def probability(codes: Array) -> Floats:
        return np.where((codes[:, 0] == 0) & (codes[:, 1] == 0), 1 - noise, noise)

    return _table("two conditions", probability, columns, values, rows, rng)


def _table(
    name: str,
    probability: Callable[[Array], Floats],
    columns: int,
    values: int,
    rows: int,
    rng: np.random.Generator,
) -> PlantedTable:
    words = ("red", "green", "blue", "white", "black", "brown")
    if not 2 <= values <= len(words) or columns < 2:
        raise InputError(f"{columns} columns of {values} values; take 2 or more columns, and 2 to {len(words)} values")
    features = tuple(Feature(f"Part {j + 1}", "categorical", words[:values]) for j in range(columns))

    def scores(codes: Array) -> Floats:
        yes = probability(np.asarray(codes))
        return np.stack([1 - yes, yes], axis=1)

    tables = []
    for part in ("development", "test"):
        codes = rng.integers(values, size=(rows, columns)).astype(float)
        labels = (rng.random(rows) < scores(codes)[:, 1]).astype(int)
        frame = decode_frame(codes, features)
        tables.append(Table(f"{name} {part}", frame, labels, "classification", CLASSES, features))
    model = TabularModel(scores, tables[0].values(), features=features, output="call", class_names=CLASSES, name=name)
    return PlantedTable(model, *tables)


class LexiconModel(Model):
    """A sentence's log-odds of the second class are the sum of its words' weights; words without one count nothing.

    Parameters
    ----------
    weights : word -> log-odds.
    """

    kind: ClassVar[ModelKind] = "text"
    feature_dims: ClassVar[tuple[str, ...]] = ("word",)
    score: ClassVar[str] = "logit"

    def __init__(self, weights: Mapping[str, float], class_names: tuple[str, str] = ("negative", "positive")) -> None:
        super().__init__("lexicon")
        self.class_names = class_names
        self._output_count = 2
        self.vocabulary = Vocabulary(weights, least=1)
        self.weights = np.array([weights.get(word, 0.0) for word in self.vocabulary.words])

    def encode(self, inputs: Any) -> Array:
        """Sentences as codes (sentence, place)."""
        return self.vocabulary.encode(inputs)

    def output_name(self, index: int) -> str:
        """The class's name."""
        assert self.class_names is not None
        return self.class_names[index]

    def fingerprint(self) -> str:
        """A hash of words and weights."""
        return digest(self.kind, self.vocabulary.words, self.weights)

    def latent(self, inputs: Array) -> Floats:
        """The log-odds (sentence, 1)."""
        return np.asarray(self.weights[inputs.astype(int)].sum(axis=1, keepdims=True))

    def probabilities(self, inputs: Array, targets: Targets) -> Floats:
        """Probabilities of the targets (sentence,)."""
        positive = 1 / (1 + np.exp(-self.latent(inputs)[:, 0]))
        return np.where((targets if targets.ndim == 1 else targets[:, 0]) == 1, positive, 1 - positive)

    def _forward(self, inputs: Array) -> Floats:
        total = self.latent(inputs)
        return np.concatenate([np.zeros_like(total), total], axis=1)


@dataclass(frozen=True)
class PlantedSentences:
    """Made-up reviews, the lexicon that their labels were drawn from, and what could stand in each place."""

    model: LexiconModel
    development: LabelledTexts
    test: LabelledTexts
    choices: WordChoices


def lexicon_sentences(count: int = 2000, clauses: int = 2, choices: int = 20, seed: int = 0) -> PlantedSentences:
    """Sentences of `made_reviews` with the model whose answers are known for all of them."""
    whole = made_reviews(2 * count, clauses, seed)
    development, test, _ = in_parts(whole, (0.5, 0.5), seed)
    chain = WordChain([text.split() for text in development.texts])
    return PlantedSentences(LexiconModel(sentiments()), development, test, WordChoices(chain, count=choices))


@dataclass(frozen=True)
class FakeUsers:
    """Users whose chance of a right answer is known, for trying the analysis.

    Before explanations a user is right with probability `base` plus an effect of the user and one of the item; after
    them the change of the method is added, and the user's and the item's own deviation from it.

    Parameters
    ----------
    changes : method -> the mean change of accuracy.
    users, items : per method, and in the test that all of them take.
    user_spread, item_spread : standard deviations of the base. user_change, item_change : of the change.
    """

    changes: Mapping[str, float]
    users: int = 5
    items: int = 32
    base: float = 0.6
    user_spread: float = 0.05
    item_spread: float = 0.1
    user_change: float = 0.0
    item_change: float = 0.0

    def study(self) -> SimulationStudy:
        """The study that the users take."""
        texts = dict.fromkeys(self.changes, "-")
        items = tuple(
            Item(f"item-{i:02d}", "Part 1 : red", CLASSES[i % 2], CLASSES[i // 2 % 2], "Part 1 : red --> green",
                 CLASSES[i // 4 % 2], texts)
            for i in range(self.items)
        )  # fmt: skip
        return SimulationStudy(CLASSES, tuple(self.changes), counterfactual=items, planted=True)

    def answers(self, seed: int = 0) -> list[Answer]:
        """Their answers, as those of simulated readers."""
        rng = generator(seed, "fake users")
        study = self.study()
        truth = list(study.truth("counterfactual").values())
        of_items = rng.normal(0, self.item_spread, self.items)
        item_changes = rng.normal(0, self.item_change, self.items)
        found = []
        for method, change in self.changes.items():
            for user in range(self.users):
                before = self.base + rng.normal(0, self.user_spread) + of_items
                after = before + change + rng.normal(0, self.user_change) + item_changes
                for phase, chance in (("pre", before), ("post", after)):
                    right = rng.random(self.items) < np.clip(chance, 0, 1)
                    for i, hit in enumerate(right):
                        other = CLASSES[1 - CLASSES.index(truth[i])]
                        found.append(
                            Answer(f"{method}-{user}", SIMULATED, method, "counterfactual", phase, f"item-{i:02d}",
                                   truth[i] if hit else other, reader=FAKE)
                        )  # fmt: skip
        return found
