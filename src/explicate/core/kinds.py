"""The kinds of explanation, and what each must hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import xarray as xr

from explicate.core.explanation import Explanation
from explicate.core.semantic_probes import SemanticProbeReport as SemanticProbeReport
from explicate.core.sites import Site
from explicate.errors import InputError, SiteError

if TYPE_CHECKING:
    import pandas as pd


class Attribution(Explanation):
    """How much each feature of each sample contributed to the explained score.

    Variables
    ---------
    attribution : (sample, *feature), in units of the score.
    inputs : (sample, *feature), the encoded inputs.
    target : (sample,) or (sample, pair), explained outputs; `target_name` (sample,) names them.
    score : (sample,), the model's score of the target.
    baseline_score : (sample,), optional: the score with every feature absent; then the attribution's sum over the
        features should equal `score - baseline_score`.
    standard_error : (sample, *feature), optional: of estimated attributions.
    present : (sample, token), optional: which tokens are there, where texts differ in length.
    """

    kind: ClassVar[str] = "attribution"
    main: ClassVar[str] = "attribution"
    required: ClassVar[dict[str, tuple[str, ...]]] = {
        "attribution": ("sample",),
        "inputs": ("sample",),
        "target": ("sample",),
        "score": ("sample",),
    }

    @property
    def feature_dims(self) -> tuple[str, ...]:
        """The dimensions of one sample's attribution: ("feature",), ("channel", "row", "column"), ("token",), ..."""
        return tuple(str(dim) for dim in self.data["attribution"].dims[1:])

    @property
    def values(self) -> np.ndarray:
        """The attributions as an array (sample, *feature)."""
        return np.asarray(self.data["attribution"].values)

    @property
    def targets(self) -> np.ndarray:
        """Explained outputs, (sample,) or (sample, 2)."""
        return np.asarray(self.data["target"].values)

    @property
    def present(self) -> np.ndarray:
        """Which features are there, of the shape of `values`; False only for padding of shorter texts."""
        if "present" in self.data:
            return np.asarray(self.data["present"].values, dtype=bool)
        return np.ones(self.values.shape, dtype=bool)

    def over_pixels(self) -> np.ndarray:
        """For images: attributions summed over the channels, (sample, row, column)."""
        array = self.data["attribution"]
        if not {"row", "column"} <= set(array.dims):
            raise InputError(f"over_pixels needs an image's attribution, not one over {self.feature_dims}")
        return np.asarray((array.sum("channel") if "channel" in array.dims else array).values)


class Concepts(Explanation):
    """How strongly named concepts are present, and what they do to the score: `activation` (sample, concept)."""

    kind: ClassVar[str] = "concepts"
    main: ClassVar[str] = "activation"
    required: ClassVar[dict[str, tuple[str, ...]]] = {"activation": ("sample", "concept")}


class Counterfactuals(Explanation):
    """Other inputs that change the outcome: `counterfactual` (sample, candidate, ...) and its `score`."""

    kind: ClassVar[str] = "counterfactuals"
    main: ClassVar[str] = "counterfactual"
    required: ClassVar[dict[str, tuple[str, ...]]] = {
        "counterfactual": ("sample", "candidate"),
        "score": ("sample", "candidate"),
    }


class Rules(Explanation):
    """Readable rules, as text and, where a model is made of them, in parts from which it can be run again.

    Variables
    ---------
    rule : (rule,) as text; rules that give an outcome first, in their order, then those that others refer to.
    coverage : (rule,), optional: training cases that a rule holds for; `precision` (rule,): the share of those that its
        outcome is right for, NaN where it has none.
    clause : (rule,), optional: what the rules call each other; `head` (rule,): the outcome's place in `label`, or -1.
    literal_rule, literal_column, literal_operator, literal_number, literal_text : (literal,), optional: the conditions,
        each a test of one column against a number, or (where that is NaN) against a text.
    exception_rule, exception_clause : (exception,), optional: which rule has which other as an exception.
    label : (label,), optional: the outcomes.
    prediction : (sample,), optional: the place in `label` of each case's prediction, -1 for none; `decision` (sample,):
        the rule that made it, or -1; `proof` (sample,): how, in words.
    holds : (sample, literal), optional: 1 true, 0 false, -1 not evaluated; `fires` (sample, rule) alike.
    input_number, input_text : (sample, column), optional: the cases; a cell is a number, or (where that is NaN) a text.
    """

    kind: ClassVar[str] = "rules"
    main: ClassVar[str] = "rule"
    required: ClassVar[dict[str, tuple[str, ...]]] = {"rule": ("rule",)}

    @property
    def texts(self) -> list[str]:
        """The rules as text."""
        return [str(text) for text in self.data["rule"].values]

    def to_frame(self) -> pd.DataFrame:
        """One row per rule: its text and everything else that is known of rules one by one."""
        import pandas as pd

        each = [str(name) for name, array in self.data.variables.items() if array.dims == ("rule",)]
        return pd.DataFrame({name: self.data[name].values for name in sorted(each, key="rule".__ne__)})


class Terms(Explanation):
    """A whole model whose scores are sums of terms, each a weight times a reading of one column.

    Variables
    ---------
    weight : (term, output), what the term adds to the score where it applies, per unit for numbers; terms as text.
    term_column, term_kind, term_text : (term,), the column and what is read there: a "number", less `term_centre` and
        over `term_scale`; whether the cell is the "text" `term_text`; or any "other" text.
    intercept : (output,), the score where no term adds anything.
    label : (label,), the classes. One output is the log-odds of the second of two classes, else each class has one.
    column_kind : (column,), how cells are read.
    """

    kind: ClassVar[str] = "terms"
    main: ClassVar[str] = "weight"
    required: ClassVar[dict[str, tuple[str, ...]]] = {"weight": ("term", "output"), "intercept": ("output",)}


class Circuit(Explanation):
    """Which parts of a model do something: `effect` (site,), the change that intervening on a site makes."""

    kind: ClassVar[str] = "circuit"
    main: ClassVar[str] = "effect"
    required: ClassVar[dict[str, tuple[str, ...]]] = {"effect": ("site",)}

    @property
    def sites(self) -> list[Site]:
        """The sites, in order."""
        return [Site.parse(str(text)) for text in self.data["site"].values]


class Effects(Explanation):
    """What intervening at each place of a model does: `effect`, of `(sample, [part,] layer, [head,] [position])`.

    Variables
    ---------
    effect : the metric under the intervention less that of the untouched prompt.
    base_score : (sample,), the metric of the untouched prompt.
    source_score : (sample,), optional: that of the prompt whose activations were patched in.
    there : (sample, ...), optional: False where a prompt has no such place; the effect is then 0 and means nothing.
    input_text : (sample, token), optional: the prompts' tokens; a position is a token's place in its prompt.
    """

    kind: ClassVar[str] = "effects"
    main: ClassVar[str] = "effect"
    required: ClassVar[dict[str, tuple[str, ...]]] = {"effect": ("sample",), "base_score": ("sample",)}

    @property
    def place_dims(self) -> tuple[str, ...]:
        """The dimensions of a place: some of "part", "layer", "head", "position"."""
        return tuple(str(dim) for dim in self.data["effect"].dims[1:])

    @property
    def values(self) -> np.ndarray:
        """The effects as an array (sample, *place)."""
        return np.asarray(self.data["effect"].values)

    def relative(self) -> xr.DataArray:
        """Effects as a share of the way from the untouched prompt's score to the source's: 1 is all of it."""
        if "source_score" not in self.data:
            raise InputError(f"{self.provenance.method} had no source prompt, so effects have no share of a way")
        way = self.data["source_score"] - self.data["base_score"]
        if not bool((way != 0).all()):
            raise InputError("a prompt and its source have the same score; choose another target or source")
        return self.data["effect"] / way

    def strongest(self, most: int = 10, sign: int = 0) -> list[Site]:
        """The sites of the largest mean effects over the samples.

        Parameters
        ----------
        sign : 1 for those that raise the score only, -1 for those that lower it, 0 for both.
        """
        mean = self.values.mean(axis=0)
        size = np.abs(mean) if sign == 0 else sign * mean
        order = [i for i in np.argsort(-size, axis=None, kind="stable")[:most] if size.ravel()[i] > 0 or sign == 0]
        return [self.site_at(np.unravel_index(i, mean.shape)) for i in order]

    def site_at(self, place: tuple[Any, ...]) -> Site:
        """The site at one place of the array, given by its indices without the sample's."""
        labels = {dim: self.data[dim].values[int(index)] for dim, index in zip(self.place_dims, place, strict=True)}
        position = labels.get("position", self.data.attrs.get("position"))
        return Site(
            str(labels.get("part", self.data.attrs.get("part"))),
            int(labels["layer"]) if "layer" in labels else None,
            int(labels["head"]) if "head" in labels else None,
            None if position is None else (int(position),),
        )


class Profile(Explanation):
    """How well something can be read off the activations at each site: `score` (measure, site), on held-out samples.

    Variables
    ---------
    score : mean over the repeats; the first measure is the one that intervals and controls are judged by.
    standard_error : (measure, site), of the mean over the repeats; 0 for a single one.
    low, high : (site,), interval of the first measure over the held-out samples, or groups of them.
    control : (measure, site), optional: the scores of probes of control labels.
    untrained : (measure, site), optional: the scores on the activations of a model that learned nothing.
    layer, part, position : (site,), coordinates: the layer (-1 for the embedding), kind of site and token position.

    Attributes of `data`: `layers` of the model, `chance` (what a reader that always says the same scores), `classes`.
    """

    kind: ClassVar[str] = "profile"
    main: ClassVar[str] = "score"
    required: ClassVar[dict[str, tuple[str, ...]]] = {
        "score": ("measure", "site"),
        "standard_error": ("measure", "site"),
    }

    @property
    def measures(self) -> list[str]:
        """The measures, the main one first."""
        return [str(name) for name in self.data["measure"].values]

    @property
    def chance(self) -> float:
        """What a reader that always gives the same answer reaches in the first measure."""
        return float(self.data.attrs["chance"])

    def curves(self, variable: str = "score", measure: str | None = None) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Layers and values along them, for each kind of site and position, by a name such as "resid_post@-1"."""
        array = self.data[variable]
        values = (array.sel(measure=measure or self.measures[0]) if "measure" in array.dims else array).values
        parts, places, layers = (self.data[name].values for name in ("part", "position", "layer"))
        names = [f"{part}@{place}" for part, place in zip(parts, places, strict=True)]
        found = {}
        for name in dict.fromkeys(names):
            own = np.array([n for n, other in enumerate(names) if other == name])
            own = own[np.argsort(layers[own], kind="stable")]
            found[name] = (layers[own], values[own])
        return found

    def curve(self, variable: str = "score", measure: str | None = None) -> np.ndarray:
        """Values along the layers, where there is one kind of site and one position."""
        found = self.curves(variable, measure)
        if len(found) != 1:
            raise InputError(f"there are {len(found)} curves: {', '.join(found)}; choose one of curves()")
        return next(iter(found.values()))[1]

    def selectivity(self) -> xr.DataArray:
        """Score less control, (measure, site)."""
        if "control" not in self.data:
            raise InputError("the profile has no control; run the sweep with control='shuffled'")
        return self.data["score"] - self.data["control"]

    def best(self) -> str:
        """The site with the highest score; the shallowest of equals."""
        return str(self.data["site"].values[int(np.argmax(self.data["score"].values[0]))])


class Direction(Explanation):
    """Directions in activation space: `direction` (..., width). They add, subtract, scale and negate.

    Variables
    ---------
    direction : (site, width) where each belongs to a site, named by the coordinate `site`; else any shape before width.
    agreement : (site,), optional: share of the examples that lie on the direction's side.
    cosine : (site,), optional: with the mean difference of the same examples.
    typical_length : (site,), optional: mean length of the activations there, for relative sizes.
    """

    kind: ClassVar[str] = "direction"
    main: ClassVar[str] = "direction"
    required: ClassVar[dict[str, tuple[str, ...]]] = {"direction": ()}

    @property
    def values(self) -> np.ndarray:
        """The directions as an array (..., width)."""
        return np.asarray(self.data["direction"].values, dtype=float)

    @property
    def sites(self) -> list[Site]:
        """Where each direction belongs, in order."""
        if "site" in self.data["direction"].coords:
            return [Site.parse(str(text)) for text in np.atleast_1d(self.data["site"].values)]
        if "site" in self.data.attrs:
            return [Site.parse(str(self.data.attrs["site"]))]
        raise InputError(f"this direction, made by {self.provenance.method}, belongs to no site; name one")

    def at(self, *sites: Site | str) -> Direction:
        """The directions of some sites only."""
        known = [str(site) for site in self.sites]
        for site in sites:
            if str(Site.parse(site)) not in known:
                raise SiteError(f"there is no direction for {site}; there are some for {', '.join(known)}")
        return self.isel(site=[known.index(str(Site.parse(site))) for site in sites])

    @property
    def lengths(self) -> xr.DataArray:
        """Euclidean length of each direction."""
        return (self.data["direction"] ** 2).sum("width") ** 0.5

    def unit(self) -> Direction:
        """The same directions, of length one."""
        if not bool((self.lengths > 0).all()):
            raise InputError("a direction of zeros has no unit length; it was read from examples that do not differ")
        return self._with(self.data["direction"] / self.lengths, stale=False)

    def relative(self, share: float = 1.0) -> Direction:
        """The same directions, of this share of the typical length of the activations at their sites."""
        if "typical_length" not in self.data:
            raise InputError("how long activations are at these sites is not known; read the direction from a model")
        scaled = self.unit().data["direction"] * self.data["typical_length"] * share
        return self._with(scaled, stale=False)

    def cosine(self, other: Direction) -> xr.DataArray:
        """Cosine with another's directions, site by site."""
        self._alike(other)
        lengths = self.lengths * other.lengths
        return (self.data["direction"] * other.data["direction"]).sum("width") / lengths.where(lengths > 0)

    def __add__(self, other: Direction) -> Direction:
        self._alike(other)
        return self._with(self.data["direction"] + other.data["direction"])

    def __sub__(self, other: Direction) -> Direction:
        return self + -1.0 * other

    def __mul__(self, factor: float) -> Direction:
        return self._with(self.data["direction"] * factor, stale=factor <= 0)

    __rmul__ = __mul__

    def __truediv__(self, divisor: float) -> Direction:
        return self * (1.0 / divisor)

    def __neg__(self) -> Direction:
        return self * -1.0

    def _alike(self, other: Direction) -> None:
        one, two = self.data["direction"], other.data["direction"]
        if one.sizes != two.sizes or any(not one[dim].equals(two[dim]) for dim in one.dims if dim in one.coords):
            raise InputError(
                f"directions {dict(one.sizes)} and {dict(two.sizes)} do not belong to the same sites and width; "
                "choose common ones with .at(...)"
            )

    def _with(self, array: xr.DataArray, stale: bool = True) -> Direction:
        """Others in their place; what was found out about the old ones goes where it no longer holds."""
        data = self.data.assign(direction=array.transpose(*self.data["direction"].dims))
        return Direction(data.drop_vars(["agreement", "cosine"], errors="ignore") if stale else data, self.provenance)


class DoseResponse(Explanation):
    """What a model does as a direction is added with growing strength: `divergence` (strength, sample) and more.

    Variables
    ---------
    divergence : (strength, sample), from the untouched prompt's next-token distribution, in nats.
    entropy : (strength, sample), of the next-token distribution, in bits.
    top : (strength, sample), the likeliest token.
    answer_mass : (strength, sample, answer), optional: probability of each answer's first token.
    correct : (sample,), optional: place of the right answer among the answers.
    relative_size : (strength, site), length of what is added over that of the activations; NaN where not known.
    neutral_loss : (strength, text), optional: nats a token on texts that have nothing to do with the task.
    neutral_divergence : (strength, text), optional: as `divergence`, in the middle of these texts.
    """

    kind: ClassVar[str] = "dose-response"
    main: ClassVar[str] = "divergence"
    required: ClassVar[dict[str, tuple[str, ...]]] = {
        "divergence": ("strength", "sample"),
        "entropy": ("strength", "sample"),
    }

    @property
    def strengths(self) -> np.ndarray:
        """The strengths, in order."""
        return np.asarray(self.data["strength"].values, dtype=float)

    @property
    def right(self) -> np.ndarray:
        """Whether the right answer is the likeliest of the answers: bool (strength, sample)."""
        shares = self._answers()
        return np.asarray(shares.argmax(axis=-1) == self.data["correct"].values[None])

    def masses(self, within: bool = True) -> tuple[np.ndarray, np.ndarray]:
        """Probability of the right answer and of all wrong ones together, each (strength, sample).

        Parameters
        ----------
        within : among the answers only, so that the two add up to 1; False: among all tokens.
        """
        shares = self._answers()
        own = np.take_along_axis(shares, self.data["correct"].values[None, :, None], axis=-1)[..., 0]
        everything = shares.sum(axis=-1)
        return (own / everything, 1 - own / everything) if within else (own, everything - own)

    def flips(self, strength: float) -> tuple[int, int]:
        """How many samples go from wrong to right, and from right to wrong, against strength 0."""
        before, after = self.right[self.place(0.0)], self.right[self.place(strength)]
        return int((~before & after).sum()), int((before & ~after).sum())

    def place(self, strength: float) -> int:
        """The place of a strength in the order."""
        found = np.flatnonzero(np.isclose(self.strengths, strength, atol=1e-9))
        if not len(found):
            raise InputError(f"strength {strength:g} was not measured; there are {', '.join(map(str, self.strengths))}")
        return int(found[0])

    def to_frame(self) -> pd.DataFrame:
        """One row a strength: relative size, accuracy and flips, divergence, entropy, masses, perplexity."""
        import pandas as pd

        columns: dict[str, Any] = {"strength": self.strengths}
        if "relative_size" in self.data:
            columns["relative size"] = self.data["relative_size"].values.max(axis=1)
        for name, unit in (("divergence", "nats"), ("entropy", "bits")):
            values = self.data[name].values
            columns |= {
                f"{name} ({unit})": values.mean(axis=1),
                f"{name} variance": values.var(axis=1),
                f"{name} median": np.median(values, axis=1),
            }
        if "answer_mass" in self.data and "correct" in self.data:
            columns["accuracy"] = self.right.mean(axis=1)
            if (self.strengths == 0).any():
                flips = np.array([self.flips(strength) for strength in self.strengths])
                columns |= {"wrong to right": flips[:, 0], "right to wrong": flips[:, 1]}
            for within, where in ((True, "among answers"), (False, "of all tokens")):
                for which, values in zip(("right", "wrong"), self.masses(within), strict=True):
                    columns[f"{which} mass {where}"] = values.mean(axis=1)
                    columns[f"{which} mass {where} variance"] = values.var(axis=1)
        if "neutral_loss" in self.data:
            columns["neutral perplexity"] = np.exp(self.data["neutral_loss"].values.mean(axis=1))
        if "neutral_divergence" in self.data:
            columns["neutral divergence (nats)"] = self.data["neutral_divergence"].values.mean(axis=1)
        return pd.DataFrame(columns)

    def _answers(self) -> np.ndarray:
        if "answer_mass" not in self.data or "correct" not in self.data:
            raise InputError("no answers were given, so none is right or wrong: give answers= and correct=")
        return np.asarray(self.data["answer_mass"].values, dtype=float)


class Narrative(Explanation):
    """An explanation in words: `text` (sample,)."""

    kind: ClassVar[str] = "narrative"
    main: ClassVar[str] = "text"
    required: ClassVar[dict[str, tuple[str, ...]]] = {"text": ("sample",)}
