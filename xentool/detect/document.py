"""The answer as JSON: the document ``xentool.detect/1``."""

from dataclasses import asdict
from typing import Any

from xentool.detect.model import Answer

SCHEMA = "xentool.detect/1"


def document(answer: Answer) -> dict[str, Any]:
    """Give the document; its keys are the names in `model`."""
    return {"schema": SCHEMA, **asdict(answer)}
