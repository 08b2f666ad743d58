"""Prints facts as JSON for scripts."""

from __future__ import annotations

import json

from pydantic import BaseModel


def print_json(facts: BaseModel) -> None:
    """Print the facts as JSON in ASCII, so that no encoding of the output can change them."""
    print(json.dumps(json.loads(facts.model_dump_json(by_alias=True)), indent=1))
