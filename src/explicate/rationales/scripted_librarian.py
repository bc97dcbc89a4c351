"""A program in the place of a model that cites references: what it knows, makes up and admits is written down.

It names the authors of titles that it knows in another order each time, sometimes with an initial; of others it draws
authors from a pool, or gives those that it always confabulates. So the overlap of its lists is known for every title.
As `chat`, `explicate.rationales.scripted_librarian:librarian` knows sixty famous books.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from explicate.data.language.books import INVENTED, famous_books
from explicate.data.language.references import normalised, titles_in
from explicate.errors import InputError
from explicate.models.chat import Reply, ScriptedChat
from explicate.models.chat.messages import Conversation
from explicate.rationales.author_lists import name_overlap
from explicate.rationales.reference_prompts import ABOVE, FAMOUS
from explicate.runtime.fingerprint import digest

POOL = tuple(f"{first} {last}" for first in ("Ada", "Ben", "Cleo", "Dan", "Eva") for last in (
    "Abel", "Brand", "Clarke", "Drewe", "Ekberg", "Falk", "Gray", "Holt"))  # fmt: skip
_AUTHORS = re.compile(r'authors of the reference, "(.+)"\? Please', re.DOTALL)
_EXISTS = re.compile(r'Does the reference "(.+)" exist\? Just', re.DOTALL)
_LISTED = re.compile(r"following titles:\n(.+)\nDoes the reference with title #(\d+) exist", re.DOTALL)
_LISTS = re.compile(r"\n1\. (.*)\n2\. (.*)\Z")
_GENERATE = re.compile(r"List (\d+) existing references")


def librarian(
    known: Mapping[str, str | Sequence[str]] | None = None,
    *,
    confabulated: Mapping[str, str | Sequence[str]] | None = None,
    filtered: Iterable[str] = (),
    pool: Sequence[str] = POOL,
    yes: tuple[float, float] = (0.9, 0.3),
    invented: Sequence[str] = INVENTED,
    **options: Any,
) -> ScriptedChat:
    """The program.

    Parameters
    ----------
    known : authors of the titles that exist, as a text or a list of names; the famous books by default.
    confabulated : authors that it gives each time, of titles that do not exist.
    filtered : titles for which a reply on authors is held back.
    pool : names that it draws from for all other titles, one or two each time.
    yes : the share of yes to titles that exist, and to others.
    invented : what it mixes with known titles when it is asked for references.
    options : of `ScriptedChat`.
    """
    real = {title: _names(names) for title, names in (famous_books() if known is None else known).items()}
    fixed = {title: _names(names) for title, names in (confabulated or {}).items()}
    authors = {normalised(title): names for title, names in {**fixed, **real}.items()}
    exists, silent = frozenset(map(normalised, real)), frozenset(map(normalised, filtered))

    def respond(messages: Conversation, rng: np.random.Generator) -> str | Reply:
        asked = messages[-1].content
        if asked == ABOVE and len(messages) == 3 and messages[0].content == FAMOUS:
            return _verdict(messages[1].content.strip('"'), rng)
        if found := _AUTHORS.search(asked):
            return _authors(found.group(1), rng)
        if found := _EXISTS.search(asked):
            return _verdict(found.group(1), rng)
        if found := _LISTED.search(asked):
            return _verdict(titles_in(found.group(1))[int(found.group(2)) - 1], rng)
        if asked.startswith("Below are what should be two lists") and (lists := _LISTS.search(asked)):
            share = name_overlap(lists.group(1), lists.group(2))
            return f"ANS: {100 * share:.0f} JUSTIFICATION: so many of the names are in both lists."
        if found := _GENERATE.search(asked):
            return _references(int(found.group(1)), rng)
        raise InputError(f"the scripted librarian is not asked for references here: {asked[:80]!r}")

    def _authors(title: str, rng: np.random.Generator) -> str | Reply:
        key = normalised(title)
        if key in silent:
            return Reply("", "content_filter")
        if key not in authors:
            names = [
                str(name) for name in rng.choice(pool, size=min(len(pool), int(rng.integers(1, 3))), replace=False)
            ]
        else:
            names = [_with_initial(authors[key][int(place)], rng) for place in rng.permutation(len(authors[key]))]
        return f"AUTHORS: {', '.join(names)}"

    def _verdict(title: str, rng: np.random.Generator) -> str:
        return "Yes." if rng.random() < yes[normalised(title) not in exists] else "No."

    def _references(count: int, rng: np.random.Generator) -> str:
        titles = [str(title) for title in rng.choice([*real, *invented], size=count, replace=False)]
        return "\n".join(f'{place}. "{title}"' for place, title in enumerate(titles, 1))

    version = digest(real, fixed, sorted(silent), list(pool), list(yes), list(invented))
    return ScriptedChat(respond, **{"name": "scripted librarian", "version": version, **options})


def _names(given: str | Sequence[str]) -> list[str]:
    return [given] if isinstance(given, str) else list(given)


def _with_initial(name: str, rng: np.random.Generator) -> str:
    """A name as it is, or with an initial in the middle that is not its own."""
    first, space, rest = name.partition(" ")
    return f"{first} Q. {rest}" if space and rng.random() < 0.5 else name
