"""Boxes: what is in which box, told one box at a time and then asked for one of them."""

from explicate.data.language.boxes.files import check_boxes, each_box, read_boxes, write_boxes
from explicate.data.language.boxes.pairs import (
    DESIDERATA,
    BoxesPairs,
    Desideratum,
    desideratum_pairs,
    position_pairs,
    swapped_pairs,
)
from explicate.data.language.boxes.prompts import (
    FORMS,
    LABELS,
    OBJECTS,
    WORDS,
    BoxesPrompt,
    Form,
    boxes_prompts,
    corrupted,
)
from explicate.data.language.boxes.tokens import EncodedBoxes, encoded

__all__ = [
    "DESIDERATA",
    "FORMS",
    "LABELS",
    "OBJECTS",
    "WORDS",
    "BoxesPairs",
    "BoxesPrompt",
    "Desideratum",
    "EncodedBoxes",
    "Form",
    "boxes_prompts",
    "check_boxes",
    "corrupted",
    "desideratum_pairs",
    "each_box",
    "encoded",
    "position_pairs",
    "read_boxes",
    "swapped_pairs",
    "write_boxes",
]
