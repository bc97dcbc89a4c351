"""What in-context explainers say to a chat model, and how points become lines of text.

Source: Kroeger, Ley, Krishna, Agarwal, Lakkaraju (2023), "In-Context Explainers", arXiv 2310.05797, sections 3.1-3.4,
for the parts and their order; the words are ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from explicate.core.capabilities import Array, Floats

Strategy = Literal["perturbation", "prediction", "instruction", "explanation"]
Format = Literal["delta", "raw"]
STRATEGIES, FORMATS = ("perturbation", "prediction", "instruction", "explanation"), ("delta", "raw")
CALLED = {"delta": ("Change in Input", "Change in Output"), "raw": ("Input", "Output")}

CONTEXT = "A machine learning model decides between two classes, 0 and 1, from {count} features called {names}."
DATASET = {
    "delta": "The dataset shows how changes of its input change its output.",
    "raw": "The dataset shows inputs and its outputs.",
}
EXAMPLES = (
    "Each example has an input, the model's output, and an explanation: the features from most to least important."
)
FENCE = "```\n{shots}\n```"
QUESTION = "Which {k} features matter most for the output of the model?"
QUESTION_ALL = "How do the {k} features rank by how much they matter for the output of the model?"
REASONING = " Explain your reasoning."
LAST_LINE = (
    "Then give the {k} most important features, the most important first, on the last line of your answer: their "
    "letters, separated by commas, and nothing else."
)
PERTURBATION = "Think about the question before you answer it.{reasoning} {last_line}"
PREDICTION = (
    "First estimate the output that is missing in the last example: give it as one integer ({allowed}) on the first "
    "line of your answer, and nothing else on that line. Then think about the question.{reasoning} {last_line}"
)
INSTRUCTION = (
    "Go through all features from {first} to {last}, one after the other. For each, rate from 0 to 100 how important "
    "it is for the output, giving equal weight to positive and negative correlation, and insert it into a running "
    "ranking of the features seen so far.{reasoning} Then give the ranking of all {count} features, the most important "
    "first, on the last line of your answer: their letters, separated by commas, and nothing else."
)
EXPLANATION = (
    "Give the explanation that is missing in the last example: the letters of the {k} most important features, the "
    "most important first, separated by commas, on the first line of your answer.{reasoning_after}"
)
REASONING_AFTER = " Explain your reasoning below it."
AGAIN = (
    "This answer cannot be read: {problem}. Answer again, with the letters of the features, separated by commas, in "
    "the place that was asked for."
)

REMOVED = "Removed words: {words}"
TEXT_CONTEXT = "A machine learning model decides between two classes, 0 and 1, from the words of a sentence."
TEXT_DATASET = "The dataset shows how removing words from one sentence changes its output."
TEXT_QUESTION = "Which {k} words of the sentence matter most for the output of the model?"
TEXT_LAST_LINE = (
    "Think about the question before you answer it.{reasoning} Then give the {k} most important words, the most "
    "important first, on the last line of your answer: the words, separated by commas, and nothing else."
)
TEXT_AGAIN = (
    "This answer cannot be read: {problem}. Answer again, with the words, separated by commas, on the last line of "
    "your answer."
)


def values_line(values: Sequence[float] | Floats, names: Sequence[str]) -> str:
    """Values with three decimals under their letters."""
    return ", ".join(f"{name}: {value:.3f}" for name, value in zip(names, values, strict=True))


def output_text(value: float, soft: bool) -> str:
    """A label or a change of it as an integer, a probability with three decimals."""
    return f"{value:.3f}" if soft else f"{round(value)}"


def shots_of(
    points: Floats, outputs: Floats, row: Array, output: float, names: Sequence[str], how: Format, soft: bool
) -> list[tuple[str, str]]:
    """Each point (shot, feature) and its output (shot,) as two texts, raw or as changes against `row` and its output.

    Both formats show the same rounded points, so that they carry the same information.
    """
    shown = np.round(points, 3)
    if how == "delta":
        shown, outputs = shown - np.round(row, 3), outputs - output
    shown = np.round(shown, 3) + 0.0  # no minus in front of a zero
    return [
        (values_line(values, names), output_text(value, soft)) for values, value in zip(shown, outputs, strict=True)
    ]


def dataset(shots: Sequence[tuple[str, str]], how: Format, hide_last: bool = False) -> str:
    """The fenced shots; `hide_last` leaves out the last one's output."""
    given, got = CALLED[how]
    blocks = [f"{given}: {values}\n{got}: {output}" for values, output in shots]
    if hide_last:
        blocks[-1] = f"{given}: {shots[-1][0]}\n{got}:"
    return FENCE.format(shots="\n\n".join(blocks))


def prompt_of(
    strategy: Strategy,
    how: Format,
    shots: Sequence[tuple[str, str]],
    names: Sequence[str],
    k: int,
    *,
    context: bool = True,
    reasoning: bool = True,
) -> str:
    """The whole message: context, fenced dataset, question, instructions."""
    more = REASONING if reasoning else ""
    last_line = LAST_LINE.format(k=k)
    instructions = {
        "perturbation": PERTURBATION.format(reasoning=more, last_line=last_line),
        "prediction": PREDICTION.format(
            allowed="-1, 0 or 1" if how == "delta" else "0 or 1", reasoning=more, last_line=last_line
        ),
        "instruction": INSTRUCTION.format(first=names[0], last=names[-1], count=len(names), reasoning=more),
    }[strategy]
    head = DATASET[how]
    if context:
        head = f"{CONTEXT.format(count=len(names), names=', '.join(names))} {head}"
    question = (QUESTION if k < len(names) else QUESTION_ALL).format(k=k)
    return "\n\n".join([head, dataset(shots, how, strategy == "prediction"), question, instructions])


def explanation_prompt(
    shots: Sequence[tuple[str, str, str]],
    instance: tuple[str, str],
    names: Sequence[str],
    k: int,
    *,
    context: bool = True,
    reasoning: bool = False,
) -> str:
    """Examples of input, output and explanation, and an instance whose explanation is missing."""
    blocks = [f"Input: {values}\nOutput: {output}\nExplanation: {ranking}" for values, output, ranking in shots]
    blocks.append(f"Input: {instance[0]}\nOutput: {instance[1]}\nExplanation:")
    head = EXAMPLES
    if context:
        head = f"{CONTEXT.format(count=len(names), names=', '.join(names))} {head}"
    after = REASONING_AFTER if reasoning else ""
    return "\n\n".join([head, FENCE.format(shots="\n\n".join(blocks)), EXPLANATION.format(k=k, reasoning_after=after)])


def words_prompt(
    shots: Sequence[tuple[Sequence[str], int]], sentence: str, k: int, *, context: bool = True, reasoning: bool = True
) -> str:
    """Removed words and the change of the output, and the question for the words that matter most."""
    blocks = [f"{REMOVED.format(words=', '.join(words))}\nChange in Output: {change}" for words, change in shots]
    head = f"{TEXT_CONTEXT} {TEXT_DATASET}" if context else TEXT_DATASET
    return "\n\n".join(
        [
            head,
            f"Sentence: {sentence}",
            FENCE.format(shots="\n\n".join(blocks)),
            TEXT_QUESTION.format(k=k),
            TEXT_LAST_LINE.format(k=k, reasoning=REASONING if reasoning else ""),
        ]
    )
