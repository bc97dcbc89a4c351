"""Whether readers who find an explanation good also predict better with it.

Source: Hase and Bansal (2020), arXiv 2005.01831, section 6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from explicate.core.capabilities import Floats
from explicate.errors import InputError
from explicate.evaluation.simulatability.answers import Answer, answers_frame, readers_are_programs
from explicate.evaluation.simulatability.study import SimulationStudy
from explicate.runtime.seeds import generator

if TYPE_CHECKING:
    import pandas as pd

STEPS = 40  # of a fit at most
ROUNDS_HELD = 512


@dataclass(frozen=True)
class RatingEffect:
    """Whether readers who rate an explanation higher predict better with it.

    Attributes
    ----------
    scale : "raw", or "by user": less the user's mean, in the user's standard deviations.
    slope : log-odds of a right answer for one more point (or standard deviation), with its 95 % interval and p.
    low_rating, high_rating : accuracy that the fit gives at the ratings 2 and 6, or one deviation below and above.
    ratings : how many answers have one.
    """

    scale: str
    slope: float
    low: float
    high: float
    p: float
    low_rating: float
    high_rating: float
    ratings: int


def rating_effect(
    answers: Sequence[Answer], study: SimulationStudy, *, rounds: int = 2000, seed: int = 0
) -> list[RatingEffect]:
    """Logistic regression of right answers after explanations on the rating, raw and by user, users and items
    resampled.

    Ratings are those of the same page; where a test has none (forward), the reader's mean of the learning cases.

    Raises
    ------
    InputError : fewer than 10 rated answers, or ratings that are all alike.
    """
    readers_are_programs(answers)
    frame = _rated(answers, study)
    if len(frame) < 10 or frame["rating"].nunique() < 2:
        raise InputError(f"{len(frame)} rated answers with {frame['rating'].nunique()} different ratings; there is "
                         "nothing to relate")  # fmt: skip
    own = frame.groupby("participant")["rating"]
    spread = own.transform("std").fillna(0.0)
    by_user = ((frame["rating"] - own.transform("mean")) / spread.where(spread > 0, 1.0)).to_numpy()
    return [
        _slope(frame, frame["rating"].to_numpy(dtype=float), "raw", (2.0, 6.0), rounds, seed),
        _slope(frame, by_user, "by user", (-1.0, 1.0), rounds, seed),
    ]


def _rated(answers: Sequence[Answer], study: SimulationStudy) -> pd.DataFrame:
    frame = answers_frame(answers, study)
    learned = frame[(frame["phase"] == "explain") & frame["rating"].notna()].groupby("participant")["rating"].mean()
    post = frame[(frame["phase"] == "post") & frame["correct"].notna()].copy()
    post["rating"] = post["rating"].fillna(post["participant"].map(learned)).astype(float)
    return post[post["rating"].notna()].reset_index(drop=True)


def _slope(
    frame: pd.DataFrame, x: Floats, scale: str, ends: tuple[float, float], rounds: int, seed: int
) -> RatingEffect:
    y = frame["correct"].to_numpy(dtype=float)
    point = _logistic(x, y, np.ones((1, len(x))))[0]
    users, items = frame["participant"].astype("category"), frame["item"].astype("category")
    rng = generator(seed, "ratings", scale)
    found = []
    methods = frame.groupby("participant")["method"].first()
    for start in range(0, rounds, ROUNDS_HELD):
        count = min(ROUNDS_HELD, rounds - start)
        of_users = np.zeros((count, len(users.cat.categories)))
        for method in methods.unique():  # users are resampled within their method
            own = np.flatnonzero([methods[name] == method for name in users.cat.categories])
            of_users[:, own] = rng.multinomial(len(own), np.full(len(own), 1 / len(own)), size=count)
        size = len(items.cat.categories)
        of_items = rng.multinomial(size, np.full(size, 1 / size), size=count)
        found.append(_logistic(x, y, of_users[:, users.cat.codes] * of_items[:, items.cat.codes]))
    drawn = np.concatenate(found)[:, 1]
    low, high = np.quantile(drawn, (0.025, 0.975))
    p = float((np.abs(drawn - drawn.mean()) >= abs(drawn.mean())).mean())
    first, last = (float(1 / (1 + np.exp(-(point[0] + point[1] * end)))) for end in ends)
    return RatingEffect(scale, float(point[1]), float(low), float(high), p, first, last, len(x))


def _logistic(x: Floats, y: Floats, weights: Floats) -> Floats:
    """Intercept and slope (fit, 2) of weighted logistic regressions, by Newton's method with a trace of a ridge."""
    design = np.stack([np.ones(len(x)), x], axis=1)
    found = np.zeros((len(weights), 2))
    outer = design[:, :, None] * design[:, None]
    for _ in range(STEPS):
        chance = 1 / (1 + np.exp(-np.clip(found @ design.T, -30, 30)))
        slope = (weights * (y - chance)) @ design - 1e-6 * found
        bend = np.einsum("fn,nij->fij", weights * chance * (1 - chance), outer) + 1e-6 * np.eye(2)
        step = np.linalg.solve(bend, slope[:, :, None])[:, :, 0]
        found += np.clip(step, -2.0, 2.0)
        if np.abs(step).max() < 1e-8:
            break
    return found
