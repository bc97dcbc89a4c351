"""A study of sentences of two classes: models trained, batches drawn, all explained.

A sentence is a row whose columns are its words, see `explicate.models.sentence_choices`; so the methods are those for
rows, and readers see the same layouts with "Word 4" in the place of a feature's name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from explicate.attribution.anchors import Anchor
from explicate.attribution.lime_tabular import LIME
from explicate.core.kinds import Narrative
from explicate.counterfactuals.decision_boundary import DecisionBoundary, other_values, perturbed
from explicate.data.language.labelled_texts import LabelledTexts
from explicate.data.language.word_vectors import read_vectors
from explicate.errors import InputError
from explicate.evaluation.simulatability.batches import BatchSizes, Cases, Copies, batches_of
from explicate.evaluation.simulatability.explaining import (
    METHODS,
    NEEDS_PROTOTYPES,
    ExplanationSettings,
    ItemExplainer,
    accuracies,
    narrative,
    study_of,
)
from explicate.evaluation.simulatability.layout import Edit, sentence_text, word_name
from explicate.evaluation.simulatability.study import SimulationStudy
from explicate.glassbox.prototypes.nearest import NearestSentence
from explicate.models.sentence_choices import SentenceChoices, WordChoices
from explicate.models.tiny.categories import BOTTLENECK
from explicate.models.tiny.sentences import SentenceModel, SentenceRecipe, trained_sentences
from explicate.models.tiny.word_chain import WordChain

CLASSES = ("negative", "positive")
EDITS = 5  # most words of a sentence that are changed
COPIES = 200  # of a sentence, edited before another one takes its place
NARROWED = 8  # epochs of the network that prototypes start from, which itself starts from the task model
LEAST = 3  # a word that stands in for others occurs as often


def sentence_settings() -> ExplanationSettings:
    """The methods' parameters for sentences: fewer samples, for a sentence has more places than a row has columns."""
    return ExplanationSettings(
        lime=LIME(samples=1000, kept=5),
        anchor=Anchor(beam=2, draws=1000, most=6),
        boundary=DecisionBoundary(samples=1000, edits=EDITS, tries=10),
    )


@dataclass(frozen=True)
class SentenceExplainer:
    """Explains sentences by the methods of a study.

    Parameters
    ----------
    model : the task model. choices : what could stand in a word's place.
    prototypes, frozen : as in `ItemExplainer`.
    """

    model: Any
    choices: WordChoices
    prototypes: Any = None
    frozen: Any = None
    settings: ExplanationSettings = field(default_factory=sentence_settings)

    def texts(self, methods: Sequence[str], rows: Any, seed: int = 0) -> dict[str, Narrative]:
        """Method -> the explanations of the model's predictions of sentences, as people read them."""
        found: dict[str, list[Narrative]] = {method: [] for method in methods}
        for sentence in rows:
            task = SentenceChoices(self.model, str(sentence), self.choices, seed)
            prototypes, frozen = (
                None if one is None else PrototypeChoices(one, str(sentence), self.choices, seed)
                for one in (self.prototypes, self.frozen)
            )
            own = ItemExplainer(task, prototypes, frozen, self.settings)
            for method, told in own.texts(methods, task.row, seed).items():
                found[method].append(told)
        return {
            method: narrative(method, [str(one["text"].values[0]) for one in each], each[0].provenance)
            for method, each in found.items()
        }


class PrototypeChoices(SentenceChoices):
    """A prototype model, seen as one of the rows of one sentence; it explains by its own reasoning."""

    def explain(self, rows: Any) -> Any:
        """The prototypes, and how similar the sentences of rows are to each."""
        return self.inner.explain([self.sentence(row) for row in rows])


class SentenceCases(Cases):
    """Labelled sentences, before models of sentences."""

    def __init__(
        self, models: Sequence[Any], texts: LabelledTexts, choices: WordChoices, classes: Sequence[str] = CLASSES
    ) -> None:
        self.models, self.choices = models, choices
        self.inputs = np.array(texts.texts, dtype=object)
        self.classes, self.labels = classes, texts.labels
        self.answers = np.stack([one.predict(one.encode(texts.texts)).argmax(axis=1) for one in models])

    def context(self, place: int) -> str:
        """`Sentence : words`."""
        return sentence_text(self.inputs[place])

    def copies(self, place: int, most: int, rng: np.random.Generator) -> Copies:
        """With words exchanged for others that could stand in their places."""
        views = [SentenceChoices(one, self.inputs[place], self.choices) for one in self.models]
        row = views[0].row[0]
        if all(len(one.categories) == 1 for one in views[0].features):  # marks and numbers alone
            return Copies(np.zeros(0, dtype=int), np.zeros((len(views), 0), dtype=int), lambda number: [])
        drawn = perturbed(row, other_values(views[0]), COPIES, most, rng)
        answers = np.stack([one.predict(drawn).argmax(axis=1) for one in views])

        def edits(number: int) -> list[Edit]:
            features, codes = views[0].features, drawn[number].astype(int)
            return [
                Edit(word_name(int(j)), features[j].categories[0], features[j].categories[codes[j]])
                for j in np.flatnonzero(codes)
            ]

        return Copies((drawn != row).sum(axis=1), answers, edits)


@dataclass(frozen=True)
class SentenceModels:
    """The task model, the prototype models, and what could stand in a word's place.

    Attributes
    ----------
    accuracy : of the task model and the prototype models on the test sentences.
    """

    task: SentenceModel
    prototypes: NearestSentence | None
    frozen: NearestSentence | None
    choices: WordChoices
    accuracy: dict[str, float]

    def explainer(self, settings: ExplanationSettings | None = None) -> SentenceExplainer:
        """What explains the sentences of a study."""
        return SentenceExplainer(
            self.task, self.choices, self.prototypes, self.frozen, settings or sentence_settings()
        )  # fmt: skip


def train_sentence_models(
    parts: Sequence[LabelledTexts],
    methods: Sequence[str] = METHODS,
    *,
    recipe: SentenceRecipe | None = None,
    choices: int = 20,
    **prototypes: Any,
) -> SentenceModels:
    """The models that a study of sentences needs.

    Parameters
    ----------
    parts : training, development and test sentences. recipe : of the networks.
    choices : other words at each place.
    prototypes : parameters of `NearestSentence`; here only `trusted` sentences become prototypes.
    """
    if len(parts) != 3:
        raise InputError(f"{len(parts)} parts of sentences; give three: to train on, to choose by, to test")
    training, development, test = parts
    recipe = recipe or SentenceRecipe()
    task = trained_sentences(training, development, CLASSES, recipe)
    how = {"seed": recipe.seed, "trusted": True, **prototypes}
    own = frozen = None
    if any(method in NEEDS_PROTOTYPES for method in methods):
        start = trained_sentences(training, development, CLASSES, replace(recipe, epochs=NARROWED), BOTTLENECK, task)
        own = NearestSentence(**how).fit(start, training, development)
    if "composite" in methods:
        frozen = NearestSentence(**{**how, "frozen": True}).fit(task, training, development)
    chain = WordChain([text.split() for text in training.texts], LEAST)
    vectors = {} if recipe.vectors is None else read_vectors(recipe.vectors, chain.words)
    models = {"task": task, "prototypes": own, "frozen prototypes": frozen}
    accuracy = accuracies(models, task.encode(test.texts), test.labels)  # all of them have the task model's words
    return SentenceModels(task, own, frozen, WordChoices(chain, vectors, choices), accuracy)


def sentence_study(
    explainer: SentenceExplainer,
    development: LabelledTexts,
    test: LabelledTexts,
    methods: Sequence[str] = METHODS,
    *,
    sizes: BatchSizes | None = None,
    seed: int = 0,
    **texts: Any,
) -> SimulationStudy:
    """The study itself; see `make_study`."""
    agreeing = [explainer.model, *([] if explainer.prototypes is None else [explainer.prototypes])]
    drawn = [SentenceCases(agreeing, part, explainer.choices) for part in (development, test)]
    batches = batches_of(drawn[0], drawn[1], sizes or BatchSizes(edits=EDITS), seed)
    return study_of(batches, explainer, CLASSES, methods, seed, **{"thing": "sentence", **texts})
