"""The training loop of models whose batches are drawn, not stored: seeded, shown, resumed after a kill.

Each step's batch and noise depend on the seed and the step's number alone, so a killed training goes on to the same
weights.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from explicate.core.capabilities import Floats
from explicate.errors import FileFormatError, InputError, ModelError, first_line
from explicate.runtime.files import replacing, write_json
from explicate.runtime.progress import bar
from explicate.runtime.seeds import derive_seed, generator

SCHEDULES = ("constant", "linear", "cosine")
PRECISIONS = ("float32", "bfloat16")
RESUME = "resume.safetensors"


@dataclass(frozen=True)
class DecoderRecipe:
    """How a decoder is trained: AdamW on next-token cross-entropy, gradients cut to length `clip`.

    Parameters
    ----------
    steps, batch : steps, and texts a step. learning_rate, weight_decay : of AdamW (betas 0.9 and 0.98).
    warmup : steps in which the learning rate rises to its height.
    schedule : after that "constant", or falling to 0 in a "linear" way or along half a "cosine".
    seed : of the first weights and of the texts.
    checkpoints : numbers of steps after which the weights are kept; 0 is before the first. The last are always kept.
    save_every : steps between the states that a killed training goes on from.
    precision : of the products of matrices. "bfloat16" makes a step about 1.6 times as fast on processors that have
        instructions for it, and far slower on others; the weights stay float32.
    """

    steps: int = 1000
    batch: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    warmup: int = 50
    schedule: str = "cosine"
    clip: float = 1.0
    seed: int = 0
    checkpoints: tuple[int, ...] = ()
    save_every: int = 500
    precision: str = field(default="float32", repr=False)

    def __post_init__(self) -> None:
        if self.schedule not in SCHEDULES:
            raise InputError(f"schedule {self.schedule!r} is unknown; use one of {', '.join(SCHEDULES)}")
        if self.precision not in PRECISIONS:
            raise InputError(f"precision {self.precision!r} is unknown; use one of {', '.join(PRECISIONS)}")
        if min(self.steps, self.batch, self.save_every) < 1 or not self.learning_rate > 0 or not self.clip > 0:
            raise InputError("steps, batch and save_every must be at least 1, learning_rate and clip above 0")
        beyond = [step for step in self.checkpoints if not 0 <= step <= self.steps]
        if beyond:
            raise InputError(f"checkpoint {beyond[0]} is outside the training's {self.steps} steps")

    def rate(self, step: int) -> float:
        """The learning rate of a step, counted from 0."""
        if step < self.warmup:
            return self.learning_rate * (step + 1) / self.warmup
        done = (step - self.warmup) / max(self.steps - self.warmup, 1)
        fall = {"constant": 1.0, "linear": 1 - done, "cosine": (1 + np.cos(np.pi * done)) / 2}
        return float(self.learning_rate * fall[self.schedule])


class Descent:
    """One training of a module: its optimiser and its files.

    Parameters
    ----------
    module : what is trained; its weights that require gradients.
    batch : draws a batch of `count` items with `rng` alone.
    loss : of the module on a batch, a scalar tensor.
    recipe : steps, rates and seed.
    name : what the progress bar and errors say.
    folder : where weights and the state to resume from are kept; None keeps the weights in memory.
    stop : asked after every step with the number of steps made, the module in training mode; ends the training.
    """

    def __init__(
        self,
        module: Any,
        batch: Callable[[np.random.Generator, int], Any],
        loss: Callable[[Any, Any], Any],
        recipe: DecoderRecipe,
        name: str,
        *,
        folder: Path | None = None,
        stop: Callable[[int], bool] | None = None,
    ) -> None:
        self.module, self.batch, self.loss, self.recipe = module, batch, loss, recipe
        self.name, self.folder, self.stop = name, folder, stop
        self.weights = {key: weight for key, weight in module.named_parameters() if weight.requires_grad}
        self.kept: dict[int, Any] = {}
        self.losses: list[float] = []

    def finished(self) -> tuple[Floats, dict[int, Any]] | None:
        """What an earlier run left, loaded into the module; None where it did not finish."""
        if self.folder is None or not (self.folder / "done.json").exists():
            return None
        try:
            record = json.loads((self.folder / "done.json").read_text(encoding="utf-8"))
            losses = np.array(record["losses"], dtype=np.float64)
            kept: dict[int, Any] = {int(step): self.folder / file for step, file in record["kept"].items()}
        except (ValueError, KeyError, TypeError) as error:
            raise FileFormatError(
                f"{self.folder / 'done.json'} is damaged ({first_line(error)}); delete the folder to train again"
            ) from error
        self._load(read_weights(kept[len(losses)]))
        return losses, kept

    def run(self) -> tuple[Floats, dict[int, Any]]:
        """Train to the end, from where an earlier run was killed."""
        import torch

        optimiser = torch.optim.AdamW(
            list(self.weights.values()), lr=1.0, betas=(0.9, 0.98), weight_decay=self.recipe.weight_decay
        )
        self._resume(optimiser)
        self.module.train()
        with closing(bar(self.recipe.steps, f"training {self.name}", len(self.losses))) as progress:
            while len(self.losses) < self.recipe.steps:
                done = len(self.losses)
                if done in self.recipe.checkpoints and done not in self.kept:
                    self._keep(done)
                self._step(optimiser, done)
                progress.update(1)
                if self.stop is not None and self.stop(done + 1):
                    break
                if self.folder is not None and (done + 1) % self.recipe.save_every == 0:
                    self._save(optimiser, self.folder)
        self.module.eval()
        self._keep(len(self.losses))
        if self.folder is not None:
            names = {str(step): path.name for step, path in self.kept.items()}
            write_json(self.folder / "done.json", {"losses": self.losses, "kept": names})
            (self.folder / RESUME).unlink(missing_ok=True)
        return np.array(self.losses), self.kept

    def _step(self, optimiser: Any, number: int) -> None:
        import torch

        batch = self.batch(generator(self.recipe.seed, "batch", number), self.recipe.batch)
        for group in optimiser.param_groups:
            group["lr"] = self.recipe.rate(number)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(self.recipe.seed, "noise", number))
            with _products_in(self.recipe.precision):
                loss = self.loss(self.module, batch)
            optimiser.zero_grad()
            loss.backward()
        torch.nn.utils.clip_grad_norm_(list(self.weights.values()), self.recipe.clip)
        optimiser.step()
        found = float(loss.detach())
        if not np.isfinite(found):
            raise ModelError(f"training {self.name}: the loss is {found} at step {number}; lower the learning rate")
        self.losses.append(found)

    def _keep(self, step: int) -> None:
        """Keep the weights of now: in the folder, or in memory where there is none."""
        values = {key: weight.detach().clone() for key, weight in self.weights.items()}
        if self.folder is None:
            self.kept[step] = values
        else:
            self.kept[step] = self.folder / f"step-{step}.safetensors"
            _write(self.kept[step], values, {})

    def _save(self, optimiser: Any, folder: Path) -> None:
        """All that is needed to go on from here."""
        tensors = dict(self.weights)
        for place, state in optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{place}.{key}": value for key, value in state.items()}
        notes = {"losses": json.dumps(self.losses), "kept": json.dumps(list(self.kept))}
        _write(folder / RESUME, tensors, notes)

    def _resume(self, optimiser: Any) -> None:
        if self.folder is None or not (self.folder / RESUME).exists():
            return
        path = self.folder / RESUME
        values, notes = read_weights(path), _notes(path)
        try:
            self.losses = json.loads(notes["losses"])
            self.kept = {step: self.folder / f"step-{step}.safetensors" for step in json.loads(notes["kept"])}
        except (ValueError, KeyError) as error:
            raise _damaged(path, error) from error
        state: dict[int, dict[str, Any]] = {}
        for key in [key for key in values if key.startswith("optimiser.")]:
            _, place, part = key.split(".")
            state.setdefault(int(place), {})[part] = values.pop(key)
        self._load(values)
        optimiser.load_state_dict({**optimiser.state_dict(), "state": state})

    def _load(self, values: dict[str, Any]) -> None:
        import torch

        with torch.no_grad():
            for key, weight in self.weights.items():
                weight.copy_(values[key])


@contextmanager
def _products_in(precision: str) -> Iterator[None]:
    """Attention goes without its fused kernel in bfloat16: on processors its gradient is slower than all the rest."""
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel

    if precision == "float32":
        yield
        return
    with torch.autocast("cpu", torch.bfloat16), sdpa_kernel(SDPBackend.MATH):
        yield


def _write(path: Path, values: dict[str, Any], notes: dict[str, str]) -> None:
    from safetensors.torch import save_file

    with replacing(path) as temporary:
        save_file({key: value.detach().contiguous() for key, value in values.items()}, temporary, metadata=notes)


def read_weights(path: Path) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        found: dict[str, Any] = load_file(path)
    except (SafetensorError, OSError) as error:
        raise _damaged(path, error) from error
    return found


def _notes(path: Path) -> dict[str, str]:
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        return dict(file.metadata() or {})


def _damaged(path: Path, error: BaseException) -> FileFormatError:
    return FileFormatError(
        f"the training checkpoint {path} is damaged ({first_line(error)}); delete its folder to train again"
    )
