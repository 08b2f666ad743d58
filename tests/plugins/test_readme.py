"""The code in prunetune/README.md is the example's own."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = ROOT / "prunetune" / "README.md"
QUOTE = re.compile(r"<!-- (tests/\S+) -->\n```(\w+)\n(.*?)```", re.DOTALL)


def test_all_code_is_quoted_from_the_example() -> None:
    text = README.read_text(encoding="utf-8")
    quotes = QUOTE.findall(text)
    assert len(quotes) >= 4
    assert text.count("```python") == sum(language == "python" for _, language, _ in quotes)
    for path, _, code in quotes:
        assert code.strip()
        assert code in (ROOT / path).read_text(encoding="utf-8"), (
            f"{path} does not contain:\n{code}"
        )


def test_files_and_names_that_it_speaks_of_are_there() -> None:
    text = README.read_text(encoding="utf-8")
    for path in re.findall(r"`((?:compress|train|models|data)/[\w/]+\.py)`", text):
        assert (ROOT / "prunetune" / path).exists(), path
    for path in re.findall(r"\| `(\w+\.py)` \|", text):
        assert (ROOT / "tests/plugins/example/prunetune_example" / path).exists(), path
    suites = (ROOT / "prunetune" / "testing" / "__init__.py").read_text(encoding="utf-8")
    for name in re.findall(r"check_\w+", text):
        assert name in suites, name
