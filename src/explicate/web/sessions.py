"""Who takes part in a study and where they are: kept on disk line by line, so that nothing is lost when a page is
closed or the server is killed.

Each reader has one file of events. What a reader did is read off it; nothing else is kept.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from explicate.errors import FileFormatError, InputError, UnknownNameError
from explicate.evaluation.simulatability.answers import PERSON, Answer
from explicate.evaluation.simulatability.study import RATINGS, Phase, Shown, SimulationStudy, TestName, describe
from explicate.runtime import log
from explicate.runtime.files import make_folder, write_text
from explicate.runtime.fingerprint import digest
from explicate.runtime.seeds import derive_seed

MOST_READERS = 10_000
TOKEN_BYTES = 20
_TOKEN = re.compile(r"[A-Za-z0-9_-]{27}")
_FILE = re.compile(r"reader-[0-9a-f]{16}\.jsonl")


@dataclass(frozen=True)
class Introduction:
    """A page that says what comes next."""

    test: TestName
    phase: Phase
    number: int
    of: int
    cases: int


Page = Introduction | Shown


def pages_of(study: SimulationStudy, method: str, seed: int) -> list[Page]:
    """All pages that one reader sees: each phase with an introduction before its cases."""
    parts = [(test, phase) for test in study.tests for phase in test.phases]
    found: list[Page] = []
    for number, (test, phase) in enumerate(parts, start=1):
        shown = test.shown(phase, method, seed)
        found.append(Introduction(test.name, phase, number, len(parts), len(shown)))
        found.extend(shown)
    return found


@dataclass
class Session:
    """One reader: what was decided at the start, and what came since.

    Attributes
    ----------
    participant : a random number that tells nothing about the person. method : whose explanations they see.
    place : the page they are at. answers : given so far, in order.
    shown_at, times_shown : when the page was last shown, and how often.
    """

    participant: str
    method: str
    seed: int
    pages: list[Page]
    place: int = 0
    answers: list[Answer] = field(default_factory=list)
    shown_at: float | None = None
    times_shown: int = 0

    @property
    def page(self) -> Page | None:
        """The page they are at; None after the last."""
        return self.pages[self.place] if self.place < len(self.pages) else None


class Sessions:
    """The readers of one study in one folder; safe for several threads.

    Parameters
    ----------
    study : what they take part in. folder : where their files are. clock : seconds since 1970.

    Raises
    ------
    FileFormatError : a file of another study, or a damaged one, is in the folder.
    """

    def __init__(self, study: SimulationStudy, folder: str | Path, clock: Callable[[], float] = time.time) -> None:
        self.study = study
        self.folder = make_folder(folder)
        self.clock = clock
        self.key = study_key(study)
        self._lock = threading.RLock()
        self._known: dict[str, Session] = {}
        self._started = 0
        for path in sorted(self.folder.iterdir()):
            if _FILE.fullmatch(path.name):
                self._read(path)

    def __len__(self) -> int:
        return len(self._known)

    def find(self, token: str | None) -> Session | None:
        """The session that a token belongs to; None where it is none."""
        if token is None or not _TOKEN.fullmatch(token):
            return None
        with self._lock:
            return self._known.get(participant_of(token))

    def start(self, token: str) -> Session:
        """Begin with consent given; the method that fewest readers have had is taken. Twice is once."""
        if not _TOKEN.fullmatch(token):
            raise InputError("this is no token of a reader")
        with self._lock:
            known = self.find(token)
            if known is not None:
                return known
            if len(self._known) >= MOST_READERS:
                raise InputError(f"the study has {MOST_READERS:,} readers already; begin another folder")
            participant = participant_of(token)
            seed = derive_seed(0, "reader", participant)
            counts = dict.fromkeys(self.study.methods, 0)
            for session in self._known.values():
                counts[session.method] += 1
            fewest = [method for method, count in counts.items() if count == min(counts.values())]
            method = fewest[seed % len(fewest)]
            session = Session(participant, method, seed, pages_of(self.study, method, seed))
            self._write(session, event="consent", study=self.key, kind=PERSON, method=method, seed=seed)
            self._known[participant] = session
            return session

    def show(self, session: Session) -> Page | None:
        """The page that a reader is at, noted as shown now."""
        with self._lock:
            page = session.page
            if page is not None:
                now = self.clock()
                self._write(session, event="shown", place=session.place)
                session.shown_at, session.times_shown = now, session.times_shown + 1
            return page

    def answer(self, session: Session, place: int, answer: str = "", rating: int | None = None) -> bool:
        """Note what a reader said on a page and go on to the next one.

        Returns
        -------
        False where the reader has left that page already (a form that was sent twice): nothing is changed.

        Raises
        ------
        InputError : an answer or rating that is missing or not asked for, or that is none of the choices.
        """
        with self._lock:
            page = session.page
            if page is None or place != session.place:
                return False
            asks = page.asks if isinstance(page, Shown) else ()
            if "answer" in asks and answer not in self.study.classes:
                raise InputError("please choose one of the two answers")
            if "rating" in asks and (rating is None or not RATINGS[0] <= rating <= RATINGS[1]):
                raise InputError(f"please choose a rating from {RATINGS[0]} to {RATINGS[1]}")
            if ("answer" not in asks and answer) or ("rating" not in asks and rating is not None):
                raise InputError("this page does not ask for that")
            seconds = None if session.shown_at is None else round(max(0.0, self.clock() - session.shown_at), 3)
            line = {"place": place, "answer": answer, "rating": rating, "seconds": seconds}
            self._write(session, event="answer", times_shown=session.times_shown, **line)
            _go_on(session, answer, rating, seconds, session.times_shown)
            return True

    def withdraw(self, session: Session) -> None:
        """Delete everything that a reader said; only that somebody withdrew is kept."""
        with self._lock:
            self._known.pop(session.participant, None)
            write_text(self._file(session), "")
            self._file(session).unlink()
            log.append(self.folder / "withdrawn.jsonl", {"event": "withdrawn", "time": round(self.clock(), 3)})

    def answers(self) -> list[Answer]:
        """All answers and ratings of all readers, in the order of their numbers."""
        with self._lock:
            return [one for name in sorted(self._known) for one in self._known[name].answers]

    def _file(self, session: Session) -> Path:
        return self.folder / f"reader-{session.participant}.jsonl"

    def _write(self, session: Session, **event: Any) -> None:
        log.append(self._file(session), {"time": round(self.clock(), 3), **event})

    def _read(self, path: Path) -> None:
        """A reader's file, from the first event to the last whole one."""
        events = log.read(path)
        if not events:
            return  # killed before the first line was whole: the person gives consent again
        first = events[0]
        try:
            if first["study"] != self.key:
                raise FileFormatError(f"{path} belongs to another study; choose another folder with --answers")
            session = Session(
                path.stem.removeprefix("reader-"),
                self.study.checked_method(first["method"]),
                int(first["seed"]),
                pages_of(self.study, first["method"], int(first["seed"])),
            )
            for event in events[1:]:
                if event["event"] == "shown":
                    session.shown_at, session.times_shown = None, session.times_shown + 1
                else:
                    if event["place"] != session.place:
                        raise FileFormatError(f"{path}: an answer to page {event['place']} is out of order")
                    _go_on(session, event["answer"], event["rating"], event["seconds"], event["times_shown"])
        except (KeyError, TypeError, ValueError, UnknownNameError) as error:
            if isinstance(error, FileFormatError):
                raise
            raise FileFormatError(f"{path} is damaged ({error}); move it away to go on without this reader") from error
        self._known[session.participant] = session


def new_token() -> str:
    """A secret that a reader's browser keeps; who has it is that reader."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def participant_of(token: str) -> str:
    """The number of the reader with a token; the token cannot be told from it."""
    return hashlib.sha256(b"participant " + token.encode()).hexdigest()[:16]


def form_secret(token: str) -> str:
    """What a form must send along: pages of other sites cannot know it, for it follows from the browser's token."""
    return hashlib.sha256(b"form " + token.encode()).hexdigest()


def study_key(study: SimulationStudy) -> str:
    """A hash of all that a study shows and asks."""
    batches = [
        [[one.id, one.context, one.label, one.model, one.perturbation, dict(one.explanations)] for one in items]
        for items in (study.learning, study.forward, study.counterfactual)
    ]
    return digest(describe(study), batches)


def _go_on(session: Session, answer: str, rating: int | None, seconds: float | None, times_shown: int) -> None:
    page = session.page
    if isinstance(page, Shown) and page.asks:
        session.answers.append(
            Answer(session.participant, PERSON, session.method, page.test, page.phase, page.item, answer, rating,
                   seconds, times_shown)
        )  # fmt: skip
    session.place, session.shown_at, session.times_shown = session.place + 1, None, 0
