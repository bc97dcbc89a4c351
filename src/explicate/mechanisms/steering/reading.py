"""Directions read from a model's activations on texts, or made of vectors from elsewhere (a probe's weights)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import xarray as xr

from explicate.core.capabilities import Array, Floats
from explicate.core.cost import Cost, measure
from explicate.core.kinds import Direction
from explicate.core.method import Parameterised
from explicate.core.provenance import Provenance
from explicate.core.sites import HEADED, LAYERED, Site
from explicate.errors import InputError, ModelError, SelectionError, SiteError
from explicate.mechanisms.steering.estimators import ESTIMATORS, Estimator, estimate
from explicate.models.language import LanguageModel, sites
from explicate.models.language.tokens import ABSENT

SAME = 1e-3  # of the largest number: how far a text alone may be from the same text in a batch


@dataclass(frozen=True)
class ReadDirections(Parameterised):
    """Read one direction a site from texts.

    Parameters
    ----------
    how : see `estimate`.
    sites : a kind ("resid_post") or addresses ("L10.resid_post", "L9.z.H3"); kinds with heads need addresses.
    layers : for a kind; negative ones count from the last; None: all.
    position : the token whose activation is read, in each text's own tokens; -1 is its last one, never padding.
    standardize : see `estimate`.
    verify : read the shortest text alone once more and raise a `ModelError` should its activation differ.
    """

    name: ClassVar[str] = "read-directions"

    how: Estimator = "paired-difference"
    sites: str | tuple[str, ...] = "resid_post"
    layers: tuple[int, ...] | None = None
    position: int = -1
    standardize: bool = False
    verify: bool = False

    def fit(self, model: LanguageModel, positive: Any, negative: Any = None) -> Direction:
        """Read them.

        Parameters
        ----------
        positive, negative : texts or token ids; for paired estimators as many of each.

        Returns
        -------
        Direction : `direction` (site, width), with `agreement`, `cosine` and `typical_length` (site,).
        """
        return self.fit_each(model, positive, negative, (self.how,))[self.how]

    def fit_each(
        self, model: LanguageModel, positive: Any, negative: Any = None, hows: Sequence[Estimator] = ESTIMATORS
    ) -> dict[Estimator, Direction]:
        """Directions by several estimators for one reading of the texts."""
        wanted = [Site(s.kind, s.layer, s.head, (self.position,)) for s in self._sites(model)]
        inputs = [model.encode(texts) for texts in (positive, negative) if texts is not None]
        with measure() as cost:
            seen = [_read(model, ids, wanted, self.verify) for ids in inputs]
        return {how: replace(self, how=how)._directions(model, wanted, inputs, seen, cost) for how in hows}

    def _directions(
        self,
        model: LanguageModel,
        wanted: Sequence[Site],
        inputs: Sequence[Array],
        seen: Sequence[Mapping[Site, Floats]],
        cost: Cost,
    ) -> Direction:
        found, lengths = [], []
        for site in wanted:
            two = [each[site] for each in seen]
            found.append(estimate(two[0], two[1] if len(two) > 1 else None, self.how, self.standardize))
            lengths.append(float(np.linalg.norm(np.concatenate(two), axis=-1).mean()))
        data = xr.Dataset(
            {
                "direction": (("site", "width"), np.stack([one.direction for one in found])),
                "agreement": (("site",), [one.agreement for one in found]),
                "cosine": (("site",), [one.cosine for one in found]),
                "typical_length": (("site",), lengths),
            },
            coords={"site": [str(Site(site.kind, site.layer, site.head)) for site in wanted]},
            attrs={"how": self.how, "position": self.position, "examples": [len(ids) for ids in inputs]},
        )
        return Direction(data, Provenance.of(self, model, inputs[0], cost))

    def _sites(self, model: LanguageModel) -> list[Site]:
        if self.sites in LAYERED:
            if self.sites in HEADED:
                raise SiteError(f"{self.sites} has heads: name sites with one each, such as L9.{self.sites}.H3")
            count = model.layer_count
            layers = range(count) if self.layers is None else self.layers
            for layer in layers:
                if not -count <= layer < count:
                    raise SelectionError(f"layer {layer}: {model.name!r} has {count} layers, 0 to {count - 1}")
            return [Site(str(self.sites), layer % count) for layer in layers]
        if self.layers is not None:
            raise InputError("layers go with a kind of site, such as sites='resid_post'; addresses have their own")
        given = (self.sites,) if isinstance(self.sites, str) else self.sites
        return [sites.check(model, _vector_site(Site.parse(text))) for text in given]


def read_directions(
    model: LanguageModel,
    positive: Any,
    negative: Any = None,
    *,
    how: Estimator = "paired-difference",
    sites: str | Sequence[str] = "resid_post",
    layers: int | Sequence[int] | None = None,
    position: int = -1,
    standardize: bool = False,
    verify: bool = False,
) -> Direction:
    """Directions that texts have and contrast texts lack, one a site; see `ReadDirections`."""
    return ReadDirections(
        how,
        sites if isinstance(sites, str) else tuple(str(site) for site in sites),
        None if layers is None else tuple(int(layer) for layer in np.atleast_1d(layers)),
        position,
        standardize,
        verify,
    ).fit(model, positive, negative)


@dataclass(frozen=True)
class _Given(Parameterised):
    """What provenance says of directions that come from elsewhere."""

    name: ClassVar[str] = "given-directions"

    how: str = ""


def directions_of(
    vectors: Mapping[str | Site, Any],
    *,
    how: str = "given",
    model: LanguageModel | None = None,
    typical_length: float | Sequence[float] | None = None,
) -> Direction:
    """Vectors from elsewhere as a `Direction`: a probe's weights, a row of the unembedding, a random one.

    The weights of a probe on standardised features point along `weights / standard deviation` in the model's space.

    Parameters
    ----------
    vectors : site -> (width,); all of one width.
    how : where they come from, for readers.
    model : the model that they belong to; its sites and width are checked, and provenance names it.
    typical_length : mean length of the activations at each site, for relative sizes.
    """
    if not vectors:
        raise InputError("no vectors given")
    named = {_vector_site(Site.parse(site)): np.asarray(vector, dtype=float) for site, vector in vectors.items()}
    widths = {vector.shape for vector in named.values()}
    if len(widths) > 1 or any(len(shape) != 1 for shape in widths):
        raise InputError(f"directions are (width,), all of one width, not {', '.join(map(str, widths))}")
    data = xr.Dataset(
        {"direction": (("site", "width"), np.stack(list(named.values())))},
        coords={"site": [str(Site(site.kind, site.layer, site.head)) for site in named]},
        attrs={"how": how},
    )
    if typical_length is not None:
        data["typical_length"] = (("site",), np.broadcast_to(typical_length, len(named)).astype(float))
    with measure() as cost:
        pass
    if model is None:
        return Direction(data, Provenance(_Given.name, _Given(how).parameters()))
    for site in named:
        sites.check(model, site)
    return Direction(data, Provenance.of(_Given(how), model, np.zeros((0, 0)), cost))


def _vector_site(site: Site) -> Site:
    if site.kind in ("scores", "pattern", "logits") or (site.kind in HEADED and site.head is None):
        raise SiteError(f"{site}: a direction belongs to a site of one width, such as L9.resid_post or L9.z.H3")
    return site


def _read(model: LanguageModel, ids: Array, wanted: Sequence[Site], verify: bool) -> dict[Site, Floats]:
    """Activations (example, width) at one position each."""
    seen = model.capture(ids, wanted)
    found = {site: np.asarray(seen[site][:, 0]) for site in wanted}
    if verify:
        row = int((ids != ABSENT).sum(axis=1).argmin())
        alone = model.capture(ids[row : row + 1][:, ids[row] != ABSENT], wanted)
        for site in wanted:
            apart = float(np.abs(alone[site][0, 0] - found[site][row]).max())
            if apart > SAME * max(1.0, float(np.abs(alone[site]).max())):
                raise ModelError(f"{site}: text {row} alone and in a batch differ by {apart:.2g}; do not pad it")
    return found
