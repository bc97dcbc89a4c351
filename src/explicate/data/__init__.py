"""Data: published tables, bundled pictures, texts, and rendered worlds with known truth."""

from __future__ import annotations

from explicate.data.cub import CUB
from explicate.data.explained import Explained, cifar100
from explicate.data.images import IMAGES, Box, Image, image_from_file, picture
from explicate.data.rendered_birds import rendered_birds
from explicate.data.shapes import Shapes, rendered_shapes
from explicate.data.tables import TABLES, Table, Task, table, table_from_file
from explicate.data.texts import PASSAGES, TEXTS, Passage, Text, passage, text

__all__ = [
    "CUB",
    "IMAGES",
    "PASSAGES",
    "TABLES",
    "TEXTS",
    "Box",
    "Explained",
    "Image",
    "Passage",
    "Shapes",
    "Table",
    "Task",
    "Text",
    "cifar100",
    "image_from_file",
    "passage",
    "picture",
    "rendered_birds",
    "rendered_shapes",
    "table",
    "table_from_file",
    "text",
]
