"""Every kind of explanation can be drawn, and the picture shows what is in it."""

import numpy as np
import pytest
import xarray as xr

from explicate.core.explanation import Explanation
from explicate.core.kinds import Concepts, Counterfactuals, Direction, Narrative
from explicate.core.provenance import Provenance
from explicate.errors import InputError

ABOUT = Provenance("planted", model="m")


def drawn(kind: type[Explanation], variables: dict, **coords) -> tuple[Explanation, object]:
    explanation = kind(xr.Dataset(variables).assign_coords(coords), ABOUT)
    return explanation, explanation.plot()


def test_concepts_show_the_strongest_first():
    values = np.array([[0.1, -2.0, 0.5], [0.2, -1.0, 0.4]])
    _, ax = drawn(Concepts, {"activation": (("sample", "concept"), values)}, concept=["red", "round", "small"])
    assert [label.get_text() for label in ax.get_xticklabels()] == ["round", "small", "red"]
    np.testing.assert_array_equal(ax.images[0].get_array(), values[:, [1, 2, 0]])


def test_counterfactuals_show_what_changes_and_nothing_else():
    variables = {
        "inputs": (("sample", "feature"), np.array([[30.0, 1000.0, 2.0]])),
        "counterfactual": (("sample", "candidate", "feature"), np.array([[[30.0, 1500.0, 2.0], [25.0, 1000.0, 1.0]]])),
        "score": (("sample", "candidate"), np.array([[0.7, 0.6]])),
    }
    explanation, ax = drawn(Counterfactuals, variables, feature=["age", "income", "loans"])
    assert [bar.get_width() for bar in ax.patches] == [500.0, -5.0, -1.0]
    assert ax.get_yticklabels()[0].get_text() == "candidate 0 (score 0.7): income 1000 → 1500"
    bare = Counterfactuals(explanation.data.drop_vars("inputs"), ABOUT).plot()
    assert [bar.get_width() for bar in bare.patches] == [0.7, 0.6]


def test_counterfactuals_of_another_width_are_refused():
    variables = {
        "inputs": (("sample", "other"), np.zeros((1, 2))),
        "counterfactual": (("sample", "candidate", "feature"), np.zeros((1, 1, 3))),
        "score": (("sample", "candidate"), np.zeros((1, 1))),
    }
    with pytest.raises(InputError, match=r"inputs of shape \(2,\) for counterfactuals of shape \(3,\)"):
        drawn(Counterfactuals, variables)


def test_a_direction_shows_its_largest_coordinates_and_several_their_lengths():
    _, ax = drawn(Direction, {"direction": (("width",), np.array([0.0, 3.0, -4.0]))})
    assert [bar.get_height() for bar in ax.patches] == [-4.0, 3.0, 0.0]
    assert "length 5" in ax.get_xlabel()
    _, ax = drawn(Direction, {"direction": (("layer", "width"), np.array([[3.0, 4.0], [0.0, 1.0]]))})
    assert [bar.get_height() for bar in ax.patches] == [5.0, 1.0]


def test_a_narrative_shows_its_words_as_they_are():
    _, ax = drawn(Narrative, {"text": (("sample",), np.array(["costs $5 because", "of rain"], dtype=object))})
    assert ax.texts[0].get_text() == "costs \\$5 because\n\nof rain"
