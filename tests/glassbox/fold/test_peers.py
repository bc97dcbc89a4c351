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


def test_fold_r_plus_plus(tmp_path):
    peer = pytest.importorskip("foldrpp")
    training, held_out = table("breast-cancer").split(0.3, seed=0)
    columns = list(training.frame.columns)
    theirs = peer.Foldrpp(str_attrs=[], num_attrs=columns, label="label", pos_val="1")
    data = []
    for part in (training, held_out):
        part.frame.assign(label=part.labels).to_csv(tmp_path / "rows.csv", index=False)
        data.append(theirs.load_data(str(tmp_path / "rows.csv")))
    theirs.fit(data[0], ratio=0.5)
    predicted = np.array(theirs.predict(data[1]), dtype=bool)
    model = FoldSEClassifier(positive=1, **PARENT).fit(training.frame, training.labels)
    ours = model.predict(held_out.frame).astype(bool)
    assert np.mean(ours == predicted) > 0.9
    assert abs(np.mean(ours == held_out.labels) - np.mean(predicted == held_out.labels)) < 0.05
