"""Every error that explicate raises on purpose.

Each message is one line that names the thing, says what was wrong with it and what to do. The classes also derive
from the built-in error that a caller would expect, so `except ValueError` works too.
"""

from __future__ import annotations


class ExplicateError(Exception):
    """Base of all errors raised on purpose; the command line prints its message without a traceback."""

    def __str__(self) -> str:  # KeyError would print the repr of its argument
        return str(self.args[0]) if self.args else ""


class InputError(ExplicateError, ValueError):
    """Data or a parameter that no answer can be given for."""


class CellTypeError(InputError, TypeError):
    """A cell of a table that holds something that can be no number, such as a list."""


class TargetError(InputError):
    """An output that the model does not have, or none named where there are several."""


class SelectionError(ExplicateError, IndexError):
    """An index into something smaller."""


class WindowError(InputError):
    """More tokens than the model takes at once; nothing is ever cut to fit."""


class LeakageError(InputError):
    """Test data that were trained on, or are too close to what was."""


class CapabilityError(ExplicateError, TypeError):
    """A model lacks what a method needs of it."""


class ModelError(ExplicateError, RuntimeError):
    """The model itself failed, or answered with something that is no score."""


class NonFiniteScoreError(ModelError, ValueError):
    """The model answered with NaN or an infinity."""


class FoldingError(ModelError, ValueError):
    """Weights with the norms folded in that do not give the model's logits."""


class EndpointError(ModelError):
    """An address that is down, refuses the call, or breaks off; the message never holds the API key."""


class ReplyError(ModelError, ValueError):
    """A model's reply that is empty or not in the format asked for, also after it was asked again."""


class UnknownNameError(ExplicateError, KeyError):
    """A name that is in no registry, table or model."""


class MissingColumnError(UnknownNameError, InputError):
    """A table lacks a column that the model was fitted with."""


class SiteError(UnknownNameError):
    """A site that the model lacks, or that cannot be read as an address."""


class FileFormatError(ExplicateError, ValueError):
    """A file that is damaged, of another kind, or written by a newer version."""


class OutputError(ExplicateError, OSError):
    """A place that cannot be written to."""


class MissingDependencyError(ExplicateError, ImportError):
    """An optional library that is not installed; the message has the command that installs it."""


class RunError(ExplicateError, RuntimeError):
    """A run of many units that cannot be started, resumed or finished.

    Attributes
    ----------
    cause : name of the error's class that its first failing unit ended in ("ModelError"); None where no unit failed.
    """

    def __init__(self, *arguments: object, cause: str | None = None) -> None:
        super().__init__(*arguments)
        self.cause = cause


def first_line(error: BaseException) -> str:
    """What an error of another library says, cut to one line; its class where it says nothing."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def counted(count: int, what: str) -> str:
    """A number with its noun: 1 output, 2 outputs."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"
