"""Every refusal of a table entry and of a read, in its words (P4Runtime 1.5 §9.1, §13.3)."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import pytest
from p4runtime_peer import Client, ServerUnderTest, delete, entity, errors_of, insert, modify, packet_io
from test_server_entries import DROP, NAMES, acl, l2

from p4rt import p4r


def with_action(number: int) -> p4r.TableEntry:
    entry = l2(action=None)
    entry.action.action.action_id = number
    return entry


def with_param(number: int, value: bytes) -> p4r.TableEntry:
    entry = NAMES.entry("Switch.l2", {"dst": 1}, "Switch.forward")
    entry.action.action.params.add(param_id=number, value=value)
    return entry


def twice(entry: p4r.TableEntry) -> p4r.TableEntry:
    entry.match.append(entry.match[0])
    return entry


def of_kind(text: str) -> p4r.TableEntry:
    entry = NAMES.entry("Switch.l2", None, DROP)
    entry.match.add().MergeFrom(
        entity(f"table_entry {{ match {{ field_id: 1 {text} }} }}").table_entry.match[0]
    )
    return entry


def default(**fields: object) -> p4r.TableEntry:
    return NAMES.entry("Switch.l2", None, DROP, None, is_default_action=True, **fields)


L2, DST, ACL = "table Switch.l2", "table Switch.l2, field dst", "table Switch.acl"
REFUSED = [
    (insert(p4r.TableEntry()), "INVALID_ARGUMENT", "the table id is not set; choose one of"),
    (
        insert(p4r.TableEntry(table_id=5)),
        "INVALID_ARGUMENT",
        "table id 5 is not in the P4Info; choose one of",
    ),
    (
        insert(p4r.TableEntry(table_id=NAMES.ids[DROP])),
        "INVALID_ARGUMENT",
        f"table id {NAMES.ids[DROP]} is Switch.drop, which is no table; choose one of",
    ),
    (p4r.Update(), "INVALID_ARGUMENT", "the update has no type; set INSERT, MODIFY or DELETE"),
    (insert(p4r.Entity()), "INVALID_ARGUMENT", "the update's entity is empty; set what it is about"),
    (insert(l2(action=None)), "INVALID_ARGUMENT", f"{L2}: an entry to insert needs an action"),
    (
        insert(NAMES.entry("Switch.l2", {"dst": 1}, p4r.TableAction())),
        "INVALID_ARGUMENT",
        f"{L2}: the action is empty; set an action, a member, a group or a one-shot set",
    ),
    (
        insert(with_action(0)),
        "INVALID_ARGUMENT",
        f"{L2}: there is no action with id 0; choose one of Switch.drop",
    ),
    (insert(with_action(77)), "INVALID_ARGUMENT", f"{L2}: there is no action with id 77; choose one of"),
    (
        insert(NAMES.entry("Switch.l2", {"dst": 1}, "NoAction")),
        "INVALID_ARGUMENT",
        f'{L2}: action "NoAction" is not one of its actions; choose one of',
    ),
    (
        insert(NAMES.entry("Switch.l2", {"dst": 1}, "Switch.forward")),
        "INVALID_ARGUMENT",
        "action Switch.forward, parameter port: it is missing; every parameter needs a value",
    ),
    (
        insert(with_param(3, b"\1")),
        "INVALID_ARGUMENT",
        "action Switch.forward has no parameter with id 3; choose one of port (1)",
    ),
    (
        insert(with_param(1, b"")),
        "OUT_OF_RANGE",
        "action Switch.forward, parameter port: the value is empty; send at least one byte",
    ),
    (
        insert(with_param(1, b"\x02\x00")),
        "OUT_OF_RANGE",
        "action Switch.forward, parameter port: 0x200 does not fit in 9 bits (at most 0x1ff)",
    ),
    (
        insert(NAMES.entry("Switch.l2", None, DROP)),
        "INVALID_ARGUMENT",
        f"{DST}: exact fields cannot be left out",
    ),
    (
        insert(l2(1 << 48)),
        "OUT_OF_RANGE",
        f"{DST}: 0x1000000000000 does not fit in 48 bits (at most 0xffffffffffff)",
    ),
    (insert(twice(l2())), "INVALID_ARGUMENT", f"{DST}: it is given twice"),
    (insert(of_kind("")), "INVALID_ARGUMENT", f"{DST}: it is matched exact, not by nothing"),
    (
        insert(of_kind('lpm { value: "\\001" prefix_len: 48 }')),
        "INVALID_ARGUMENT",
        f"{DST}: it is matched exact, not lpm",
    ),
    (
        insert(p4r.TableEntry(table_id=l2().table_id, match=[p4r.FieldMatch(field_id=2)])),
        "INVALID_ARGUMENT",
        f"{L2} has no field with id 2; choose one of dst (1)",
    ),
    (
        insert(l2(is_const=True)),
        "INVALID_ARGUMENT",
        f"{L2}: is_const is the switch's to say; leave it unset in a write",
    ),
    (
        insert(l2(time_since_last_hit={})),
        "INVALID_ARGUMENT",
        f"{L2}: time_since_last_hit can be read, not written; leave it unset",
    ),
    (
        insert(l2(meter_counter_data={"yellow": {"packet_count": 3}})),
        "INVALID_ARGUMENT",
        f"{L2}: yellow counts 3 packets and 0 bytes; a client can only set them to 0",
    ),
    (insert(l2(meter_counter_data={})), "INVALID_ARGUMENT", f"{L2} has no direct meter"),
    (insert(l2(meter_config={})), "INVALID_ARGUMENT", f"{L2} has no direct meter"),
    (
        insert(l2(priority=1)),
        "INVALID_ARGUMENT",
        f"{L2}: priority 1 must be 0, as no field is ternary, range or optional",
    ),
    (insert(l2(idle_timeout_ns=-1)), "INVALID_ARGUMENT", f"{L2}: idle timeout -1 ns is negative"),
    (
        insert(NAMES.entry("Switch.l2_source", {"src": 1}, "NoAction", idle_timeout_ns=1)),
        "INVALID_ARGUMENT",
        "table Switch.l2_source does not support idle timeouts; 1 ns must be 0",
    ),
    (
        insert(l2(counter_data={"packet_count": -1})),
        "OUT_OF_RANGE",
        f"{L2}, direct counter: -1 packets is not in 0..9223372036854775807",
    ),
    (
        insert(acl(0)),
        "INVALID_ARGUMENT",
        f"{ACL}: priority 0 is not in 1..2147483647, which it must be as src is ternary",
    ),
    (insert(acl(-5)), "INVALID_ARGUMENT", f"{ACL}: priority -5 is not in 1..2147483647"),
    (
        insert(acl(src=(0, 0))),
        "INVALID_ARGUMENT",
        f"{ACL}, field src: mask 0 matches everything; leave the field out instead",
    ),
    (
        insert(acl(src=(3, 1))),
        "INVALID_ARGUMENT",
        f"{ACL}, field src: 0x3 has bits outside the mask 0x1; 0x1 has not",
    ),
    (
        insert(acl(dst=(0, 0))),
        "INVALID_ARGUMENT",
        f"{ACL}, field dst: prefix length 0 matches everything; leave the field out instead",
    ),
    (insert(acl(dst=(0, 33))), "INVALID_ARGUMENT", f"{ACL}, field dst: prefix length 33 is not in 0..32"),
    (
        insert(acl(dst=(0x0A000001, 8))),
        "INVALID_ARGUMENT",
        f"{ACL}, field dst: 0xa000001/8 has bits beyond the prefix; 0xa000000/8 has not",
    ),
    (
        insert(acl(dport=(9, 8))),
        "INVALID_ARGUMENT",
        f"{ACL}, field dport: the range 0x9..0x8 is empty, as low is above high",
    ),
    (
        insert(acl(dport=(0, 0xFFFF))),
        "INVALID_ARGUMENT",
        f"{ACL}, field dport: the range 0x0..0xffff is every value; leave the field out instead",
    ),
    (modify(l2()), "NOT_FOUND", f"{L2}: there is no entry dst=0x1"),
    (delete(l2()), "NOT_FOUND", f"{L2}: there is no entry dst=0x1"),
    (modify(l2(action=None)), "NOT_FOUND", f"{L2}: there is no entry dst=0x1 to modify"),
    (insert(default()), "INVALID_ARGUMENT", f"{L2}: the default entry can only be modified, not inserted"),
    (delete(default()), "INVALID_ARGUMENT", f"{L2}: the default entry can only be modified, not deleted"),
    (
        modify(default(priority=1)),
        "INVALID_ARGUMENT",
        f"{L2}: the default entry has no priority; 1 must be 0",
    ),
    (
        modify(NAMES.entry("Switch.l2", {"dst": 1}, DROP, is_default_action=True)),
        "INVALID_ARGUMENT",
        f"{L2}: the default entry has no match fields; leave `match` empty",
    ),
    (modify(default(idle_timeout_ns=1)), "INVALID_ARGUMENT", f"{L2}: the default entry does not age;"),
    (
        modify(default(counter_data={"packet_count": -1})),
        "OUT_OF_RANGE",
        f"{L2}, direct counter: -1 packets is not in 0..{(1 << 63) - 1}",
    ),
    (
        modify(NAMES.entry("Switch.l2_source", None, "NoAction", is_default_action=True)),
        "PERMISSION_DENIED",
        "table Switch.l2_source: its default action NoAction is constant",
    ),
    (
        insert(NAMES.entry("Switch.ecmp", {"dst": (0x0A000000, 8)}, DROP)),
        "INVALID_ARGUMENT",
        "table Switch.ecmp: entries point to members or groups of action profile Switch.ecmp_selector",
    ),
    (
        insert(NAMES.entry("Switch.l2", {"dst": 1}, p4r.TableAction(action_profile_member_id=1))),
        "INVALID_ARGUMENT",
        f"{L2} has no action profile: its entries carry an action, not a reference to one",
    ),
]


@pytest.fixture(scope="module")
def shared() -> Iterator[Client]:
    """For refusals, which change nothing."""
    with ServerUnderTest(packet_io()) as server:
        yield server.primary()


@pytest.mark.parametrize(("update", "code", "sentence"), REFUSED, ids=[r[2][:60] for r in REFUSED])
def test_refusals_in_words(shared: Client, update: p4r.Update, code: str, sentence: str) -> None:
    ((got_code, got_sentence),) = shared.refused(update)
    assert (got_code, got_sentence[: len(sentence)]) == (code, sentence)


READS_REFUSED = [
    (p4r.Entity(), "INVALID_ARGUMENT", "a query is empty; set the kind of entity to read"),
    (
        p4r.Entity(table_entry=p4r.TableEntry(priority=1)),
        "INVALID_ARGUMENT",
        "a read of all tables takes no filter; name a table, or leave match, action, priority and ",
    ),
    (
        p4r.Entity(table_entry=p4r.TableEntry(table_id=5)),
        "INVALID_ARGUMENT",
        "table id 5 is not in the P4Info",
    ),
    (
        p4r.Entity(table_entry=NAMES.entry("Switch.acl", {"src": (3, 1)})),
        "INVALID_ARGUMENT",
        f"{ACL}, field src: 0x3 has bits outside the mask 0x1; 0x1 has not",
    ),
    (
        p4r.Entity(table_entry=NAMES.entry("Switch.l2_source", time_since_last_hit={})),
        "INVALID_ARGUMENT",
        "table Switch.l2_source does not support idle timeouts; leave time_since_last_hit unset",
    ),
    (
        p4r.Entity(table_entry=NAMES.entry("Switch.ecmp", None, p4r.TableAction(action_profile_group_id=1))),
        "INVALID_ARGUMENT",
        "table Switch.ecmp: a read filters by action id only, not by member, group or one-shot set",
    ),
    (
        p4r.Entity(direct_counter_entry=p4r.DirectCounterEntry(table_entry=l2())),
        "NOT_FOUND",
        f"{L2}: there is no entry dst=0x1",
    ),
    (
        p4r.Entity(direct_counter_entry=p4r.DirectCounterEntry(table_entry=NAMES.entry("Switch.ecmp"))),
        "INVALID_ARGUMENT",
        "table Switch.ecmp has no direct counter",
    ),
    (
        p4r.Entity(extern_entry=p4r.ExternEntry(extern_type_id=4)),
        "UNIMPLEMENTED",
        "extern type 4 is not known",
    ),
]


@pytest.mark.parametrize(("query", "code", "sentence"), READS_REFUSED, ids=[r[2][:60] for r in READS_REFUSED])
def test_refused_reads_in_words(shared: Client, query: p4r.Entity, code: str, sentence: str) -> None:
    """§13.3: the good queries are answered, then UNKNOWN with one error per query."""
    good = p4r.Entity(table_entry=NAMES.entry("Switch.ether_types"))
    answers = iter(shared.read_stream(good, query))
    assert len(next(answers).entities) == 2
    with pytest.raises(grpc.RpcError) as error:
        next(answers)
    assert [(c, s[: len(sentence)]) for c, s in errors_of(error.value)] == [("OK", ""), (code, sentence)]
