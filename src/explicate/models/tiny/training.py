"""One training loop for small torch modules: seeded, shown, and paid for once.

Trained weights are kept in the user's cache as safetensors, under a hash of the recipe, the module's structure and the
data, so that a study that is run again finds them.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from explicate.core.capabilities import Array
from explicate.errors import InputError, ModelError
from explicate.runtime.files import cache_folder, replacing
from explicate.runtime.fingerprint import digest
from explicate.runtime.progress import bar
from explicate.runtime.seeds import derive_seed, generator

if TYPE_CHECKING:
    import torch

FORMAT = 1
OBJECTIVES = ("mean-squared-error", "binary-cross-entropy", "cross-entropy", "sequence-cross-entropy")


@dataclass(frozen=True)
class Recipe:
    """How a module is trained.

    Parameters
    ----------
    objective : "mean-squared-error", "binary-cross-entropy" (one logit), "cross-entropy" (a logit per class), or
        "sequence-cross-entropy" (a logit per class at each position; averaged over each sequence, then over the batch;
        positions labelled -1 are left out).
    epochs : passes over the rows. batch : rows per step; the last one of an epoch may be smaller.
    optimiser : "sgd" or "adam". learning_rate, momentum (sgd only), weight_decay : its own.
    schedule : "constant", or "cosine": the learning rate falls to 0 along half a cosine, step by step.
    seed : of the initial weights and of the order of the rows.
    """

    objective: str = "cross-entropy"
    epochs: int = 20
    batch: int = 64
    optimiser: str = "adam"
    learning_rate: float = 1e-3
    momentum: float = 0.0
    weight_decay: float = 0.0
    schedule: str = "constant"
    seed: int = 0

    def __post_init__(self) -> None:
        for name, value, known in (
            ("objective", self.objective, OBJECTIVES),
            ("optimiser", self.optimiser, ("sgd", "adam")),
            ("schedule", self.schedule, ("constant", "cosine")),
        ):
            if value not in known:
                raise InputError(f"{name} {value!r} is unknown; use one of {', '.join(known)}")
        if self.epochs < 1 or self.batch < 1 or not self.learning_rate > 0:
            raise InputError("epochs and batch must be at least 1, and the learning rate above 0")


def train(
    build: Callable[[], torch.nn.Module],
    inputs: Array,
    labels: Array,
    recipe: Recipe,
    *,
    name: str = "model",
    cache: bool = True,
    begin_step: Callable[[Any, float], None] | None = None,
) -> torch.nn.Module:
    """Build a module and train it, or load it from the cache; it comes in evaluation mode.

    Parameters
    ----------
    build : makes the untrained module; random numbers drawn inside come from the recipe's seed.
    inputs : (sample, *feature). labels : (sample,), class codes or values.
    name : what the progress bar says. cache : False trains anew and keeps nothing.

    Raises
    ------
    InputError : different numbers of inputs and labels, or NaN in them.
    ModelError : the loss became NaN or infinite; the message names the step and the rows of its batch.
    """
    import torch
    from safetensors.torch import load_file, save_file

    inputs, labels = np.asarray(inputs), np.asarray(labels)
    if len(inputs) != len(labels) or len(inputs) == 0:
        raise InputError(f"{len(inputs)} inputs and {len(labels)} labels; give one label per input")
    if not (np.isfinite(inputs).all() and np.isfinite(labels).all()):
        raise InputError("the training data hold NaN or infinite values; fill or drop them first")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(recipe.seed, "weights"))
        module = build()
        path = None
        if cache:
            key = digest(FORMAT, dataclasses.asdict(recipe), str(module), _sizes(module), inputs, labels)
            path = cache_folder("tiny") / f"{key}.safetensors"
            if path.exists():
                module.load_state_dict(load_file(path))
                return module.eval()
        _descend(module, inputs, labels, recipe, name, begin_step)
    if path is not None:
        with replacing(path) as temporary:
            save_file({key: value.contiguous() for key, value in module.state_dict().items()}, temporary)
    return module.eval()


def _descend(
    module: torch.nn.Module,
    inputs: Array,
    labels: Array,
    recipe: Recipe,
    name: str,
    begin_step: Callable[[Any, float], None] | None,
) -> None:
    import torch

    dtype = next(module.parameters()).dtype
    x = torch.as_tensor(inputs).to(dtype)
    classes = recipe.objective in ("cross-entropy", "sequence-cross-entropy")
    y = torch.as_tensor(labels).to(torch.int64 if classes else dtype)
    objective = _objective(recipe.objective)
    optimiser: Any
    if recipe.optimiser == "sgd":
        optimiser = torch.optim.SGD(
            module.parameters(), recipe.learning_rate, recipe.momentum, weight_decay=recipe.weight_decay
        )
    else:
        optimiser = torch.optim.Adam(module.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay)
    steps = recipe.epochs * -(-len(x) // recipe.batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps) if recipe.schedule == "cosine" else None
    module.train()

    def loss(rows: torch.Tensor) -> torch.Tensor:
        outputs = module(x[rows])
        return objective(outputs if classes else outputs.reshape(len(rows)), y[rows])

    descend(
        optimiser,
        loss,
        len(x),
        epochs=recipe.epochs,
        batch=recipe.batch,
        rng=generator(recipe.seed, "order"),
        name=name,
        before_step=None if begin_step is None else lambda share: begin_step(module, share),
        after_step=None if schedule is None else schedule.step,
    )


def descend(
    optimiser: torch.optim.Optimizer,
    loss: Callable[[torch.Tensor], torch.Tensor],
    rows: int,
    *,
    epochs: int,
    batch: int,
    rng: np.random.Generator,
    name: str,
    before_step: Callable[[float], Any] | None = None,
    after_step: Callable[[], Any] | None = None,
    after_epoch: Callable[[int], bool | None] | None = None,
) -> None:
    """Gradient descent on a loss of rows, in another order each epoch.

    Parameters
    ----------
    loss : of the rows of one step, given by their indices. rows : how many there are.
    rng : draws the orders. name : what the progress bar says.
    before_step : called before each step with the share of all steps that is done. after_step : called after each
        step; after_epoch : called with the number of each finished epoch, and ends the
        descent by returning True.

    Raises
    ------
    ModelError : the loss became NaN or infinite; the message names the step and the rows, and the weights are those of
        before it.
    """
    import torch

    progress = bar(epochs, f"training {name}")
    done, steps = 0, epochs * -(-rows // batch)
    try:
        for epoch in range(epochs):
            for chosen in torch.as_tensor(rng.permutation(rows)).split(batch):
                if before_step is not None:
                    before_step(done / steps)
                optimiser.zero_grad()
                found = loss(chosen)
                done += 1
                if not math.isfinite(found.item()):
                    first = ", ".join(map(str, chosen[:5].tolist())) + (", ..." if len(chosen) > 5 else "")
                    raise ModelError(
                        f"training {name}: the loss is {found.item()} at step {done} on rows {first}; "
                        "lower the learning rate"
                    )
                found.backward()
                optimiser.step()
                if after_step is not None:
                    after_step()
            progress.update(1)
            if after_epoch is not None and after_epoch(epoch):
                return
    finally:
        progress.close()


def _objective(name: str) -> Any:
    import torch.nn.functional as F

    return {
        "mean-squared-error": F.mse_loss,
        "binary-cross-entropy": F.binary_cross_entropy_with_logits,
        "cross-entropy": F.cross_entropy,
        "sequence-cross-entropy": _sequence_cross_entropy,
    }[name]


def _sequence_cross_entropy(outputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Outputs (sample, position, class), labels (sample, position): each sample's mean, and their mean."""
    there = labels >= 0
    chosen = outputs.gather(-1, labels.clamp(min=0)[..., None])[..., 0]
    surprise = (outputs.logsumexp(-1) - chosen) * there
    return (surprise.sum(1) / there.sum(1).clamp(min=1)).mean()


def _sizes(module: torch.nn.Module) -> list[Any]:
    return [[key, list(value.shape), str(value.dtype)] for key, value in module.state_dict().items()]
