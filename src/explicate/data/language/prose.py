"""English prose that every installation has: how scikit-learn describes its data sets, and Python its library.

Plain sentences with lists, names and repeats, on subjects that no task here is about: for the side effects of a change
on other text, and for reading what a part of a model is active on. The words depend a little on the versions installed.
"""

from __future__ import annotations

import importlib
import inspect

from explicate.errors import InputError

SETS = ("wine", "iris", "breast_cancer", "diabetes", "digits", "linnerud")
MODULES = (
    "statistics", "random", "decimal", "fractions", "argparse", "difflib", "heapq", "bisect", "calendar", "datetime",
    "textwrap", "shelve", "sched", "queue", "zipfile", "tarfile", "csv", "glob", "doctest", "unittest", "logging",
    "threading", "subprocess", "contextlib", "collections", "functools", "itertools", "gettext", "locale", "string",
)  # fmt: skip
LEAST_WORDS = 24
LETTERS = 0.9


def installed_prose(paragraphs: int | None = None) -> list[str]:
    """Paragraphs of at least 24 words, one line each; at most so many.

    Raises
    ------
    InputError : fewer paragraphs than asked for.
    """
    from sklearn import datasets

    texts = [str(getattr(datasets, f"load_{name}")().DESCR) for name in SETS]
    for name in MODULES:
        module = importlib.import_module(name)
        texts.append(inspect.getdoc(module) or "")
        public = [
            part for key, part in sorted(vars(module).items()) if not key.startswith("_") and inspect.isclass(part)
        ]
        texts += [inspect.getdoc(part) or "" for part in public if part.__module__ == name]
    found: list[str] = []
    for text in texts:
        for paragraph in text.split("\n\n"):
            line = " ".join(paragraph.split())
            letters = sum(letter.isalpha() or letter.isspace() for letter in line)
            if len(line.split()) >= LEAST_WORDS and letters > LETTERS * len(line) and line not in found:
                found.append(line)  # prose, no tables and no code
    if paragraphs is not None and len(found) < paragraphs:
        raise InputError(f"the installation holds {len(found)} paragraphs of prose, not {paragraphs}")
    return found[:paragraphs]
