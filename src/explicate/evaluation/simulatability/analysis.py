"""What explanations change: accuracy after seeing them less accuracy before, with intervals that heed users and items.

All methods share the condition before explanations, so what is known of it is pooled: the accuracy before is each
method's intercept in a logistic model with a random intercept for methods. Users (within their method) and items (as
blocks: all answers to an item move together) are resampled.

Source: Hase and Bansal (2020), arXiv 2005.01831, section 6 and appendix.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.errors import InputError
from explicate.evaluation.simulatability.answers import Answer, answers_frame, readers_are_programs
from explicate.evaluation.simulatability.mixed_model import SINGULAR, method_accuracies
from explicate.evaluation.simulatability.ratings import RatingEffect, rating_effect
from explicate.evaluation.simulatability.study import SimulationStudy
from explicate.runtime.seeds import generator

if TYPE_CHECKING:
    import pandas as pd

POWER = 1.96 + 0.84  # standard errors: found at the 5 % level in 80 % of studies
ROUNDS_HELD = 512


@dataclass(frozen=True)
class Effect:
    """What the explanations of one method change in one test.

    Attributes
    ----------
    method, test : "all" tests together where the test is empty.
    users, answers : readers, and pairs of answers before and after that could be read.
    unread : pairs that could not, which count in neither.
    pre, post : accuracy before (shrunken towards the other methods') and after.
    change, low, high : post - pre, with its 95 % interval. p : two-sided, of the centred resamples.
    singular : resamples in which the methods' intercepts did not differ; they are left out.
    detectable : the smallest change that would be found with a chance of 80 %.
    simulated : whether the readers are programs.
    """

    method: str
    test: str
    users: int
    answers: int
    unread: int
    pre: float
    post: float
    change: float
    low: float
    high: float
    p: float
    singular: int
    rounds: int
    detectable: float
    simulated: bool


@dataclass(frozen=True)
class Sheet:
    """Pairs of right and wrong answers of one method: (user, item) before and after, NaN where there is none."""

    users: tuple[str, ...]
    before: Floats
    after: Floats
    unread: int

    @property
    def there(self) -> Array:
        """Which pairs are complete."""
        return np.isfinite(self.before) & np.isfinite(self.after)


def treatment_effect(
    answers: Sequence[Answer],
    study: SimulationStudy,
    *,
    test: str = "",
    rounds: int = 10_000,
    seed: int = 0,
    blocks: bool = True,
) -> list[Effect]:
    """The change by each method, in one test or in both together.

    Parameters
    ----------
    answers : of people, or of simulated readers; not of both together.
    test : "forward" or "counterfactual"; empty: all tests.
    rounds : of the bootstrap.
    blocks : False resamples answers one by one, as if no two had a user or an item in common. It is wrong, and here to
        show how wrong: its intervals are too narrow.

    Raises
    ------
    InputError : people and programs mixed, no complete pair of a method, or too few rounds.
    """
    simulated = readers_are_programs(answers)
    sheets, items = paired_sheets(answers, study, test)
    return [
        Effect(method, test, len(sheets[method].users), int(sheets[method].there.sum()), sheets[method].unread, *found,
               simulated=simulated)
        for method, found in effects_of_sheets(sheets, len(items), rounds, seed, blocks).items()
    ]  # fmt: skip


def effects_of_sheets(
    sheets: Mapping[str, Sheet], items: int, rounds: int = 10_000, seed: int = 0, blocks: bool = True
) -> dict[str, tuple[float, float, float, float, float, float, int, int, float]]:
    """Of each method: pre, post, change, low, high, p, singular resamples, rounds, detectable change."""
    if rounds < 100:
        raise InputError(f"{rounds} rounds; take 100 or more, 10,000 by default")
    names = list(sheets)
    empty = [name for name in names if not sheets[name].there.any()]
    if empty:
        raise InputError(f"no answer of the method {empty[0]!r} can be read both before and after; there is no change")
    counts = {name: _counts(sheets[name], np.ones((1, int(sheets[name].there.size)))) for name in names}
    right, total, after = (np.stack([counts[name][part] for name in names], axis=1) for part in range(3))
    point, _ = method_accuracies(right, total)
    change = after[0] / total[0] - point[0]
    drawn_changes, singular = [], 0
    for weights in _resamples(sheets, items, rounds, seed, blocks):
        parts = [_counts(sheets[name], weights[name]) for name in names]
        right, total, after = (np.stack([part[number] for part in parts], axis=1) for number in range(3))
        whole = (total > 0).all(axis=1)
        before, spread = method_accuracies(right[whole], total[whole])
        kept = spread > SINGULAR
        singular += int((~kept).sum())
        drawn_changes.append((after[whole] / total[whole] - before)[kept])
    drawn = np.concatenate(drawn_changes)
    if len(drawn) < 20:  # nothing tells the methods apart before explanations: then the pooled accuracy is all there is
        raise InputError(
            f"{singular} of {rounds} resamples have methods that do not differ before explanations; give more answers"
        )
    found = {}
    for place, name in enumerate(names):
        own = drawn[:, place]
        low, high = np.quantile(own, (0.025, 0.975))
        centred = np.abs(own - own.mean())
        p = float((centred >= abs(own.mean())).mean())
        post = float(after_of(sheets[name]))
        found[name] = (
            float(point[0, place]), post, float(change[place]), float(low), float(high), p, singular, rounds,
            float(POWER * own.std(ddof=1)),
        )  # fmt: skip
    return found


def after_of(sheet: Sheet) -> float:
    """Accuracy after explanations, of the complete pairs."""
    return float(sheet.after[sheet.there].mean())


def paired_sheets(
    answers: Sequence[Answer], study: SimulationStudy, test: str = ""
) -> tuple[dict[str, Sheet], list[str]]:
    """Answers as one sheet a method, and the items that are the columns of all of them."""
    frame = answers_frame(answers, study)
    frame = frame[frame["phase"].isin(["pre", "post"])]
    if test:
        study.test(test)
        frame = frame[frame["test"] == test]
    if frame.empty:
        raise InputError(f"there are no answers{f' to the {test} test' if test else ''}")
    items = sorted({f"{a}/{b}" for a, b in zip(frame["test"], frame["item"], strict=True)})
    place = {name: number for number, name in enumerate(items)}
    sheets = {}
    for method, own in frame.groupby("method", sort=False):
        users = list(dict.fromkeys(own["participant"]))
        number = {user: row for row, user in enumerate(users)}
        before, after = np.full((2, len(users), len(items)), np.nan)
        asked = np.zeros((len(users), len(items)), dtype=bool)
        for row in own.itertuples():
            where = number[row.participant], place[f"{row.test}/{row.item}"]
            (before if row.phase == "pre" else after)[where] = row.correct
            asked[where] = True
        sheet = Sheet(tuple(users), before, after, 0)
        sheets[str(method)] = Sheet(tuple(users), before, after, int((asked & ~sheet.there).sum()))
    order = [method for method in study.methods if method in sheets]
    return {method: sheets[method] for method in order}, items


def _counts(sheet: Sheet, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Right answers before, pairs, and right answers after: each (round,); weights are (round, user * item)."""
    there = sheet.there.ravel().astype(float)
    before, after = (np.where(sheet.there, values, 0.0).ravel() for values in (sheet.before, sheet.after))
    return weights @ before, weights @ there, weights @ after


def _resamples(
    sheets: Mapping[str, Sheet], items: int, rounds: int, seed: int, blocks: bool
) -> Iterator[dict[str, Floats]]:
    """How often each pair is drawn, by method: (round, user * item)."""
    rng = generator(seed, "blocks" if blocks else "pooled")
    for start in range(0, rounds, ROUNDS_HELD):
        count = min(ROUNDS_HELD, rounds - start)
        of_items = rng.multinomial(items, np.full(items, 1 / items), size=count).astype(float)
        drawn = {}
        for name, sheet in sheets.items():
            users = len(sheet.users)
            if blocks:
                of_users = rng.multinomial(users, np.full(users, 1 / users), size=count).astype(float)
                drawn[name] = (of_users[:, :, None] * of_items[:, None]).reshape(count, users * items)
            else:
                there = sheet.there.ravel()
                drawn[name] = np.zeros((count, users * items))
                share = np.full(int(there.sum()), 1 / there.sum())
                drawn[name][:, there] = rng.multinomial(int(there.sum()), share, size=count)
        yield drawn


def effects_frame(effects: Sequence[Effect]) -> pd.DataFrame:
    """One row a method and test, with who the readers were."""
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for one in effects:
        row = {"readers": "simulated" if one.simulated else "people", **vars(one)}
        del row["simulated"]
        rows.append(row)
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class Summary:
    """All that answers to a study say.

    Attributes
    ----------
    effects : by test and method, and of all tests together. ratings : what ratings tell, or none where there are none.
    simulated : whether the readers are programs.
    """

    effects: tuple[Effect, ...]
    ratings: tuple[RatingEffect, ...]
    simulated: bool

    @property
    def readers(self) -> str:
        """Who the readers were, in words."""
        return "SIMULATED readers: a bound on what the texts afford, not what people do" if self.simulated else "people"

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "readers": "simulated" if self.simulated else "people",
            "effects": [vars(one) for one in self.effects],
            "ratings": [vars(one) for one in self.ratings],
        }

    def lines(self) -> list[str]:
        """For people."""
        effects = [
            f"{one.test or 'all tests'}, {one.method}: {one.pre:.1%} before, {one.post:.1%} after, change "
            f"{one.change:+.1%} [{one.low:+.1%}, {one.high:+.1%}], p = {one.p:.3f} ({one.users} readers, "
            f"{one.answers} pairs, {one.unread} unread; a change under {one.detectable:.0%} would mostly go unseen)"
            for one in self.effects
        ]
        ratings = [
            f"ratings, {one.scale}: log-odds {one.slope:+.2f} [{one.low:+.2f}, {one.high:+.2f}] a point, "
            f"p = {one.p:.3f}; {one.low_rating:.0%} right at a low rating, {one.high_rating:.0%} at a high one"
            for one in self.ratings
        ]
        return [f"readers: {self.readers}", *effects, *ratings]


def summary(answers: Sequence[Answer], study: SimulationStudy, *, rounds: int = 10_000, seed: int = 0) -> Summary:
    """Effects in each test and in all together, and what ratings tell."""
    simulated = readers_are_programs(answers)
    tests = [test.name for test in study.tests]
    effects = [
        effect
        for test in [*tests, *([""] if len(tests) > 1 else [])]
        for effect in treatment_effect(answers, study, test=test, rounds=rounds, seed=seed)
    ]
    rated = any(one.rating is not None for one in answers)
    ratings = rating_effect(answers, study, rounds=min(rounds, 2000), seed=seed) if rated else []
    return Summary(tuple(effects), tuple(ratings), simulated)
