"""The application object, what all commands share, and how errors leave it."""

from __future__ import annotations

import importlib
import json
import os
import sys
import warnings
from pathlib import Path
from typing import Annotated, Any

import typer

from explicate import errors
from explicate.errors import (
    CapabilityError,
    ExplicateError,
    MissingDependencyError,
    ModelError,
    OutputError,
    RunError,
)

COMMANDS = (
    "believing",
    "catalogue",
    "comparing",
    "demonstrate",
    "discovering",
    "explaining",
    "intervening",
    "probing",
    "serving",
    "stepping",
    "studying",
)
"""Modules of this folder that hold the commands."""

app = typer.Typer(
    name="explicate",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="Explain a model, check the explanation, act on it.\n\n"
    "Start with `explicate demo`: it explains three real models and writes a report.",
    epilog="Exit codes: 0 done; 1 done, but a bar or check was not met; 2 bad input; 3 the model failed or lacks "
    "what is needed; 4 a place cannot be written; 130 interrupted.",
)


def _seed(given: int) -> int:
    from explicate.runtime.seeds import checked_seed

    return checked_seed(given)  # not `min=0`, whose message --json would not have


Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
Seed = Annotated[int, typer.Option(callback=_seed, help="All randomness comes from it.")]
Out = Annotated[Path, typer.Option(help="Folder to write to.")]
Workers = Annotated[int, typer.Option(min=1, help="Units worked on at a time; results do not depend on it.")]
Backend = Annotated[str, typer.Option(help="processes, threads, ray or dask.")]
Resume = Annotated[
    bool, typer.Option("--resume/--fresh", help="Go on where an earlier run of the same folder stopped, or start anew.")
]


def say(result: dict[str, Any], lines: list[str], as_json: bool) -> None:
    """Print `result` as JSON, or `lines` for people."""
    if as_json:
        print(json.dumps(result, indent=2, sort_keys=True, allow_nan=False, default=str), flush=True)
    else:
        print("\n".join(lines), flush=True)


def exit_code(error: BaseException) -> int:
    """What the shell gets for an error; for a run whose units failed, what their error would have given."""
    kind = type(error)
    if isinstance(error, RunError) and error.cause is not None:
        kind = getattr(errors, error.cause, kind)
    if issubclass(kind, OutputError):
        return 4
    if issubclass(kind, CapabilityError | ModelError | MissingDependencyError):
        return 3
    return 2 if issubclass(kind, ExplicateError) else 1


def _warn(message: Warning | str, *_: Any) -> None:
    """A warning as one plain line, without the place in the source that gave it."""
    print(f"warning: {' '.join(str(message).split())}", file=sys.stderr)


def main() -> None:
    """Run the command line; errors raised on purpose are one line on standard error, never a traceback."""
    for name in COMMANDS:
        importlib.import_module(f"explicate.cli.{name}")  # which adds its commands
    warnings.showwarning = _warn  # type: ignore[assignment]  # further arguments are not used
    try:
        app()
    except KeyboardInterrupt:
        print("interrupted; the same command goes on where this one stopped", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except ExplicateError as error:
        if "--json" in sys.argv:
            print(json.dumps({"error": str(error), "type": type(error).__name__}))
        print(f"error: {error}", file=sys.stderr)
        sys.exit(exit_code(error))
