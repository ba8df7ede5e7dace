"""Pipelines with transactions: one commit per batch, and a refused commit leaves nothing written."""

from __future__ import annotations

from typing import Any as Anything

import pytest
from fake_pipeline import sample_program

from p4nic.backend.api import Backend, Entry, Options
from p4nic.clock import ManualClock
from p4nic.errors import ErrorKind, StateError
from p4nic.ir.program import ActionCall, Exact
from p4nic.target.entities import Entity, Operation
from p4nic.target.switch import Switch

TABLE = "C.exact"


class Commits:
    """Counts commits; refuses them while `refusing`."""

    def __init__(self) -> None:
        self.count = 0
        self.refusing = False

    def __call__(self) -> None:
        self.count += 1
        if self.refusing:
            raise StateError(ErrorKind.RESOURCE_EXHAUSTED, "the target is full")


@pytest.fixture
def commits() -> Commits:
    return Commits()


@pytest.fixture
def switch(backend: Backend, commits: Commits) -> Switch:
    pipeline: Anything = backend.build(sample_program(), Options())
    pipeline.commit = commits
    return Switch(pipeline, ManualClock())


def inserts(*values: int) -> list[tuple[Operation, Entity]]:
    drop = ActionCall("C.drop")
    return [("insert", Entry(TABLE, (Exact(value), Exact(0)), drop)) for value in values]


def test_a_batch_is_one_commit_and_so_is_a_single_write(switch: Switch, commits: Commits) -> None:
    assert switch.tables.batch(inserts(1, 2)) == [None, None]
    assert commits.count == 1
    switch.tables.set_default(TABLE, ActionCall("C.drop"))
    assert commits.count == 2


def test_a_refused_commit_undoes_the_batch_and_is_every_updates_error(
    switch: Switch, commits: Commits
) -> None:
    switch.tables.batch(inserts(1))
    commits.refusing = True
    results = switch.tables.batch(inserts(2, 1, 3))
    kinds = [error.kind for error in results if error is not None]
    assert kinds == [ErrorKind.RESOURCE_EXHAUSTED, ErrorKind.ALREADY_EXISTS, ErrorKind.RESOURCE_EXHAUSTED]
    assert switch.tables.entry_count(TABLE) == 1


def test_a_refused_commit_of_a_single_write_is_raised_and_undone(switch: Switch, commits: Commits) -> None:
    commits.refusing = True
    with pytest.raises(StateError, match="the target is full"):
        switch.tables.insert(Entry(TABLE, (Exact(1), Exact(0)), ActionCall("C.drop")))
    assert switch.tables.entry_count(TABLE) == 0
    commits.refusing = False
    switch.tables.insert(Entry(TABLE, (Exact(1), Exact(0)), ActionCall("C.drop")))
    assert switch.tables.entry_count(TABLE) == 1
