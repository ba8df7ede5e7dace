"""Every sentence the server answers a refused update or query with, whole, as a golden file (§10, §12.3).

`tests/server_sentences.txt` holds one line a refusal: its code and its sentence. `P4NIC_GOLDEN=write pytest
tests/test_server_sentences.py` writes it anew, to be read in the diff: a sentence names the object as the P4
program does, the value, and the way out.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from p4runtime_peer import Client, ServerUnderTest, errors_of, insert, packet_io
from test_server_entry_refusals import READS_REFUSED
from test_server_entry_refusals import REFUSED as ENTRIES
from test_server_objects import REFUSED as OBJECTS
from test_server_objects import ecmp, group, member

from p4rt import p4r

GOLDEN = Path(__file__).with_name("server_sentences.txt")


@pytest.fixture(scope="module")
def told() -> Iterator[list[str]]:
    """What the server says to each row of the tests in words."""
    lines: list[str] = []
    with ServerUnderTest(packet_io()) as server:
        client = server.primary()
        lines += [sentence(client, update) for update, _, _ in ENTRIES]
        client.write(insert(member(1)))
        client.write(insert(group(1, "members { member_id: 1 weight: 1 }")))
        client.write(insert(ecmp(p4r.TableAction(action_profile_group_id=1))))
        lines += [sentence(client, update) for update, _, _ in OBJECTS]
        for query, _, _ in READS_REFUSED:
            with pytest.raises(grpc.RpcError) as error:
                client.read(query)
            lines += [f"{code} {said}" for code, said in errors_of(error.value)]
        yield list(dict.fromkeys(lines))


def sentence(client: Client, update: p4r.Update) -> str:
    ((code, said),) = client.refused(update)
    return f"{code} {said}"


def test_sentences_are_the_golden_ones(told: list[str]) -> None:
    if os.environ.get("P4NIC_GOLDEN") == "write":
        GOLDEN.write_text("\n".join(told) + "\n")
    assert told == GOLDEN.read_text().splitlines()


def test_there_are_more_than_eighty(told: list[str]) -> None:
    assert len(set(told)) > 80


def test_each_is_one_line_that_names_something(told: list[str]) -> None:
    """A name of the P4Info or a number that was sent, where there is one; no full stop, no traceback."""
    info = packet_io().info.message
    objects: list[Any] = [*info.tables, *info.actions, *info.action_profiles, *info.counters, *info.meters]
    names = {o.preamble.name for o in objects} | {d.preamble.name for d in info.digests}
    for line in told:
        said = line.partition(" ")[2]
        assert len(said) < 400, said
        assert not said.endswith("."), said
        assert "Traceback" not in said, said
        nameless = r"\d|is empty|has no type|a read of all tables|register Switch"
        named = any(name in said for name in names) or re.search(nameless, said)
        assert named, said
