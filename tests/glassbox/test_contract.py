import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.utils.estimator_checks import check_estimator

from explicate.core import registry
from explicate.errors import InputError
from explicate.glassbox import GlassBox, check_glass_box
from explicate.glassbox.decision_tree import DecisionTree
from explicate.glassbox.fold import FoldSEClassifier, FoldSEMulticlassClassifier
from explicate.glassbox.logistic import LogisticRegression


def world(rows=300):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=rows), "b": rng.choice(["x", "y", None], rows)})
    return frame, np.select([frame["a"] > 0.5, frame["b"] == "x"], [1, 2], 0)


@pytest.mark.parametrize("name", registry.names("glassboxes"))
def test_every_glass_box_is_one(name):
    assert issubclass(registry.find(name, "glassboxes"), GlassBox)


@pytest.mark.parametrize("model", [DecisionTree(), LogisticRegression()], ids=repr)
def test_scikit_learn_accepts_the_models_that_everybody_knows(model):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(model, on_fail=None, on_skip=None)
    assert not {one["check_name"]: str(one["exception"]) for one in results if one["status"] == "failed"}


def test_a_glass_box_says_for_which_tables_it_is():
    assert FoldSEClassifier.for_table(1000, 2) is not None
    assert FoldSEClassifier.for_table(1000, 3) is None
    assert FoldSEClassifier.for_table(150, 2).tail == 5
    assert FoldSEMulticlassClassifier.for_table(1000, 3).default == "majority"
    assert DecisionTree.for_table(1000, 3) is not None


def test_size_is_what_there_is_to_read():
    frame, labels = world()
    model = FoldSEClassifier().fit(frame, labels > 0)
    folded = model.counts()["folded"]
    assert model.size() == {"rules": folded.rules, "literals": folded.literals}
    assert GlassBox.size(model) == {str(name): size for name, size in model.explain().data.sizes.items()}


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
