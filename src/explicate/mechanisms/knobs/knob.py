"""A knob: one coordinate of the residual stream that decides what a model goes by, set while it answers.

Source: Minder et al. (2024), "Controllable Context Sensitivity and the Knob Behind It", section 6.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from explicate.core.capabilities import Floats
from explicate.core.interventions import Project, Together
from explicate.core.kinds import Direction
from explicate.core.sites import Site
from explicate.errors import InputError
from explicate.mechanisms.knobs.patched_layers import refuse_padding
from explicate.mechanisms.restart import require_causal
from explicate.mechanisms.results import prompts
from explicate.models.language import LanguageModel

FAR = 20.0  # standard deviations of the natural coordinate from its mean: no state of the model was ever there


@dataclass(frozen=True, eq=False)
class Knob:
    """A direction after one layer, and the two values that its coordinate is set to.

    `model.intervene(knob.prior)` makes the model answer from what it knows, `knob.context` from the context, both for
    the prompt's last token and for every token that is written.

    Attributes
    ----------
    layer : after which block. direction : (width,), of length one; its sign means nothing without the values, and is
        the one that gives the context's coordinates the larger mean.
    value_prior, value_context : coordinates along it.
    mean, spread : of the natural coordinate, over prompts of both intents.
    family : the kind of model that it was found in ("llama").
    found : the `Direction` that it was made of.
    """

    layer: int
    direction: Floats
    value_prior: float
    value_context: float
    mean: float
    spread: float
    family: str
    found: Direction

    @classmethod
    def of(cls, found: Direction, value_prior: float | None = None, value_context: float | None = None) -> Knob:
        """From a trained direction; without values, the mean coordinates of prompts of the two intents.

        Raises
        ------
        InputError : several directions, a site that is not a block's output, or facts that are missing.
        """
        facts = found.data.attrs
        for name in ("site", "mean_prior", "mean_context", "spread", "family"):
            if name not in facts:
                raise InputError(f"the direction does not say {name}; give one that KnobTraining.fit made")
        directions = found["direction"].values
        if directions.ndim != 2 or len(directions) != 1:
            raise InputError(f"a knob has one direction, not {len(directions)}; use interchanged() for several")
        site = Site.parse(str(facts["site"]))
        if site.kind != "resid_post" or site.layer is None:
            raise InputError(f"a knob sits at a block's output, not at {site}")
        prior, context = float(facts["mean_prior"]), float(facts["mean_context"])
        knob = cls(
            site.layer,
            directions[0] / np.linalg.norm(directions[0]),
            prior if value_prior is None else float(value_prior),
            context if value_context is None else float(value_context),
            (prior + context) / 2,
            float(facts["spread"]),
            str(facts["family"]),
            found,
        )
        for value in (knob.value_prior, knob.value_context):
            knob._check_value(value)
        return knob

    @property
    def site(self) -> Site:
        """Where the coordinate is read, and set first: at the prompt's last token."""
        return Site("resid_post", self.layer, None, (-1,))

    @property
    def prior(self) -> Together:
        """Answer from prior knowledge."""
        return self.at(self.value_prior)

    @property
    def context(self) -> Together:
        """Answer from the context."""
        return self.at(self.value_context)

    def at(self, value: float) -> Together:
        """The coordinate set to any value, h + (value - u.h) u, at the prompt's last token and all that follow."""
        new = Project(Site("resid_post", self.layer), self.direction, float(value), tokens="new")
        return self.at_end(value) + new

    def at_end(self, value: float) -> Project:
        """The same at the prompt's last token alone."""
        self._check_value(value)
        return Project(self.site, self.direction, float(value))

    def with_values(self, value_prior: float, value_context: float) -> Knob:
        """The same knob with other values."""
        for value in (value_prior, value_context):
            self._check_value(value)
        return replace(self, value_prior=float(value_prior), value_context=float(value_context))

    def with_direction(self, direction: Floats) -> Knob:
        """The same values along another direction, for controls."""
        given = np.asarray(direction, dtype=float)
        if given.shape != self.direction.shape or not np.linalg.norm(given) > 0:
            raise InputError(f"a direction of shape {given.shape} for a knob of width {len(self.direction)}")
        return replace(self, direction=given / np.linalg.norm(given))

    def in_deviations(self, value: float) -> float:
        """A value relative to the natural coordinate, in its standard deviations: comparable between layers."""
        return (value - self.mean) / self.spread

    def fit_for(self, model: LanguageModel) -> LanguageModel:
        """Refuse a model that the knob cannot turn; warn of one of another family.

        Raises
        ------
        InputError : another width, or too few layers.
        """
        require_causal(model, "a knob")
        if model.width != len(self.direction) or model.layer_count <= self.layer:
            raise InputError(
                f"a knob for width {len(self.direction)} after layer {self.layer} does not fit {model.name!r} with "
                f"width {model.width} and {model.layer_count} layers"
            )
        family = str(model.config.model_type)
        if family != self.family:
            warnings.warn(
                f"the knob was found in a {self.family} model; {model.name!r} is a {family} model of the same width, "
                "whose directions mean something else",
                stacklevel=2,
            )
        return model

    def coordinates(self, model: LanguageModel, inputs: Any) -> Floats:
        """u.h at the prompts' last tokens, as they are: (sample,)."""
        self.fit_for(model)
        ids = prompts(model, inputs)
        refuse_padding(model, ids)
        return np.asarray(model.capture(ids, [self.site])[self.site][:, 0] @ self.direction)

    def to_direction(self) -> Direction:
        """As an explanation that can be saved: the trained direction with the values and what they are worth."""
        values = {"value_prior": self.value_prior, "value_context": self.value_context}
        data: xr.Dataset = self.found.data.assign(direction=(("component", "width"), self.direction[None]))
        data.attrs = {**self.found.data.attrs, **values}
        return Direction(data, self.found.provenance)

    @classmethod
    def from_direction(cls, found: Direction) -> Knob:
        """What `to_direction` was made of."""
        return cls.of(found, found.data.attrs.get("value_prior"), found.data.attrs.get("value_context"))

    def _check_value(self, value: float) -> None:
        if not np.isfinite(value):
            raise InputError(f"the knob's value is {value}; give a finite number")
        if abs(self.in_deviations(value)) > FAR:
            warnings.warn(
                f"off-distribution: the value {value:.4g} is {abs(self.in_deviations(value)):.0f} standard deviations "
                "of the natural coordinate away from its mean",
                stacklevel=3,
            )
