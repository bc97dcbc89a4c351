"""Append-only JSON lines that survive a kill at any moment, and the file lock that keeps their writers apart."""

from __future__ import annotations

import fcntl
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from explicate.errors import FileFormatError, InputError, OutputError
from explicate.runtime.files import make_folder
from explicate.runtime.fingerprint import canonical_json

BLOCK = 1 << 16  # bytes read at a time while looking for the end of the last whole line


def append(path: str | Path, *records: Any) -> None:
    """Add each record as one line and return once they are on the disk.

    Many processes may append to one file; the records of one call stay together. What a killed writer left of a line
    is cut off first, so that it cannot damage the next one.

    Raises
    ------
    InputError : a record is not JSON, or holds NaN or an infinity; none is written.
    OutputError : the file cannot be written.
    """
    path = Path(path)
    try:
        lines = b"".join(canonical_json(record).encode() + b"\n" for record in records)
    except (TypeError, ValueError) as error:
        raise InputError(f"cannot log to {path.name}: {error}; records are JSON without NaN or infinity") from error
    with locked(path) as file:
        try:
            _cut_torn_line(file)
            written = os.write(file, lines)
            os.fsync(file)
        except OSError as error:
            raise OutputError(f"cannot write {path}: {error.strerror or error}; make room or choose another") from error
        if written < len(lines):  # a full disk: the torn line is dropped by the next reader or writer
            raise OutputError(f"cannot write {path}: only {written} of {len(lines)} bytes fitted; make room")


def read(path: str | Path) -> list[Any]:
    """All records of a log, oldest first; a last line without its newline was torn by a kill and is left out.

    Raises
    ------
    FileFormatError : a whole line is no JSON, named by its number; or there is no such file.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FileFormatError(f"cannot read the log {path}: {error.strerror or error}") from error
    records = []
    for number, line in enumerate(content.split(b"\n")[:-1], start=1):
        try:
            records.append(json.loads(line))
        except ValueError as error:
            raise FileFormatError(
                f"{path}, line {number}: damaged ({error}); remove that line to go on without it"
            ) from error
    return records


@contextmanager
def locked(path: str | Path, *, shared: bool = False, waiting: str | None = None) -> Iterator[int]:
    """Hold the lock of the file `path`, made if it is missing, and give its descriptor (opened to append).

    The lock ends with the block or with the process, whichever comes first. It also keeps threads of one process
    apart, and is advisory: only those who ask for it are held up.

    Parameters
    ----------
    shared : any number may hold it together, but not beside one that is not shared.
    waiting : said once on standard error if somebody else holds the lock.
    """
    path = Path(path)
    make_folder(path.parent)
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}; choose another folder") from error
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if waiting:
                print(waiting, file=sys.stderr, flush=True)
            fcntl.flock(file, kind)
        except OSError as error:
            raise OutputError(
                f"cannot lock {path}: {error.strerror or error}; choose a folder on a disk with file locks"
            ) from error
        yield file
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)  # also for processes forked meanwhile, which share the lock
        os.close(file)


def _cut_torn_line(file: int) -> None:
    """Shorten the file to its last newline; with the lock held, anything after it has no writer any more."""
    size = end = os.fstat(file).st_size
    while end > 0:
        start = max(0, end - BLOCK)
        newline = os.pread(file, end - start, start).rfind(b"\n")
        if newline >= 0:
            end = start + newline + 1
            break
        end = start
    if end < size:
        os.ftruncate(file, end)
