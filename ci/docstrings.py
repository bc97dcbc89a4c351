"""Names the docstrings that the documentation would misread, and fails if there are any."""

from __future__ import annotations

import logging
import sys

import griffe


def parse_all(of: griffe.Module | griffe.Class) -> None:
    """Parse the docstrings of a module or class and of all that it holds."""
    for member in of.members.values():
        if member.is_alias:
            continue
        if member.docstring is not None:
            member.docstring.parse("numpy", warn_unknown_params=False)
        if isinstance(member, griffe.Module | griffe.Class):
            parse_all(member)


class Warned(logging.StreamHandler):
    """Prints each warning, and counts them."""

    count = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.count += 1
        super().emit(record)


warned = Warned()
logging.basicConfig(level=logging.WARNING, handlers=[warned], format="%(message)s")
parse_all(griffe.load("explicate", search_paths=["src"], allow_inspection=False))
sys.exit(1 if warned.count else 0)
