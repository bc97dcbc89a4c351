"""Calls of many threads, answered in common batches by whichever thread has the model."""

from __future__ import annotations

import contextvars
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Task = TypeVar("Task")
Answer = TypeVar("Answer")


@dataclass(eq=False)
class _Ticket(Generic[Task, Answer]):
    task: Task
    answer: Answer | None = None
    done: bool = False


class SharedBatches(Generic[Task, Answer]):
    """One thread at a time works, on tasks of all threads that wait; the results do not depend on who waits.

    Parameters
    ----------
    choose : places, among the waiting tasks, of those to be worked on together; never none.
    work : answers of the chosen tasks, in order. It runs in a context of its own: what it spends is not counted on the
        thread that happens to have the turn.
    """

    def __init__(
        self, choose: Callable[[Sequence[Task]], Sequence[int]], work: Callable[[Sequence[Task]], Sequence[Answer]]
    ) -> None:
        self._choose = choose
        self._work = work
        self._waiting: list[_Ticket[Task, Answer]] = []
        self._changing = threading.Lock()
        self._turn = threading.Lock()

    def answers(self, tasks: Sequence[Task]) -> Iterator[tuple[int, Answer]]:
        """Number and answer of each task, as batches are done."""
        own: dict[int, _Ticket[Task, Answer]] = {number: _Ticket(task) for number, task in enumerate(tasks)}
        with self._changing:
            self._waiting.extend(own.values())
        try:
            while own:
                with self._turn:
                    if not any(ticket.done for ticket in own.values()):
                        self._work_on_a_batch()
                finished = [number for number, ticket in own.items() if ticket.done]
                for number in finished:
                    answer = own.pop(number).answer
                    assert answer is not None
                    yield number, answer
        finally:
            with self._changing:
                self._waiting = [ticket for ticket in self._waiting if ticket not in own.values()]

    def _work_on_a_batch(self) -> None:
        with self._changing:
            chosen = [self._waiting[place] for place in self._choose([ticket.task for ticket in self._waiting])]
            self._waiting = [ticket for ticket in self._waiting if ticket not in chosen]
        try:
            answers = contextvars.Context().run(self._work, [ticket.task for ticket in chosen])
        except BaseException:  # an interrupt of this thread must not lose what others asked
            with self._changing:
                self._waiting = chosen + self._waiting
            raise
        for ticket, answer in zip(chosen, answers, strict=True):
            ticket.answer, ticket.done = answer, True
