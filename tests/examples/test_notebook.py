"""The notebook under experiments/examples runs, and prints what it holds."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import matplotlib
import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "experiments" / "examples" / "records_to_figure.ipynb"
Cell = dict[str, Any]


def run(notebook: dict[str, Any]) -> Iterator[tuple[Cell, str, list[bytes]]]:
    """Run the code cells in order: each with its printed text and its figures as PNG."""
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    names: dict[str, Any] = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        plt.close("all")
        with redirect_stdout(io.StringIO()) as printed:
            exec("".join(cell["source"]), names)
        figures = []
        for number in plt.get_fignums():
            drawn = io.BytesIO()
            plt.figure(number).savefig(drawn, dpi=72, metadata={"Software": None})
            figures.append(drawn.getvalue())
        yield cell, printed.getvalue(), figures
    plt.close("all")


@pytest.mark.slow
def test_the_notebook_prints_what_it_holds_and_draws_its_figures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    held = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    drawn = 0
    for cell, printed, figures in run(held):
        kept = "".join(
            "".join(output["text"])
            for output in cell["outputs"]
            if output["output_type"] == "stream"
        )
        assert printed == kept, "run: python -m tests.examples.test_notebook"
        pictures = [o for o in cell["outputs"] if o["output_type"] == "display_data"]
        assert len(pictures) == len(figures)
        drawn += len(figures)
    assert drawn == 2


def _outputs(printed: str, figures: list[bytes]) -> list[dict[str, Any]]:
    texts = [{"name": "stdout", "output_type": "stream", "text": printed.splitlines(keepends=True)}]
    pictures = [
        {
            "data": {"image/png": base64.b64encode(figure).decode()},
            "metadata": {},
            "output_type": "display_data",
        }
        for figure in figures
    ]
    return [*(texts if printed else []), *pictures]


if __name__ == "__main__":
    content = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    for count, (code, words, plots) in enumerate(run(content), 1):
        code.update(execution_count=count, outputs=_outputs(words, plots))
    NOTEBOOK.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
