"""Pictures, fragments of HTML, and the report: all from `Explanation` alone."""

from explicate.report import fragments, pictures

__all__ = ["fragments", "pictures"]
