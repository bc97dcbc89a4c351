"""Data: published tables, bundled pictures, texts, and rendered worlds with known truth."""

from __future__ import annotations

from explicate.data.images import IMAGES, Box, Image, image_from_file, picture
from explicate.data.shapes import Shapes, rendered_shapes
from explicate.data.tables import TABLES, Table, Task, table, table_from_file
from explicate.data.texts import PASSAGES, TEXTS, Passage, Text, passage, text

__all__ = [
    "IMAGES",
    "PASSAGES",
    "TABLES",
    "TEXTS",
    "Box",
    "Image",
    "Passage",
    "Shapes",
    "Table",
    "Task",
    "Text",
    "image_from_file",
    "passage",
    "picture",
    "rendered_shapes",
    "table",
    "table_from_file",
    "text",
]
