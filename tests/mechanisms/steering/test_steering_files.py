"""Directions in safetensors and GGUF files."""

import numpy as np
import pytest

from explicate.errors import FileFormatError, InputError
from explicate.mechanisms.steering import (
    directions_of,
    read_directions,
    read_safetensors,
    top_tokens,
    write_gguf,
    write_safetensors,
)

TEXTS = ["John and Mary went to the store.", "The cat sat.", "Anna gave a drink to Tom."]


def test_safetensors_give_the_same_directions(llama, tmp_path):
    found = read_directions(llama, TEXTS, TEXTS[::-1], how="difference-of-means")
    again = read_safetensors(write_safetensors(found, tmp_path / "found.safetensors"))
    np.testing.assert_array_equal(again.values, found.values)
    assert again.sites == found.sites
    assert again.provenance == found.provenance
    np.testing.assert_array_equal(again["typical_length"], found["typical_length"])
    twice = read_safetensors(write_safetensors(again, tmp_path / "again.safetensors"))
    assert twice.data.attrs["how"] == "difference-of-means"


def test_damaged_and_foreign_files_are_one_line(tmp_path):
    from safetensors.numpy import save_file

    (tmp_path / "cut.safetensors").write_bytes(b"\x10\x00")
    with pytest.raises(FileFormatError, match="cannot be read"):
        read_safetensors(tmp_path / "cut.safetensors")
    save_file({"x": np.ones(2)}, tmp_path / "other.safetensors")
    with pytest.raises(FileFormatError, match="no directions"):
        read_safetensors(tmp_path / "other.safetensors")
    with pytest.raises(InputError, match="no file"):
        read_safetensors(tmp_path / "none.safetensors")


def test_gguf_holds_one_tensor_a_layer(llama, tmp_path):
    from gguf import GGUFReader

    found = read_directions(llama, TEXTS, how="mean", layers=(1, 2))
    reader = GGUFReader(write_gguf(found, tmp_path / "found.gguf"))
    tensors = {tensor.name: np.array(tensor.data) for tensor in reader.tensors}
    assert set(tensors) == {"direction.1", "direction.2"}
    np.testing.assert_allclose(tensors["direction.2"], found.values[1], rtol=1e-6)
    assert "controlvector.layer_count" in reader.fields
    for site in ("L0.resid_post", "L1.mlp_out"):
        with pytest.raises(InputError, match="outputs of blocks"):
            write_gguf(directions_of({site: np.ones(4)}), tmp_path / "bad.gguf")
    assert not (tmp_path / "bad.gguf").exists()


def test_a_direction_speaks_for_the_token_whose_row_it_is(llama):
    weight = llama.module.get_output_embeddings().weight.detach().numpy()
    gamma = llama.module.model.norm.weight.detach().numpy()
    found = directions_of({"L2.resid_post": weight[42] / gamma}, model=llama)
    scores = weight @ weight[42]
    assert top_tokens(llama, found, 3)[0] == [llama.token_text(int(i)) for i in np.argsort(-scores)[:3]]
