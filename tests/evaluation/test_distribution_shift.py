"""Divergence, entropy and mass against their definitions."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from explicate.evaluation.distribution_shift import divergence, entropy, mass


@given(seed=st.integers(0, 10_000), size=st.integers(2, 50))
@settings(max_examples=40, deadline=None)
def test_against_scipy(seed, size):
    rng = np.random.default_rng(seed)
    p, q = rng.dirichlet(np.full(size, 0.3), 2) + 1e-12
    p, q = p / p.sum(), q / q.sum()
    first, second = torch.tensor(p).log(), torch.tensor(q).log()
    np.testing.assert_allclose(divergence(first, second), stats.entropy(p, q), rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(entropy(first), stats.entropy(p, base=2), rtol=1e-8, atol=1e-12)
    assert float(divergence(first, first)) == 0.0


def test_certain_and_uniform_distributions():
    certain = torch.tensor([0.0, -torch.inf, -torch.inf, -torch.inf])
    uniform = torch.full((4,), 0.25).log()
    assert float(entropy(certain)) == 0.0
    assert float(entropy(uniform)) == 2.0
    np.testing.assert_allclose(float(divergence(certain, uniform)), np.log(4), rtol=1e-6)
    assert float(divergence(uniform, certain)) == np.inf


def test_mass_among_answers_adds_up_to_one():
    rows = torch.tensor([[0.1, 0.2, 0.3, 0.4], [0.7, 0.1, 0.1, 0.1]]).log()
    answers = torch.tensor([[0, 3], [0, 1]])
    np.testing.assert_allclose(mass(rows, answers), [[0.1, 0.4], [0.7, 0.1]], rtol=1e-6)
    np.testing.assert_allclose(mass(rows, answers, within=True), [[0.2, 0.8], [0.875, 0.125]], rtol=1e-6)
