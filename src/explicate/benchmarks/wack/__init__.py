"""Wrong answers of two kinds, labelled for one model: it does not know (HK-), or it knows and errs (HK+).

Source: Simhi et al. (2024), "Distinguishing Ignorance from Error in LLM Hallucinations", arXiv 2410.22071.

    labelled = Labeller(BadShots()).label(model, questions)
    print(labelled)                                            # how many of each
    print(chosen(detect(specific_examples(model, labelled))))  # can they be told apart inside the model?
"""

from explicate.benchmarks.wack.asking import answers
from explicate.benchmarks.wack.dataset import LABELS, PROBED, Label, WackDataset, WackRecord
from explicate.benchmarks.wack.detection import (
    Examples,
    ProbePlan,
    StateProbe,
    chosen,
    detect,
    generic_examples,
    held_out,
    specific_examples,
    summed_up,
)
from explicate.benchmarks.wack.experiments import (
    ERRORS,
    before_the_answer,
    specific_against_generic,
    three_way,
    transfer,
)
from explicate.benchmarks.wack.generic import (
    GenericPair,
    GenericSet,
    read_published_generic,
    write_generic_set,
    write_published_generic,
)
from explicate.benchmarks.wack.items import Item, Items, hit, prepare
from explicate.benchmarks.wack.labelling import Labeller, label_of, late_hits, recovered, sheet
from explicate.benchmarks.wack.mitigation import AskAgain, Router, SteerAnswer, mitigate, towards_correct, treated
from explicate.benchmarks.wack.published import FileName, read_published, write_published
from explicate.benchmarks.wack.settings import AliceBob, BadShots, GoodShots, Setting, prompts
from explicate.benchmarks.wack.shots import EASY_FACTS, Shot, Shots
from explicate.benchmarks.wack.similarity import Similarity, jaccard, similarity
from explicate.benchmarks.wack.states import (
    COMPONENTS,
    Place,
    States,
    hidden_states,
    output_states,
    word_states,
)

__all__ = [
    "COMPONENTS",
    "EASY_FACTS",
    "ERRORS",
    "LABELS",
    "PROBED",
    "AliceBob",
    "AskAgain",
    "BadShots",
    "Examples",
    "FileName",
    "GenericPair",
    "GenericSet",
    "GoodShots",
    "Item",
    "Items",
    "Label",
    "Labeller",
    "Place",
    "ProbePlan",
    "Router",
    "Setting",
    "Shot",
    "Shots",
    "Similarity",
    "StateProbe",
    "States",
    "SteerAnswer",
    "WackDataset",
    "WackRecord",
    "answers",
    "before_the_answer",
    "chosen",
    "detect",
    "generic_examples",
    "held_out",
    "hidden_states",
    "hit",
    "jaccard",
    "label_of",
    "late_hits",
    "mitigate",
    "output_states",
    "prepare",
    "prompts",
    "read_published",
    "read_published_generic",
    "recovered",
    "sheet",
    "similarity",
    "specific_against_generic",
    "specific_examples",
    "summed_up",
    "three_way",
    "towards_correct",
    "transfer",
    "treated",
    "word_states",
    "write_generic_set",
    "write_published",
    "write_published_generic",
]
