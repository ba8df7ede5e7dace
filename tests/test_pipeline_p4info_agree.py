"""Both shells offer the control plane the same tables, actions, keys and parameters.

Exceptions are listed here, each with its reason.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from google.protobuf import text_format

from p4rt import p4i

T = TypeVar("T")

BUILD = Path(__file__).resolve().parent.parent / "pipeline" / "build"

# Tables only one shell has, and why.
ONLY_PNA_TABLES = {
    "Lb.closing": "remembers FIN and RST in the data plane; on v1model the control plane sets idle timeouts",
}
ONLY_PNA_ACTIONS = {
    "Lb.closing_hit": "action of Lb.closing",
    "Lb.closing_miss": "action of Lb.closing",
}
SIZES_DIFFER = {
    "Lb.flow_table": "DPDK counts buckets of four entries (65,536 x 4), v1model counts entries (262,144)",
}


@dataclass(frozen=True, slots=True)
class Table:
    keys: tuple[tuple[str, int, str], ...]
    actions: tuple[tuple[str, str], ...]
    default: str


def load(name: str) -> p4i.P4Info:
    return text_format.Parse((BUILD / name).read_text(), p4i.P4Info())


PNA = load("k8s_lb.pna.p4info.txtpb")
V1MODEL = load("k8s_lb.v1model.p4info.txtpb")


def tables(info: p4i.P4Info) -> dict[str, Table]:
    names = {action.preamble.id: action.preamble.name for action in info.actions}
    return {
        table.preamble.name: Table(
            keys=tuple(
                (field.name, field.bitwidth, p4i.MatchField.MatchType.Name(field.match_type))
                for field in table.match_fields
            ),
            actions=tuple(
                (names[ref.id], p4i.ActionRef.Scope.Name(ref.scope))
                for ref in sorted(table.action_refs, key=lambda ref: names[ref.id])
            ),
            default=names.get(table.const_default_action_id, "(not const)"),
        )
        for table in info.tables
    }


def actions(info: p4i.P4Info) -> dict[str, tuple[tuple[str, int], ...]]:
    used = {ref.id for table in info.tables for ref in table.action_refs}
    return {
        action.preamble.name: tuple((param.name, param.bitwidth) for param in action.params)
        for action in info.actions
        if action.preamble.id in used
    }


def without(things: dict[str, T], exceptions: dict[str, str]) -> dict[str, T]:
    return {name: thing for name, thing in things.items() if name not in exceptions}


def test_tables_have_the_same_keys_actions_and_defaults() -> None:
    assert without(tables(PNA), ONLY_PNA_TABLES) == tables(V1MODEL)


def test_actions_have_the_same_parameters() -> None:
    assert without(actions(PNA), ONLY_PNA_ACTIONS) == actions(V1MODEL)


def test_exceptions_are_still_needed() -> None:
    assert set(ONLY_PNA_TABLES) == set(tables(PNA)) - set(tables(V1MODEL))
    assert set(ONLY_PNA_ACTIONS) == set(actions(PNA)) - set(actions(V1MODEL))


def test_ids_of_tables_and_actions_agree() -> None:
    def ids(info: p4i.P4Info) -> dict[str, int]:
        preambles = [table.preamble for table in info.tables] + [action.preamble for action in info.actions]
        return {preamble.name: preamble.id for preamble in preambles}

    pna, v1model = ids(PNA), ids(V1MODEL)
    assert {name: pna[name] for name in pna.keys() & v1model.keys()} == {
        name: v1model[name] for name in pna.keys() & v1model.keys()
    }


def test_sizes_agree() -> None:
    def sizes(info: p4i.P4Info) -> dict[str, int]:
        return {table.preamble.name: table.size for table in info.tables}

    exceptions = SIZES_DIFFER | ONLY_PNA_TABLES
    assert without(sizes(PNA), exceptions) == without(sizes(V1MODEL), exceptions)


def test_counters_agree() -> None:
    def counters(info: p4i.P4Info) -> set[tuple[str, int, str]]:
        return {(c.preamble.name, c.size, p4i.CounterSpec.Unit.Name(c.spec.unit)) for c in info.counters} | {
            (c.preamble.name, 0, p4i.CounterSpec.Unit.Name(c.spec.unit)) for c in info.direct_counters
        }

    assert counters(PNA) == counters(V1MODEL)
    assert {name for name, _, _ in counters(PNA)} == {
        "Lb.flow_counter",
        "Lb.service_counter",
        "Lb.drop_counter",
    }


def test_the_v1model_shell_alone_has_the_digest_and_the_idle_timeout() -> None:
    assert [digest.preamble.name for digest in V1MODEL.digests] == ["flow_digest_t"]
    assert not PNA.digests
    timeouts = {
        t.preamble.name for t in V1MODEL.tables if t.idle_timeout_behavior == p4i.Table.NOTIFY_CONTROL
    }
    assert timeouts == {"Lb.flow_table"}
