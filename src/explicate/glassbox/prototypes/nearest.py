"""Prediction by the nearest prototype: a case has the class of the training case that it is most similar to.

Source: Hase and Bansal (2020), arXiv 2005.01831, section 4 and appendix, after Chen et al. (2019), arXiv 1806.10574.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.core.registry import register
from explicate.glassbox.kinds import Prototypes, texts
from explicate.glassbox.prototypes.nearest_training import NearestPrototypes
from explicate.models.base import Model
from explicate.models.table_model import TableModel
from explicate.models.tiny.categories import latents
from explicate.models.tiny.sentences import sentence_latents, weights_of
from explicate.runtime.fingerprint import digest

if TYPE_CHECKING:
    from explicate.core.capabilities import ModelKind
    from explicate.data.language.labelled_texts import LabelledTexts
    from explicate.data.table import Table
    from explicate.models.tiny.categories import CategoryModel
    from explicate.models.tiny.sentences import SentenceModel


@register("nearest-prototype", "glassboxes")
class NearestPrototype(NearestPrototypes, TableModel):
    """The score of a class is the largest similarity exp(-distance^2) to one of its prototypes, which are training
    rows.

    The similarity is taken in the space before the last layer of a task model, which is trained on with the prototypes
    or left as it is (`frozen`). After `warm_epochs`, whenever the accuracy on development rows is above that of the
    best model so far, each prototype becomes the nearest training row of its class, no row twice, nearest pairs first.
    The best of the models after such a push is kept.

    It is no scikit-learn estimator: it starts from a trained network and learns from tables of categories.

    Parameters
    ----------
    prototypes : of each class (the source: 20 for tables, 40 for sentences).
    epochs, warm_epochs : of training, and before the first push (80 for tables, 20 for sentences).
    separation : weight of the mean squared distance, at most 4, to the nearest prototype of another class.
    learning_rate, momentum, weight_decay, batch : of stochastic gradient descent.
    frozen : leave the extractor as it is, and learn the prototypes alone.
    trusted : prototypes begin among, and become, only rows that the network it starts from puts into their class.
        Without it (the source), rows with a wrong label attract prototypes, which draw whole regions to their class.
    seed : of first prototypes and order of rows.
    """

    def __init__(
        self,
        prototypes: int = 20,
        epochs: int = 300,
        warm_epochs: int = 80,
        separation: float = 0.1,
        learning_rate: float = 1e-3,
        momentum: float = 0.9,
        weight_decay: float = 1e-4,
        batch: int = 1000,
        frozen: bool = False,
        trusted: bool = False,
        seed: int = 0,
    ) -> None:
        TableModel.__init__(self, "nearest-prototype")
        self._set_parameters(locals())

    def fit(self, start: CategoryModel, training: Table, development: Table) -> Self:
        """Train prototypes, and the extractor too unless it is frozen.

        Parameters
        ----------
        start : a trained task model, see `explicate.models.tiny.categories`; it is not changed.
        training : rows that prototypes are taken from. development : rows that decide when to push.

        Raises
        ------
        InputError : a parameter out of its range; a class with fewer rows than prototypes; no push in all epochs.
        """
        self._set_table(training.frame, training.features, (), training.class_names)
        self._learn(start.module, training.values(), training.labels, development.values(), development.labels)
        return self

    # -- predictions -----------------------------------------------------------------------------------------------

    def predict(self, X: Any) -> Any:
        """Scores (row, class) of rows, encoded or not: the largest similarity to a prototype of each class, 0 to 1."""
        return TableModel.predict(self, X if isinstance(X, np.ndarray) else self.encode(X))

    def fingerprint(self) -> str:
        """A hash of weights and prototypes."""
        return digest(self.name, weights_of(self.module_), self.places_)

    def latent(self, inputs: Array) -> Floats:
        """The space in which rows are compared (row, width)."""
        return latents(self.module_, inputs)

    # -- the contract of glass boxes -------------------------------------------------------------------------------

    def explain(self, X: Any = None) -> Prototypes:
        """The prototypes (X is None), or also how similar each row of X is to each of them."""
        start = time.perf_counter()
        data = self._of_prototypes().assign(
            source_input=(("prototype", "feature"), self.rows_),
            source_text=(("prototype", "feature"), self.feature_labels(self.rows_)["input_text"][1]),
        )
        data = data.assign_coords(feature=texts(self.feature_names)).assign_attrs(input_kind="table")
        rows = None
        if X is not None:
            rows = self.encode(X)
            data = data.assign(
                inputs=(("sample", "feature"), rows),
                input_text=self.feature_labels(rows)["input_text"],
                **self._of_cases(rows),
            )
        return Prototypes(data, self._origin(self.fingerprint(), rows, time.perf_counter() - start))


class NearestSentence(NearestPrototypes, Model):
    """The same for sentences: prototypes are training sentences, and the space is that of a sentence network.

    Its parameters are those of `NearestPrototype`, with the source's numbers for sentences.
    """

    kind: ClassVar[ModelKind] = "text"
    feature_dims: ClassVar[tuple[str, ...]] = ("word",)

    def __init__(
        self,
        prototypes: int = 40,
        epochs: int = 60,
        warm_epochs: int = 20,
        separation: float = 0.1,
        learning_rate: float = 1e-3,
        momentum: float = 0.9,
        weight_decay: float = 1e-4,
        batch: int = 1000,
        frozen: bool = False,
        trusted: bool = False,
        seed: int = 0,
    ) -> None:
        Model.__init__(self, "nearest-prototype")
        self._set_parameters(locals())

    def fit(self, start: SentenceModel, training: LabelledTexts, development: LabelledTexts) -> Self:
        """Train prototypes, and the extractor too unless it is frozen; see `NearestPrototype.fit`.

        Parameters
        ----------
        start : a trained model, see `explicate.models.tiny.sentences`; it is not changed.
        """
        self.vocabulary = start.vocabulary
        self.class_names = start.class_names
        self.sentences_ = training.texts
        self._output_count = start.output_count
        self._learn(
            start.module, self.encode(training.texts), training.labels, self.encode(development.texts),
            development.labels,
        )  # fmt: skip
        return self

    def encode(self, inputs: Any) -> Array:
        """Sentences as codes (sentence, place); codes stay as they are."""
        return inputs if isinstance(inputs, np.ndarray) else self.vocabulary.encode(inputs)

    def predict(self, X: Any) -> Any:
        """Scores (sentence, class) of sentences, as texts or codes, 0 to 1."""
        return Model.predict(self, self.encode(X))

    def output_name(self, index: int) -> str:
        """The class's name."""
        assert self.class_names is not None
        return self.class_names[index]

    def fingerprint(self) -> str:
        """A hash of weights, words and prototypes."""
        return digest(self.name, weights_of(self.module_), self.vocabulary.words, self.places_)

    def latent(self, inputs: Array) -> Floats:
        """The space in which sentences are compared (sentence, width)."""
        return sentence_latents(self.module_, inputs)

    def explain(self, X: Any = None) -> Prototypes:
        """The prototypes (X is None), or also how similar each sentence of X is to each of them."""
        start = time.perf_counter()
        data = self._of_prototypes().assign(
            source_text=("prototype", texts([self.sentences_[int(place)] for place in np.asarray(self.source_)]))
        )
        codes = None
        if X is not None:
            codes = self.encode(X)
            data = data.assign(inputs=(("sample", "word"), codes), **self._of_cases(codes))
        return Prototypes(data, self._origin(self.fingerprint(), codes, time.perf_counter() - start))
