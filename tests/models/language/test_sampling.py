"""Drawing a token: by its probability, the same with and without a sort of the whole vocabulary."""

import numpy as np
import pytest

from explicate.models.language.sampling import draw


def sorted_draw(shares, rng):
    """numpy's own draw among all, likeliest first."""
    order = np.argsort(-shares, kind="stable")
    return int(rng.choice(order, p=shares[order] / shares[order].sum()))


@pytest.mark.parametrize("spread", [0.0, 0.5, 3.0, 12.0])
def test_a_draw_among_all_is_that_of_a_sorted_vocabulary(spread):
    rng = np.random.default_rng(0)
    for size in (3, 64, 65, 5000):
        powers = np.exp(spread * rng.normal(size=size))
        shares = powers / powers.sum()
        for seed in range(40):
            expected = sorted_draw(shares, np.random.default_rng(seed))
            assert draw(shares, np.random.default_rng(seed), 0, 1.0) == expected


def test_shares_that_tie_are_drawn_equally():
    shares = np.full(200, 1 / 200)
    rng = np.random.default_rng(0)
    counts = np.bincount([draw(shares, rng, 0, 1.0) for _ in range(20_000)], minlength=200)
    assert counts.min() > 50
    assert counts.max() < 150


def test_few_are_drawn_among_when_asked():
    shares = np.array([0.1, 0.5, 0.3, 0.1])
    rng = np.random.default_rng(0)
    assert {draw(shares, rng, 2, 1.0) for _ in range(200)} == {1, 2}
    assert {draw(shares, rng, 0, 0.7) for _ in range(200)} == {1, 2}
