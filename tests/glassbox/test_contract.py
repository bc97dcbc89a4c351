import numpy as np
import pandas as pd
import pytest

from explicate.core import registry
from explicate.errors import InputError
from explicate.glassbox import GlassBox, check_glass_box
from explicate.glassbox.fold import FoldSEClassifier, FoldSEMulticlassClassifier


def world(rows=300):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=rows), "b": rng.choice(["x", "y", None], rows)})
    return frame, np.select([frame["a"] > 0.5, frame["b"] == "x"], [1, 2], 0)


@pytest.mark.parametrize("name", registry.names("glassboxes"))
def test_every_glass_box_is_one(name):
    assert issubclass(registry.find(name, "glassboxes"), GlassBox)


@pytest.mark.parametrize("undecided", [None, "majority"])
def test_fold_keeps_the_contract(undecided):
    frame, labels = world()
    check_glass_box(FoldSEMulticlassClassifier(default=undecided, tail=120).fit(frame, labels), frame)
    check_glass_box(FoldSEClassifier().fit(frame, labels > 0), frame)
    assert None in FoldSEMulticlassClassifier(tail=120).fit(frame, labels).predict(frame)


def test_a_box_that_says_something_else_than_it_does_is_caught():
    frame, labels = world()

    class Liar(FoldSEClassifier):
        def predict(self, X):
            found = super().predict(X)
            found[7] = not found[7]
            return found

    Liar.name = "fold-se"
    with pytest.raises(InputError, match="Liar: the explanation of the whole replays case 7"):
        check_glass_box(Liar().fit(frame, labels > 0), frame)
