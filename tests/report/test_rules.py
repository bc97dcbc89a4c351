import numpy as np
import pandas as pd
import pytest
import xarray as xr

from explicate.core.kinds import Rules
from explicate.core.provenance import Provenance
from explicate.errors import InputError
from explicate.glassbox.fold import FoldSEClassifier


def learned():
    frame = pd.DataFrame({"a <b>": np.arange(100), "c": ["x", "y"] * 50})
    return frame, FoldSEClassifier(tail=1).fit(
        frame, np.where((frame["a <b>"] < 60) & (frame["c"] == "x"), "yes", "no")
    )


def test_bars_are_as_long_as_the_cases_they_hold_for():
    _, model = learned()
    found = model.explain()
    ax = found.plot(most=1)
    whole, right = (bar.get_width() for bar in ax.patches)
    assert whole == found["coverage"].values[0]
    assert right == pytest.approx(whole * found["precision"].values[0])
    assert len(ax.get_yticklabels()) == 1


def test_html_has_the_rules_and_the_proofs_and_escapes_both():
    frame, model = learned()
    page = model.explain(frame.head(2))._repr_html_()
    assert "a &lt;b&gt; is" in page
    assert "<b>" not in page
    assert page.count("<pre>") == 2
    assert "fold-se on FoldSEClassifier" in page


def test_rules_without_counts_are_listed_but_not_drawn():
    bare = Rules(xr.Dataset(coords={"rule": ["if <i> then b"]}), Provenance("by-hand"))
    assert "if &lt;i&gt; then b" in bare._repr_html_()
    with pytest.raises(InputError, match="no coverage and precision"):
        bare.plot()
