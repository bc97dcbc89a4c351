"""The small convolutional network: shapes, heads, learning, the cache."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from explicate.core.sites import Site  # noqa: E402
from explicate.data.shapes import rendered_shapes  # noqa: E402
from explicate.errors import InputError  # noqa: E402
from explicate.models.tiny import cnn  # noqa: E402


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.setenv("EXPLICATE_CACHE", str(tmp_path_factory.mktemp("cache")))
    shapes = rendered_shapes(600, np.random.default_rng(0))
    yield shapes, lambda **more: cnn.trained_network(shapes.images, shapes.labels, classes=5, **{"epochs": 3, **more})
    patch.undo()


def test_it_learns_the_shapes_and_is_trained_once(trained):
    shapes, train = trained
    model = train()
    share = (model.predict(shapes.images).argmax(axis=1) == shapes.labels).mean()
    assert share > 0.3  # chance is 0.2
    assert train().fingerprint() == model.fingerprint()
    assert train(seed=1).fingerprint() != model.fingerprint()


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
