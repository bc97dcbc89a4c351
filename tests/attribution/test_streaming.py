import json

import numpy as np
import pyarrow.parquet as parquet
import pytest

import explicate as ex
from explicate.attribution.kernel_shap import KernelShap
from explicate.attribution.missingness import Zero
from explicate.attribution.streaming import explain_stream, explain_to_parquet

WEIGHTS = np.array([1.0, -2.0, 3.0])
ROWS = np.random.default_rng(0).normal(size=(10, 3))


@pytest.fixture
def model():
    return ex.TabularModel(lambda x: x @ WEIGHTS, ROWS)


def test_parts_hold_what_one_call_gives(model, tmp_path):
    chunks = [ROWS[:4], ROWS[4:8], ROWS[8:]]
    paths = explain_to_parquet(KernelShap(missingness=Zero()), model, chunks, tmp_path)
    tables = [parquet.read_table(path) for path in paths]
    found = np.concatenate([np.column_stack([t[f"x{j}"].to_numpy() for j in range(3)]) for t in tables])
    assert np.allclose(found, ROWS * WEIGHTS)
    assert json.loads(tables[0].schema.metadata[b"explicate"])["method"] == "kernel-shap"
    whole = np.concatenate([e.values for e in explain_stream(KernelShap(missingness=Zero()), model, chunks)])
    assert np.array_equal(whole, found)


def test_finished_parts_are_not_made_again(model, tmp_path):
    def cut():
        yield ROWS[:4]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        explain_to_parquet(KernelShap(), model, cut(), tmp_path)
    (first,) = tmp_path.glob("*.parquet")
    before = first.stat().st_mtime_ns
    assert len(explain_to_parquet(KernelShap(), model, [ROWS[:4], ROWS[4:]], tmp_path)) == 2
    assert first.stat().st_mtime_ns == before
