"""The units of a comparison: explain one chunk of the samples by one method, or measure it by one metric."""

from __future__ import annotations

import dataclasses
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from explicate.core.capabilities import Array, Targets, require
from explicate.core.kinds import Attribution
from explicate.core.provenance import Provenance
from explicate.core.targets import Contrast
from explicate.errors import CapabilityError, FileFormatError, InputError, MissingDependencyError
from explicate.evaluation.metric import Metric
from explicate.evaluation.shipping import Here, Shipped
from explicate.runtime.fingerprint import digest
from explicate.runtime.seeds import derive_seed

REFUSALS = (CapabilityError, InputError, MissingDependencyError)
"""What says that a method or metric does not apply; anything else that is raised is a failure."""
KEPT = 8  # explanations kept in memory, because several metrics in a row read the same one
_read: OrderedDict[tuple[str, int, int], Attribution] = OrderedDict()


@dataclass(frozen=True, eq=False)
class Work:
    """What a worker needs to explain and to measure one chunk of the samples."""

    model: Here | Shipped
    inputs: Array
    targets: Targets
    explainers: Mapping[str, Any]
    metrics: Mapping[str, Metric]
    masks: Array | None
    training: tuple[Any, Any] | None
    seed: int
    size: int
    folder: str

    def explain(self, unit: dict[str, Any], seed: int) -> dict[str, Any]:
        try:
            with self.model.turn():
                made = self._made(unit["method"], unit["start"])
        except REFUSALS as error:
            return {"not_applicable": str(error)}
        made.save(self._file(unit["method"], unit["start"]))
        return {"evaluations": made.provenance.evaluations, "gradients": made.provenance.gradients}

    def measure(self, unit: dict[str, Any], seed: int) -> dict[str, Any]:
        explanation = self.explanation(unit["method"], unit["start"])
        part = self._part(unit["start"])
        try:
            with self.model.turn():
                found = self.metrics[unit["metric"]].score(
                    explanation,
                    self.model(),
                    seed=self.seed,
                    explainer=self.explainers[unit["method"]],
                    masks=None if self.masks is None else self.masks[part],
                    training=self.training,
                )
        except REFUSALS as error:
            return {"not_applicable": str(error)}
        return found.to_record()

    def explanation(self, method: str, start: int) -> Attribution:
        """The stored explanation; made again where another machine has stored it, or where its file is damaged."""
        file = self._file(method, start)
        if file.exists():
            try:
                return _loaded(file)
            except (FileFormatError, InputError):  # cut short, or no explanation any more
                pass
        with self.model.turn():
            self._made(method, start).save(file)
        return _loaded(file)

    def forget(self) -> None:
        """Remove the stored explanations, so that none of an earlier run is taken for one of this."""
        for file in Path(self.folder).glob(f"[0-9][0-9]-*-{'[0-9]' * 6}.nc"):
            file.unlink(missing_ok=True)

    def _made(self, method: str, start: int) -> Attribution:
        model, explainer, part = self.model(), self.explainers[method], self._part(start)
        require(model, explainer.needs, explainer.name, explainer.instead)
        chosen = self.targets[part]
        target: Any = [int(t) for t in chosen] if chosen.ndim == 1 else [Contrast(int(a), int(b)) for a, b in chosen]
        found = explainer.explain(model, self.inputs[part], target=target, seed=derive_seed(self.seed, start))
        return found  # type: ignore[no-any-return]

    def _part(self, start: int) -> slice:
        return slice(start, start + self.size)

    def _file(self, method: str, start: int) -> Path:
        number = list(self.explainers).index(method)
        return Path(self.folder) / f"{number:02d}-{re.sub('[^A-Za-z0-9.+-]+', '-', method)}-{start:06d}.nc"


def _loaded(file: Path) -> Attribution:
    """Read a file, or take it from memory where it was read before and has not changed."""
    about = file.stat()
    key = (str(file), about.st_mtime_ns, about.st_size)
    found = _read.get(key)
    if found is None:  # two threads may read the same file: that costs time but changes nothing
        found = _read[key] = Attribution.load(file)
        while len(_read) > KEPT:
            _read.popitem(last=False)
    return found


def joined(parts: Sequence[Attribution], seed: int = 0) -> Attribution:
    """One explanation of consecutive parts of the samples, by one method; the costs add up."""
    about = parts[0].provenance
    if len(parts) == 1:
        return parts[0]
    data = xr.concat(
        [part.data for part in parts],
        dim="sample",
        data_vars="minimal",
        coords="minimal",
        compat="override",
        combine_attrs="drop_conflicts",
    )
    fields = {f.name: getattr(about, f.name) for f in dataclasses.fields(Provenance)}
    for name in ("evaluations", "gradients", "seconds"):
        fields[name] = sum(getattr(part.provenance, name) for part in parts)
    fields["seed"] = seed
    fields["inputs_fingerprint"] = digest(np.asarray(data["inputs"].values))
    return Attribution(data, Provenance(**fields))
