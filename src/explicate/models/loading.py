"""A model from one line of text: what the command line, a rerun and a worker process start from.

| text | what is loaded |
|---|---|
| `smollm2-135m` | a model of the zoo |
| `package.module:object` | your own code: a handle, a function that returns one, or an estimator (with a background) |
| `model.skops` | a scikit-learn estimator, without unpickling (with a background) |
| `model.onnx` | a model of table rows, run by onnxruntime (with a background) |
| a folder | a Hugging Face language model or encoder, from safetensors |
| `http://host:port/v1#name` | a chat model behind an OpenAI-compatible address |

Pickled files are refused, because reading one runs whatever code it holds.
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from explicate.core import registry
from explicate.core.capabilities import Generator, Predictor, require
from explicate.core.provenance import Provenance
from explicate.data import table_from_file
from explicate.errors import (
    CapabilityError,
    ExplicateError,
    FileFormatError,
    InputError,
    MissingDependencyError,
    ModelError,
    UnknownNameError,
    first_line,
)
from explicate.runtime.fingerprint import digest

PICKLED = (".pkl", ".pickle", ".joblib", ".pt", ".pth", ".bin", ".ckpt", ".h5", ".keras")
_IMPORT = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


def load_model(spec: str | Path, **options: Any) -> Any:
    """A handle on the model that `spec` names; its `source` is set, so that `rerun` can load it again.

    Parameters
    ----------
    spec : see the table above.
    options : passed on to the handle; for estimators and files above all `background` (typical rows: a data frame, an
        array, or the path of a table, which explanations then remember), for .skops files also `trusted` (names of
        types that the file may hold).

    Raises
    ------
    InputError, UnknownNameError, FileFormatError, MissingDependencyError, CapabilityError : one line each that says
        what was wrong with `spec` and what to do.
    """
    text = str(spec).strip()
    if not text:
        raise InputError("no model given; name one of the zoo, package.module:object, a file or a folder")
    if isinstance(options.get("background"), str | Path):
        rows = Path(options["background"])
        handle = load_model(text, **{**options, "background": table_from_file(rows).frame})
        handle.background_source = {"path": str(rows), "hash": digest(rows)}
        return handle
    if _URL.match(text):
        return _from_address(text, options)
    path = Path(text).expanduser()
    ending = path.suffix.lower()
    if ending in PICKLED and not path.is_dir():
        raise InputError(
            f"{text} is refused: reading a {ending} file can run any code that it holds; save the model as .skops, "
            ".onnx or safetensors, or give package.module:object, where your own code loads it"
        )
    if ending in (".skops", ".onnx"):
        if not path.is_file():
            raise InputError(f"there is no file {path}")
        return _from_skops(path, options) if ending == ".skops" else _from_onnx(path, options)
    if path.is_dir():
        return _from_folder(path, options)
    if is_import(text):
        return _from_code(text, options)
    if "/" in text or path.exists():
        what = "is no model file" if path.exists() else "does not exist"
        raise InputError(f"{text} {what}; give a .skops or .onnx file or a Hugging Face folder")
    try:
        make = registry.find(text, "models")
    except UnknownNameError as error:
        raise UnknownNameError(f"{error}; or give package.module:object, a .skops or .onnx file, or a folder") from None
    return _sourced(_called(make, options, f"the model {text!r}"), text)


def reload_model(about: Provenance, background: Any = None) -> Any:
    """The model that an explanation is of, loaded again from where its provenance says that it came from.

    Parameters
    ----------
    background : typical rows, as for `load_model`; by default the table that was given when the explanation was made,
        if it is still there and unchanged.
    """
    if about.model_source is None:
        raise InputError(f"it is not stored where the model {about.model!r} comes from; give the model (--model)")
    if background is None and about.background is not None:
        rows = Path(about.background["path"])
        if not rows.is_file() or digest(rows) != about.background["hash"]:
            state = "has changed" if rows.is_file() else "is not there any more"
            raise InputError(
                f"the typical rows of {about.model!r}, {rows}, {state}; give them as `background` (--background)"
            )
        background = rows
    return load_model(about.model_source, **({} if background is None else {"background": background}))


def resolve_model(model: Any) -> Any:
    """A handle from a handle or from text; raw estimators are refused with the line that wraps them."""
    if isinstance(model, str | Path):
        model = load_model(model)
    if isinstance(model, Generator) and not isinstance(model, Predictor):
        require(model, Predictor, "an attribution", "it writes text: ask it, or give the folder of a model held here")
    if not isinstance(model, Predictor):
        raise CapabilityError(
            f"{type(model).__name__} is no model handle; wrap it first, for example "
            "explicate.TabularModel(model, background_rows)"
        )
    return model


def is_import(text: str) -> bool:
    """Whether a text has the form `package.module:object`."""
    return _IMPORT.fullmatch(text) is not None


def imported(text: str) -> Any:
    """The object that `package.module:object` names, in the current folder or installed."""
    module_name, attribute = text.split(":")
    with _current_folder():
        try:
            found: Any = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            if error.name and (module_name == error.name or module_name.startswith(f"{error.name}.")):
                raise InputError(
                    f"{text}: there is no module {error.name!r} in the current folder or among the installed packages"
                ) from error
            raise InputError(
                f"{text}: {module_name} needs the module {error.name!r}, which is not installed"
            ) from error
        except ExplicateError:
            raise
        except Exception as error:
            raise ModelError(f"{text}: importing {module_name} failed: {_named(error)}") from error
        for part in attribute.split("."):
            if not hasattr(found, part):
                known = sorted(name for name in vars(found) if not name.startswith("_"))
                raise registry.unknown(part, known, f"object of {module_name}")
            found = getattr(found, part)
    return found


def _from_code(text: str, options: dict[str, Any]) -> Any:
    with _current_folder():
        found = imported(text)
        if callable(found) and not _is_handle(found) and not _is_estimator(found) and not _is_torch(found):
            found, options = _made(found, options, text)
        if _is_handle(found):
            if options:
                late = f"{', '.join(options)} {'come' if len(options) > 1 else 'comes'}"
                raise InputError(f"{text} is a model with data of its own already: {late} too late; leave it out")
            return _sourced(found, text)
    return _tabular(found, text, options)


def _made(function: Any, options: dict[str, Any], text: str) -> tuple[Any, dict[str, Any]]:
    """What a function of the user's makes, and the options that it did not take; a scoring function is kept as it is.

    A function that can be called without inputs makes a model; with a background, any other one scores rows.
    """
    own = {name: value for name, value in options.items() if name != "background"}
    for given in (options, own):
        if _binds(function, given):
            return _called(function, given, text), {key: item for key, item in options.items() if key not in given}
    return (function, options) if "background" in options else (_called(function, options, text), {})


def _binds(function: Any, options: dict[str, Any]) -> bool:
    try:
        inspect.signature(function).bind(**options)
    except (TypeError, ValueError):  # arguments are lacking or unknown; a built-in without a signature
        return False
    return True


def _from_skops(path: Path, options: dict[str, Any]) -> Any:
    try:
        import skops.io
    except ImportError as error:
        raise MissingDependencyError(".skops files are read by skops: pip install 'explicate[skops]'") from error
    trusted = options.pop("trusted", ())
    trusted = [item.strip() for item in trusted.split(",")] if isinstance(trusted, str) else list(trusted)
    try:
        unknown = sorted(set(skops.io.get_untrusted_types(file=path)) - set(trusted))
    except Exception as error:
        raise FileFormatError(f"{path} cannot be read as skops: {_named(error)}") from error
    if unknown:
        raise InputError(
            f"{path} holds types that are not trusted: {', '.join(unknown)}; if you know where the file comes from, "
            f"load it with trusted={unknown!r}"
        )
    try:
        found = skops.io.load(path, trusted=trusted)
    except Exception as error:
        raise FileFormatError(f"{path} cannot be loaded: {_named(error)}") from error
    return _tabular(found, str(path), options)


def _from_onnx(path: Path, options: dict[str, Any]) -> Any:
    from explicate.models.onnx_function import OnnxFunction

    return _tabular(OnnxFunction(path), str(path), options)


def _from_address(text: str, options: dict[str, Any]) -> Any:
    from explicate.models.chat import RemoteChat

    address, _, model = text.partition("#")
    return _called(RemoteChat, {"url": address, "model": model or None, **options}, "the endpoint")


def _from_folder(path: Path, options: dict[str, Any]) -> Any:
    from explicate.models.language import LanguageModel, TextEncoder, folders

    config = folders.configuration(path)
    names: Sequence[str] = config.get("architectures") or ()
    name = names[0] if names else ""
    if name.endswith(("ForCausalLM", "LMHeadModel")):
        return _called(LanguageModel.from_folder, {"folder": path, **options}, str(path))
    if name.endswith(("ForMaskedLM", "ForSequenceClassification", "Model", "ForPreTraining")):
        return _called(TextEncoder.from_folder, {"folder": path, **options}, str(path))
    raise InputError(
        f"{path} holds a {name or 'model of unnamed architecture'}; folders of causal language models and of text "
        "encoders are loaded, others through package.module:function, where your own code wraps them"
    )


def _tabular(found: Any, text: str, options: dict[str, Any]) -> Any:
    from explicate.models.tabular import TabularModel

    if _is_torch(found):
        raise CapabilityError(
            f"{text} is a torch module: write a function that returns explicate.VisionModel(module) (pictures) or "
            "explicate.models.torch_tabular.TorchTabularModel(module, rows) (tables), and name that function"
        )
    if not _is_estimator(found) and not callable(found):
        raise CapabilityError(
            f"{text} is a {type(found).__name__}: neither a model handle, nor an estimator, nor a function"
        )
    if options.get("background") is None:
        raise InputError(
            f"{text} is a {type(found).__name__} that knows no data: give typical rows, --background rows.csv on the "
            "command line, load_model(..., background=rows) in Python, or name a function that returns a TabularModel"
        )
    made = _called(TabularModel, {"model": found, "source": text, **options}, text)
    if getattr(found, "class_names", None) is None and hasattr(found, "class_names"):
        _ = made.output_count  # one evaluation finds an ONNX classifier's names
    if made.class_names is None and getattr(found, "class_names", None):
        made.class_names = found.class_names
    return made


def _called(make: Any, options: dict[str, Any], text: str) -> Any:
    """Call a factory; arguments that it lacks or does not know are an `InputError`."""
    try:
        inspect.signature(make).bind(**options)
    except TypeError as error:
        raise InputError(f"{text}: {error}; a function that makes a model is called with the options alone") from error
    except ValueError:  # a built-in without a signature
        pass
    try:
        return make(**options)
    except ExplicateError:
        raise
    except TypeError as error:  # a keyword that only an inner function would have known
        raise InputError(f"{text}: {first_line(error)}") from error
    except Exception as error:
        raise ModelError(f"{text}: making the model failed: {_named(error)}") from error


def _is_handle(found: Any) -> bool:
    return isinstance(found, Predictor | Generator) and not isinstance(found, type)


def _is_estimator(found: Any) -> bool:
    return not isinstance(found, type) and any(
        hasattr(found, call) for call in ("predict_proba", "decision_function", "predict")
    )


def _is_torch(found: Any) -> bool:
    return hasattr(found, "parameters") and hasattr(found, "state_dict")


def _sourced(handle: Any, text: str) -> Any:
    if not _is_handle(handle):
        raise CapabilityError(f"{text} gave a {type(handle).__name__}, which is no model handle")
    if handle.source is None:
        handle.source = text
    return handle


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {first_line(error)}"


@contextmanager
def _current_folder() -> Iterator[None]:
    """Let modules of the current folder be imported, as `python -m` does."""
    here = str(Path.cwd())
    added = here not in sys.path
    if added:
        sys.path.insert(0, here)
    importlib.invalidate_caches()
    try:
        yield
    finally:
        if added and here in sys.path:
            sys.path.remove(here)
