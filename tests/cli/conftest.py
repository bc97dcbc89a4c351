"""What tests of several commands share."""

import pytest

from explicate.models.tiny.decoder import Decoder


@pytest.fixture(scope="package")
def saved_decoder(tmp_path_factory):
    """Saves a small decoder of some words as people save theirs; gives the folder."""

    def saved(*words):
        shape = Decoder(words, layers=3, width=32, heads=4, mlp_width=64, context=24)
        folder = tmp_path_factory.mktemp("model")
        shape.build(0).save_pretrained(folder)
        shape.tokenizer().save_pretrained(folder)
        return folder

    return saved
