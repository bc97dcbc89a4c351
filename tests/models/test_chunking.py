"""The choice of a chunk is made once, and by one process for all."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from explicate.models import chunking  # noqa: E402
from explicate.models.preprocessing import Preprocessing  # noqa: E402
from explicate.models.vision import VisionModel  # noqa: E402


@pytest.fixture
def model(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLICATE_CACHE", str(tmp_path))
    monkeypatch.setattr(chunking, "_known", {})
    module = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 2))
    return VisionModel(module, Preprocessing(size=(2, 2), mean=(0, 0, 0), std=(1, 1, 1)))


def _sizes(model, count):
    return [len(chunk) for chunk in model.chunks(np.zeros((count, 3, 2, 2), np.float32))]


def test_few_samples_go_through_at_once_without_measuring(model, monkeypatch):
    monkeypatch.setattr(chunking, "_measured", lambda *_: pytest.fail("measured"))
    assert _sizes(model, chunking.SMALL) == [chunking.SMALL]


def test_the_fastest_size_is_taken_and_measured_once(model, monkeypatch, tmp_path):
    pace = {4: 4.0, 8: 2.0, 16: 2.2, 32: 9.0}  # seconds per sample
    calls = []

    def seconds(values, *_):
        calls.append(len(values))
        return pace[len(values)] * len(values)

    monkeypatch.setattr(chunking, "_seconds", seconds)
    assert _sizes(model, 20) == [8, 8, 4]
    once = len(calls)
    assert _sizes(model, 20) == [8, 8, 4]
    assert len(calls) == once
    monkeypatch.setattr(chunking, "_known", {})  # another process
    assert _sizes(model, 20) == [8, 8, 4]
    assert len(calls) == once
    assert len(list((tmp_path / "chunks").iterdir())) == 1


def test_the_first_process_to_store_wins(model, monkeypatch):
    assert chunking._kept("key", 8) == 8
    assert chunking._kept("key", 32) == 8


def test_a_damaged_entry_is_measured_again(model, tmp_path):
    (tmp_path / "chunks").mkdir()
    (tmp_path / "chunks" / "key.json").write_text('{"samples": ')
    assert chunking._remembered("key") is None


def test_the_users_own_chunk_is_kept(model):
    model.chunk = 3
    assert _sizes(model, 7) == [3, 3, 1]
