"""The language model: SmolLM2-135M on a sentence with two names, and on a passage with a question."""

from __future__ import annotations

from typing import Any

import numpy as np

from explicate import api
from explicate.attribution.integrated_gradients import IntegratedGradients
from explicate.attribution.words import Sentences
from explicate.core.interventions import Ablate
from explicate.core.targets import Contrast, resolve_targets, select
from explicate.data import Passage, passage, text
from explicate.demo.part import Made, Settings, explained, measured
from explicate.evaluation.beliefs import beliefs
from explicate.models import zoo
from explicate.report import fragments
from explicate.report.document import Figure, Part, Section, comparison_grid

METHODS = ("gradient-x-input", IntegratedGradients(steps=32), "feature-ablation", "kernel-shap")
METRICS = ("deletion", "insertion", "completeness")
PROMPTS = ("john-and-mary", "anna-and-tom", "capital-of-france")
PASSAGE = "lighthouse"
BUDGET = 128
ANSWER_TOKENS = 16


def make(settings: Settings) -> Made:
    """Explain both texts, compare four methods on three prompts, and take layers out where the answer is made."""
    model = zoo.load("smollm2-135m")
    names = text("john-and-mary")
    why_mary = Contrast(names.expected, names.alternative)
    asked = passage(PASSAGE)
    said = model.generate([asked.prompt], max_new_tokens=ANSWER_TOKENS)[0].strip().split("\n")[0]
    first = int(model.encode(f" {asked.expected}")[0, 0])  # the answer's first token, said or not
    answer = api.explain(
        model, asked.prompt, "feature-ablation", target=first, seed=settings.seed, partition=Sentences()
    )
    shares = _by_sentence(asked, answer)
    prompts = [text(name) for name in PROMPTS]
    comparison = measured(
        settings,
        "language",
        model,
        [each.prompt for each in prompts],
        METHODS,
        METRICS,
        [Contrast(each.expected, each.alternative) for each in prompts],
        budget=BUDGET,
    )
    local = explained(comparison)
    effects = _layer_effects(model, names.prompt, why_mary)
    files = [each.save(settings.out / f"language-{each.provenance.method}.nc") for each in local]
    files.append(answer.save(settings.out / "language-passage.nc"))
    judged = beliefs(comparison)
    top = _most(local[1])
    layer = int(np.abs(effects).argmax())
    gap = float(local[0]["score"][0])
    finding = (
        f"language model: it prefers{names.expected} to{names.alternative} by {gap:.2f} logits, mostly because of "
        f"{top[0]!r} and {top[1]!r}; without the attention of layer {layer} at the last position the preference "
        f"changes by {effects[layer]:+.2f}"
    )
    best = int(np.argmax(shares))
    right = (
        "which does hold the answer" if best == asked.support else f"but sentence {asked.support + 1} holds the answer"
    )
    reading = (
        f"passage: asked {asked.question!r} it says {said!r}; sentence {best + 1} of "
        f"{len(asked.sentences)} speaks most for{model.output_name(first)}, {right}"
    )
    card = {
        "model": "SmolLM2-135M-Instruct, weights of 4 bits de-quantised to float32",
        "explained": f"logit of{names.expected} minus logit of{names.alternative}",
        "absent means": "see the parameter `missingness` of each stored explanation",
        "fingerprint": model.fingerprint(),
    }
    parts = [
        Part(
            "Why this name and not the other",
            [f"Prompt: {names.prompt}"],
            [Figure(fragments.highlighted(each), each.provenance.summary()) for each in local],
        ),
        Part(
            "Acting on it: a layer's attention taken out at the last position",
            ["If the explanation is right that the model looks back at the names, some layer must do so."],
            [Figure(fragments.picture(_draw(effects), "effect of each layer"), "Change of the preference, per layer.")],
        ),
        Part(
            "A passage and a question",
            [reading + "."],
            [Figure(fragments.highlighted(answer), answer.provenance.summary())],
        ),
        Part("Methods side by side", [f"Three prompts: {', '.join(PROMPTS)}."], grid=comparison_grid(comparison)),
    ]
    section = Section("A language model", card, [finding, reading], parts, judged.lines)
    return Made(section, [finding, reading], files, "the language model", judged.failed)


def _by_sentence(asked: Passage, explanation: Any) -> np.ndarray:
    """The attribution summed over each sentence of the passage, (sentence,)."""
    texts = [str(each) for each in explanation.data["input_text"].values[0]]
    starts = np.cumsum([0, *map(len, texts)])[:-1]  # a token belongs to the sentence in which its last character lies
    lasts = starts + np.array([len(each) for each in texts]) - 1
    ends = np.cumsum([len(sentence) + 1 for sentence in asked.sentences])
    owner = np.searchsorted(ends, lasts, side="right")
    values = explanation.values[0]
    return np.array([values[owner == sentence].sum() for sentence in range(len(asked.sentences))])


def _layer_effects(model: Any, prompt: str, target: Contrast) -> np.ndarray:
    """Change of the target's score when a layer's attention output is set to zero at the last position, (layer,)."""
    ids = model.encode(prompt)
    pair = resolve_targets(model, ids, target)
    base = float(select(model.predict(ids), pair)[0])
    effects = []
    for layer in range(sum(site.kind == "attn_out" for site in model.sites())):
        with model.intervene(Ablate(f"L{layer}.attn_out@-1")):
            effects.append(float(select(model.predict(ids), pair)[0]) - base)
    return np.array(effects)


def _most(explanation: Any) -> tuple[str, str]:
    values, labels = fragments.pictures.contributions(explanation, 0)
    order = np.argsort(-values)
    return labels[order[0]], labels[order[1]]


def _draw(effects: np.ndarray) -> Any:
    from explicate.report.pictures import LOWERS, RAISES, new_axes

    ax = new_axes(height=2.6)
    ax.bar(range(len(effects)), effects, color=[RAISES if value > 0 else LOWERS for value in effects])
    ax.axhline(0, color="black", linewidth=0.8)
    ax.set_xlabel("layer")
    ax.set_ylabel("change in logits")
    ax.spines[["top", "right"]].set_visible(False)
    return ax
