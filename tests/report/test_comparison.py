"""The page that `explicate compare` writes."""

import numpy as np
import pandas as pd
import pytest
import torch

import explicate as ex
from explicate.models.preprocessing import Preprocessing
from explicate.report.comparison import SHOWN, comparison_report

EVIL = "<script>document.title='owned'</script>"


@pytest.fixture(scope="module")
def table() -> ex.TabularModel:
    rows = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 3)), columns=["age", EVIL, "income"])
    return ex.TabularModel(lambda x: x @ np.array([3.0, 1.0, 0.0]), rows, name=f"scores of {EVIL}")


def test_a_table_gets_an_overview_one_sample_the_figures_and_a_verdict(table, tmp_path):
    compared = ex.compare(table, table.background[:12], ["feature-ablation", "kernel-shap"], ["deletion", "insertion"])
    page = ex.write_report(compared, tmp_path / "report.html", table).read_text()
    assert page.count("<img ") == 4  # a beeswarm and a waterfall of each method; none of the control
    assert table.fingerprint() in page
    assert "Clearly better than the random control" in page
    assert "first sample, feature-ablation: " in page
    assert EVIL not in page
    assert "&lt;script&gt;" in page


def test_without_the_model_the_page_still_says_which_one_it_was(table):
    compared = ex.compare(table, table.background[:2], ["feature-ablation"], ["deletion"])
    page = comparison_report(compared).to_html()
    assert table.fingerprint() in page


def test_what_a_method_cannot_do_is_said(table):
    compared = ex.compare(table, table.background[:2], ["gradient", "feature-ablation"], ["deletion"])
    lines = comparison_report(compared, table).sections[0].parts[-1].lines
    assert any(line.startswith("gradient, deletion: ") for line in lines)


def test_pictures_get_a_heat_map_for_each_of_the_first_samples():
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.LazyLinear(2))
    module(torch.zeros(1, 3, 16, 16))
    model = ex.VisionModel(module, Preprocessing(size=(16, 16)), name="tiny")
    pictures = np.random.default_rng(0).integers(0, 255, size=(SHOWN + 1, 16, 16, 3)).astype(np.uint8)
    compared = ex.compare(model, list(pictures), ["gradient"], ["sparseness"])
    section = comparison_report(compared, model).sections[0]
    assert [part.title for part in section.parts[:-1]] == [f"Sample {n} of {SHOWN + 1}" for n in range(1, SHOWN + 1)]
    assert all("<img " in part.figures[0].body for part in section.parts[:-1])
    assert section.findings == []
