"""Directions put to work: interventions that add them, set the coordinate along them, or scale heads.

They go into `model.intervene(...)`, where `generate` uses them with its key/value cache: what a token has put into the
cache was computed under them and never changes, so the tokens are those of running the whole text again at each step.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Literal, TypeAlias, get_args

import numpy as np

from explicate.core.capabilities import Floats
from explicate.core.interventions import Intervention, Project, Scale, Steer, Together, Tokens
from explicate.core.kinds import Direction
from explicate.core.sites import Site
from explicate.errors import InputError
from explicate.models.language import LanguageModel, sites

Where: TypeAlias = Literal["all", "prompt", "new", "last"]
LARGE = 2.0  # of the activations' typical length: beyond, a model is seldom more than broken


def steer(
    direction: Direction,
    strength: float = 1.0,
    *,
    tokens: Where = "all",
    keep_norm: bool = False,
    model: LanguageModel | None = None,
) -> Together:
    """Add each direction at its site: h + strength v.

    Parameters
    ----------
    tokens : "all"; only the "prompt"'s; only "new" ones, written after it; only the prompt's "last".
    keep_norm : the sum gets the length that h had.
    model : checks that the direction fits it: an error for another width or a missing layer, a warning for another
        model of the same width.

    Raises
    ------
    InputError : a strength that is NaN or infinite.

    Warns
    -----
    UserWarning : what is added is more than twice as long as the activations there.
    """
    _check(direction, strength, model)
    sizes = relative_sizes(direction, [strength])[0]
    if (sizes > LARGE).any():
        warnings.warn(
            f"strength {strength:g} adds {sizes.max():.1f} times the length of the activations; "
            "direction.relative(0.1) has a tenth of it",
            stacklevel=2,
        )
    return Together(
        tuple(
            Steer(_at(site, tokens), vector, float(strength), keep_norm, tokens=_meant(tokens))
            for site, vector in zip(direction.sites, direction.values, strict=True)
        )
    )


def set_coordinate(
    direction: Direction,
    coordinate: float,
    *,
    tokens: Where = "all",
    model: LanguageModel | None = None,
) -> Together:
    """Turn a knob: set the coordinate along each direction, h + (c - u.h) u with u = v / |v|; 0 projects it out."""
    _check(direction, coordinate, model)
    return Together(
        tuple(
            Project(_at(site, tokens), vector, float(coordinate), tokens=_meant(tokens))
            for site, vector in zip(direction.sites, direction.values, strict=True)
        )
    )


def scale_heads(factors: Mapping[str | Site, float], *, tokens: Where = "all") -> Together:
    """Multiply what heads write: `scale_heads({"L9.head_out.H3": 2.0, "L11.head_out.H0": 0.0})`."""
    found: list[Intervention] = []
    for address, factor in factors.items():
        site = Site.parse(address)
        if site.head is None or site.kind not in ("z", "head_out"):
            raise InputError(f"{site} is no head's output; write for example L9.head_out.H3")
        if not np.isfinite(factor):
            raise InputError(f"{site}: a factor of {factor} is no number to multiply by")
        found.append(Scale(_at(site, tokens), float(factor), tokens=_meant(tokens)))
    if not found:
        raise InputError("no heads given")
    return Together(tuple(found))


def relative_sizes(direction: Direction, strengths: list[float] | Floats) -> Floats:
    """Length of what is added over the activations' typical length: (strength, site); NaN where that is not known."""
    lengths = np.atleast_1d(direction.lengths.values).astype(float)
    typical = np.full(len(lengths), np.nan)
    if "typical_length" in direction.data:
        typical = np.atleast_1d(direction.data["typical_length"].values).astype(float)
    return np.abs(np.asarray(strengths, dtype=float))[:, None] * lengths / typical


def check_fits(direction: Direction, model: LanguageModel) -> None:
    """Refuse a direction of another width or for sites that a model lacks; warn where it was read from another."""
    for site, vector in zip(direction.sites, direction.values, strict=True):
        sites.check(model, site)
        width = _width(model, site)
        if width is not None and vector.shape[-1] != width:
            raise InputError(
                f"{site}: a direction of width {vector.shape[-1]} does not fit {model.name!r}, whose activations are "
                f"{width} wide there; it was read from {direction.provenance.model or 'another model'!r}"
            )
    read_from = direction.provenance.model
    if read_from and read_from != model.name:
        warnings.warn(f"the direction was read from {read_from!r}, not from {model.name!r}", stacklevel=3)


def _check(direction: Direction, number: float, model: LanguageModel | None) -> None:
    if not np.isfinite(number):
        raise InputError(f"a strength of {number} is no number; give a finite one")
    if model is not None:
        check_fits(direction, model)


def _width(model: LanguageModel, site: Site) -> int | None:
    if site.kind in ("embed", "resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out", "head_out"):
        return model.width
    return None


def _at(site: Site, where: Where) -> Site:
    if where not in get_args(Where):
        raise InputError(f"tokens {where!r} is unknown; use {', '.join(get_args(Where))}")
    return site.at(-1) if where == "last" else site


def _meant(where: Where) -> Tokens:
    return "all" if where == "last" else where
