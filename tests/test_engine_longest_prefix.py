"""Longest prefix match on many prefixes: the same entry as a search through all of them, while they come and
go.

Both engines against `longest` below, and so against each other.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from ir_builders import action, const, entry, key, m, pipeline, swx, table

from p4nic.backend.api import Backend, Entry, Pipeline
from p4nic.bits import mask, prefix_mask
from p4nic.errors import ErrorKind, StateError
from p4nic.ir.ops import Apply, Extract, Move, Op, Param, Ref, Transmit
from p4nic.ir.program import Exact, Lpm
from p4nic.ir.types import Field, HeaderType

MISS = 999
Route = tuple[int, int, int]
"""(exact part, prefix, length)"""


def routes(backend: Backend, width: int, beside: int = 0) -> Pipeline:
    """A table with a prefix field of that width, and an exact field of `beside` bits if there are any; `to`
    sets the output port."""
    padding = -(width + beside) % 8
    fields = (
        [Field("p", width)] + [Field("x", beside)] * bool(beside) + [Field("pad", padding)] * bool(padding)
    )
    keys = [key(Ref("k", "p"), width, "lpm")] + [key(Ref("k", "x"), beside)] * bool(beside)
    code: list[Op] = [Extract("k"), Move(m("out"), const(MISS)), Apply("t"), Transmit(m("out"))]
    return pipeline(
        backend,
        swx(
            code,
            metadata={"out": 32},
            types=[HeaderType("k_t", tuple(fields))],
            headers={"k": "k_t"},
            actions=[action("to", [Move(m("out"), Param("port"))], port=32)],
            tables=[table("t", keys, ["to"], size=20000)],
        ),
        port_count=2000,
    )


def route(at: Route, width: int, beside: int, port: int) -> Entry:
    part, prefix, length = at
    exact = (Exact(part),) if beside else ()
    return entry("t", (Lpm(prefix, length), *exact), "to", port)


class Model:
    """All routes, and a search through them."""

    def __init__(self, width: int, beside: int, seed: int) -> None:
        self.width, self.beside = width, beside
        self.random = random.Random(seed)
        self.routes: dict[Route, int] = {}

    def drawn(self) -> Route:
        """Prefixes lie inside each other, have common beginnings, and are of every length."""
        part = self.random.randrange(min(4, 1 << self.beside)) if self.beside else 0
        length = self.random.choice((0, 1, self.width, self.width - 1, *range(self.width + 1)))
        value = self.random.getrandbits(self.width)
        if self.routes and self.random.random() < 0.7:
            near = self.random.choice(list(self.routes))[1]
            bits = prefix_mask(self.width, self.random.randrange(self.width + 1))
            value = near & bits | value & ~bits
        return part, value & prefix_mask(self.width, length), length

    def longest(self, part: int, value: int) -> int:
        for length in range(self.width, -1, -1):
            found = self.routes.get((part, value & prefix_mask(self.width, length), length))
            if found is not None:
                return found
        return MISS

    def questions(self, count: int) -> Iterator[tuple[int, int]]:
        """Values near the routes' ends, and anything."""
        known = list(self.routes) or [(0, 0, 0)]
        for _ in range(count):
            part, prefix, length = self.random.choice(known)
            inside = self.random.getrandbits(self.width) & ~prefix_mask(self.width, length)
            edge = self.random.choice((0, mask(self.width) & ~prefix_mask(self.width, length), inside))
            yield (
                part,
                self.random.choice((prefix | edge, (prefix | edge) + 1, prefix - 1)) & mask(self.width),
            )


def agree(running: Pipeline, model: Model, count: int) -> None:
    asked = list(model.questions(count))
    padding = -(model.width + model.beside) % 8
    size = (model.width + model.beside + padding) // 8
    frames = [((value << model.beside | part) << padding).to_bytes(size, "big") for part, value in asked]
    for (part, value), outcome in zip(asked, running.process([(0, f) for f in frames], 0), strict=True):
        (sent,) = outcome.sent
        assert sent[0] == model.longest(part, value), f"{value:#x} of {part} among {model.routes}"


def change(running: Pipeline, model: Model, port: int) -> None:
    """Insert one, or modify or delete one that is there; one that is there already is refused."""
    known = list(model.routes)
    what = model.random.random()
    if not known or what < 0.6:
        at = model.drawn()
        if at in model.routes:
            with pytest.raises(StateError) as refused:
                running.insert(route(at, model.width, model.beside, port), 0)
            assert refused.value.kind is ErrorKind.ALREADY_EXISTS
            return
        running.insert(route(at, model.width, model.beside, port), 0)
        model.routes[at] = port
        return
    at = model.random.choice(known)
    if what < 0.7:
        running.modify(route(at, model.width, model.beside, port), 0)
        model.routes[at] = port
    else:
        running.delete(route(at, model.width, model.beside, 0))
        del model.routes[at]


SHAPES = [(32, 0), (128, 0), (32, 12), (128, 16), (9, 0), (48, 48), (64, 8), (1, 7), (13, 3), (24, 0)]


@pytest.mark.parametrize(("width", "beside"), SHAPES)
def test_routes_come_and_go(backend: Backend, width: int, beside: int) -> None:
    running, model = routes(backend, width, beside), Model(width, beside, width)
    for step in range(600):
        change(running, model, step % 500)
        if step % 20 == 0:
            agree(running, model, 40)
    for at in list(model.routes):
        running.delete(route(at, width, beside, 0))
        del model.routes[at]
        if len(model.routes) % 20 == 0:
            agree(running, model, 10)
    assert running.entry_count("t") == 0


@pytest.mark.parametrize(("width", "beside"), [(32, 0), (128, 0), (32, 1)])
def test_so_many_routes_that_the_first_bits_are_an_index(backend: Backend, width: int, beside: int) -> None:
    running, model = routes(backend, width, beside), Model(width, beside, 1)
    model.routes = {model.drawn(): i % 500 for i in range(7000)}
    for at, port in model.routes.items():
        running.insert(route(at, width, beside, port), 0)
    agree(running, model, 3000)
    for step in range(1500):
        change(running, model, step % 500)
    agree(running, model, 3000)
    for at in sorted(model.routes)[:-100]:
        running.delete(route(at, width, beside, 0))
        del model.routes[at]
    agree(running, model, 1000)
