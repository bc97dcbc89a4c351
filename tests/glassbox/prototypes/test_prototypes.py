"""Prototype networks: prototypes are training cases, similarities add up to the prediction."""

import warnings

import numpy as np
import pytest
from sklearn.utils.estimator_checks import check_estimator

from explicate.core.explanation import Explanation
from explicate.errors import InputError
from explicate.glassbox import check_glass_box, replay
from explicate.glassbox.prototypes import PrototypeClassifier, PrototypePartsClassifier
from explicate.glassbox.prototypes.boxes import boxes
from explicate.glassbox.prototypes.network import similarity

QUICK = {"prototypes": 2, "width": 8, "epochs": 6, "warm_epochs": 1, "push_start": 3, "push_every": 3, "last_steps": 5}


def clouds(rows=90, seed=0):
    rng = np.random.default_rng(seed)
    codes = np.arange(rows) % 3
    centres = np.array([[0, 0, 3], [3, 0, 0], [0, 3, 0]])
    return centres[codes] + rng.normal(0, 0.4, (rows, 3)), np.array(["a", "b", "c"])[codes]


def spots(rows=60, seed=0):
    """Pictures with a bright spot in the upper left (class 0) or in the lower right (class 1) quarter."""
    rng = np.random.default_rng(seed)
    pictures, codes = rng.uniform(0, 0.2, (rows, 1, 8, 8)), np.arange(rows) % 2
    for picture, code in zip(pictures, codes, strict=True):
        picture[0, 1 + 4 * code : 3 + 4 * code, 1 + 4 * code : 3 + 4 * code] = 1.0
    return pictures, codes


def test_prototypes_are_training_cases_of_their_class():
    x, y = clouds()
    model = PrototypeClassifier(**QUICK, learning_rate=1e-2, batch=16).fit(x, y)
    found = model.explain(x)
    source = found["source"].values
    assert (y[source] == model.classes_[found["prototype_class"].values]).all()
    assert found["source_input"].values.tolist() == x[source].tolist()
    assert (found["distance"].values[source, np.arange(6)] == 0).all()
    assert model.score(x, y) > 0.9
    assert [push.epoch for push in model.pushes_] == [3, 6]
    check_glass_box(model, x)


def test_contributions_add_up_to_the_prediction(tmp_path):
    x, y = clouds()
    model = PrototypeClassifier(**QUICK).fit(x, y)
    found = model.explain(x)
    assert found.contributions().sum(axis=1).argmax(axis=1).tolist() == [
        model.classes_.tolist().index(label) for label in model.predict(x)
    ]
    stored = Explanation.load(model.explain().save(tmp_path / "whole.nc"))
    assert replay(stored, found, model=model).tolist() == model.predict(x).tolist()
    with pytest.raises(InputError, match="give explain"):
        replay(stored, x)
    with pytest.raises(InputError, match="of the whole model, not of cases"):
        replay(stored)


def test_a_part_is_where_the_difference_is():
    x, y = spots()
    model = PrototypePartsClassifier(**QUICK, learning_rate=1e-2, encoder_rate=1e-2, batch=16).fit(x, y)
    assert model.score(x, y) > 0.9
    found = model.explain(x[:4])
    check_glass_box(model, x)
    assert found["box"].shape == (4, 4, 4)
    top, bottom, left, right = np.moveaxis(found["box"].values, -1, 0)
    assert ((top >= 0) & (top < bottom) & (bottom <= 8) & (left >= 0) & (left < right) & (right <= 8)).all()


def test_boxes_surround_the_most_similar_place():
    maps = np.full((2, 16), 50.0, dtype=np.float32)
    maps[0, 0], maps[1, 15] = 0.0, 0.0  # similar in the upper left, and in the lower right, of 4 x 4 places
    first, second = boxes(maps, (32, 32))
    assert first[[0, 2]].tolist() == [0, 0]
    assert first[1] <= 12
    assert second[[1, 3]].tolist() == [32, 32]
    assert second[0] >= 20


def test_similarity_falls_with_distance():
    assert similarity(np.array([0.0])) == pytest.approx(np.log(1e4))
    assert (np.diff(similarity(np.linspace(0, 5, 50))) < 0).all()


def test_graphs_are_told_apart_by_their_shape():
    rng = np.random.default_rng(0)
    graphs = np.zeros((60, 8, 8))
    for number, graph in enumerate(graphs):
        order = rng.permutation(8)
        ends = [(0, other) for other in range(1, 8)] if number % 2 else [(n, (n + 1) % 8) for n in range(8)]
        for a, b in ends:
            graph[order[a], order[b]] = graph[order[b], order[a]] = 1
    model = PrototypeClassifier("graphs", **QUICK, encoder_rate=1e-2).fit(graphs, np.arange(60) % 2)
    assert model.score(graphs, np.arange(60) % 2) == 1.0
    check_glass_box(model, graphs)
    order = rng.permutation(8)
    turned = graphs[:, order][:, :, order]
    assert model.explain(turned)["similarity"].values == pytest.approx(
        model.explain(graphs)["similarity"].values, abs=1e-3
    )


def test_scikit_learn_accepts_it():
    options = {
        **QUICK,
        "prototypes": 1,
        "epochs": 8,
        "batch": 16,
        "push_start": 8,
        "learning_rate": 1e-2,
        "encoder_rate": 1e-2,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(PrototypeClassifier(**options), on_fail=None, on_skip=None)
    not_passed = {one["check_name"]: repr(one["exception"]) for one in results if one["status"] != "passed"}
    assert set(not_passed) <= {"check_array_api_input"}, not_passed  # skipped by scikit-learn itself


def test_bad_input_is_refused():
    x, y = clouds(30)
    with pytest.raises(InputError, match="class 'a' has 10 cases for 11 prototypes; give more cases or lower"):
        PrototypeClassifier(**{**QUICK, "prototypes": 11}).fit(x, y)
    unpushed = PrototypeClassifier(**{**QUICK, "push_start": 7}).fit(x, y)
    with pytest.raises(InputError, match="there was no push in 6 epochs, so the prototypes are no training cases yet"):
        unpushed.explain(x)
    with pytest.raises(InputError, match="pictures are"):
        PrototypePartsClassifier(**QUICK).fit(x, y)
    with pytest.raises(InputError, match="encoder is 'words'"):
        PrototypeClassifier("words").fit(x, y)
    pictures, codes = spots(20)
    pictures[3, 0, 0, 0] = np.nan
    with pytest.raises(InputError, match="case 3 holds NaN"):
        PrototypePartsClassifier(**QUICK).fit(pictures, codes)
