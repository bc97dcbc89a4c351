"""How many samples to send through a network at once: measured once per machine, network and shape, and remembered.

Too many are slow as well: buffers that outgrow the allocator's are mapped anew at every pass. The choice is kept in the
user's cache, where the first process to measure wins, so that all processes cut alike and get the same bits.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from explicate.errors import OutputError
from explicate.runtime.files import cache_folder
from explicate.runtime.fingerprint import digest

if TYPE_CHECKING:
    import torch

CANDIDATES = (4, 8, 16, 32)
SMALL = 8  # up to so many samples are sent through at once, and nothing is measured
ROUNDS = 3
_known: dict[str, int] = {}


def fastest_chunk(
    model: Any, shape: tuple[int, ...], device: torch.device, outputs: Callable[[torch.Tensor], torch.Tensor]
) -> int:
    """The number of samples of `shape` that go through at once in the least time per sample, forward and backward."""
    import torch

    structure = getattr(model, "_structure", None)
    if structure is None:
        structure = model._structure = digest(str(model.module), [list(p.shape) for p in model.module.parameters()])
    key = digest(structure, list(shape), str(device), torch.get_num_threads(), torch.__version__, platform.node())
    if key not in _known:
        _known[key] = _remembered(key) or _kept(key, _measured(shape, model.dtype(), device, outputs))
    return _known[key]


def _measured(
    shape: tuple[int, ...], dtype: torch.dtype, device: torch.device, outputs: Callable[[torch.Tensor], torch.Tensor]
) -> int:
    seconds: dict[int, float] = {}
    for size in CANDIDATES:
        values = np.random.Generator(np.random.PCG64(0)).standard_normal((size, *shape))
        taken = [_seconds(values, dtype, device, outputs) for _ in range(ROUNDS)]
        seconds[size] = min(taken[1:]) / size  # the first round fills the allocator's stores
        if seconds[size] > 1.25 * min(seconds.values()):
            break
    return min(seconds, key=lambda size: seconds[size])


def _seconds(
    values: np.ndarray, dtype: torch.dtype, device: torch.device, outputs: Callable[[torch.Tensor], torch.Tensor]
) -> float:
    import torch

    tensor = torch.as_tensor(values).to(device=device, dtype=dtype)
    if tensor.ndim == 4:
        tensor = tensor.contiguous(memory_format=torch.channels_last)
    tensor.requires_grad_(True)
    start = time.perf_counter()
    with torch.enable_grad():
        total = outputs(tensor)[:, 0].sum()
        with suppress(Exception):  # a network without gradients is timed forward alone; who wants them will be told
            torch.autograd.grad(total, tensor)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


def _place(key: str) -> Path | None:
    try:
        return cache_folder("chunks") / f"{key}.json"
    except OutputError:
        return None


def _remembered(key: str) -> int | None:
    place = _place(key)
    if place is None or not place.exists():
        return None
    try:
        size = int(json.loads(place.read_text())["samples"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return size if size in CANDIDATES else None


def _kept(key: str, size: int) -> int:
    """Store a choice unless another process was first; then take that one's."""
    place = _place(key)
    if place is None:
        return size
    draft = place.with_suffix(f".{os.getpid()}")
    try:
        draft.write_text(json.dumps({"samples": size}) + "\n")
        try:
            os.link(draft, place)  # unlike a replacement, this fails where there is one
        except FileExistsError:
            size = _remembered(key) or size
        finally:
            draft.unlink(missing_ok=True)
    except OSError:
        pass  # a cache that cannot be written to costs only the measurement
    return size
