"""References that a model gives when it is asked for some on a topic.

Source: Agrawal, Suzgun, Mackey, Kalai (2024), arXiv 2305.18248, section 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from explicate.data.language.references import Reference, references_in
from explicate.errors import InputError
from explicate.models.chat import ChatModel
from explicate.rationales.reference_prompts import ReferencePrompts

COUNT = 5
TOPICS = (
    "Algorithms: Graph algorithms", "Algorithms: Sorting and searching", "Architecture: Cache memories",
    "Architecture: Pipelined processors", "Artificial intelligence: Constraint satisfaction",
    "Artificial intelligence: Knowledge representation", "Compilers: Register allocation",
    "Compilers: Type inference", "Complexity: Probabilistically checkable proofs", "Cryptography: Hash functions",
    "Cryptography: Public keys", "Data structures: Balanced trees", "Databases: Query optimisation",
    "Databases: Transactions", "Distributed systems: Consensus", "Distributed systems: Replication",
    "Formal languages: Context-free grammars", "Graphics: Ray tracing", "Graphics: Surface models",
    "Human-computer interaction: Screen readers", "Human-computer interaction: Usability tests",
    "Information retrieval: Ranking", "Logic: Model checking", "Logic: Satisfiability",
    "Machine learning: Kernel methods", "Machine learning: Recurrent networks", "Networks: Congestion control",
    "Networks: Routing protocols", "Numerical analysis: Sparse linear systems", "Operating systems: File systems",
    "Operating systems: Scheduling", "Programming languages: Garbage collection", "Robotics: Motion planning",
    "Security: Intrusion detection", "Signal processing: Compression", "Simulation: Discrete events",
    "Software engineering: Regression tests", "Software engineering: Requirements", "Speech: Recognition",
    "Theory of computation: Quantum circuits",
)  # fmt: skip


@dataclass(frozen=True)
class Generated:
    """What a model gave.

    Attributes
    ----------
    references : of all topics, without labels, each with the answer that it stood in and its place there.
    answers : by topic, the whole answer.
    wanted : how many titles were asked for on each topic.
    """

    references: tuple[Reference, ...]
    answers: dict[str, str]
    wanted: int

    @property
    def short(self) -> tuple[str, ...]:
        """The topics whose answer holds fewer titles than were asked for, or none."""
        given = dict.fromkeys(self.answers, 0)
        for one in self.references:
            given[one.topic] += 1
        return tuple(topic for topic, count in given.items() if count < self.wanted)


def generate_references(
    chat: ChatModel,
    topics: Sequence[str] = TOPICS,
    *,
    count: int = COUNT,
    temperature: float = 1.0,
    seed: int = 0,
    prompts: ReferencePrompts | None = None,
    max_new_tokens: int = 256,
) -> Generated:
    """Ask a model for references on each topic, once.

    Parameters
    ----------
    count : titles asked for; an answer may hold fewer or more, and all of them are taken.
    temperature, seed : of the draw. prompts : the question. max_new_tokens : most tokens of an answer.

    Raises
    ------
    InputError : no topics, or one twice.
    """
    questions = prompts or ReferencePrompts()
    if not topics or len(set(topics)) < len(topics):
        raise InputError("give at least one topic, and each once")
    replies = chat.replies(
        [questions.asked("generate", count=count, topic=topic) for topic in topics],
        repetition=[f"references: {topic}" for topic in topics],
        temperature=temperature,
        seed=seed,
        max_new_tokens=max_new_tokens,
    )
    answers = {topic: reply.text.replace(questions.line, "\n") for topic, reply in zip(topics, replies, strict=True)}
    found = [one for topic, answer in answers.items() for one in references_in(answer, topic)]
    return Generated(tuple(found), answers, count)


def read_topics(path: str | Path) -> list[str]:
    """Topics from a text file, one per line."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    found = [line.strip() for line in lines if line.strip()]
    if not found:
        raise InputError(f"{path} holds no topics")
    return found
