import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from explicate.core.interventions import Ablate, Edit, Patch, Project, Scale, Steer, Together
from explicate.errors import InputError, SiteError

finite = st.floats(-100, 100)
activations = arrays(float, (3, 4, 5), elements=finite)
directions = arrays(float, 5, elements=finite).filter(lambda v: np.linalg.norm(v) > 1e-3)


@given(activations, directions, st.floats(-10, 10))
def test_setting_a_coordinate_sets_it_and_is_idempotent(activation, direction, coordinate):
    change = Project("L0.resid_pre", direction, coordinate)
    once = change.apply(activation)
    unit = direction / np.linalg.norm(direction)
    assert np.allclose(once @ unit, coordinate, atol=1e-8)
    assert np.allclose(change.apply(once), once, atol=1e-8)


@given(activations, directions)
def test_projection_leaves_the_rest_alone(activation, direction):
    moved = Project("L0.resid_pre", direction).apply(activation) - activation
    unit = direction / np.linalg.norm(direction)
    assert np.allclose(moved, (moved @ unit)[..., None] * unit, atol=1e-8)


def test_each_operation_does_what_its_name_says():
    activation = np.arange(6.0).reshape(2, 3)
    reference = np.array([[1.0, 2.0, 3.0], [3.0, 4.0, 5.0]])
    assert (Patch("embed", [7, 8, 9]).apply(activation) == [[7, 8, 9], [7, 8, 9]]).all()
    assert (Ablate("embed").apply(activation) == 0).all()
    assert (Ablate("embed", "mean", reference).apply(activation) == [2, 3, 4]).all()
    drawn = Ablate("embed", "resample", reference, seed=1).apply(activation)
    assert any((drawn == row).all() for row in reference)
    assert (Steer("embed", [1, 0, 0], 2.0).apply(activation) - activation == [2, 0, 0]).all()
    assert (Scale("embed", 3.0).apply(activation) == 3 * activation).all()
    assert (Edit("layer.weight", 1.0).apply(activation) == activation + 1).all()


def test_the_same_objects_work_on_tensors_and_let_gradients_through():
    torch = pytest.importorskip("torch")
    activation = torch.ones(2, 3, requires_grad=True)
    Steer("embed", [1.0, 2.0, 3.0], 2.0).apply(activation).sum().backward()
    assert (activation.grad == 1).all()
    patched = Patch("embed", np.array([1.0, 2.0, 3.0])).apply(torch.zeros(2, 3))
    assert patched.tolist() == [[1, 2, 3], [1, 2, 3]]


def test_sums_apply_in_order():
    both = Steer("embed", 1.0) + Scale("embed", 2.0) + Steer("embed", 3.0)
    assert isinstance(both, Together)
    assert [type(part).__name__ for part in both] == ["Steer", "Scale", "Steer"]


def test_bad_changes_are_refused():
    with pytest.raises(InputError, match="does not fit"):
        Patch("embed", np.zeros(4)).apply(np.zeros((2, 3)))
    with pytest.raises(InputError, match="not zero"):
        Project("embed", np.zeros(3))
    with pytest.raises(InputError, match="direction of width 3 does not fit an activation of width 4; is it from"):
        Project("embed", np.ones(3)).apply(np.ones((1, 2, 4)))
    with pytest.raises(InputError, match="reference"):
        Ablate("embed", "mean")
    with pytest.raises(InputError, match="unknown"):
        Ablate("embed", "median")  # type: ignore[arg-type]
    with pytest.raises(SiteError):
        Patch("resid_pre", 0.0)
