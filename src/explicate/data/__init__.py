"""Data: published tables, bundled pictures, texts, and rendered worlds with known truth."""

from __future__ import annotations

from explicate.data.images import IMAGES, Box, Image, image_from_file, picture
from explicate.data.tables import TABLES, Table, Task, table, table_from_file

__all__ = [
    "IMAGES",
    "TABLES",
    "Box",
    "Image",
    "Table",
    "Task",
    "image_from_file",
    "picture",
    "table",
    "table_from_file",
]
