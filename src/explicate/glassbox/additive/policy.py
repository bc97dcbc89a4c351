"""An additive policy, learned by the cross-entropy method: imitate the best episodes so far, act, and choose again.

Source: Rubinstein (1999), "The Cross-Entropy Method for Combinatorial and Continuous Optimization"; as imitation of
elite episodes in Lapan (2018), "Deep Reinforcement Learning Hands-On", chapter 4.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import clone

from explicate.core.capabilities import Array, Floats
from explicate.errors import InputError, MissingDependencyError
from explicate.runtime.seeds import derive_seed, generator


def cross_entropy_policy(
    environment: str,
    model: Any,
    *,
    iterations: int = 25,
    episodes: int = 24,
    elite: int = 8,
    enough: float = np.inf,
    seed: int = 0,
) -> Any:
    """A classifier fitted to the actions of the best episodes.

    Parameters
    ----------
    environment : a gymnasium environment of numbers as states and a few actions. model : an unfitted classifier.
    iterations : rounds of acting and fitting. episodes : in each round; actions are drawn from the model's
        probabilities, in the first round at random. elite : best episodes of all rounds that the model is fitted to.
    enough : mean return of a round at which it ends.

    Raises
    ------
    InputError : fewer episodes than `elite`. MissingDependencyError : gymnasium is not installed.
    """
    if not 0 < elite <= episodes:
        raise InputError(f"elite is {elite}; give 1 to {episodes}, the number of episodes")
    pool: list[tuple[float, Array, Array]] = []
    fitted = None
    for iteration in range(iterations):
        rng = generator(seed, "actions", iteration)
        found = _played(environment, fitted, episodes, derive_seed(seed, "start", iteration), rng)
        pool = sorted([*found, *pool], key=lambda episode: -episode[0])[:elite]
        states, actions = (np.concatenate([episode[part] for episode in pool]) for part in (1, 2))
        if len(np.unique(actions)) > 1:
            fitted = clone(model).fit(states, actions)
        if np.mean([episode[0] for episode in found]) >= enough:
            break
    if fitted is None:
        raise InputError(f"the best episodes of {environment} have one action only; give more episodes")
    return fitted


def returns(environment: str, model: Any, episodes: int = 20, seed: int = 0) -> Floats:
    """(episode,) returns of the policy that takes the likeliest action; None acts at random."""
    rng = generator(seed, "test actions")
    return np.array([each[0] for each in _played(environment, model, episodes, derive_seed(seed, "test"), rng, False)])


def _played(
    environment: str, model: Any, episodes: int, seed: int, rng: np.random.Generator, drawn: bool = True
) -> list[tuple[float, Array, Array]]:
    """Return, states (step, variable) and actions (step,) of each episode; all are played side by side."""
    try:
        import gymnasium
    except ImportError as error:
        message = "environments need gymnasium; run: pip install 'explicate[environments]'"
        raise MissingDependencyError(message) from error
    worlds = [gymnasium.make(environment) for _ in range(episodes)]
    states = np.array([world.reset(seed=(seed + n) % 2**31)[0] for n, world in enumerate(worlds)], dtype=float)
    count = int(worlds[0].action_space.n)  # type: ignore[attr-defined]
    seen: list[list[Array]] = [[] for _ in worlds]
    done: list[list[int]] = [[] for _ in worlds]
    total, going = np.zeros(episodes), np.arange(episodes)
    while len(going):
        actions = _actions(model, states[going], count, rng, drawn)
        still = []
        for place, action in zip(going, actions, strict=True):
            seen[place].append(states[place].copy())
            done[place].append(int(action))
            states[place], reward, ended, cut, _ = worlds[place].step(int(action))
            total[place] += float(reward)
            if not (ended or cut):
                still.append(place)
        going = np.array(still, dtype=int)
    for world in worlds:
        world.close()
    return [(float(r), np.array(s), np.array(a)) for r, s, a in zip(total, seen, done, strict=True)]


def _actions(model: Any, states: Array, count: int, rng: np.random.Generator, drawn: bool) -> Array:
    if model is None:
        return rng.integers(0, count, len(states))
    if not drawn:
        return np.asarray(model.predict(states))
    shares = model.predict_proba(states).cumsum(axis=1)
    drawn_places = (rng.random((len(states), 1)) > shares).sum(axis=1)
    return np.asarray(model.classes_[np.minimum(drawn_places, shares.shape[1] - 1)])
