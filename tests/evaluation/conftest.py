"""Models with closed forms, and explanations with chosen values."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from explicate import Attribution, TabularModel
from explicate.core.provenance import Provenance

Explained = Callable[..., Attribution]
spec = importlib.util.spec_from_file_location(
    "language_fixtures", Path(__file__).parents[1] / "models" / "language" / "conftest.py"
)
language = importlib.util.module_from_spec(spec)
spec.loader.exec_module(language)
llama = language.llama


@pytest.fixture
def linear() -> Callable[..., TabularModel]:
    """A linear model of a table with a Gaussian background."""

    def make(weights: Any, constant: float = 0.0, rows: int = 200) -> TabularModel:
        weights = np.asarray(weights, dtype=float)
        background = np.random.default_rng(0).normal(size=(rows, len(weights)))
        return TabularModel(lambda x: x @ weights + constant, background, output="call", name="linear")

    return make


@pytest.fixture
def explained() -> Explained:
    """An explanation with given attributions of a model's first output."""

    def make(
        model: Any,
        inputs: Any,
        values: Any,
        baseline_score: Any = None,
        method: str = "random",
        kind: str | None = None,
        **attributes: Any,
    ) -> Attribution:
        inputs, values = np.asarray(inputs), np.asarray(values, dtype=float)
        dims = {2: ("feature",), 3: ("row", "column"), 4: ("channel", "row", "column")}
        count = len(inputs)
        targets = np.zeros(count, dtype=np.int64)
        score = np.zeros(count) if model is None else model.scores(inputs, targets)
        variables = {
            "attribution": (("sample", *dims[values.ndim]), values),
            "inputs": (("sample", *dims[inputs.ndim]), inputs),
            "target": (("sample",), targets),
            "score": (("sample",), np.asarray(score, dtype=float)),
        }
        if baseline_score is not None:
            variables["baseline_score"] = (("sample",), np.broadcast_to(np.asarray(baseline_score, float), (count,)))
        kind = kind or (model.kind if model is not None else "table" if inputs.ndim == 2 else "image")
        data = xr.Dataset(variables, attrs={"model_kind": kind, **attributes})
        return Attribution(data, Provenance(method, model=getattr(model, "name", "")))

    return make
