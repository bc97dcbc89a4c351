"""Whole models as pictures and as HTML: what is drawn is what the arrays say."""

import numpy as np
import pandas as pd
import pytest

from explicate.errors import InputError
from explicate.glassbox.additive import NeuralAdditiveClassifier
from explicate.glassbox.equation import EquationRegressor
from explicate.glassbox.prototypes import PrototypePartsClassifier
from explicate.report.readable import ranked_terms, shape_curves, source_pictures


def additive():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"age": rng.uniform(20, 80, 80), "job": rng.choice(["<cook>", "pilot"], 80)})
    options = {"members": 2, "epochs": 20, "hidden": (8,), "batch": 32, "pairs": [("age", "job")]}
    return NeuralAdditiveClassifier(**options).fit(frame, frame["age"] > 50)


def test_a_curve_is_drawn_through_its_points():
    whole = additive().explain()
    assert ranked_terms(whole)[0] in ("age", "age × job")
    own = whole["point_term"].values == 0
    (line,) = [each for each in shape_curves(whole, "age").lines if len(each.get_xdata()) == own.sum()]
    assert line.get_xdata().tolist() == whole["point_number"].values[own].tolist()
    assert line.get_ydata().tolist() == whole["contribution_at"].values[own, 0].tolist()
    assert [text.get_text() for text in shape_curves(whole, "job").get_xticklabels()] == ["<cook>", "pilot"]
    assert len(shape_curves(whole, "age × job").images) == 1
    with pytest.raises(InputError, match="no term 'weight'; there are age, job, age × job"):
        shape_curves(whole, "weight")
    assert whole._repr_html_().count("<img") == 3


def test_a_formula_is_shown_with_its_steps():
    x = np.random.default_rng(0).uniform(-1, 1, (40, 2))
    model = EquationRegressor(each=1, products=1, restarts=1, penalties=(1e-3,), epochs=3).fit(x, x[:, 0])
    whole = model.explain()
    assert whole.text in whole.plot().texts[0].get_text().replace("\n", " ")
    assert "y = " in whole._repr_html_()


def test_prototypes_show_the_pictures_that_they_are():
    rng = np.random.default_rng(0)
    pictures, codes = rng.uniform(size=(20, 1, 8, 8)), np.arange(20) % 2
    model = PrototypePartsClassifier(prototypes=2, width=8, epochs=2, push_start=2).fit(pictures, codes)
    whole, cases = model.explain(), model.explain(pictures[:2])
    axes = source_pictures(whole)
    assert len(axes.patches) == 4
    top, bottom, left, right = whole["source_box"].values[0]
    assert (axes.patches[0].get_width(), axes.patches[0].get_height()) == (right - left, bottom - top)
    bars = [bar.get_width() for bar in cases.plot().patches]
    parts = cases.contributions()[0]
    assert sorted(bars) == pytest.approx(sorted(parts[:, parts.sum(axis=0).argmax()]))
    assert whole._repr_html_().count("<img") == 2
    assert cases._repr_html_().count("<img") == 3
