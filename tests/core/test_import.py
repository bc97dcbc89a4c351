import subprocess
import sys


def modules_after(statement: str) -> set[str]:
    code = f"{statement}\nimport sys; print(' '.join(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(found.stdout.split())


def test_importing_explicate_imports_nothing_heavy():
    heavy = {"torch", "transformers", "ray", "pandas", "xarray", "matplotlib", "sklearn", "scipy", "numpy"}
    assert not heavy & modules_after("import explicate")


def test_the_families_import_without_torch():
    families = "import explicate.attribution, explicate.evaluation, explicate.models.tabular, explicate.data"
    assert not {"torch", "transformers", "matplotlib", "skimage"} & modules_after(families)
