"""Finding a knob: a direction through which the intent acts, and the values that move the answer furthest.

Source: Minder et al. (2024), "Controllable Context Sensitivity and the Knob Behind It", section 6.1. The direction is
trained by interchange (Geiger et al., 2024): prompts that ask the same of the same context, and differ in the intent
alone, exchange their coordinates along it and must then give each other's answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import xarray as xr

from explicate.core.capabilities import Array, Floats
from explicate.core.interventions import Project
from explicate.core.kinds import Direction
from explicate.core.method import Parameterised
from explicate.core.sites import Site
from explicate.errors import InputError
from explicate.mechanisms.effects import ALL_LOGITS
from explicate.mechanisms.knobs.knob import Knob
from explicate.mechanisms.knobs.patched_layers import refuse_padding
from explicate.mechanisms.restart import Job, Variant, measured, require_causal
from explicate.mechanisms.results import prompts
from explicate.mechanisms.steering import read_directions
from explicate.mechanisms.subspace import AlignmentSearch
from explicate.models.language import LanguageModel

LOGITS_AT_ONCE = 1 << 26  # numbers: half a gigabyte
MULTIPLES = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)


@dataclass(frozen=True)
class KnobTraining(Parameterised):
    """Train the direction after a layer; the model stays as it is, and only the layers above it are run.

    Parameters
    ----------
    layers : after which blocks, each with a direction of its own. dimensions : directions of each; more than one make
        no `Knob`, but show what a line leaves out.
    epochs, batch, learning_rate : of Adam over the pairs, both ways.
    """

    name: ClassVar[str] = "knob-training"

    layers: tuple[int, ...] = (0,)
    dimensions: int = 1
    epochs: int = 10
    batch: int = 16
    learning_rate: float = 0.01

    def fit(
        self,
        model: LanguageModel,
        prior_prompts: Any,
        context_prompts: Any,
        prior_tokens: Sequence[int] | Array,
        context_tokens: Sequence[int] | Array,
        seed: int = 0,
    ) -> list[Direction]:
        """Train on questions, each asked with both intents; those not answered rightly under both are left out.

        Parameters
        ----------
        prior_prompts, context_prompts : one of each for a question, alike but for the intent.
        prior_tokens, context_tokens : first tokens of the two answers.

        Returns
        -------
        Direction : for each layer, as `AlignmentSearch.fit` gives it but for signs: the context's coordinates are the
            larger ones; attributes `mean_prior`, `mean_context` and `spread` of the natural coordinate (of the first
            direction), `family`, `kept`, `accuracy_prior`, `accuracy_context`.

        Raises
        ------
        InputError : no question is answered rightly under both intents; equal tokens; prompts that end in padding.
        """
        require_causal(model, self.name)
        ids = [prompts(model, given) for given in (prior_prompts, context_prompts)]
        tokens = [np.asarray(given, dtype=np.int64) for given in (prior_tokens, context_tokens)]
        if len({*map(len, ids), *map(len, tokens)}) != 1:
            raise InputError(
                f"{len(ids[0])} and {len(ids[1])} prompts, {len(tokens[0])} and {len(tokens[1])} tokens; "
                "give one of each for a question"
            )
        same = np.flatnonzero(tokens[0] == tokens[1])
        if len(same):
            raise InputError(f"question {same[0]}: both answers begin with the same token; leave such questions out")
        for given in ids:
            refuse_padding(model, given)
        right = np.stack([won(model, given, wanted) for given, wanted in zip(ids, tokens, strict=True)])
        keep = right.all(axis=0)
        accuracy = right.mean(axis=1)
        if not keep.any():
            raise InputError(
                f"{model.name!r} answers no question rightly under both intents (accuracy {accuracy[0]:.2f} for prior "
                f"knowledge, {accuracy[1]:.2f} for the context); tune it on the task first"
            )
        kept = [_rows(given[keep]) for given in ids]
        pairs = 2 * int(keep.sum())
        steps = self.epochs * -(-pairs // self.batch)
        search = AlignmentSearch("", self.dimensions, steps, self.batch, self.learning_rate)
        sites = [Site("resid_post", layer, None, (-1,)) for layer in self.layers]
        directions = search.fit_each(
            model,
            [str(site) for site in sites],
            [*kept[0], *kept[1]],
            [*kept[1], *kept[0]],
            [int(i) for i in np.concatenate([tokens[1][keep], tokens[0][keep]])],
            seed,
        )
        states = [model.capture(given[keep], sites) for given in ids]
        made = []
        for site, found in zip(sites, directions, strict=True):
            made.append(_oriented(model, found, *(np.asarray(each[site][:, 0], dtype=float) for each in states)))
            made[-1].data.attrs.update(
                kept=int(keep.sum()), accuracy_prior=float(accuracy[0]), accuracy_context=float(accuracy[1])
            )
        return made


def mean_difference(model: LanguageModel, prior_prompts: Any, context_prompts: Any, layer: int) -> Direction:
    """What costs no training: the mean difference between the two intents' states after a layer, as `Knob.of` takes it.

    Such a direction tells the intents apart, but need not be one that the model goes by.
    """
    site = Site("resid_post", layer, None, (-1,))
    ids = [prompts(model, given) for given in (prior_prompts, context_prompts)]
    found = read_directions(model, ids[1], ids[0], how="difference-of-means", sites=str(Site("resid_post", layer)))
    direction = np.atleast_2d(found.unit().values)
    states = [model.capture(given, [site])[site][:, 0] for given in ids]
    data = xr.Dataset({"direction": (("component", "width"), direction)}, attrs={"site": str(site)})
    return _oriented(model, Direction(data, found.provenance), *states)


def _oriented(model: LanguageModel, found: Direction, prior: Floats, context: Floats) -> Direction:
    """The directions, each with the sign that gives the context the larger mean coordinate, and facts of the first.

    Parameters
    ----------
    prior, context : states (sample, width) of prompts of the two intents.
    """
    directions = found["direction"].values
    signs = np.where((context.mean(axis=0) - prior.mean(axis=0)) @ directions.T < 0, -1.0, 1.0)
    data = found.data.assign(direction=(("component", "width"), directions * signs[:, None]))
    natural = [states @ data["direction"].values[0] for states in (prior, context)]
    data.attrs.update(
        mean_prior=float(natural[0].mean()),
        mean_context=float(natural[1].mean()),
        spread=float(np.concatenate(natural).std()),
        family=str(model.config.model_type),
    )
    return Direction(data, found.provenance)


@dataclass(frozen=True, eq=False)
class Turned:
    """What setting a knob does to questions that do not say their intent.

    Attributes
    ----------
    prior, context : (question,), whether the prior answer wins with the knob at its value for prior knowledge, and
        the context's with the other.
    """

    prior: Array
    context: Array

    @property
    def pair_accuracy(self) -> float:
        """Share of questions of which both holds."""
        return float((self.prior & self.context).mean())


def turned(
    knobs: Sequence[Knob],
    model: LanguageModel,
    inputs: Any,
    prior_tokens: Sequence[int] | Array,
    context_tokens: Sequence[int] | Array,
) -> list[Turned]:
    """Whether the first token of the wanted answer wins when each knob is set; the prompts are run once for all."""
    for knob in knobs:
        knob.fit_for(model)
    ids = prompts(model, inputs)
    refuse_padding(model, ids)
    said = _likeliest(model, ids, [k.at_end(value) for k in knobs for value in (k.value_prior, k.value_context)])
    prior, context = (np.asarray(given, dtype=np.int64) for given in (prior_tokens, context_tokens))
    return [Turned(one == prior, two == context) for one, two in zip(said[0::2], said[1::2], strict=True)]


def with_best_values(
    knob: Knob,
    model: LanguageModel,
    inputs: Any,
    prior_tokens: Sequence[int] | Array,
    context_tokens: Sequence[int] | Array,
    multiples: Sequence[float] = MULTIPLES,
) -> tuple[Knob, Turned]:
    """The knob with the two values that win most answers on validation questions, and which ones it wins.

    Of several values that win as many, the nearest to nature's are taken.

    Parameters
    ----------
    inputs : prompts that do not say their intent.
    multiples : candidates, as multiples of the way from the middle of the two natural means to either.
    """
    knob.fit_for(model)
    ids = prompts(model, inputs)
    half = (float(knob.found.data.attrs["mean_context"]) - float(knob.found.data.attrs["mean_prior"])) / 2
    sides = np.array([[knob.mean + side * multiple * half for multiple in sorted(multiples)] for side in (-1, 1)])
    said = _likeliest(model, ids, [knob.at_end(value) for value in sides.ravel()]).reshape(*sides.shape, -1)
    wanted = np.stack([np.asarray(prior_tokens), np.asarray(context_tokens)])
    wins = said == wanted[:, None]
    best = wins.mean(axis=2).argmax(axis=1)
    prior, context = (int(i) for i in best)
    return knob.with_values(sides[0, prior], sides[1, context]), Turned(wins[0, prior], wins[1, context])


def won(model: LanguageModel, ids: Array, wanted: Array) -> Array:
    """Whether the wanted token is each prompt's likeliest next one, (sample,)."""
    with model.scored_by("logit"):
        return np.asarray(model.predict(ids).argmax(axis=1) == np.asarray(wanted))


def _likeliest(model: LanguageModel, ids: Array, changes: Sequence[Project]) -> Array:
    """The likeliest next token under each change, (change, sample)."""
    found = []
    size = max(1, LOGITS_AT_ONCE // (len(ids) * model.output_count))
    for first in range(0, len(changes), size):
        variants: list[Variant] = [(change,) for change in changes[first : first + size]]
        job = Job(model, ids, lambda seen, length, variants=variants: variants, metric=ALL_LOGITS)  # type: ignore[misc]
        found.append(measured(job).values.argmax(axis=-1))
    return np.concatenate(found)


def _rows(ids: Array) -> list[list[int]]:
    """Encoded prompts as lists, so that those of another width can be put beside them."""
    return [[int(i) for i in row if i >= 0] for row in ids]


def random_direction(width: int, rng: np.random.Generator) -> Floats:
    """A direction of length one drawn evenly, for controls."""
    found = rng.standard_normal(width)
    return np.asarray(found / np.linalg.norm(found))
