"""The small convolutional network: shapes, heads, learning, the cache."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from explicate.core.sites import Site  # noqa: E402
from explicate.errors import InputError  # noqa: E402
from explicate.models.tiny import cnn  # noqa: E402


def test_it_learns_from_pictures_and_is_trained_once(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLICATE_CACHE", str(tmp_path))
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 800)
    images = 0.3 * rng.random((800, 1, 16, 16), dtype=np.float32)
    images[np.arange(800), 0, rng.integers(0, 16, 800)] += 0.5 * labels[:, None]  # a bright row somewhere, or none

    def train(seed):
        return cnn.trained_network(images[:600], labels[:600], classes=2, epochs=8, seed=seed)

    model = train(0)
    assert (model.predict(images[600:]).argmax(axis=1) == labels[600:]).mean() > 0.9
    monkeypatch.setattr("explicate.models.tiny.training._descend", lambda *_: None)  # nothing is trained from here on
    assert train(0).fingerprint() == model.fingerprint()
    assert train(1).fingerprint() != model.fingerprint()


@pytest.mark.parametrize("head", ["dense", "average"])
def test_the_last_maps_are_an_eighth_of_the_side(head):
    module = cnn.network(1, 5, head=head).eval()
    from explicate.models.preprocessing import Preprocessing
    from explicate.models.vision import VisionModel

    model = VisionModel(module, Preprocessing(size=(64, 64), mean=(0.0,), std=(1.0,), order="L"))
    batch = np.random.default_rng(0).random((2, 1, 64, 64)).astype(np.float32)
    maps = model.capture(batch, [cnn.LAST_MAPS, model.map_site()])
    np.testing.assert_array_equal(maps[Site(cnn.LAST_MAPS)], maps[model.map_site()])
    assert maps[Site(cnn.LAST_MAPS)].shape == (2, 64, 8, 8)
    slopes = model.activation_gradients(batch, [cnn.LAST_MAPS], np.zeros(2, int)).gradients[Site(cnn.LAST_MAPS)]
    same_everywhere = np.allclose(slopes, slopes[:1, :, :1, :1])
    assert same_everywhere == (head == "average")


@pytest.mark.parametrize("wrong", [{"head": "attention"}, {"size": 50}, {"size": 0}])
def test_wrong_forms_are_refused(wrong):
    with pytest.raises(InputError):
        cnn.network(**wrong)
