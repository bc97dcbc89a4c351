"""Programs in the place of the chat model that ranks features: what a one-line rule makes of the same prompt.

A ranking that a language model writes means little unless it is better than theirs: the rule of class means ranks the
features of linear models better than a large language model did on the prompts of arXiv 2310.05797, and copying an
example's explanation is perfect wherever all rows have the same one. As `chat` they are
`explicate.rationales.scripted_rankers:correlation`, `...:copy` and `...:random`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from explicate.errors import InputError
from explicate.models.chat import ScriptedChat
from explicate.models.chat.messages import Conversation

_FENCED = re.compile(r"```\n(.*?)\n```", re.DOTALL)
_VALUE = re.compile(r"([A-Z]{1,2}): (-?\d+\.\d{3})")
_WANTED = re.compile(r"(?:Which|How do the) (\d+) features")
_WANTED_EXPLANATION = re.compile(r"letters of the (\d+) most")
CHATTY = "Let me think about the dataset first.\nSome features move with the output, others do not.\n\n{line}"


@dataclass(frozen=True)
class Shown:
    """What a prompt shows.

    Attributes
    ----------
    names : of the features. values : (shot, feature), in thousandths.
    outputs : text of each shot's output, "" where it is missing. explanations : text of each, "" where there is none.
    """

    names: tuple[str, ...]
    values: np.ndarray
    outputs: tuple[str, ...]
    explanations: tuple[str, ...]


def read_shots(prompt: str) -> Shown:
    """The fenced dataset of a prompt."""
    fenced = _FENCED.search(prompt)
    if fenced is None:
        raise InputError("the prompt has no fenced dataset")
    rows, outputs, explanations = [], [], []
    names: tuple[str, ...] = ()
    for block in fenced.group(1).split("\n\n"):
        lines = dict(line.split(":", 1) for line in block.splitlines())
        given = next(text for name, text in lines.items() if name.endswith("Input"))
        pairs = _VALUE.findall(given)
        names = tuple(name for name, _ in pairs)
        rows.append([round(1000 * float(value)) for _, value in pairs])
        outputs.append(next((text.strip() for name, text in lines.items() if name.endswith("Output")), ""))
        explanations.append(lines.get("Explanation", "").strip())
    return Shown(names, np.array(rows, dtype=np.int64), tuple(outputs), tuple(explanations))


def correlation(chatty: bool = False, **options: Any) -> ScriptedChat:
    """Ranks features by |mean of the shots with higher output - mean of the others|, in exact arithmetic.

    Parameters
    ----------
    chatty : write a paragraph around the answer, as chat models do.
    """

    def respond(messages: Conversation, rng: np.random.Generator) -> str:
        prompt = messages[0].content
        shown = read_shots(prompt)
        known = np.array([output != "" for output in shown.outputs])
        outputs = np.array([float(output) for output in shown.outputs if output])
        high = outputs > (outputs.min() + outputs.max()) / 2
        values = shown.values[known]
        ups, downs = int(high.sum()), int((~high).sum())
        difference = values[high].sum(axis=0) * downs - values[~high].sum(axis=0) * ups
        order = np.argsort(-np.abs(difference), kind="stable")
        predicted = None
        if not known.all():
            middle = (values[high].mean(axis=0) + values[~high].mean(axis=0)) / 2
            above = float((shown.values[~known][0] - middle) @ difference) > 0
            predicted = int(outputs.max() if above else outputs.min())
        return _answer(prompt, [shown.names[j] for j in order], predicted, chatty)

    return ScriptedChat(respond, **{"name": "correlation-ranker", "version": int(chatty), **options})


def copy(**options: Any) -> ScriptedChat:
    """Gives the explanation that most of the shown examples have; of equally frequent ones, the first."""

    def respond(messages: Conversation, rng: np.random.Generator) -> str:
        shown = read_shots(messages[0].content)
        given = [explanation for explanation in shown.explanations if explanation]
        if not given:
            raise InputError("the prompt shows no explanation to copy")
        return Counter(given).most_common(1)[0][0]

    return ScriptedChat(respond, **{"name": "copy-ranker", **options})


def random(chatty: bool = False, **options: Any) -> ScriptedChat:
    """Ranks the features at random, and predicts any of the outputs shown."""

    def respond(messages: Conversation, rng: np.random.Generator) -> str:
        prompt = messages[0].content
        shown = read_shots(prompt)
        known = sorted({output for output in shown.outputs if output})
        missing = "" in shown.outputs
        predicted = int(known[int(rng.integers(len(known)))]) if missing else None
        return _answer(prompt, [shown.names[int(j)] for j in rng.permutation(len(shown.names))], predicted, chatty)

    return ScriptedChat(respond, **{"name": "random-ranker", "version": int(chatty), **options})


def _answer(prompt: str, order: Sequence[str], predicted: int | None, chatty: bool) -> str:
    """The letters in the form that the prompt asks for."""
    wanted = _WANTED.search(prompt) or _WANTED_EXPLANATION.search(prompt)
    if wanted is None:
        raise InputError("the prompt does not say how many features it asks for")
    line = ", ".join(order[: int(wanted.group(1))])
    first = "" if predicted is None else f"{predicted}\n"
    if not chatty:
        return f"{first}{line}"
    return first + CHATTY.format(line=f"The most important features, in descending order, are: {line}")
