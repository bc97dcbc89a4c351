"""CAM, Grad-CAM, Grad-CAM++ and Smooth Grad-CAM++: four ways to weigh a layer's feature maps.

Sources: Zhou et al. (2016), "Learning Deep Features for Discriminative Localization", eq. 2; Selvaraju et al. (2017),
"Grad-CAM", eqs. 1 and 2; Chattopadhay et al. (2018), "Grad-CAM++", eqs. 13 and 19; Omeiza et al. (2019), "Smooth
Grad-CAM++", section 3.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from explicate.attribution.cam.base import ClassActivation, Layer
from explicate.attribution.cam.maps import AlphaNumerator, alpha
from explicate.attribution.gradient import NoiseUnit, check_noise, noise_level, noisy_copies
from explicate.core.capabilities import Array, Floats, Targets
from explicate.core.registry import register
from explicate.core.sites import Site
from explicate.errors import CapabilityError, InputError

COPIES_AT_ONCE = 64
SAME = 1e-3  # how far the logits may lie from a linear head on the pooled maps, relative to the largest of them


@register("cam")
@dataclass(frozen=True)
class CAM(ClassActivation):
    """The last layer's own weights on the last feature maps.

    Only for networks that end in a global average pooling and one linear layer. Not rectified unless asked, as in the
    paper: places that speak against the class lie below those that say nothing.
    """

    rectify: bool = False

    def found_layers(
        self, model: Any, inputs: Array, sites: Sequence[Site], targets: Targets, rng: np.random.Generator
    ) -> tuple[list[Layer], Floats]:
        if self.target_function is not None or self.target_neuron is not None:
            raise InputError("cam explains classes only; use grad-cam for a target function or neuron")
        found = model.capture(inputs, sites)
        layers = []
        for site in sites:
            activations = self.as_maps(found[site], site)
            head = self._head(model, inputs, activations, site)
            chosen = head[targets] if targets.ndim == 1 else head[targets[:, 0]] - head[targets[:, 1]]
            layers.append(Layer(activations, chosen.astype(float)))
        return layers, np.zeros(len(inputs))

    def _head(self, model: Any, inputs: Array, activations: Floats, site: Site) -> Floats:
        """The linear head's weights (output, channel), found to give the logits from the maps' averages."""
        head = model.linear_head()
        refusal = (
            f"cam needs logits that are one linear layer on the average of the maps at {str(site)!r}, which the model "
            f"{model.name!r} does not have; use grad-cam"
        )
        pooled = activations.mean(axis=(2, 3))
        if head is None or head[0].shape[1] != pooled.shape[1]:
            raise CapabilityError(refusal)
        weights, bias = head
        logits = model.logits(inputs)
        if logits.shape[1] != len(weights):
            raise CapabilityError(refusal)
        if np.abs(pooled @ weights.T + bias - logits).max() > SAME * max(1.0, float(np.abs(logits).max())):
            raise CapabilityError(refusal)
        return np.asarray(weights)


@register("grad-cam")
@dataclass(frozen=True)
class GradCAM(ClassActivation):
    """Weights are the means of the gradient over each feature map: w_k = mean over places of g."""

    def found_layers(
        self, model: Any, inputs: Array, sites: Sequence[Site], targets: Targets, rng: np.random.Generator
    ) -> tuple[list[Layer], Floats]:
        activations, gradients, _ = self.gradients(model, inputs, sites, targets)
        layers = [
            Layer(maps, (slopes * self.kept(maps.shape[1:])).mean(axis=(2, 3)))
            for maps, slopes in zip(activations, gradients, strict=True)
        ]
        return layers, np.zeros(len(inputs))


@dataclass(frozen=True)
class _HigherOrder(ClassActivation):
    """Weights from pixel coefficients: w_k = sum over places of alpha * ReLU(D1)."""

    alpha_numerator: AlphaNumerator = "second"
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.alpha_numerator not in ("second", "first"):
            raise InputError(
                f"{self.name}: alpha_numerator {self.alpha_numerator!r} is unknown; use 'second' or 'first'"
            )
        if not self.epsilon >= 0:
            raise InputError(f"{self.name}: epsilon {self.epsilon} is negative")

    def _layer(self, activations: Floats, first: Floats, second: Floats, third: Floats) -> Layer:
        with np.errstate(invalid="ignore", over="ignore", divide="ignore"):  # infinities end as an empty map
            shares = alpha(activations, first, second, third, self.alpha_numerator, self.epsilon)
            inside = shares * np.maximum(first, 0) * self.kept(activations.shape[1:])
            return Layer(activations, inside.sum(axis=(2, 3)), shares)


@register("grad-cam++")
@dataclass(frozen=True)
class GradCAMPlusPlus(_HigherOrder):
    """Weights count each place by a coefficient made of higher derivatives, so that several instances all count.

    The coefficients rest on Y = exp(S), whose own derivatives are exp(S) g^p in piecewise linear networks. They depend
    on the scale of g: multiplying the last layer's weights by t > 0 changes this map (it does not change Grad-CAM's);
    adding a constant to the score changes nothing.

    Parameters
    ----------
    alpha_numerator, epsilon : see `explicate.attribution.cam.maps.alpha`.
    """

    def found_layers(
        self, model: Any, inputs: Array, sites: Sequence[Site], targets: Targets, rng: np.random.Generator
    ) -> tuple[list[Layer], Floats]:
        activations, gradients, _ = self.gradients(model, inputs, sites, targets)
        layers = [self._layer(a, g, g**2, g**3) for a, g in zip(activations, gradients, strict=True)]
        return layers, np.zeros(len(inputs))


@register("smooth-grad-cam++")
@dataclass(frozen=True)
class SmoothGradCAMPlusPlus(_HigherOrder):
    """Grad-CAM++ with derivatives averaged over noisy copies of the picture, on the clean picture's feature maps.

    Derivatives are averaged first and the coefficients formed once: D1, D2, D3 = means of g, g^2, g^3. The class is
    that of the clean picture. Without noise it is Grad-CAM++; like it, it depends on the scale of g (see there), and
    rests on Y = exp(S) in a piecewise linear network, where powers of g are the higher derivatives.

    Parameters
    ----------
    n_samples : noisy copies; the paper leaves their number and the noise to the user.
    noise, noise_unit : standard deviation of the noise: "relative" to the picture's largest minus smallest number, as
        in SmoothGrad, or "absolute", in units of the encoded picture.
    exp_weighting : weigh each copy by exp(its score - the largest score), the factor that Y = exp(S) puts on every
        derivative; otherwise all copies count the same.
    alpha_numerator, epsilon : see `explicate.attribution.cam.maps.alpha`.
    """

    n_samples: int = 25
    noise: float = 0.15
    noise_unit: NoiseUnit = "relative"
    exp_weighting: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_noise(self.name, self.n_samples, self.noise, self.noise_unit)

    def found_layers(
        self, model: Any, inputs: Array, sites: Sequence[Site], targets: Targets, rng: np.random.Generator
    ) -> tuple[list[Layer], Floats]:
        activations, gradients, _ = self.gradients(model, inputs, sites, targets)
        sigma = noise_level(model, inputs, self.noise, self.noise_unit)
        if self.noise == 0:
            if self.n_samples > 1:
                warnings.warn(f"{self.name}: noise is 0, so one pass stands for all {self.n_samples}", stacklevel=5)
            layers = [self._layer(a, g, g**2, g**3) for a, g in zip(activations, gradients, strict=True)]
            return layers, np.zeros(len(inputs))
        moments = self._moments(model, inputs, sites, targets, sigma, rng, [a.shape for a in activations])
        layers = [self._layer(a, *own) for a, own in zip(activations, moments, strict=True)]
        return layers, sigma.reshape(len(inputs))

    def _moments(
        self,
        model: Any,
        inputs: Array,
        sites: Sequence[Site],
        targets: Targets,
        sigma: Floats,
        rng: np.random.Generator,
        shapes: Sequence[tuple[int, ...]],
    ) -> list[tuple[Floats, Floats, Floats]]:
        """D1, D2, D3 per site: weighted means over the copies, each (sample, channel, row, column)."""
        sums = [[np.zeros(shape) for _ in range(3)] for shape in shapes]
        total = np.zeros(len(inputs))
        highest = np.full(len(inputs), -np.inf)
        for first in range(0, len(inputs) * self.n_samples, COPIES_AT_ONCE):
            items = np.arange(first, min(first + COPIES_AT_ONCE, len(inputs) * self.n_samples))
            rows = items // self.n_samples
            copies = noisy_copies(inputs[rows], sigma[rows], rng)
            _, gradients, scores = self.gradients(model, copies, sites, targets[rows])
            for row in np.unique(rows):
                own = rows == row
                weights = np.ones(own.sum())
                if self.exp_weighting:  # weights are relative to the highest score so far, which never overflows
                    high = max(highest[row], scores[own].max())
                    shrink = np.exp(highest[row] - high)
                    highest[row] = high
                    weights = np.exp(scores[own] - high)
                    total[row] *= shrink
                    for parts in sums:
                        for part in parts:
                            part[row] *= shrink
                total[row] += weights.sum()
                for parts, slopes in zip(sums, gradients, strict=True):
                    for power, part in enumerate(parts, start=1):
                        part[row] += np.tensordot(weights, slopes[own] ** power, axes=1)
        share = total[:, None, None, None]
        return [(parts[0] / share, parts[1] / share, parts[2] / share) for parts in sums]
