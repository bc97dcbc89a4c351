"""The catalogue: every glass box is filed, each perspective has a neural one that keeps the contract."""

import numpy as np
import pytest

from explicate.core import registry
from explicate.core.systems import system
from explicate.errors import InputError, UnknownNameError
from explicate.glassbox import check_glass_box
from explicate.glassbox.catalog import PERSPECTIVES, POST_HOC, catalog, recommend, record, records


def test_every_glass_box_is_filed_once_and_nothing_else():
    assert sorted(one.name for one in records()) == registry.names("glassboxes")
    table = catalog()
    assert table["name"].is_unique
    assert set(table["perspective"]) == set(PERSPECTIVES)
    for one in records():
        assert system(one.system).name == one.system
        assert one.perspective not in one.also


def fitted(name):
    """A small fitted model of each neural entry that is built here, and cases for it."""
    rng = np.random.default_rng(0)
    x, y = rng.uniform(-1, 1, (60, 3)), np.arange(60) % 2
    x[:, 0] += y
    kind = registry.find(name, "glassboxes")
    short = {"epochs": 3}
    if name == "concept-bottleneck":
        return kind(**short).fit(x, y, np.stack([y, 1 - y], axis=1)), x
    if name == "prototypes":
        return kind(prototypes=2, push_start=2, **short).fit(x, y), x
    if name == "prototype-parts":
        pictures = rng.uniform(size=(40, 1, 8, 8))
        return kind(prototypes=2, push_start=2, **short).fit(pictures, y[:40]), pictures
    if name == "equation-regressor":
        return kind(restarts=1, **short).fit(x, x[:, 0]), x
    return kind(members=2, **short).fit(x, y), x


@pytest.mark.parametrize(
    "name", [one.name for one in records() if one.neural and one.system == "self-interpretable-survey"]
)
def test_each_neural_entry_keeps_the_contract(name):
    check_glass_box(*fitted(name))


@pytest.mark.parametrize("perspective", list(PERSPECTIVES))
def test_each_perspective_has_a_neural_entry(perspective):
    assert any(one.neural and one.perspective == perspective for one in records())


def test_recommendations_are_ranked_with_reasons():
    found = recommend("tabular", "classification", ("categories", "no torch"))
    assert found[0].unmet == ()
    assert not found[0].record.neural
    assert [len(one.unmet) for one in found] == sorted(len(one.unmet) for one in found)
    bottleneck = next(one for one in found if one.record.name == "concept-bottleneck")
    assert bottleneck.unmet == ("categories", "no torch")
    assert "needs concept labels of the training cases" in bottleneck.reasons
    assert recommend("image")[0].record.name == "concept-centric-transformer"
    assert {one.record.name for one in recommend("tabular", "regression")} == {
        "neural-additive-regressor",
        "equation-regressor",
    }


def test_what_is_not_known_is_said():
    with pytest.raises(InputError, match="no modality 'video'; there are tabular, image, text, graph, RL, sequence"):
        recommend("video")
    with pytest.raises(InputError, match="no task 'ranking'"):
        recommend("tabular", "ranking")
    with pytest.raises(InputError, match="no need 'speed'"):
        recommend("tabular", needs=("speed",))
    with pytest.raises(InputError, match="'pace' is no glass box: it explains another model"):
        record("pace")
    with pytest.raises(UnknownNameError, match="no glass box named 'fold-sr'; did you mean 'fold-se'"):
        record("fold-sr")
    assert not set(POST_HOC) & {one.name for one in records()}
