"""The parents FOLD-R++ and FOLD-RM, which FOLD-SE becomes with their criterion and comparison."""

import numpy as np
import pytest

from explicate.data import table
from explicate.glassbox.fold import FoldSEClassifier, FoldSEMulticlassClassifier

pytestmark = pytest.mark.peer
PARENT = {"criterion": "information_gain", "comparison": "strict", "tail": 0}


def rows_of(frame, labels):
    return [[*row, str(label)] for row, label in zip(frame.values.tolist(), labels, strict=True)]


@pytest.mark.parametrize("name", ["wine", "iris", "digits"])
def test_fold_rm(name):
    peer = pytest.importorskip("foldrm")
    training, held_out = table(name).split(0.3, seed=0)
    columns = list(training.frame.columns)
    theirs = peer.Classifier(attrs=columns, numeric=columns, label="label")
    theirs.fit(rows_of(training.frame, training.labels), ratio=0.5)
    predicted = np.array(theirs.predict(rows_of(held_out.frame, held_out.labels)))
    model = FoldSEMulticlassClassifier(**PARENT).fit(training.frame, training.labels.astype(str))
    ours = np.array([str(one) for one in model.predict(held_out.frame)])
    truth = held_out.labels.astype(str)
    assert np.mean(ours == predicted) > 0.8
    assert abs(np.mean(ours == truth) - np.mean(predicted == truth)) < 0.05


@pytest.mark.parametrize(("name", "least"), [("breast-cancer", 0.9), ("adult", 0.98)])
def test_fold_r_plus_plus(tmp_path, name, least):
    peer = pytest.importorskip("foldrpp")
    training, held_out = table(name).take(slice(3000)).split(0.3, seed=0)
    numeric = [feature.name for feature in training.features if feature.kind == "numeric"]
    words = [feature.name for feature in training.features if feature.kind == "categorical"]
    positive = int(np.argmax(np.bincount(training.labels)))
    theirs = peer.Foldrpp(str_attrs=words, num_attrs=numeric, label="label", pos_val=str(positive))
    data = []
    for part in (training, held_out):
        part.frame.assign(label=part.labels).to_csv(tmp_path / "rows.csv", index=False)
        data.append(theirs.load_data(str(tmp_path / "rows.csv")))
    theirs.fit(data[0], ratio=0.5)
    predicted = np.array(theirs.predict(data[1]), dtype=bool)
    model = FoldSEClassifier(positive=positive, **PARENT).fit(training.frame, training.labels)
    ours, truth = model.predict(held_out.frame) == positive, held_out.labels == positive
    assert np.mean(ours == predicted) > least
    assert abs(np.mean(ours == truth) - np.mean(predicted == truth)) < 0.05
