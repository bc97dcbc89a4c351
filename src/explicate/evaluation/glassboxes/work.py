"""The units of a comparison: fit a model on all folds but one and test it on that, or fit it on all rows."""

from __future__ import annotations

import base64
import re
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from explicate.core.capabilities import Array, Floats
from explicate.core.explanation import Explanation
from explicate.data.table import Table
from explicate.errors import CapabilityError, FileFormatError, InputError, MissingDependencyError
from explicate.evaluation.glassboxes.contestants import Contestant
from explicate.runtime.seeds import derive_seed, generator

REFUSALS = (CapabilityError, InputError, MissingDependencyError)
"""What says that a model does not apply to the table; anything else that is raised is a failure."""
SHUFFLED_ROWS = 2000  # rows on which a black box's columns are shuffled


@dataclass(frozen=True, eq=False)
class Work:
    """What a worker needs: the table (its class codes are the places in its class names) and who takes part."""

    table: Table
    contestants: Mapping[str, Contestant]
    folds: int
    seed: int
    folder: Path

    @property
    def labels(self) -> Array:
        """(row,) labels as people write them."""
        return np.array(self.table.class_names)[self.table.labels]

    def fold_of(self, repeat: int) -> Array:
        """(row,) the fold in which each row is tested; classes have the same share in all."""
        from sklearn.model_selection import StratifiedKFold

        state = derive_seed(self.seed, "folds", repeat) % 2**32
        splitter = StratifiedKFold(self.folds, shuffle=True, random_state=state)
        found = np.empty(len(self.table), dtype=int)
        for fold, (_, tested) in enumerate(splitter.split(np.zeros(len(self.table)), self.table.labels)):
            found[tested] = fold
        return found

    def __call__(self, unit: dict[str, Any], seed: int) -> dict[str, Any]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what a model has to say about its fit: the figures show it
            try:
                return self._whole(unit, seed) if unit.get("whole") else self._fold(unit, seed)
            except REFUSALS as error:
                return {"not_applicable": str(error)}

    def explanation(self, name: str) -> Explanation | None:
        """The readable model that was fitted to all rows; None where its file is gone or damaged."""
        try:
            return Explanation.load(self._file(name))
        except (FileFormatError, InputError, OSError):
            return None

    def refit(self, name: str) -> Explanation:
        """The same, made again."""
        self._whole({"model": name}, self.seed)
        return Explanation.load(self._file(name))

    def _fold(self, unit: dict[str, Any], seed: int) -> dict[str, Any]:
        tested = self.fold_of(unit["repeat"]) == unit["fold"]
        contestant = self.contestants[unit["model"]]
        model = contestant.build(self.table, seed)
        frame, labels = self.table.frame, self.labels
        start = time.perf_counter()
        model.fit(frame[~tested].reset_index(drop=True), labels[~tested])
        fitted = time.perf_counter()
        rows = frame[tested].reset_index(drop=True)
        predicted = np.asarray(model.predict(rows))
        done = time.perf_counter()
        record = {
            "predicted": packed(self._codes(predicted).astype(np.int16)),
            "probability": packed(self._probabilities(model, rows).astype(np.float32)),
            "fit_seconds": fitted - start,
            "predict_seconds": done - fitted,
        }
        if contestant.kind == "black box" and unit["repeat"] == unit["fold"] == 0:
            record["importance"] = self._importance(model, rows, labels[tested], seed)
        return record

    def _whole(self, unit: dict[str, Any], seed: int) -> dict[str, Any]:
        model = self.contestants[unit["model"]].build(self.table, seed)
        model.fit(self.table.frame, self.labels)
        model.explain().save(self._file(unit["model"]))
        return {"size": list(model.size().items())}  # in a list, for JSON would sort the units

    def _codes(self, predicted: Array) -> Array:
        """Labels as places in the class names; -1 for undecided."""
        places: dict[Any, int] = {name: place for place, name in enumerate(self.table.class_names)}
        return np.array([places.get(None if label is None else str(label), -1) for label in predicted])

    def _probabilities(self, model: Any, rows: Any) -> Floats:
        """(row, class) in the order of the class names."""
        found = np.zeros((len(rows), self.table.classes))
        order = [self.table.class_names.index(str(label)) for label in model.classes_]
        found[:, order] = model.predict_proba(rows)
        return found

    def _importance(self, model: Any, rows: Any, labels: Array, seed: int) -> dict[str, float]:
        """How much of the accuracy on rows not learned from goes when a column is shuffled."""
        rng = generator(seed, "importance")
        rows, labels = rows.iloc[:SHUFFLED_ROWS], labels[:SHUFFLED_ROWS]
        intact = float((np.asarray(model.predict(rows)) == labels).mean())
        found = {}
        for name in rows.columns:
            mixed = rows.assign(**{name: rows[name].to_numpy()[rng.permutation(len(rows))]})
            mixed[name] = mixed[name].astype(rows[name].dtype)
            found[str(name)] = intact - float((np.asarray(model.predict(mixed)) == labels).mean())
        return found

    def _file(self, name: str) -> Path:
        return self.folder / f"{re.sub('[^A-Za-z0-9.+-]+', '-', name)}.nc"


def packed(values: Array) -> str:
    """An array as text: its log would be ten times as long in digits."""
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()


def unpacked(text: str, kind: Any) -> Array:
    """The inverse of `packed`, as one line of numbers."""
    return np.frombuffer(base64.b64decode(text), dtype=kind)
