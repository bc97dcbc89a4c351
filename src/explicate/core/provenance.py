"""Where an explanation came from: enough to make it again, and what it cost."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import json
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from explicate.core.cost import Cost
from explicate.core.method import Parameterised
from explicate.errors import FileFormatError
from explicate.runtime.fingerprint import digest

PACKAGES = ("explicate", "numpy", "scipy", "scikit-learn", "xarray", "torch", "transformers", "openai")


@dataclasses.dataclass(frozen=True)
class Provenance:
    """Who made an explanation, from what, how, and at what cost.

    Attributes
    ----------
    method, parameters : the method's registered name and its fields.
    model, model_source, model_fingerprint : the model's name, the text that loads it again (or None), its content hash.
    background : path and hash of the table of typical rows that the model was given from a file, or None.
    inputs_fingerprint : content hash of the encoded inputs.
    seed : what all randomness came from.
    evaluations, gradients : samples sent forward, and forward and backward, through the model.
    calls, cached_calls : replies that a chat model wrote, and replies read from a cache.
    prompt_tokens, completion_tokens : tokens that the chat model read and wrote in `calls`.
    seconds : wall time.
    versions : package versions, and "python".
    created : UTC time, ISO 8601.
    """

    method: str
    parameters: dict[str, Any] = dataclasses.field(default_factory=dict)
    model: str = ""
    model_source: str | None = None
    model_fingerprint: str = ""
    background: dict[str, str] | None = None
    inputs_fingerprint: str = ""
    seed: int = 0
    evaluations: int = 0
    gradients: int = 0
    calls: int = 0
    cached_calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    versions: dict[str, str] = dataclasses.field(default_factory=lambda: installed_versions())
    created: str = dataclasses.field(
        default_factory=lambda: datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    )

    @classmethod
    def of(
        cls,
        method: Parameterised,
        model: Any,
        inputs: Any,
        cost: Cost,
        seed: int = 0,
        parameters: dict[str, Any] | None = None,
    ) -> Provenance:
        """What a method did with a model on encoded inputs; `parameters` default to the method's own."""
        return cls(
            method=method.name,
            parameters=method.parameters() if parameters is None else parameters,
            model=model.name,
            model_source=model.source,
            model_fingerprint=model.fingerprint(),
            background=getattr(model, "background_source", None),
            inputs_fingerprint=digest(inputs),
            seed=seed,
            **cost.spent(),
        )

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Provenance:
        """The inverse of `to_json`; fields that a newer version added are an error."""
        try:
            return cls(**json.loads(text))
        except (TypeError, ValueError) as error:
            raise FileFormatError(
                f"the provenance cannot be read ({error}); was the file written by a newer version?"
            ) from error

    def summary(self) -> str:
        """One line for people."""
        spent = [f"{self.evaluations:,} evaluations" if self.evaluations else ""]
        spent.append(f"{self.gradients:,} gradients" if self.gradients else "")
        tokens = self.prompt_tokens + self.completion_tokens
        spent.append(f"{self.calls:,} calls ({tokens:,} tokens)" if self.calls else "")
        spent.append(f"{self.cached_calls:,} cached calls" if self.cached_calls else "")
        cost = " and ".join(part for part in spent if part) or "no evaluations"
        return f"{self.method} on {self.model}: {cost}, {self.seconds:.2f} s"


def installed_versions() -> dict[str, str]:
    """Versions of the packages that matter for a result."""
    return dict(_versions())


@functools.cache  # reading them takes longer than many an explanation
def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
