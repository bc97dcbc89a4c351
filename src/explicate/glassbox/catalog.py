"""Which model that is readable by design fits some data, and what its explanation looks like.

Filed by the five perspectives of "A Comprehensive Survey on Self-Interpretable Neural Networks" (2025), arXiv
2501.15638: attribution, function, concept, prototype, rule. What defines the family is that the prediction is computed
from the explanation (`explicate.glassbox.replay`); what cannot be replayed is post hoc, and is named here as such.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from explicate.core import registry
from explicate.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

Perspective = Literal["attribution", "function", "concept", "prototype", "rule"]
Scope = Literal["sample", "global", "both"]
Modality = Literal["tabular", "image", "text", "graph", "RL", "sequence"]
Task = Literal["classification", "regression", "policy"]
Need = Literal["no annotations", "interventions", "global", "sample", "neural", "no torch", "categories", "gaps"]

PERSPECTIVES: dict[str, str] = {
    "attribution": "y = g(sum_i a_i(x)): one score for each part of the input, and the prediction is their sum",
    "function": "the whole model is a readable formula",
    "concept": "x -> concepts -> y: named concepts, and the prediction depends on them alone",
    "prototype": "y = W sim(x, prototypes): training cases, or parts of them, that the case looks like",
    "rule": "logic, or a program, over readable conditions",
}


@dataclass(frozen=True)
class Record:
    """One model in the catalogue.

    Attributes
    ----------
    name : its registered name; `registry.find(name, "glassboxes")` is the class.
    perspective : the one of the five that it is filed under; also : others that it has something of.
    explanation : what `explain` gives, as a whole and for cases.
    neural : whether a network is trained. scope : whether it explains cases, the whole, or both.
    unit : what one line of the explanation is about.
    modality, tasks : what it is for.
    annotations : what must be known beyond the labels, or "none".
    intervention : how a person can change what it does, or "".
    cost : of an explanation beside that of a prediction.
    system : the system in `explicate systems` that it belongs to.
    takes : further needs that it meets, of `Need`.
    """

    name: str
    perspective: Perspective
    explanation: str
    neural: bool
    unit: str
    modality: tuple[Modality, ...]
    tasks: tuple[Task, ...]
    system: str
    also: tuple[Perspective, ...] = ()
    scope: Scope = "both"
    annotations: str = "none"
    intervention: str = ""
    cost: str = "that of a prediction"
    takes: tuple[Need, ...] = ()

    def meets(self, need: Need) -> bool:
        """Whether it has what a user asks for."""
        return {
            "no annotations": self.annotations == "none",
            "interventions": bool(self.intervention),
            "global": self.scope in ("global", "both"),
            "sample": self.scope in ("sample", "both"),
            "neural": self.neural,
            "no torch": not self.neural,
        }.get(need, need in self.takes)


@dataclass(frozen=True)
class Recommendation:
    """A model and how well it fits.

    Attributes
    ----------
    record : of the model. met, unmet : the needs that it meets and does not. reasons : in words.
    """

    record: Record
    met: tuple[Need, ...]
    unmet: tuple[Need, ...]
    reasons: tuple[str, ...]


SURVEY = "self-interpretable-survey"
_CCT = "concept-centric-transformers"
_RULES = "edit the rules: to_json, from_json"
_FILED = (
    Record("neural-additive-classifier", "attribution", "shape curves; contributions of each column", True, "column",
           ("tabular", "text", "RL"), ("classification", "policy"), SURVEY, ("function",),
           intervention="edit a curve's points in the explanation", takes=("categories", "gaps")),
    Record("neural-additive-regressor", "attribution", "shape curves; contributions of each column", True, "column",
           ("tabular",), ("regression",), SURVEY, ("function",),
           intervention="edit a curve's points in the explanation", takes=("categories", "gaps")),
    Record("logistic-regression", "attribution", "weights; contributions of each column", False, "column",
           ("tabular", "text"), ("classification",), SURVEY, ("function",), takes=("categories",)),
    Record("equation-regressor", "function", "one formula, exact and rounded", True, "formula", ("tabular",),
           ("regression",), SURVEY, scope="global", intervention="edit the formula's steps in the explanation"),
    Record("concept-bottleneck", "concept", "concepts and their weights; activations", True, "concept",
           ("tabular", "image"), ("classification",), SURVEY, annotations="concept labels of the training cases",
           intervention="set concepts: intervene"),
    Record("concept-centric-transformer", "concept", "contributions of each concept; attention, also by place", True,
           "concept", ("image", "sequence"), ("classification",), _CCT, ("attribution",),
           intervention="mask concepts, set attention: intervene"),
    Record("concept-transformer", "concept", "contributions of each concept; attention, also by place", True, "concept",
           ("image", "sequence"), ("classification",), _CCT, ("attribution",),
           intervention="mask concepts, set attention: intervene"),
    Record("prototype-parts", "prototype", "parts of training pictures; similarities", True, "part of a picture",
           ("image",), ("classification",), SURVEY, ("attribution",), cost="that of a prediction, and boxes"),
    Record("prototypes", "prototype", "training cases; similarities", True, "training case",
           ("tabular", "graph", "text"), ("classification",), SURVEY),
    Record("nearest-prototype", "prototype", "training rows; the similarity to the nearest of each class", True,
           "training row", ("tabular",), ("classification",), "simulatability", takes=("categories",)),
    Record("fold-se", "rule", "default rules with exceptions; proofs", False, "rule", ("tabular",),
           ("classification",), "fold-se", intervention=_RULES, takes=("categories", "gaps")),
    Record("fold-se-m", "rule", "an ordered list of default rules; proofs", False, "rule", ("tabular",),
           ("classification",), "fold-se", intervention=_RULES, takes=("categories", "gaps")),
    Record("decision-tree", "rule", "a tree as rules; the path of each case", False, "rule", ("tabular",),
           ("classification",), SURVEY, takes=("categories",)),
    Record("transformer-program", "rule", "a Python program; its variables for each case", True, "program",
           ("sequence", "text"), ("classification",), "transformer-programs", intervention="edit the program"),
    Record("critical-rationalist", "rule", "a rule in words, and the conjectures rejected for it", True, "rule",
           ("sequence",), ("classification",), "explanatory-learning", annotations="rules of other phenomena, to learn "
           "from", intervention="read another rule", cost="that of reading some hundred conjectures"),
)  # fmt: skip

POST_HOC: dict[str, str] = {
    "pace": "explains another model's predictions through concepts found afterwards",
    "recsae": "reads features off a recommender that predicts without them",
    "fault-lines": "finds the concepts whose change would change another model's answer",
    "TCAV and probes": "measure directions in a model that predicts without them",
    "attention maps": "the output is in general no function of the shown weights alone",
}
"""Not glass boxes: the prediction is not computed from the explanation, so nothing can be replayed."""


def records() -> tuple[Record, ...]:
    """The records of all models that are installed, perspective by perspective."""
    known = set(registry.names("glassboxes"))
    order = list(PERSPECTIVES)
    return tuple(sorted((one for one in _FILED if one.name in known), key=lambda one: order.index(one.perspective)))


def record(name: str) -> Record:
    """The record of one model; an `UnknownNameError` lists what there is."""
    for one in records():
        if one.name == name:
            return one
    if name in POST_HOC:
        raise InputError(f"{name!r} is no glass box: it {POST_HOC[name]}")
    raise registry.unknown(name, [one.name for one in records()], "glass box")


def catalog() -> pd.DataFrame:
    """The catalogue as a table, one row a model."""
    import pandas as pd

    return pd.DataFrame([asdict(one) for one in records()])


def recommend(modality: str, task: str = "classification", needs: tuple[str, ...] = ()) -> list[Recommendation]:
    """The models for some data, those that meet most needs first, with reasons.

    Parameters
    ----------
    modality : "tabular", "image", "text", "graph", "RL" or "sequence".
    task : "classification", "regression" or "policy".
    needs : some of "no annotations", "interventions", "global", "sample", "neural", "no torch", "categories", "gaps".

    Raises
    ------
    InputError : a modality, task or need that is not known; the message lists those that are.
    """
    for what, given, known in (("modality", (modality,), Modality), ("task", (task,), Task), ("need", needs, Need)):
        for one in given:
            if one not in get_args(known):
                raise InputError(f"no {what} {one!r}; there are {', '.join(get_args(known))}")
    found = [_judged(one, modality, needs) for one in records() if modality in one.modality and task in one.tasks]
    return sorted(found, key=lambda each: (len(each.unmet), each.record.modality.index(modality)))  # type: ignore[arg-type]


def _judged(one: Record, modality: str, needs: Any) -> Recommendation:
    met = tuple(need for need in needs if one.meets(need))
    unmet = tuple(need for need in needs if need not in met)
    reasons = [f"explains by {one.explanation}"]
    reasons += [f"meets: {', '.join(met)}"] if met else []
    reasons += [f"does not meet: {', '.join(unmet)}"] if unmet else []
    if modality != one.modality[0]:
        reasons.append(f"made for {one.modality[0]} data; takes {modality} as {_AS[modality]}")
    if one.annotations != "none":
        reasons.append(f"needs {one.annotations}")
    if one.intervention:
        reasons.append(f"can be corrected: {one.intervention}")
    return Recommendation(one, met, unmet, tuple(reasons))


_AS = {
    "tabular": "rows of numbers",
    "image": "rows of pixels",
    "text": "counts of words, or sentences as vectors",
    "graph": "adjacency matrices",
    "RL": "a policy of the state's variables",
    "sequence": "tokens",
}
