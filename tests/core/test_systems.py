from __future__ import annotations

import re
from collections import Counter

import pytest

from explicate.core.systems import STATES, TOPICS, system, systems
from explicate.errors import UnknownNameError

NAMES = [
    "local-function-approximation",
    "explanation-disparities",
    "smooth-gradcampp",
    "bee",
    "vidi",
    "textgenshap",
    "astxplainer",
    "attnattrib",
    "recsae",
    "pace",
    "overlooked-factors",
    "concept-depth",
    "representation-shift",
    "concept-centric-transformers",
    "cx-tom",
    "self-interpretable-survey",
    "talking-heads",
    "successor-heads",
    "prism",
    "entity-tracking",
    "context-knob",
    "representation-engineering",
    "wack",
    "evidence-of-meaning",
    "causalm",
    "llm-counterfactuals",
    "llm-causal-pipeline",
    "explanation-and-erasure",
    "grounding-plans",
    "mucr",
    "ritual",
    "ecm",
    "llm-post-hoc-explainers",
    "sr-nle",
    "faithfulness-vs-plausibility",
    "learning-from-explanations",
    "xplainllm",
    "simulatability",
    "code-explanations",
    "hallucinated-references",
    "fold-se",
    "transformer-programs",
    "explanatory-learning",
    "verbalized-ml",
    "model-synthesis",
    "boxing-gym",
    "find",
    "structural-recursion",
    "expo",
    "model-specialization",
    "tkre",
    "codegen2",
    "meteor",
    "math-derivations",
    "vipguard",
    "llm-algorithms",
    "clr-bench",
    "mdk12-bench",
    "meds-bench",
    "logical-reasoning",
    "codeif",
    "radgenome-chestct",
    "prompt-engineering-survey",
]


def test_the_list_holds_exactly_the_known_systems_in_order() -> None:
    assert [each.name for each in systems()] == NAMES
    assert len(set(NAMES)) == 63


def test_families_have_their_known_sizes() -> None:
    assert set(TOPICS) == {each.family for each in systems()}
    assert Counter(each.family for each in systems()) == dict(zip(TOPICS, (8, 8, 8, 8, 8, 8, 8, 7), strict=True))


@pytest.mark.parametrize("each", systems(), ids=lambda each: each.name)
def test_an_entry_is_complete_and_plausible(each) -> None:
    arxiv = re.search(r"arXiv (\d\d)\d\d\.\d{5}$", each.source)
    assert arxiv is not None
    assert 2019 <= each.year <= 2025
    assert each.year - 3 <= 2000 + int(arxiv.group(1)) <= each.year
    assert re.fullmatch(r"explicate(\.[a-z][a-z0-9_]*){2,3}", each.module)
    assert each.short_name
    assert each.summary
    assert each.short_name != each.summary
    assert each.state in STATES


def test_built_systems() -> None:
    built = {each.name for each in systems() if each.state == "built"}
    assert built == {
        "local-function-approximation",
        "explanation-disparities",
        "smooth-gradcampp",
        "fold-se",
        "transformer-programs",
        "explanatory-learning",
        "concept-centric-transformers",
        "concept-depth",
        "talking-heads",
        "successor-heads",
        "prism",
        "entity-tracking",
        "context-knob",
        "representation-engineering",
        "wack",
        "evidence-of-meaning",
        "attnattrib",
        "textgenshap",
        "llm-post-hoc-explainers",
        "hallucinated-references",
        "self-interpretable-survey",
        "simulatability",
        "structural-recursion",
        "faithfulness-vs-plausibility",
        "sr-nle",
    }


def test_known_facts_of_some() -> None:
    lfa = system("local-function-approximation")
    assert (lfa.short_name, lfa.year, lfa.module) == ("LFA", 2022, "explicate.attribution.lfa")
    assert "2206.01254" in lfa.source
    assert system("smooth-gradcampp").source.endswith("arXiv 1908.01224")
    assert system("explanation-disparities").family == "attribution"


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'smooth-gradcampp'") as caught:
        system("smooth-gradcamp")
    assert "\n" not in str(caught.value)


def test_a_short_name_finds_its_system_and_an_error_stays_short():
    assert system("lfa") is system("local-function-approximation")
    with pytest.raises(UnknownNameError) as caught:
        system("local-function-aproximation")
    assert "did you mean 'local-function-approximation'? `explicate systems` lists all 63" in str(caught.value)
