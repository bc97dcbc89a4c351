"""Concept bottlenecks: the label depends on the concepts alone, and a person can set them."""

import numpy as np
import pandas as pd
import pytest

from explicate.errors import InputError, UnknownNameError
from explicate.glassbox import check_glass_box, replay
from explicate.glassbox.bottleneck import MODES, ConceptBottleneckClassifier


def world(rows=300, seed=0, noise=0.0):
    """Two concepts, the signs of two hidden numbers that the features mix; the label says which of four there are."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(rows, 2))
    truth = pd.DataFrame({"wings": hidden[:, 0] > 0, "beak": hidden[:, 1] > 0}).astype(int)
    features = np.concatenate([hidden @ rng.normal(size=(2, 4)), rng.normal(size=(rows, 2))], axis=1)
    return (
        features + rng.normal(0, noise, features.shape),
        truth["wings"].to_numpy() * 2 + truth["beak"].to_numpy(),
        truth,
    )


@pytest.mark.parametrize("mode", MODES)
def test_the_prediction_is_a_sum_over_concepts_and_truth_mends_it(mode):
    x, y, truth = world(noise=1.0)
    model = ConceptBottleneckClassifier(mode, hidden=(16,), epochs=25).fit(x[:200], y[:200], truth[:200])
    check_glass_box(model, x)
    test, labels, known = x[200:], y[200:], truth[200:]
    before = model.score(test, labels)
    found = model.intervene(test, {name: known[name].to_numpy() for name in known})
    after = float((replay(found) == labels).mean())
    assert after > before
    assert after >= (0.98 if mode == "independent" else before + 0.05)
    untouched = model.intervene(test, {})
    assert replay(untouched).tolist() == model.predict(test).tolist()


def test_concepts_are_learned_and_named():
    x, y, truth = world()
    model = ConceptBottleneckClassifier("independent", hidden=(16,), epochs=25).fit(x, y, truth)
    assert model.concepts_ == ["wings", "beak"]
    assert ((model.concepts(x) > 0.5) == truth.to_numpy()).mean() > 0.9
    whole = model.explain()
    assert whole["activation"].sel(concept="wings").values.round().tolist() == [0, 0, 1, 1]
    with pytest.raises(InputError, match="of the whole model, not of cases"):
        replay(whole)
    with pytest.raises(InputError, match="give explain"):
        replay(whole, x)


def test_bad_input_is_refused():
    x, y, truth = world(60)
    model = ConceptBottleneckClassifier(epochs=1)
    with pytest.raises(InputError, match=r"needs the concepts' labels.*concept-centric-transformers"):
        model.fit(x, y)
    with pytest.raises(InputError, match=r"concept 'beak', case 4: 0\.5 is neither 0 nor 1"):
        model.fit(x, y, truth.astype(float).assign(beak=np.where(np.arange(60) == 4, 0.5, truth["beak"])))
    with pytest.raises(InputError, match=r"concepts of shape \(10, 2\) for 60 cases"):
        model.fit(x, y, truth[:10])
    with pytest.raises(InputError, match="mode is 'both'"):
        ConceptBottleneckClassifier("both").fit(x, y, truth)
    model.fit(x, y, truth)
    with pytest.raises(UnknownNameError, match="no concept named 'wing'; did you mean 'wings'"):
        model.intervene(x, {"wing": 1})
    with pytest.raises(InputError, match="cases of shape"):
        model.predict(x[:, :3])
