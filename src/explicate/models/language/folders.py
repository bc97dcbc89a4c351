"""Loading a folder in Hugging Face's layout. Only safetensors are read: nothing is unpickled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

from explicate.errors import FileFormatError, InputError, MissingDependencyError, first_line
from explicate.runtime.fingerprint import digest

Handle = TypeVar("Handle")
FACTS = "explicate.json"


def transformers() -> Any:
    """The library, or the command that installs it."""
    try:
        import transformers as library
    except ImportError as error:
        raise MissingDependencyError(
            "language models need torch and transformers: pip install 'explicate[language]'"
        ) from error
    return library


def configuration(folder: Path) -> dict[str, Any]:
    """The folder's config.json."""
    path = folder / "config.json"
    if not path.is_file():
        raise InputError(f"{folder} is no Hugging Face folder: it has no config.json")
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise FileFormatError(f"{path} is no JSON ({error}); save the model again") from error
    return found


def from_folder(cls: type[Handle], folder: Any, auto: str, **options: Any) -> Handle:
    """A handle of class `cls` on the model that `folder` holds; `auto` names transformers' class that loads it."""
    folder = Path(folder).expanduser()
    configuration(folder)
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise InputError(
            f"{folder} has no .safetensors file; save the model again with save_pretrained "
            "(pickled weights are not read)"
        )
    module, tokenizer = open_folder(folder, auto, options.pop("dtype", None))
    facts = folder / FACTS
    known = json.loads(facts.read_text(encoding="utf-8"))["fingerprint"] if facts.is_file() else None
    options.setdefault("fingerprint", known)
    options.setdefault("name", folder.name)
    options.setdefault("source", str(folder))
    make: Any = cls
    found: Handle = make(module, tokenizer, **options)
    return found


def open_folder(folder: Path, auto: str, dtype: Any = None) -> tuple[Any, Any]:
    """Model and tokenizer, in 32-bit floats unless another type is asked for."""
    library = transformers()
    import torch
    from safetensors import SafetensorError

    with quiet(library):
        try:
            tokenizer = _tokenizer(library, folder)
            module, facts = getattr(library, auto).from_pretrained(
                folder,
                dtype=dtype or torch.float32,
                local_files_only=True,
                use_safetensors=True,
                output_loading_info=True,
            )
        except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
            raise FileFormatError(f"{folder} cannot be loaded: {first_line(error)}") from error
    missing = sorted(key for key in facts["missing_keys"] if ".pooler." not in f".{key}")  # no handle reads the pooler
    if missing:  # transformers would fill them with random numbers and go on
        raise FileFormatError(
            f"{folder} lacks {len(missing)} weights of a {type(module).__name__}, the first is {missing[0]!r}; "
            "ask for an output that the model was trained for"
        )
    return module, tokenizer


def _tokenizer(library: Any, folder: Path) -> Any:
    """The folder's tokenizer. Folders that the zoo converted are read directly, which saves seconds on Gemma's."""
    whole = folder / "tokenizer.json"
    if not (folder / FACTS).is_file() or not whole.is_file():
        return library.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    settings = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    special = {key: value for key, value in settings.items() if key.endswith("_token") and value is not None}
    template = folder / "chat_template.jinja"
    if template.is_file():
        special["chat_template"] = template.read_text(encoding="utf-8")
    return library.PreTrainedTokenizerFast(tokenizer_file=str(whole), **special)


class quiet:
    """Keep transformers' progress bars and advice away inside a block."""

    def __init__(self, library: Any) -> None:
        self.logging = library.utils.logging

    def __enter__(self) -> None:
        self.level = self.logging.get_verbosity()
        self.bars = self.logging.is_progress_bar_enabled()
        self.logging.set_verbosity_error()
        self.logging.disable_progress_bar()

    def __exit__(self, *_: Any) -> None:
        self.logging.set_verbosity(self.level)
        if self.bars:
            self.logging.enable_progress_bar()


def weights_fingerprint(folder: Path) -> str:
    """A hash of the files that the scores depend on."""
    return digest(*sorted(folder.glob("*.safetensors")), folder / "config.json")
