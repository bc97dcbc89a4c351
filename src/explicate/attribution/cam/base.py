"""What all class-activation maps share: layers, selections of maps and neurons, targets, scaling, results."""

from __future__ import annotations

import dataclasses
import warnings
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import numpy as np

from explicate.attribution.cam.maps import combined, enlarged, scaled
from explicate.attribution.explainer import Explainer, Found
from explicate.core.capabilities import Array, Floats, Masks, Predictor, Targets, means
from explicate.core.kinds import Attribution
from explicate.core.sites import Site
from explicate.core.targets import Target
from explicate.errors import InputError, SelectionError, TargetError

SAMPLES_AT_ONCE = 32


@means("feature maps and the gradients at them")
@runtime_checkable
class FeatureMaps(Predictor, Protocol):
    """A network whose feature maps, and the gradients of its scores with respect to them, can be had."""

    def map_site(self) -> Site:
        """The last feature maps."""
        ...

    def activation_gradients(
        self, inputs: Array, sites: Sequence[Site | str], targets: Targets, function: Any = None, at: Any = None
    ) -> Any:
        """Activations, gradients and scores; see `explicate.models.vision.VisionModel.activation_gradients`."""
        ...


@dataclass(frozen=True)
class Layer:
    """What a method found for one layer of a few pictures.

    Attributes
    ----------
    activations : (sample, channel, row, column). weights : (sample, channel). alpha : like the activations, or None.
    """

    activations: Floats
    weights: Floats
    alpha: Floats | None = None


@dataclass(frozen=True)
class ClassActivation(Explainer):
    """Base of the class-activation family: L = sum over channels of weight times feature map, rectified, enlarged.

    The result's `attribution` (sample, row, column) is the map at the picture's size, scaled to [0, 1]. Beside it:
    `map` at the layer's size and scaled, `raw_map` before rectifying and scaling, `weights` (sample, map_channel),
    `alpha` where the method has one, and `empty` (sample,), true where the map is constant and has been set to 0. With
    several layers these have the layer's number as suffix ("map.0"), and `layer_maps` (sample, layer, row, column) has
    all maps at the picture's size.

    Parameters
    ----------
    layers : site, or several, whose maps are used ("layer4.1.conv2", "_avg_pooling:input"); default: the last maps.
    fuse : how the maps of several layers are put together after scaling, "mean" or "max".
    channels : feature maps that are summed; the weights stay what they are, so that the raw maps of a partition of the
        channels sum to the whole raw map.
    neurons : by channel, a mask (row, column) of the layer's neurons that count; channels not named do not count.
    region : (first row, past last row, first column, past last column) of the layer's neurons that count. Both
        selections act on the sums that make the weights and on the map; everything else is 0.
    target_site, target_neuron, target_function : explain, instead of the class, a later part of the network: a neuron
        (index into its activation of one sample), or what the function makes of its activation, or of the logits
        where no site is named: tensor (sample, ...) -> (sample,). A callable given as `target` is a target function.
    rectify : whether the sum's negative part is set to 0.
    reshape_transform : turns activations that are no maps, for example a transformer's (sample, token, channel), into
        (sample, channel, row, column); an array in, an array out.
    batch_size : pictures sent through at once at most; default: the model decides.

    Raises
    ------
    SiteError (a KeyError) : no such layer; lists the convolutions.
    InputError (a ValueError) : a layer without maps; names the shape found.
    SelectionError (an IndexError) : a selection outside the maps; names their shape.
    """

    layers: str | tuple[str, ...] | None = None
    fuse: Literal["mean", "max"] = "mean"
    channels: tuple[int, ...] | None = None
    neurons: Mapping[int, Any] | None = None
    region: tuple[int, int, int, int] | None = None
    target_site: str | None = None
    target_neuron: tuple[int, ...] | None = None
    target_function: Callable[[Any], Any] | None = None
    rectify: bool = True
    reshape_transform: Callable[[Any], Any] | None = None
    batch_size: int | None = None
    needs: ClassVar[type] = FeatureMaps
    instead: ClassVar[str] = "integrated-gradients and occlusion work without feature maps"
    kinds: ClassVar[tuple[str, ...]] = ("image",)
    signed: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.fuse not in ("mean", "max"):
            raise InputError(f"{self.name}: fuse {self.fuse!r} is unknown; use 'mean' or 'max'")
        if self.layers is not None and len(self.layers) == 0:
            raise InputError(f"{self.name}: no layers named; leave `layers` out for the last feature maps")
        if self.region is not None and np.shape(self.region) != (4,):
            raise InputError(
                f"{self.name}: region {self.region} is no (first row, past last row, first column, past last column)"
            )
        if self.neurons is not None:
            masks = {int(k): np.asarray(m["array"] if isinstance(m, Mapping) else m) for k, m in self.neurons.items()}
            object.__setattr__(self, "neurons", masks)
        if self.target_neuron is not None and (self.target_site is None or self.target_function is not None):
            raise InputError(f"{self.name}: target_neuron needs a target_site, and no target_function beside it")
        if self.target_site is not None and self.target_neuron is None and self.target_function is None:
            raise InputError(f"{self.name}: target_site needs a target_neuron or a target_function")
        if self.batch_size is not None and self.batch_size < 1:
            raise InputError(f"{self.name}: batch_size is {self.batch_size}; take 1 or more")

    def explain(
        self, model: Any, inputs: Any, target: Target | Callable[[Any], Any] = None, seed: int = 0
    ) -> Attribution:
        """Explain the class score of `target`, or what a callable makes of the logits; see `Explainer.explain`."""
        if callable(target):
            if self.target_function is not None or self.target_site is not None:
                raise TargetError(f"{self.name} has a target function already; give either that or a callable target")
            return dataclasses.replace(self, target_function=target).explain(model, inputs, None, seed)
        return super().explain(model, inputs, target, seed)

    @abstractmethod
    def found_layers(
        self, model: Any, inputs: Array, sites: Sequence[Site], targets: Targets, rng: np.random.Generator
    ) -> tuple[list[Layer], Floats]:
        """Weights per site for a few pictures, and the noise level (sample,) that was used (0 without noise)."""

    def attribute(self, model: Any, inputs: Array, targets: Targets, rng: np.random.Generator) -> Found:
        asked = (self.layers,) if isinstance(self.layers, str) else self.layers
        sites = [model.map_site()] if asked is None else [Site.parse(layer) for layer in asked]
        shape = (int(inputs.shape[-2]), int(inputs.shape[-1]))
        parts: list[dict[str, Array]] = []
        for first in range(0, len(inputs), SAMPLES_AT_ONCE):
            block = slice(first, first + SAMPLES_AT_ONCE)
            layers, sigma = self.found_layers(model, inputs[block], sites, targets[block], rng)
            parts.append(self._mapped(layers, shape) | {"sigma": sigma})
            if self._function() is not None:  # what was explained is no class score
                parts[-1]["score"] = self.gradients(model, inputs[block], sites, targets[block])[2]
        found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        if found["empty"].any():
            rows = np.flatnonzero(found["empty"])
            named = ", ".join(map(str, rows[:5])) + (f" and {len(rows) - 5} others" if len(rows) > 5 else "")
            warnings.warn(
                f"{self.name}: the map of sample {named} is empty: no gradient reaches the layer, its activations are "
                "not finite, or nothing stands out",
                stacklevel=4,
            )
        attribution, score = found.pop("attribution"), found.pop("score", None)
        extra = {name: (_dims(name), values) for name, values in found.items()}
        flags = {"layers": [str(site) for site in sites]}
        return Found(attribution, score=score, target_name=self._target_name(), extra=extra, flags=flags)

    def _target_name(self) -> str | None:
        """What is explained, where it is no class."""
        if self.target_neuron is not None:
            return f"neuron {self.target_neuron} of {self.target_site}"
        if self.target_function is None:
            return None
        name = getattr(self.target_function, "__name__", "<lambda>")
        what = "a target function" if name == "<lambda>" else name
        return what if self.target_site is None else f"{what} of {self.target_site}"

    def _mapped(self, layers: Sequence[Layer], shape: tuple[int, int]) -> dict[str, Array]:
        """Maps of all layers and what they are put together to."""
        found: dict[str, Array] = {}
        large, empties = [], []
        for number, layer in enumerate(layers):
            suffix = "" if len(layers) == 1 else f".{number}"
            good = np.asarray(
                np.isfinite(layer.activations).all(axis=(1, 2, 3)) & np.isfinite(layer.weights).all(axis=1)
            )
            keep = self.kept(layer.activations.shape[1:])
            weights = np.where(good[:, None], layer.weights, 0.0)
            activations = np.where(good[:, None, None, None], layer.activations, 0.0)
            raw = combined(weights, activations, keep, self._chosen(layer.activations.shape[1:]))
            positive = np.maximum(raw, 0) if self.rectify else raw
            small, flat = scaled(positive)
            found |= {f"map{suffix}": small, f"raw_map{suffix}": raw, f"weights{suffix}": weights}
            if layer.alpha is not None:
                found[f"alpha{suffix}"] = np.nan_to_num(layer.alpha, posinf=0.0, neginf=0.0).astype(np.float32)
            each, also_flat = scaled(enlarged(positive, shape))
            large.append(each)
            empties.append(flat | also_flat | ~good)
        for number, empty in enumerate(empties):
            suffix = "" if len(layers) == 1 else f".{number}"
            large[number][empty] = 0.0
            found[f"map{suffix}"][empty] = 0.0
        stack = np.stack(large, axis=1)
        if len(layers) > 1:
            found["layer_maps"] = stack
        found["attribution"] = stack.max(axis=1) if self.fuse == "max" else stack.mean(axis=1)
        found["empty"] = np.all(empties, axis=0)
        return found

    # -- selections ------------------------------------------------------------------------------------------------

    def kept(self, shape: tuple[int, ...]) -> Masks:
        """Which neurons (channel, row, column) count."""
        channels, rows, columns = shape
        keep: Array = np.ones(shape, dtype=bool)
        if self.region is not None:
            top, bottom, left, right = self.region
            if not (0 <= top < bottom <= rows and 0 <= left < right <= columns):
                raise SelectionError(f"region {self.region} does not lie in maps of (K, h, w) = {tuple(shape)}")
            keep[:] = False
            keep[:, top:bottom, left:right] = True
        if self.neurons is not None:
            chosen: Array = np.zeros(shape, dtype=bool)
            for channel, mask in self.neurons.items():
                if not 0 <= channel < channels or np.shape(mask) != (rows, columns):
                    raise SelectionError(
                        f"neurons of channel {channel} with a mask of shape {np.shape(mask)} do not fit maps of "
                        f"(K, h, w) = {tuple(shape)}"
                    )
                chosen[channel] = np.asarray(mask, dtype=bool)
            keep &= chosen
        return keep

    def _chosen(self, shape: tuple[int, ...]) -> Array | None:
        if self.channels is None:
            return None
        chosen = np.asarray(self.channels, dtype=int)
        if chosen.ndim != 1 or chosen.size == 0 or chosen.min() < 0 or chosen.max() >= shape[0]:
            raise SelectionError(f"channels {self.channels} do not lie in maps of (K, h, w) = {tuple(shape)}")
        return np.unique(chosen)

    # -- what a method asks the model ----------------------------------------------------------------------------------

    def gradients(self, model: Any, inputs: Array, sites: Sequence[Site], targets: Targets) -> Any:
        """Activations and gradients of all sites as maps (sample, channel, row, column), float64; and the scores."""
        before = model.chunk
        if self.batch_size is not None:
            model.chunk = self.batch_size
        try:
            found = model.activation_gradients(inputs, sites, targets, self._function(), self.target_site)
        finally:
            model.chunk = before
        activations = [self.as_maps(found.activations[site], site) for site in sites]
        gradients = [self.as_maps(found.gradients[site], site) for site in sites]
        return activations, gradients, np.asarray(found.scores, dtype=float)

    def _function(self) -> Callable[[Any], Any] | None:
        if self.target_neuron is None:
            return self.target_function
        place = (slice(None), *self.target_neuron)

        def neuron(activation: Any) -> Any:
            inside = len(place) == activation.ndim and all(
                -size <= index < size for index, size in zip(place[1:], activation.shape[1:], strict=True)
            )
            if not inside:
                raise SelectionError(
                    f"target_neuron {place[1:]} does not lie in an activation of shape {tuple(activation.shape[1:])}"
                )
            return activation[place]

        return neuron

    def as_maps(self, values: Array, site: Site) -> Floats:
        """Check that a site gives maps, after `reshape_transform` where there is one."""
        shape = np.shape(values)
        if self.reshape_transform is not None:
            values = np.asarray(self.reshape_transform(values))
        if values.ndim != 4:
            after = f", and {values.shape} after reshape_transform" if self.reshape_transform is not None else ""
            raise InputError(
                f"{self.name}: the layer {str(site)!r} gives {shape}{after}, not maps (sample, channel, row, column); "
                "name a convolution, or say by `reshape_transform` how to make maps of it"
            )
        return values.astype(float)


def _dims(name: str) -> tuple[str, ...]:
    stem, _, number = name.partition(".")
    dims: dict[str, tuple[str, ...]] = {
        "map": ("map_row", "map_column"),
        "raw_map": ("map_row", "map_column"),
        "weights": ("map_channel",),
        "alpha": ("map_channel", "map_row", "map_column"),
        "layer_maps": ("layer", "row", "column"),
    }
    suffix = f".{number}" if number else ""
    return ("sample", *(dim + suffix for dim in dims.get(stem, ())))
