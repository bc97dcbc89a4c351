"""The command line. Every command prints where it wrote what; `--json` prints one JSON object for machines instead.

Exit codes: 0 done; 1 done, but a bar or a check was not met; 2 bad input or usage; 3 the model failed or lacks what is
needed; 4 a place cannot be written; 130 interrupted (runs go on where they were when started again).
"""

from explicate.cli.app import app, main

__all__ = ["app", "main"]
