"""Data: published tables, bundled pictures, texts, and rendered worlds with known truth."""

from __future__ import annotations

from explicate.data.tables import TABLES, Table, Task, table, table_from_file

__all__ = [
    "TABLES",
    "Table",
    "Task",
    "table",
    "table_from_file",
]
