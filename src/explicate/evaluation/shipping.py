"""How a model reaches the workers of a comparison: as the object itself, by its source, or as bytes."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from explicate.errors import CapabilityError, RunError

_arrived: dict[str, Any] = {}


@dataclass(frozen=True, eq=False)
class Here:
    """A model in the process, or the threads, that use it.

    Torch modules are used by one thread at a time: their hooks, and what a handle notes while they run, would be seen
    by all. (They use several threads inside.)
    """

    model: Any
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def __call__(self) -> Any:
        return self.model

    def turn(self) -> AbstractContextManager[Any]:
        """Within the block no other thread uses the model, if that matters."""
        return self.lock if hasattr(self.model, "module") else nullcontext()


@dataclass(frozen=True)
class Shipped:
    """A model for another process, which loads it once.

    Attributes
    ----------
    fingerprint : of the model that was given; another one at the other end is an error.
    source : text for `load_model`. payload : the pickled handle, where there is no such text. Only this process's own
        workers ever unpickle it.
    """

    name: str
    fingerprint: str
    source: str | None
    payload: bytes | None

    def __call__(self) -> Any:
        if self.fingerprint not in _arrived:
            model = self._load()
            _ = model.output_count  # found here, where no cost is being counted
            _arrived[self.fingerprint] = model
        return _arrived[self.fingerprint]

    def turn(self) -> AbstractContextManager[Any]:
        """A worker process has the model for itself."""
        return nullcontext()

    def _load(self) -> Any:
        if self.payload is not None:
            import pickle

            return pickle.loads(self.payload)
        from explicate.models.loading import load_model

        model = load_model(str(self.source))
        if model.fingerprint() != self.fingerprint:
            raise RunError(
                f"{self.source!r} loads another model than the {self.name!r} that was given; set the handle's `source` "
                "to None to send the object itself, or use one worker"
            )
        return model


def ship(model: Any) -> Shipped:
    """Prepare a model for other processes: tables as bytes, others by their source where they have one."""
    if model.source is not None and model.kind != "table":  # a table's handle also holds the user's background rows
        return Shipped(model.name, model.fingerprint(), model.source, None)
    try:
        payload = _dumps(model)
    except Exception as error:
        raise CapabilityError(
            f"the model {model.name!r} cannot be sent to other processes ({error}); use one worker, threads, or give "
            "it a source that `load_model` understands"
        ) from error
    return Shipped(model.name, model.fingerprint(), None, payload)


def _dumps(model: Any) -> bytes:
    try:
        import cloudpickle
    except ImportError:  # older versions of joblib carry their own copy
        from joblib.externals import cloudpickle
    return bytes(cloudpickle.dumps(model))
