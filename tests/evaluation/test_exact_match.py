"""Answers in a model's own words."""

import pytest

from explicate.data.language.gsm8k import Problem
from explicate.errors import CapabilityError, InputError
from explicate.evaluation.exact_match import attempts, by_correctness, exact_match


class Echo:
    """A generator with written answers."""

    name = "echo"

    def __init__(self, answers):
        self.answers = answers

    def generate(self, prompts, *, max_new_tokens=64, stop=(), **options):
        found = [self.answers[prompt] for prompt in prompts]
        return [text.split(stop[0])[0] if stop else text for text in found]

    def log_probabilities(self, prompts, continuations):
        raise NotImplementedError


def test_the_first_line_counts():
    model = Echo({"a": " A Mouse, of course", "b": " a wolf\nor a mouse", "c": ""})
    assert exact_match(model, ["a", "b", "c"], ["mouse", "mouse", "cat"]).tolist() == [True, False, False]
    with pytest.raises(InputError, match="2 gold texts for 1"):
        exact_match(model, ["a"], ["x", "y"])
    with pytest.raises(CapabilityError):
        exact_match(object(), ["a"], ["x"])


def test_attempts_are_sorted_by_correctness():
    problems = [Problem(f"{n} and {n}?", 2.0 * n, "") for n in range(1, 4)]
    written = {problems[0].prompt: "1+1=2\n#### 2", problems[1].prompt: "The answer is 5.", problems[2].prompt: "?"}
    tried = attempts(Echo(written), problems)
    assert [(one.number, one.right) for one in tried] == [(2.0, True), (5.0, False), (None, False)]
    right, wrong = by_correctness(tried)
    assert right == [f"{problems[0].prompt} 1+1=2\n#### 2"]
    assert len(wrong) == 2
    with pytest.raises(InputError, match="1 right and 0 wrong"):
        by_correctness(tried[:1])


def test_smollm2_knows_a_capital(smollm2):
    prompts = ["The capital of France is", "Question: What is 1 + 1?\nAnswer:"]
    assert exact_match(smollm2, prompts, ["Paris", "two hundred"]).tolist() == [True, False]
