"""References that language models cite: asked for, labelled, and told apart.

Source: Agrawal, Suzgun, Mackey, Kalai (2024), "Do Language Models Know When They're Hallucinating References?",
Findings of EACL 2024, arXiv 2305.18248.

    given = generate_references(chat, topics)
    found = ReferenceChecker(chat).explain(given.references)
    print(detection(label(given.references, TitleIndex.from_file("titles.txt")), found))
"""

from explicate.benchmarks.references.detection import Detection, Detector, detection
from explicate.benchmarks.references.generating import TOPICS, Generated, generate_references, read_topics
from explicate.benchmarks.references.index import (
    Audit,
    ReferenceIndex,
    SearchIndex,
    TitleIndex,
    audit,
    label,
    read_labels,
)
from explicate.benchmarks.references.published import PublishedAnswers, read_published, write_published

__all__ = [
    "TOPICS",
    "Audit",
    "Detection",
    "Detector",
    "Generated",
    "PublishedAnswers",
    "ReferenceIndex",
    "SearchIndex",
    "TitleIndex",
    "audit",
    "detection",
    "generate_references",
    "label",
    "read_labels",
    "read_published",
    "read_topics",
    "write_published",
]
