"""The glass-box contract: what every model that is readable by design offers.

A glass box explains itself, as a whole and for one case, and its explanation is the model: `replay` computes the
predictions from the explanation alone and gives exactly what `predict` gives. Where the data is a table, a glass box is
a scikit-learn estimator too.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

import numpy as np

from explicate.core import registry
from explicate.core.capabilities import Array
from explicate.core.explanation import Explanation
from explicate.errors import InputError


class GlassBox(ABC):
    """Base of models that are readable by design. Register a subclass: `@register("name", "glassboxes")`.

    Its explanations must name it as `provenance.method`, so that `replay` finds it for an explanation from a file.

    Class attributes
    ----------------
    reads_cases : whether the explanation of the whole can be replayed on cases as they are. False where a trained
        encoder comes first: then it is replayed on the explanation of the cases, which has what the encoder found.
    """

    name: ClassVar[str] = ""
    reads_cases: ClassVar[bool] = True

    @abstractmethod
    def predict(self, X: Any) -> Any:
        """The predictions for some inputs."""

    @abstractmethod
    def explain(self, X: Any = None) -> Explanation:
        """The whole model (X is None), or the model and how it came to its prediction for each case of X.

        Returns `Rules`, `Attribution` or `Concepts`, or one of the kinds in `explicate.glassbox.kinds`.
        """

    @classmethod
    @abstractmethod
    def replay(cls, explanation: Any, X: Any = None) -> Array:
        """The predictions, computed from nothing but the explanation.

        Parameters
        ----------
        explanation : what `explain` gave, also after it was saved and loaded.
        X : the cases to predict; None takes those that the explanation is of.

        Raises
        ------
        InputError : the explanation is of no cases, and none are given.
        """

    @classmethod
    def for_table(cls, rows: int, classes: int) -> Self | None:
        """A model to fit to a table with so many rows and classes; None if such tables are nothing for it.

        Every glass box that gives one takes part in `explicate compare --glassbox`. By default those do that are
        scikit-learn classifiers, with their default parameters.
        """
        from sklearn.base import ClassifierMixin
        from sklearn.utils import get_tags

        if not issubclass(cls, ClassifierMixin):
            return None
        model = cls()
        several = get_tags(model).classifier_tags.multi_class
        return model if classes <= 2 or several else None

    def size(self) -> dict[str, int]:
        """How much there is to read in a fitted model, in its own units: by default what its explanation counts."""
        return {str(name): int(size) for name, size in self.explain().data.sizes.items()}


def replay(explanation: Explanation, X: Any = None, model: GlassBox | None = None) -> Array:
    """Predictions from the explanation of any glass box, without the model: see `GlassBox.replay`.

    Parameters
    ----------
    model : refuse the explanation where it is not of this model.
    """
    if model is not None:
        own, given = model.explain().provenance.model_fingerprint, explanation.provenance.model_fingerprint
        if own != given:
            raise InputError(f"the explanation is of another model ({given[:12]}) than the one given ({own[:12]})")
    box = registry.find(explanation.provenance.method, "glassboxes")
    return np.asarray(box.replay(explanation, X))


def check_glass_box(model: GlassBox, X: Any) -> None:
    """Raise `InputError` where a fitted model breaks the contract on the cases X.

    The explanation of the whole, and that of the cases, must give exactly the model's predictions, also after a trip
    through a file.
    """
    import tempfile
    from pathlib import Path

    expected = np.asarray(model.predict(X))
    with tempfile.TemporaryDirectory() as folder:
        of_cases = model.explain(X)
        read_from = X if model.reads_cases else of_cases
        for what, explanation, cases in [("whole", model.explain(), read_from), ("cases", of_cases, None)]:
            stored = Explanation.load(explanation.save(Path(folder) / f"{what}.nc"))
            for trip, read in [("", explanation), (", read back from a file,", stored)]:
                found = replay(read, cases)
                what_of = f"{type(model).__name__}: the explanation of the {what}{trip}"
                if found.shape != expected.shape:
                    raise InputError(f"{what_of} replays to shape {found.shape}, the predictions have {expected.shape}")
                for case, (one, other) in enumerate(zip(found.tolist(), expected.tolist(), strict=True)):
                    if one != other:
                        raise InputError(f"{what_of} replays case {case} to {one!r}, the prediction is {other!r}")
