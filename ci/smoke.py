"""The wheel in an environment with nothing but itself: explain a table, save, load, score; no torch needed."""

import sys
import tempfile
from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import explicate as ex

assert "torch" not in sys.modules, "import explicate must not import torch"
rows, labels = load_breast_cancer(return_X_y=True, as_frame=True)
rows = rows.iloc[:, :6]
estimator = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, labels)
explanation = ex.explain(ex.TabularModel(estimator, rows), rows.head(3), "kernel-shap")
gap = explanation.values.sum(axis=1) - (explanation["score"] - explanation["baseline_score"]).values
assert np.abs(gap).max() < 1e-9, gap
with tempfile.TemporaryDirectory() as folder:
    path = explanation.save(Path(folder) / "three.nc")
    assert ex.load(path).data.identical(explanation.data)
assert "torch" not in sys.modules, "explaining a table must not import torch"
print("smoke: ok")
