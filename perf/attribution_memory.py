"""Memory of a stream of explanations: 100,000 rows through kernel-shap into Parquet parts.

`ours` is the peak of the process's resident memory over what it was after model and libraries were loaded and before
anything was explained, in GiB; `half` is the same after the first half of the rows, so growth would show.
"""

from __future__ import annotations

import json
import os
import resource
import tempfile
from collections.abc import Iterator

import numpy as np
from threadpoolctl import threadpool_limits

from explicate.attribution.kernel_shap import KernelShap
from explicate.attribution.missingness import Marginal
from explicate.attribution.streaming import explain_to_parquet
from explicate.models.tabular import TabularModel

ROWS, CHUNK, FEATURES = 100_000, 2_000, 12


def peak() -> float:
    """The largest resident memory so far, GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def chunks(rng: np.random.Generator, rows: int) -> Iterator[np.ndarray]:
    """Rows that exist only while they are explained."""
    for _ in range(0, rows, CHUNK):
        yield rng.normal(size=(CHUNK, FEATURES))


def main() -> None:
    """Print one JSON line."""
    rng = np.random.default_rng(0)
    weights = rng.normal(size=FEATURES)
    model = TabularModel(lambda rows: np.tanh(rows @ weights), rng.normal(size=(1000, FEATURES)))
    explainer = KernelShap(budget=64, missingness=Marginal(rows=10), estimator="least-squares")
    with threadpool_limits(1), tempfile.TemporaryDirectory() as folder:
        start = peak()
        explain_to_parquet(explainer, model, chunks(rng, ROWS // 2), f"{folder}/one")
        half = peak() - start
        explain_to_parquet(explainer, model, chunks(rng, ROWS // 2), f"{folder}/two")
        over = peak() - start
    row = {"work": "attribution/memory of a stream of 100,000 rows, GiB", "ours": round(over, 3), "peer": None,
           "reference": round(start, 3), "ratio": round(over, 3), "goal": 1.0, "met": over <= 1.0, "runs": 1,
           "load": round(os.getloadavg()[0], 2), "half": round(half, 3)}  # fmt: skip
    print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
