"""Runs docs/notebook.ipynb and stores what it puts out.

    python -m tests.make_notebook

Needs nbclient and ipykernel.
"""

from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[1] / "docs" / "notebook.ipynb"

CELLS = (
    "# Checkpoints in a notebook\n\nResults of `ckpttool` show themselves: as HTML where Jinja2 is installed "
    "(`pip install 'ckpttool[html]'`), else as a line of text. Run from the root of the repository.",
    'import ckpttool\n\ncheckpoint = ckpttool.open("fixtures/keras3/nested.keras")\ncheckpoint',
    "A weight reads its values when it is shown, if they are at most 64 MiB.",
    'checkpoint.layers["block/before"]["kernel"]',
    "Two checkpoints: the most changed layers first.",
    'from ckpttool import Scope\n\nckpttool.diff(\n    "fixtures/tuned/base.keras", "fixtures/tuned/tuned.keras", '
    "Scope(pictures=True)\n)",
    "Whether weights load, what a check finds, what a conversion would do:",
    'ckpttool.verify("fixtures/keras3/mlp.weights.h5", "fixtures/keras3/cnn.keras")',
    'ckpttool.check("fixtures/keras2.15/mlp.h5")',
    'ckpttool.plan("fixtures/keras2.2/nested.h5", "new.keras")',
)


def main() -> None:
    """Writes the notebook with its outputs."""
    cells = [
        (nbformat.v4.new_code_cell if "ckpttool." in text or "layers[" in text else nbformat.v4.new_markdown_cell)(
            text, id=f"cell-{number}"
        )
        for number, text in enumerate(CELLS)
    ]
    book = nbformat.v4.new_notebook(cells=cells)
    NotebookClient(book, kernel_name="python3", resources={"metadata": {"path": str(NOTEBOOK.parents[1])}}).execute()
    for cell in book.cells:
        cell.metadata.pop("execution", None)
    book.metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    nbformat.write(book, NOTEBOOK)


if __name__ == "__main__":
    main()
