"""A prompt made of documents and a question, and which characters of it belong to which document."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from explicate.core.capabilities import Array
from explicate.data.language.documents import Document
from explicate.errors import InputError
from explicate.models.language.spans import Span

INSTRUCTION = (
    "Write a high-quality answer for the given question using only the provided search results "
    "(some of which might be irrelevant)."
)
_HEADER = re.compile(r"^Document \[(\d+)\] \(Title: .*?\)(?=\s|$)", re.MULTILINE)
_SENTENCE = re.compile(r"(?<=[.!?])\s+")
NO_NUMBER = (0, 0)


@dataclass(frozen=True)
class DocumentPrompt:
    """A prompt, and where its documents are; all else is never absent.

    Parameters
    ----------
    text : the whole prompt.
    documents : first character and the one after the last of each document, white space behind it included; an empty
        span for a document without text, which is not in the prompt.
    headers : how many characters of each document are its header, "Document [3] (Title: Rome)"; 0: it has none.
    numbers : where each document's number stands, which is written anew as documents before it go; (0, 0): it has none.
    """

    text: str
    documents: tuple[Span, ...]
    headers: tuple[int, ...]
    numbers: tuple[Span, ...]

    def __post_init__(self) -> None:
        if not any(end > begin for begin, end in self.documents):
            raise InputError("the prompt has no documents: give at least one with a text")

    @classmethod
    def of(
        cls, question: str, documents: Sequence[Document], instruction: str = INSTRUCTION, answer: str = "Answer:"
    ) -> DocumentPrompt:
        """The prompt of "Lost in the Middle": instruction, lines "Document [i] (Title: t) text", question, "Answer:".

        Parameters
        ----------
        answer : the last line; a small model answers better once its answer is begun: "Answer: The code of Lena is".

        Raises
        ------
        InputError : no documents, no question, or a title or text of several lines that look like documents.
        """
        if not documents:
            raise InputError("the list of documents is empty; give at least one")
        if not question.strip():
            raise InputError("the question is empty")
        text = f"{instruction}\n" if instruction else ""
        spans, headers, numbers, number = [], [], [], 0
        for place, document in enumerate(documents):
            begin = len(text)
            if not document.text.strip():
                warnings.warn(f"document {place + 1} has no text; it is left out and scores 0", stacklevel=2)
                spans.append((begin, begin))
                headers.append(0)
                numbers.append(NO_NUMBER)
                continue
            number += 1
            header = f"Document [{number}] (Title: {document.title.strip()})"
            body = " ".join(document.text.split())
            if _HEADER.search(body):
                raise InputError(f"document {place + 1} holds a line that looks like a document's header")
            text += f"{header} {body}\n"
            spans.append((begin, len(text)))
            headers.append(len(header))
            numbers.append((begin + len("Document ["), begin + len("Document [") + len(str(number))))
        return cls(f"{text}Question: {question.strip()}\n{answer}", tuple(spans), tuple(headers), tuple(numbers))

    @classmethod
    def read(cls, text: str) -> DocumentPrompt:
        """The documents of a text that a user typed.

        Lines "Document [i] (Title: t) ..." begin documents; a line "Question: ..." (or the next line) ends the last.
        Without any, every line but the last is a document, and the last is the question; a single line's sentences are
        documents, but for the last; a single sentence is one document.
        """
        found = list(_HEADER.finditer(text))
        if found:
            begins = [match.start() for match in found]
            asked = text.find("\nQuestion:", begins[-1])
            last = asked if asked >= 0 else text.find("\n", begins[-1])
            ends = [*begins[1:], len(text) if last < 0 else last + 1]
            lengths = tuple(match.end() - match.start() for match in found)
            numbers = tuple(match.span(1) for match in found)
            return cls(text, tuple(zip(begins, ends, strict=True)), lengths, numbers)
        cuts = [match.end() for match in re.finditer(r"\n\s*", text.rstrip())]
        cuts = cuts or [match.end() for match in _SENTENCE.finditer(text.rstrip())]
        edges = [len(text) - len(text.lstrip()), *cuts] if cuts else [0, len(text)]
        if not text.strip():
            raise InputError("the text is empty; give documents and a question")
        spans = tuple(pairwise(edges))
        return cls(text, spans, (0,) * len(spans), (NO_NUMBER,) * len(spans))

    @property
    def contents(self) -> tuple[Span, ...]:
        """Each document without the white space behind it, which comes and goes with the document as a whole."""
        return tuple((begin, begin + len(self.text[begin:end].rstrip())) for begin, end in self.documents)

    def without(self, kept: Array, renumbered: bool = True) -> str:
        """The prompt with some characters only: kept is bool (character,).

        Parameters
        ----------
        renumbered : whether documents are counted anew, as they stand now.
        """
        parts, place, rank = [], 0, 0
        for number, (begin, end) in enumerate(self.documents):
            parts.append(self.text[place:begin])
            place = end
            first, last = self.numbers[number]
            present = bool(kept[begin:end].any())
            rank += present and last > first
            for at in range(begin, end):
                if renumbered and first <= at < last:
                    if at == first and kept[at]:
                        parts.append(str(rank))
                elif kept[at]:
                    parts.append(self.text[at])
        return "".join([*parts, self.text[place:]])
