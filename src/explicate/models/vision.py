"""Image classifiers: a torch module with its preprocessing, open to gradients and to looks inside."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from explicate.core.capabilities import Array, Floats, ModelKind, Targets
from explicate.core.cost import spend
from explicate.core.interventions import Intervention, Together
from explicate.core.sites import Site
from explicate.errors import InputError, ModelError, TargetError
from explicate.models.base import check_finite
from explicate.models.chunking import SMALL, fastest_chunk
from explicate.models.feature_maps import (
    ScoreFunction,
    SiteGradients,
    captured,
    intervened,
    module_sites,
    site_gradients,
)
from explicate.models.preprocessing import Preprocessing, is_picture
from explicate.models.torch_model import Score, TorchModel
from explicate.runtime.fingerprint import digest

if TYPE_CHECKING:
    import torch

SAME = 1e-4  # how far scores of the fast copy may lie from the module's, relative to the largest of them
SAME_SLOPES = 0.01  # distance of the two gradients over their length
CHANNEL_NAMES = {"RGB": ("red", "green", "blue"), "BGR": ("blue", "green", "red"), "L": ("grey",)}


class VisionModel(TorchModel):
    """A torch image classifier; offers `Predictor`, `Differentiable` and `Transparent`.

    Scores and gradients with respect to pictures come from a faster copy of the module (see `explicate.models.folding`)
    as long as that copy is found to give the same scores; everything that looks inside uses the module itself, and so
    does everything within `intervene`.

    Parameters
    ----------
    module : maps float pictures (sample, channel, row, column) to (sample, output), or to something with `logits`.
    preprocessing : how pictures become what the module takes; default: 224 x 224 with ImageNet's mean and spread.
    class_names : names of the outputs; by default "class 0" and so on.
    score : "logit" or "probability", see `TorchModel`.
    chunk : pictures sent through at once; None lets the handle measure which number is fastest on this machine.
    fast : whether to use the faster copy.
    """

    kind: ClassVar[ModelKind] = "image"
    feature_dims: ClassVar[tuple[str, ...]] = ("channel", "row", "column")

    def __init__(
        self,
        module: torch.nn.Module,
        preprocessing: Preprocessing | None = None,
        *,
        class_names: Sequence[str] | None = None,
        name: str | None = None,
        source: str | None = None,
        chunk: int | None = None,
        score: Score = "logit",
        fast: bool = True,
    ) -> None:
        super().__init__(module, name, source, chunk, score)
        if preprocessing is not None and not isinstance(preprocessing, Preprocessing):
            raise InputError(
                f"preprocessing is {preprocessing!r}; give a Preprocessing, for example Preprocessing(size=(224, 224))"
            )
        self.preprocessing = preprocessing or Preprocessing()
        self.class_names = None if class_names is None else tuple(map(str, class_names))
        self.fast = fast
        self._fingerprint = None  # type: ignore[assignment]
        self._twin: tuple[Any, torch.nn.Module, torch.nn.Module | None] | None = None
        self._plain_only = 0

    # -- pictures --------------------------------------------------------------------------------------------------

    def encode(self, inputs: Any) -> Array:
        """Pictures as float32 (sample, channel, row, column).

        Parameters
        ----------
        inputs : one picture or several: uint8 arrays ([sample, ]row, column[, 3]), Pillow images, paths, or what
            `explicate.data.picture` gives, of any size. Float arrays (sample, channel, row, column) or
            (channel, row, column) of the model's own size count as encoded already.

        Raises
        ------
        InputError : no picture, another size, NaN.
        """
        shape = self.preprocessing.shape
        if hasattr(inputs, "detach"):  # a torch tensor
            inputs = inputs.detach().cpu().numpy()
        if isinstance(inputs, np.ndarray) and inputs.dtype != object:
            if inputs.dtype.kind == "f" and inputs.ndim in (3, 4) and inputs.shape[-3:] == shape:
                encoded = np.asarray(inputs, dtype=np.float32).reshape(-1, *shape)
                if len(encoded) == 0:
                    raise InputError(f"no pictures given to {self.name!r}")
                return check_finite(encoded, f"pictures for {self.name!r}")
            if inputs.dtype.kind == "f" and inputs.ndim == 4 and inputs.shape[-1] not in (1, 3, 4):
                raise InputError(
                    f"the model {self.name!r} takes encoded pictures of shape (sample, {', '.join(map(str, shape))}), "
                    f"not {inputs.shape}"
                )
            pictures = list(inputs) if inputs.ndim == 4 else [inputs]
        elif is_picture(inputs):
            pictures = [inputs]
        else:
            pictures = list(inputs)
        if not pictures:
            raise InputError(f"no pictures given to {self.name!r}")
        return np.stack([self._encode_one(picture) for picture in pictures])

    def _encode_one(self, picture: Any) -> Array:
        if hasattr(picture, "detach"):
            picture = picture.detach().cpu().numpy()
        shape = self.preprocessing.shape
        if isinstance(picture, np.ndarray) and picture.dtype.kind == "f" and picture.shape == shape:
            return check_finite(picture.astype(np.float32), f"a picture for {self.name!r}")
        return self.preprocessing.encode(picture)

    def decode(self, inputs: Array) -> Array:
        """Encoded pictures as uint8 (sample, row, column, 3), for people."""
        return self.preprocessing.decode(inputs)

    def feature_labels(self, inputs: Array) -> Mapping[str, Any]:
        """The channels' colours."""
        return {"channel": list(CHANNEL_NAMES[self.preprocessing.order])}

    # -- outputs ---------------------------------------------------------------------------------------------------

    @property
    def output_count(self) -> int:
        """Number of classes, found by a look at a black picture."""
        if self._output_count is None:
            import torch

            with torch.no_grad():
                found = super().outputs(self._probe())
            if found.ndim != 2:
                raise ModelError(f"the model {self.name!r} gave {tuple(found.shape)} for one picture, not (1, output)")
            self._set_output_count(int(found.shape[1]))
        return super().output_count

    def output_name(self, index: int) -> str:
        """The class's name."""
        count = self.output_count  # which has looked whether the names fit
        if self.class_names is None:
            return f"class {index}"
        return self.class_names[1 if len(self.class_names) > count else index]

    def output_index(self, name: str) -> int:
        """The index of a class name; names that occur twice are refused with their indices."""
        names = [self.output_name(i) for i in range(self.output_count)]
        found = [i for i, known in enumerate(names) if known.lower() == name.lower()]
        if not found:
            near = [known for known in names if name.lower() in known.lower()][:5]
            raise TargetError(
                f"the model {self.name!r} has no output {name!r}; "
                + (f"it has {', '.join(near)}" if near else "")
                + ("" if near else f"give an index from 0 to {self.output_count - 1}")
            )
        if len(found) > 1:
            raise TargetError(f"{name!r} names the outputs {' and '.join(map(str, found))}; give the index")
        return found[0]

    def fingerprint(self) -> str:
        """A hash of the module, of what is explained, and of the preprocessing."""
        rules = {key: repr(value) for key, value in vars(self.preprocessing).items()}
        return digest(super().fingerprint(), rules)

    def __getstate__(self) -> dict[str, Any]:
        """What another process needs: everything but the fast copy, which it makes itself."""
        return {**vars(self), "_twin": None, "_plain_only": 0}

    def with_module(self, module: torch.nn.Module) -> VisionModel:
        """The same handle on another module."""
        other = copy.copy(self)
        other.module = module.eval()
        other._twin = None
        other._fingerprint = None  # type: ignore[assignment]
        return other

    # -- scores and gradients, fast --------------------------------------------------------------------------------

    def tensor(self, inputs: Array) -> torch.Tensor:
        """A chunk as the module takes it."""
        import torch

        if self._twin is None or self._twin[2] is None or min(inputs.strides) < 0:
            return super().tensor(inputs)
        tensor = torch.as_tensor(np.require(inputs, requirements="W"))  # whatever the order: it is made one below
        return tensor.to(device=self.device(), dtype=self.dtype()).contiguous(memory_format=torch.channels_last)

    def outputs(self, tensor: torch.Tensor) -> torch.Tensor:
        """Logits (sample, output) from the fast copy where there is one, else from the module."""
        twin = None if self._plain_only or self._twin is None else self._twin[2]
        return self.called(twin if twin is not None else self.module, tensor)

    def predict(self, inputs: Array) -> Floats:
        """Scores (sample, output) of encoded pictures."""
        self._prepare(inputs)
        return super().predict(inputs)

    def gradients(self, points: Floats, targets: Targets, inputs: Array | None = None) -> Floats:
        """Gradients of the targets' scores, of the shape of `points`."""
        self._prepare(points)
        with self._constant_weights():
            return np.ascontiguousarray(super().gradients(points, targets, inputs))

    def chunks(self, *arrays: Array) -> Iterator[Any]:
        """Cut arrays into chunks of a size that suits the machine."""
        size = self.chunk or self._chunk_for(arrays[0])
        for start in range(0, len(arrays[0]), size):
            cut = tuple(array[start : start + size] for array in arrays)
            yield cut[0] if len(cut) == 1 else cut

    def _chunk_for(self, inputs: Array) -> int:
        if len(inputs) <= SMALL:
            return SMALL
        return fastest_chunk(self, tuple(inputs.shape[1:]), self.device(), lambda tensor: self.outputs(tensor))

    def _prepare(self, inputs: Array) -> None:
        """Make the fast copy, make it again where the weights have changed, and compare it on two pictures."""
        if not self.fast or self._plain_only or len(inputs) == 0:
            return
        import torch

        from explicate.models.folding import fast_copy, has_hooks, state_of

        state = (id(self.module), state_of(self.module))
        if has_hooks(self.module):
            self._twin = None
            return
        if self._twin is not None and self._twin[0] == state:
            return
        # the module is kept beside its copy, so that its weights' places in memory are not given to others
        self._twin = (state, self.module, None)
        tensor = self.tensor(inputs[:2])
        try:
            twin = fast_copy(self.module)
            mine, slopes = self._probed(self.module, tensor)
            other, others = self._probed(twin, tensor.contiguous(memory_format=torch.channels_last))
        except Exception:  # the module's own failure comes up again, and is reported, when it is used
            return
        gap, scale = float((mine - other).abs().max()), float(mine.abs().max())
        # rounding may put a single neuron on the other side of its kink; a backward pass of the module's own may not
        apart, size = float((slopes - others).norm()), float(slopes.norm())
        if gap <= SAME * max(1.0, scale) and apart <= SAME_SLOPES * max(size, 1e-12):
            self._twin = (state, self.module, twin)

    def _probed(self, module: torch.nn.Module, tensor: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits of some pictures, and the gradient of their highest ones."""
        import torch

        with self._constant_weights(), torch.enable_grad():
            leaf = tensor.detach().clone().requires_grad_(True)
            logits = self.called(module, leaf)
            (gradient,) = torch.autograd.grad(logits.max(dim=1).values.sum(), leaf)
        return logits.detach(), gradient

    @contextmanager
    def _constant_weights(self) -> Iterator[None]:
        """Weights without gradients within the block, which saves their backward pass; put back afterwards."""
        wanted = [p for p in self.module.parameters() if p.requires_grad]
        for parameter in wanted:
            parameter.requires_grad_(False)
        try:
            yield
        finally:
            for parameter in wanted:
                parameter.requires_grad_(True)

    # -- looks inside ----------------------------------------------------------------------------------------------

    def sites(self) -> tuple[Site, ...]:
        """Convolutions first, then all other parts, in the module's order; "path:input" is what goes into a part."""
        return module_sites(self.module)

    def map_site(self) -> Site:
        """The last feature maps: what goes into the pooling that ends them, else the last map that a part gives."""
        from explicate.models.feature_maps import last_maps

        return last_maps(self.module, self._probe(), self.name)

    def logits(self, inputs: Array) -> Floats:
        """The module's outputs (sample, output) as they are, whatever is explained."""
        import torch

        parts = []
        with torch.no_grad():
            for chunk in self.chunks(inputs):
                parts.append(self.called(self.module, super().tensor(chunk)).cpu().numpy())
                spend(evaluations=len(chunk))
        return np.concatenate(parts)

    def linear_head(self) -> tuple[Floats, Floats] | None:
        """Weights (output, channel) and bias (output,) of the last linear layer, if it gives the outputs."""
        from torch import nn

        linear = [part for part in self.module.modules() if isinstance(part, nn.Linear)]
        if not linear or linear[-1].out_features != self.output_count:
            return None
        bias = linear[-1].bias
        weights = linear[-1].weight.detach().cpu().numpy()
        return weights, np.zeros(len(weights)) if bias is None else bias.detach().cpu().numpy()

    def capture(self, inputs: Array, sites: Sequence[Site | str]) -> dict[Site, Floats]:
        """Activations (sample, ...) at `sites`."""
        wanted = [Site.parse(site) for site in sites]
        found: dict[Site, list[Floats]] = {site: [] for site in wanted}
        for chunk in self.chunks(inputs):
            for site, activation in captured(self, super().tensor(chunk), wanted).items():
                found[site].append(activation)
        return {site: np.concatenate(parts) for site, parts in found.items()}

    def activation_gradients(
        self,
        inputs: Array,
        sites: Sequence[Site | str],
        targets: Targets,
        function: ScoreFunction | None = None,
        at: Site | str | None = None,
    ) -> SiteGradients:
        """Activations at `sites` and the gradients of a score with respect to them.

        Parameters
        ----------
        inputs : encoded pictures, all in memory at once.
        targets : the logits (never the probabilities) that are differentiated, unless there is a `function`.
        function : maps a tensor (sample, ...), the logits or the activation at the site `at`, to scores (sample,).
        at : a later site, whose activation `function` takes.
        """
        wanted = [Site.parse(site) for site in sites]
        later = None if at is None else Site.parse(at)
        parts = []
        with self._constant_weights():
            for chunk, aims in self.chunks(inputs, targets):
                parts.append(site_gradients(self, super().tensor(chunk), wanted, aims, function, later))
        return SiteGradients.joined(parts)

    @contextmanager
    def intervene(self, *interventions: Intervention | Together) -> Iterator[VisionModel]:
        """Change activations or weights within the block; undone on exit, also after an exception.

        `Steer` and `Project` take directions over the channels of a feature map.
        """
        self._plain_only += 1
        try:
            with intervened(self, interventions):
                yield self
        finally:
            self._plain_only -= 1

    def _probe(self) -> torch.Tensor:
        """One black picture (middle of the intensities after normalisation)."""
        import torch

        return torch.zeros((1, *self.preprocessing.shape), dtype=self.dtype(), device=self.device())
