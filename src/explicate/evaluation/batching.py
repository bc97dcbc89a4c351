"""How metrics change inputs and ask the model about them: coalitions and noise, many samples in one batch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from explicate.attribution.defaults import default_missingness, default_partition
from explicate.attribution.games import CHUNK_BYTES, Game
from explicate.attribution.missingness.base import Missingness, background_of
from explicate.attribution.players import Each, Partition, Players
from explicate.core.capabilities import Array, Floats, Masks
from explicate.core.kinds import Attribution
from explicate.errors import InputError

Request = tuple[Array, Array]
"""Inputs (question, *feature) and the one target, of shape () or (2,), that they are scored for."""


def answers(model: Any, requests: Iterable[Request]) -> Iterator[Floats]:
    """The scores (question,) of each request; requests are evaluated together until they fill a chunk of memory."""
    waiting: list[Request] = []
    size = 0
    for request in requests:
        waiting.append(request)
        size += request[0].nbytes
        if size >= CHUNK_BYTES:
            yield from _answered(model, waiting)
            waiting, size = [], 0
    if waiting:
        yield from _answered(model, waiting)


def _answered(model: Any, requests: Sequence[Request]) -> list[Floats]:
    inputs = np.concatenate([request[0] for request in requests])
    targets = np.concatenate([np.broadcast_to(target, (len(asked), *np.shape(target))) for asked, target in requests])
    scores = np.asarray(model.scores(inputs, targets), dtype=float)
    return np.split(scores, np.cumsum([len(asked) for asked, _ in requests])[:-1])


def coalition_scores(games: Sequence[Game], masks: Sequence[Masks]) -> list[Floats]:
    """Scores (mask, draw) of the coalitions (mask, player) of each game; each costs `draws` evaluations."""
    model = games[0].model

    def requests() -> Iterator[Request]:
        for game, asked in zip(games, masks, strict=True):
            step = max(1, CHUNK_BYTES // max(1, game.sample.nbytes * game.draws))
            for start in range(0, len(asked), step):
                keep = game.players.keep(np.asarray(asked[start : start + step], dtype=bool), game.sample.shape)
                yield game.fill(keep), np.asarray(game.target)

    found = answers(model, requests())
    scores = []
    for game, asked in zip(games, masks, strict=True):
        parts: list[Floats] = []
        while sum(map(len, parts)) < len(asked) * game.draws:
            parts.append(next(found))
        scores.append(np.concatenate(parts).reshape(len(asked), game.draws))
    return scores


def players_of(
    explanation: Attribution, partition: Partition | None, model: Any = None, coarse: bool = False
) -> list[Players]:
    """The players of each sample.

    Parameters
    ----------
    partition : None takes columns, tokens and pixels; with `coarse`, pictures are cut into 7 x 7 rectangles.
    model : needed by partitions that ask it (words of a text).
    """
    about = model or SimpleNamespace(kind=kind_of(explanation), name=explanation.provenance.model)
    if partition is None:
        partition = default_partition(about) if coarse else Each()
    return [partition.players(about, sample) for sample in np.asarray(explanation["inputs"].values)]


def importances(explanation: Attribution, players: Sequence[Players]) -> list[Floats]:
    """The attribution of each player, (player,) per sample: the sum over its features."""
    values = np.asarray(explanation.values, dtype=float)
    inputs = np.asarray(explanation["inputs"].values)
    fits = values.shape == inputs.shape or (values.shape == (len(inputs), *inputs.shape[2:]) and inputs.ndim > 2)
    if not fits:
        raise InputError(
            f"the attribution has the dimensions {explanation.feature_dims} and the shape {values.shape}, the model's "
            f"inputs {inputs.shape}: metrics that change inputs need one value per feature, pixel or token"
        )
    return [owner.total(own) for owner, own in zip(players, values, strict=True)]


def games_of(
    explanation: Attribution,
    model: Any,
    players: Sequence[Players],
    missingness: Missingness | None,
    rngs: Sequence[np.random.Generator],
) -> list[Game]:
    """One game per sample."""
    absent = missingness_of(model, missingness)
    inputs, targets = np.asarray(explanation["inputs"].values), explanation.targets
    return [
        Game(model, inputs[i], targets[i], players[i], absent, rng=rngs[i])  # type: ignore[arg-type]
        for i in range(len(inputs))
    ]


def missingness_of(model: Any, missingness: Missingness | None) -> Missingness:
    """What absent means for a model, unless it is said."""
    return default_missingness(model) if missingness is None else missingness


def ranking(importance: Floats, rng: np.random.Generator) -> Array:
    """Players from the largest to the smallest; ties in random order, so that no method gains by their index."""
    return np.lexsort((rng.permutation(len(importance)), -importance))


def noisy(
    sample: Array, free: Masks, count: int, noise: float, flip: float, model: Any, rng: np.random.Generator
) -> Array:
    """Copies (count, *feature) of a sample with Gaussian noise on its free features.

    Parameters
    ----------
    free : (*feature), which features may change.
    noise : standard deviation, in standard deviations of the feature over the model's background; for pictures, in
        units of the picture's range.
    flip : share of the copies in which a categorical feature takes the value of a random background row.
    """
    copies = sample[None] + noise * scale_of(model, sample) * rng.standard_normal((count, *sample.shape))
    changed = np.where(free[None], copies, sample[None])
    for j in categorical(model):
        rows = background_of(model, "noise")
        values = rows[rng.integers(len(rows), size=count), j]
        flipped = (rng.random(count) < flip) & bool(free[j])
        changed[:, j] = np.where(flipped, values, sample[j])
    return changed.astype(sample.dtype, copy=False)


def scale_of(model: Any, sample: Array) -> Array:
    """What noise is measured in: per feature the background's standard deviation; a picture's own range."""
    if model.kind == "text":
        raise InputError("tokens take no noise; use a missingness instead")
    if model.kind == "image":
        return np.asarray(float(sample.max() - sample.min()))
    return np.asarray(background_of(model, "noise").std(axis=0))


def categorical(model: Any) -> list[int]:
    """The columns whose values are codes."""
    return [j for j, feature in enumerate(getattr(model, "features", ())) if feature.kind == "categorical"]


def kind_of(explanation: Attribution) -> str:
    """What the explained inputs are: "table", "image" or "text"."""
    kind = explanation.data.attrs.get("model_kind")
    if kind is not None:
        return str(kind)
    dims = set(map(str, explanation["inputs"].dims))
    return "image" if {"row", "column"} <= dims else "text" if "token" in dims else "table"
