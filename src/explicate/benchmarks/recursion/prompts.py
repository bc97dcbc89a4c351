"""What chat models are asked: a rule to infer from examples, and a reduction to write down."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from explicate.data.recursion.expressions import Expression, text_of
from explicate.data.recursion.functions import RecursiveFunction
from explicate.data.recursion.reduction import trace
from explicate.errors import InputError


def examples_prompt(shown: Sequence[tuple[Sequence[str], Sequence[str]]], asked: Sequence[str]) -> str:
    """Inputs with their outputs, and one input without."""
    lines = [EXAMPLE.format(input=" ".join(one), output=" ".join(other)) for one, other in shown]
    return "\n".join([EXAMPLES, *lines, EXAMPLE.format(input=" ".join(asked), output="").rstrip()])


def reduction_prompt(function: RecursiveFunction, shown: Sequence[Expression], asked: Expression) -> str:
    """The equations, full reductions of some expressions, and one expression to reduce."""
    equations = "\n".join(one.text() for one in function.known.values())
    traces = [
        REDUCTION.format(
            asked=text_of(one),
            steps="\n".join(text_of(part.expression) for part in trace(function, one, grain="call")[1:]),
        )
        for one in shown
    ]
    return "\n\n".join(
        [REDUCTIONS.format(equations=equations), *traces, REDUCTION.format(asked=text_of(asked), steps="").rstrip()]
    )


def asked_expression(prompt: str) -> str:
    """The expression that a prompt asks to reduce.

    Raises
    ------
    InputError : it asks for none.
    """
    label = REDUCTION.split("{asked}", 1)[0].rstrip()
    lines = [line for line in prompt.splitlines() if line.startswith(label)]
    if not lines:
        raise InputError("the prompt asks for no reduction; make it with reduction_prompt")
    return lines[-1][len(label) :].strip()


def answer_words(reply: str, known: Collection[str] = ()) -> tuple[str, ...]:
    """The first line of a reply that has words, without what is before a colon.

    Parameters
    ----------
    known : words of an answer; of a line with others around them, "The output is X0 01.", the last longest run of these
        is the answer.
    """
    line = next((one for one in reply.splitlines() if one.strip()), "")
    words = tuple(line.rsplit(":", 1)[-1].replace("`", " ").split())
    runs: list[tuple[str, ...]] = [()]
    for word in words:
        bare = word if word in known else word.strip(".,;\"'*")
        runs.append((*runs[-1], bare) if bare in known else ())
    return max(reversed(runs), key=len) or words


EXAMPLES = (
    "Each input is turned into its output by the same rule. Give the output of the last input, and nothing else.\n"
)
EXAMPLE = "Input: {input}\nOutput: {output}\n"
REDUCTIONS = (
    "A function is defined by these equations:\n{equations}\n"
    "Reduce expressions step by step. In each step, replace the left-most outer-most call whose argument begins with a "
    "constructor by the right side of the equation that fits. Write one expression a line until no call is left."
)
REDUCTION = "Reduce: {asked}\n{steps}"
