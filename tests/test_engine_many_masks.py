"""Ternary, range and optional keys with many different masks: the entry that a look at all of them finds,
while they come and go.

Both engines against `Rules.best`, and so against each other.
"""

from __future__ import annotations

import random

import pytest
from ir_builders import action, const, entry, key, m, pipeline, swx, table

from p4nic.backend.api import Backend, Entry, Pipeline
from p4nic.bits import mask
from p4nic.ir.ops import Apply, Extract, Move, Op, Param, Ref, Transmit
from p4nic.ir.program import Any, Exact, Lpm, Match, Range, Ternary
from p4nic.ir.types import Field, HeaderType

MISS = 999
WIDE = (("a", 32, "ternary"), ("b", 16, "range"), ("c", 8, "optional"), ("d", 128, "ternary"))
NARROW = (("a", 8, "ternary"), ("b", 9, "ternary"), ("c", 7, "range"))
Keys = tuple[tuple[str, int, str], ...]


def classifier(backend: Backend, keys: Keys) -> Pipeline:
    """`to` sets the output port."""
    code: list[Op] = [Extract("k"), Move(m("out"), const(MISS)), Apply("t"), Transmit(m("out"))]
    return pipeline(
        backend,
        swx(
            code,
            metadata={"out": 32},
            types=[HeaderType("k_t", tuple(Field(name, width) for name, width, _ in keys))],
            headers={"k": "k_t"},
            actions=[action("to", [Move(m("out"), Param("port"))], port=32)],
            tables=[table("t", [key(Ref("k", n), w, kind) for n, w, kind in keys], ["to"], size=5000)],
        ),
        port_count=2000,
    )


class Rules:
    """All entries in the order of their insertion."""

    def __init__(self, keys: Keys, seed: int) -> None:
        self.keys = keys
        self.random = random.Random(seed)
        self.entries: list[Entry] = []

    def value(self, width: int) -> int:
        """Few values, so that entries and packets meet, in the high and the low bits."""
        return (self.random.randrange(4) << width - 3 | self.random.randrange(8)) & mask(width)

    def match(self, width: int, kind: str) -> Match:
        value = self.value(width)
        if self.random.random() < 0.2:
            return Any()
        if kind == "optional":
            return Exact(value)
        if kind == "range":
            near = self.random.choice((value, (value + 5) & mask(width), self.value(width)))
            return Range(min(value, near), max(value, near))
        bits = mask(width)
        for _ in range(self.random.randrange(4)):
            bits &= ~(1 << self.random.randrange(width))
        return Ternary(value & bits, bits)

    def drawn(self) -> Entry:
        made = tuple(self.match(width, kind) for _, width, kind in self.keys)
        return entry("t", made, "to", len(self.entries) % 500, priority=self.random.randrange(1, 6))

    def best(self, values: tuple[int, ...]) -> int:
        matching = [e for e in self.entries if all(map(is_match, e.key, values))]
        best = max(matching, key=lambda e: e.priority, default=None)  # of equal ones the first
        return MISS if best is None else args_of(best)


def args_of(rule: Entry) -> int:
    return rule.action.args[0]  # type: ignore[union-attr]  # all are ActionCalls


def is_match(match: Match, value: int) -> bool:
    match match:
        case Any():
            return True
        case Exact(wanted):
            return value == wanted
        case Range(low, high):
            return low <= value <= high
        case Ternary(wanted, bits):
            return value & bits == wanted
        case Lpm():
            raise AssertionError(match)


def agree(running: Pipeline, rules: Rules, count: int) -> None:
    asked = [tuple(rules.value(width) for _, width, _ in rules.keys) for _ in range(count)]
    frames = []
    for values in asked:
        number = 0
        for value, (_, width, _) in zip(values, rules.keys, strict=True):
            number = number << width | value
        frames.append(number.to_bytes(sum(width for _, width, _ in rules.keys) // 8, "big"))
    for values, outcome in zip(asked, running.process([(1, f) for f in frames], 0), strict=True):
        (sent,) = outcome.sent
        assert sent[0] == rules.best(values), values


@pytest.mark.parametrize("keys", [WIDE, NARROW], ids=["wide", "narrow"])
def test_entries_with_many_masks_come_and_go(backend: Backend, keys: Keys) -> None:
    running, rules = classifier(backend, keys), Rules(keys, 7)
    taken = set()
    for step in range(900):
        if rules.entries and rules.random.random() < (0.3 if step < 600 else 0.9):
            gone = rules.entries.pop(rules.random.randrange(len(rules.entries)))
            running.delete(gone)
            taken.discard((gone.key, gone.priority))
        else:
            made = rules.drawn()
            if (made.key, made.priority) in taken:
                continue
            running.insert(made, 0)
            rules.entries.append(made)
            taken.add((made.key, made.priority))
        if step % 30 == 0:
            agree(running, rules, 40)
    assert running.entry_count("t") == len(rules.entries)
    agree(running, rules, 100)
