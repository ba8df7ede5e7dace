"""drop_reasons.json, which the control plane and the suites read, says what the P4 constants say."""

import json
import re
from pathlib import Path

PIPELINE = Path(__file__).resolve().parent.parent / "pipeline"
DOCS = PIPELINE.parent / "docs" / "pipeline.md"


def p4_constants() -> dict[str, int]:
    text = (PIPELINE / "include" / "drop_reasons.p4").read_text()
    found = re.findall(r"const bit<8> DROP_(\w+) = (\d+);", text)
    return {name.lower(): int(value) for name, value in found if name != "NONE"}


def test_json_equals_the_constants() -> None:
    assert json.loads((PIPELINE / "drop_reasons.json").read_text()) == p4_constants()


def test_numbers_are_dense_from_one_and_unique() -> None:
    numbers = sorted(p4_constants().values())
    assert numbers == list(range(1, len(numbers) + 1))


def test_every_reason_is_given_somewhere() -> None:
    sources = "".join(path.read_text() for path in PIPELINE.rglob("*.p4") if path.name != "drop_reasons.p4")
    unused = [name for name in p4_constants() if not re.search(rf"\bDROP_{name.upper()}\b", sources)]
    assert unused == [], "a reason nobody gives can never be counted"


def test_the_contract_lists_every_reason() -> None:
    text = DOCS.read_text()
    missing = [
        f"{n} {name}" for name, n in p4_constants().items() if not re.search(rf"\b{n} `?{name}\b", text)
    ]
    assert missing == []
