"""Gradients of the score with respect to the input, plain, times the input, and averaged over noisy copies.

Sources: Simonyan, Vedaldi, Zisserman (2013), "Deep Inside Convolutional Networks", section 3; Shrikumar et al. (2016),
"Not Just a Black Box", for gradient x input; Smilkov et al. (2017), "SmoothGrad", section 3; Hooker et al. (2019) for
its square; Adebayo et al. (2018), "Local Explanation Methods ...", for VarGrad.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from explicate.attribution.explainer import Explainer, Found
from explicate.attribution.paths import average
from explicate.core.capabilities import Array, Differentiable, Floats, Targets
from explicate.core.registry import register
from explicate.errors import InputError

Channels = Literal["keep", "max", "mean"]
NoiseUnit = Literal["relative", "absolute"]


@dataclass(frozen=True)
class _Saliency(Explainer):
    """What the gradient methods share: sizes instead of signed values, and one map instead of one per channel.

    Parameters
    ----------
    absolute : sizes instead of signed values; for texts, the length of a token's gradient instead of its sum.
    channels : for images, "keep" one map per channel, or take their "max" or "mean".
    """

    absolute: bool = False
    channels: Channels = "keep"
    needs: ClassVar[type] = Differentiable
    instead: ClassVar[str] = "occlusion and kernel-shap work without gradients"

    def __post_init__(self) -> None:
        if self.channels not in ("keep", "max", "mean"):
            raise InputError(f"{self.name}: channels {self.channels!r} is unknown; use 'keep', 'max' or 'mean'")

    def _found(self, model: Any, values: Floats, error: Floats | None = None, signed: bool = True) -> Found:
        """Values, and perhaps their standard errors, (sample, *feature), as the fields say."""
        if self.absolute:
            values = np.abs(values)
        if model.kind == "image" and self.channels == "mean":
            error = None if error is None else np.sqrt(np.square(error).sum(axis=1)) / values.shape[1]
            values = values.mean(axis=1)
        elif model.kind == "image" and self.channels == "max":
            largest = values.argmax(axis=1)[:, None]
            error = None if error is None else np.take_along_axis(error, largest, axis=1)[:, 0]
            values = np.take_along_axis(values, largest, axis=1)[:, 0]
        return Found(values, standard_error=error, flags={"signed": int(signed and not self.absolute)})

    def _per_feature(self, model: Any, gradients: Floats, inputs: Array) -> Floats:
        """Gradients (sample, *feature[, width]) as one number per feature."""
        if self.absolute and gradients.ndim > inputs.ndim:
            return np.asarray(np.linalg.norm(gradients, axis=-1))
        return np.asarray(model.collapse(gradients))


@register("gradient")
@dataclass(frozen=True)
class Gradient(_Saliency):
    """The gradient of the score: how fast it changes with each feature, at this very point.

    Costs one gradient per sample. Parameters: see above.
    """

    def attribute(self, model: Any, inputs: Array, targets: Targets, rng: np.random.Generator) -> Found:
        gradients = model.gradients(model.continuous(inputs), targets, inputs)
        return self._found(model, self._per_feature(model, gradients, inputs))


@register("gradient-x-input")
@dataclass(frozen=True)
class GradientTimesInput(_Saliency):
    """The gradient times the input: the score's change, to first order, from 0 to the input.

    Exact for a linear model without intercept; for texts the input is the token's embedding.
    """

    def attribute(self, model: Any, inputs: Array, targets: Targets, rng: np.random.Generator) -> Found:
        points = model.continuous(inputs)
        return self._found(model, np.asarray(model.collapse(model.gradients(points, targets, inputs) * points)))


@register("smooth-grad")
@dataclass(frozen=True)
class SmoothGrad(_Saliency):
    """The mean gradient over noisy copies of the input: fine-grained ups and downs of the gradient cancel out.

    Two runs with other noise differ: the result has the `standard_error` over the copies.

    Parameters
    ----------
    samples : noisy copies, and gradients, per sample.
    noise, noise_unit : standard deviation of the noise: "relative" to the largest minus the smallest number of the
        sample (for tables: of each feature over the background), as in the paper, or "absolute", in input units.
    statistic : "mean" of the gradients, mean of their "square", or their "variance" (VarGrad).
    """

    samples: int = 50
    noise: float = 0.15
    noise_unit: NoiseUnit = "relative"
    statistic: Literal["mean", "square", "variance"] = "mean"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_noise(self.name, self.samples, self.noise, self.noise_unit)
        if self.statistic not in ("mean", "square", "variance"):
            raise InputError(f"smooth-grad: statistic {self.statistic!r} is unknown; use mean, square or variance")
        if self.statistic == "variance" and self.samples < 2:
            raise InputError("smooth-grad: a variance needs 2 samples or more")

    def attribute(self, model: Any, inputs: Array, targets: Targets, rng: np.random.Generator) -> Found:
        centre = model.continuous(inputs)
        sigma = noise_level(model, centre, self.noise, self.noise_unit)

        def points(samples: Array, numbers: Array) -> Floats:
            return noisy_copies(centre[samples], sigma[samples], rng)

        def gradients(points: Floats, samples: Array) -> Floats:
            found = model.gradients(points, targets[samples], inputs[samples])
            if self.absolute and self.statistic == "mean" and centre.ndim > inputs.ndim:
                return np.asarray(found)  # the length is that of the mean, not the mean of lengths
            found = np.asarray(model.collapse(found))
            return np.square(found) if self.statistic == "square" else found

        weights = np.full(self.samples, 1 / self.samples)
        mean, spread = average(gradients, points, len(inputs), weights, centre[:1].nbytes, spread=True)
        if self.statistic == "variance":
            assert spread is not None  # there are two samples or more
            return self._found(model, np.square(spread), signed=False)
        if mean.ndim > inputs.ndim:
            return self._found(model, np.linalg.norm(mean, axis=-1))
        error = None if spread is None else spread / np.sqrt(self.samples)
        return self._found(model, mean, error, signed=self.statistic == "mean")


def check_noise(name: str, samples: int, noise: float, unit: str) -> None:
    """Refuse numbers of samples below 1, negative noise and unknown units."""
    if samples < 1:
        raise InputError(f"{name}: {samples} noisy samples; take 1 or more")
    if not (noise >= 0 and np.isfinite(noise)):
        raise InputError(f"{name}: noise {noise} is negative or not finite")
    if unit not in ("relative", "absolute"):
        raise InputError(f"{name}: noise_unit {unit!r} is unknown; use 'relative' or 'absolute'")


def noise_level(model: Any, centre: Floats, noise: float, unit: NoiseUnit) -> Floats:
    """Standard deviations that broadcast over `centre` (sample, *space): relative is noise * (max - min)."""
    ones = [1] * (centre.ndim - 1)
    if unit == "absolute":
        return np.full((len(centre), *ones), noise)
    if model.kind == "table" and getattr(model, "background", None) is not None:
        rows = np.asarray(model.continuous(model.background))
        return np.broadcast_to(noise * (rows.max(axis=0) - rows.min(axis=0)), centre.shape)
    flat = centre.reshape(len(centre), -1)
    return np.asarray(noise * (flat.max(axis=1) - flat.min(axis=1)).reshape(-1, *ones))


def noisy_copies(centre: Floats, sigma: Floats, rng: np.random.Generator) -> Floats:
    """centre + sigma * N(0, 1), of the type of `centre`."""
    kind = centre.dtype if centre.dtype in (np.float32, np.float64) else np.dtype(np.float64)
    noise = rng.standard_normal(centre.shape, dtype=kind.type)
    noise *= sigma.astype(kind)
    noise += centre
    return noise
