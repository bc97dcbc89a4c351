"""Does an explanation notice when everything that the model learnt is taken away?

Source: Adebayo et al. (2018), "Sanity Checks for Saliency Maps": parameter randomisation for torch modules (section 3),
data randomisation, fitting again to permuted labels, for estimators (section 4).
"""

from __future__ import annotations

import contextvars
import copy
import warnings
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from explicate.attribution.players import Partition
from explicate.core.capabilities import Array, Floats
from explicate.core.kinds import Attribution
from explicate.core.registry import register
from explicate.errors import CapabilityError, ExplicateError, InputError, ModelError
from explicate.evaluation.batching import importances, kind_of, players_of
from explicate.evaluation.correspondence import spearman
from explicate.evaluation.metric import Context, Metric, Scores
from explicate.runtime.fingerprint import digest
from explicate.runtime.seeds import derive_seed, generator

How = Literal["draw", "permute", "reset"]
KEPT = 8  # refitted estimators kept in memory, because every method of a comparison asks for the same ones
_refitted: OrderedDict[str, Any] = OrderedDict()


@register("randomisation", "metrics")
@dataclass(frozen=True)
class Randomisation(Metric):
    """The similarity of an explanation to that of a randomised model. Lower is better; a high one fails the check.

    The explanation is made again, with the same seed, for copies of the model that know nothing: a torch module with
    random weights, or an estimator fitted to permuted labels (give `training`; for the comparison `labels`). What stays
    similar does not come from what was learnt. A test: "pass" when the upper end of the interval over samples is at
    most the threshold, "fail" when its lower end is above it, else "inconclusive"; of one sample its value decides.

    Parameters
    ----------
    repeats : randomised models; the similarity is their mean. The cost is repeats x stages explanations.
    how : "draw" new weights from a normal distribution with mean and standard deviation of the trained ones (tensor by
        tensor, so that activations neither vanish nor explode), "permute" them within each tensor, or "reset" each
        layer to its own initialisation.
    stages : 1 randomises all layers at once; more randomise cascading from the last layer to the first, in so many
        steps. The value is that of the last step; `details` has "cascade" (sample, step).
    similarity : Spearman's rank correlation over the players ("spearman"), or for pictures structural similarity
        ("ssim") of the maps scaled to [0, 1].
    absolute : compare sizes; False compares signed attributions.
    threshold : a similarity above which the explanation fails.
    seed : of the random weights or labels; the same models serve every method and sample.
    partition : players; None takes columns, tokens and pixels.

    Notes
    -----
    An explanation of the randomised model that is constant has nothing left of the original: similarity 0.
    """

    repeats: int = 3
    how: How = "draw"
    stages: int = 1
    similarity: Literal["spearman", "ssim"] = "spearman"
    absolute: bool = True
    threshold: float = 0.5
    seed: int = 0
    partition: Partition | None = None
    higher_is_better: ClassVar[bool | None] = False
    range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    needs_explainer: ClassVar[bool] = True
    chance: ClassVar[str] = "0 for attributions that are independent of the original"

    def __post_init__(self) -> None:
        if self.repeats < 1 or self.stages < 1:
            raise InputError("randomisation: repeats and stages must be 1 or more")
        if self.how not in ("draw", "permute", "reset"):
            raise InputError(f"randomisation: how={self.how!r} is unknown; use 'draw', 'permute' or 'reset'")
        if self.similarity not in ("spearman", "ssim"):
            raise InputError(f"randomisation: similarity {self.similarity!r} is unknown; use 'spearman' or 'ssim'")

    @classmethod
    def can_take(cls, model: Any, training: bool) -> bool:
        return hasattr(model, "module") or (training and hasattr(getattr(model, "wrapped", None), "fit"))

    def cost(self, explanation: Attribution, model: Any) -> int:
        """At most what making the explanation cost, for every model, and two evaluations per sample that make sure that
        the scores have changed."""
        models = self.repeats * (self.stages if hasattr(model, "module") else 1)
        return models * (explanation.provenance.evaluations + 2 * len(explanation))

    def verdict(self, low: float, high: float) -> str | None:
        if high <= self.threshold:
            return "pass"
        return "fail" if low > self.threshold else "inconclusive"

    def compute(
        self, explanation: Attribution, model: Any, rngs: Sequence[np.random.Generator], context: Context
    ) -> Scores:
        inputs, targets = np.asarray(explanation["inputs"].values), explanation.targets
        torch_module = hasattr(model, "module")
        stages = self.stages if torch_module else 1
        if self.similarity == "ssim" and kind_of(explanation) != "image":
            raise InputError("randomisation: similarity 'ssim' is for pictures; use 'spearman'")
        found = np.empty((self.repeats, stages, len(inputs)))
        for repeat in range(self.repeats):
            for stage in range(stages):
                seed = derive_seed(self.seed, "randomisation", repeat)
                if torch_module:
                    changed = randomised(model, seed, self.how, (stage + 1) / stages)
                else:
                    changed = refitted(model, context.training, seed)
                _check_changed(model, changed, inputs, targets)
                rng = generator(explanation.provenance.seed)
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # that a random model's map is empty is no fault of the user's
                    found_again = context.explainer.attribute(changed, inputs, targets, rng).attribution
                again = np.asarray(found_again, dtype=float)
                found[repeat, stage] = self._similarities(explanation, again, model)
        notes = () if torch_module else ("data randomisation: the model was fitted again to permuted labels",)
        cascade = found.mean(axis=0).T
        return Scores(cascade[:, -1], chance=np.zeros(len(inputs)), details={"cascade": cascade}, notes=notes)

    def _similarities(self, explanation: Attribution, again: Floats, model: Any) -> Floats:
        other = Attribution(
            explanation.data.assign(attribution=(explanation["attribution"].dims, again)), explanation.provenance
        )
        if self.similarity == "ssim":
            return structural_similarities(explanation.over_pixels(), other.over_pixels(), self.absolute)
        players = players_of(explanation, self.partition, model)
        values = []
        for a, b in zip(importances(explanation, players), importances(other, players), strict=True):
            if self.absolute:
                a, b = np.abs(a), np.abs(b)
            lost = len(a) > 1 and np.ptp(a) > 0 and np.ptp(b) == 0
            values.append(0.0 if lost else spearman(a, b))
        return np.array(values)


def randomised(model: Any, seed: int, how: How = "draw", share: float = 1.0) -> Any:
    """A copy of a handle on a torch module, with random weights in a share of its layers, counted from the last.

    The given handle and its module stay as they are. Tied weights are drawn once.
    """
    import torch

    module = copy.deepcopy(model.module)
    layers = [layer for layer in module.modules() if any(True for _ in layer.parameters(recurse=False))]
    if not layers:
        raise CapabilityError(f"the module of {model.name!r} has no parameters to randomise")
    count = max(1, round(share * len(layers)))
    source = torch.Generator().manual_seed(seed % 2**63)
    done: set[int] = set()
    with torch.no_grad():
        for layer in reversed(layers[len(layers) - count :]):
            own = [p for p in layer.parameters(recurse=False) if id(p) not in done and p.is_floating_point()]
            done.update(map(id, own))
            if how == "reset" and own and hasattr(layer, "reset_parameters"):
                with torch.random.fork_rng(devices=[]):
                    torch.manual_seed(int(torch.randint(2**62, (1,), generator=source)))
                    layer.reset_parameters()
                continue
            for parameter in own:
                parameter.copy_(_random(parameter, how, source))
    return with_module(model, module)


def _random(parameter: Any, how: How, source: Any) -> Any:
    import torch

    flat = parameter.detach().float().cpu().flatten()
    if how == "permute":
        return flat[torch.randperm(len(flat), generator=source)].reshape(parameter.shape)
    spread = flat.std(unbiased=False)
    return (flat.mean() + spread * torch.randn(len(flat), generator=source)).reshape(parameter.shape)


def with_module(model: Any, module: Any) -> Any:
    """A handle like `model` on another module of the same form; nothing that was derived from the old one is kept."""
    if hasattr(model, "with_module"):
        return model.with_module(module)
    import torch

    other = copy.copy(model)
    for name, value in vars(model).items():
        if name != "module" and name.startswith("_") and isinstance(value, torch.nn.Module):
            setattr(other, name, None)
    other.module = module.eval()
    other._fingerprint = None
    other.name, other.source = f"{model.name}, randomised", None
    return other


def refitted(model: Any, training: tuple[Any, Any] | None, seed: int) -> Any:
    """A handle like `model` on a clone of its estimator, fitted to permuted labels."""
    estimator = getattr(model, "wrapped", None)
    if estimator is None or not hasattr(estimator, "fit"):
        raise CapabilityError(
            f"the model {model.name!r} cannot be randomised: it is neither a torch module nor an estimator with `fit`; "
            "leave the randomisation check out, or wrap the model itself instead of a function of it"
        )
    if training is None:
        raise CapabilityError(
            f"to randomise the estimator {model.name!r}, it is fitted to permuted labels: give `training`, "
            "inputs and labels (for a comparison: `labels`)"
        )
    rows, labels = model.encode(training[0]), np.asarray(training[1])
    if len(rows) != len(labels):
        raise InputError(f"randomisation: {len(labels)} labels for {len(rows)} training samples; give one for each")
    key = digest(model.fingerprint(), rows, labels, seed)
    found = _refitted.get(key)
    if found is None:
        # In a context of its own: whether the fit is at hand must not show in the evaluations that are counted.
        found = _refitted[key] = contextvars.Context().run(_refit, model, estimator, rows, labels, seed)
        while len(_refitted) > KEPT:
            _refitted.popitem(last=False)
    return found


def _refit(model: Any, estimator: Any, rows: Array, labels: Array, seed: int) -> Any:
    from sklearn.base import clone

    from explicate.models.tabular import TabularModel

    permuted = labels[generator(seed).permutation(len(labels))]
    try:
        fresh = clone(estimator).fit(model.decode(rows) if model.takes_frame else rows, permuted)
    except ExplicateError:
        raise
    except Exception as error:
        raise ModelError(f"the estimator {model.name!r} could not be fitted to permuted labels: {error}") from error
    other = TabularModel(
        fresh,
        model.decode(model.background) if model.takes_frame else model.background,
        features=model.features,
        output=model._call[0],
        name=f"{model.name}, permuted labels",
        chunk=model.chunk,
    )
    if other.output_count != model.output_count:
        raise InputError(
            f"fitted again, {model.name!r} has {other.output_count} outputs instead of {model.output_count}: "
            "the training labels lack some classes; give more of them"
        )
    return other


def structural_similarities(first: Floats, second: Floats, absolute: bool = True) -> Floats:
    """Structural similarity (sample,) of maps (sample, row, column), each scaled to [0, 1]."""
    from skimage.metrics import structural_similarity

    found = []
    for a, b in zip(first, second, strict=True):
        if absolute:
            a, b = np.abs(a), np.abs(b)
        if np.ptp(a) == 0:
            found.append(np.nan)
        elif np.ptp(b) == 0:
            found.append(0.0)
        else:
            scaled = [(item - item.min()) / np.ptp(item) for item in (a, b)]
            found.append(float(structural_similarity(*scaled, data_range=1.0)))
    return np.array(found)


def _check_changed(model: Any, changed: Any, inputs: Array, targets: Array) -> None:
    before, after = model.scores(inputs, targets), changed.scores(inputs, targets)
    if np.array_equal(before, after):
        raise ModelError(
            f"randomising {model.name!r} left its scores as they were: its handle keeps a copy of the old weights, "
            "or its scores do not depend on its inputs; give the handle a method `with_module`"
        )
