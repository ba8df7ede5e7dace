"""What lbctl plans, in the P4Infos p4c wrote: every name, width and match kind, both ways through the "
"wire format."""

from __future__ import annotations

from pathlib import Path

import finsy
import pytest
from finsy.p4entity import decode_entity
from finsy.proto import p4r
from lbctl_fixtures import ip

from lbctl import p4client
from lbctl.entries import FLOW_SHAPE, FLOW_TABLE, TABLES, Flow, bucket_entry
from lbctl.hashing import FiveTuple
from lbctl.kube import load_manifests
from lbctl.model import Cluster
from lbctl.nodefile import load_node_config
from lbctl.plan import make_plan
from lbctl.transport import FlowClosing, NewFlow, flow_entry

ROOT = Path(__file__).parent.parent
P4INFOS = [ROOT / "pipeline" / "build" / f"k8s_lb.{arch}.p4info.txtpb" for arch in ("pna", "v1model")]
SHOP = ROOT / "manifests" / "shop"


@pytest.fixture(params=P4INFOS, ids=lambda path: path.name)
def schema(request: pytest.FixtureRequest) -> finsy.P4Schema:
    return finsy.P4Schema(request.param)


def test_every_planned_table_has_the_keys_of_the_p4info(schema: finsy.P4Schema) -> None:
    for name, shape in {**TABLES, FLOW_TABLE: FLOW_SHAPE}.items():
        fields = [
            (field.alias, str(getattr(field.match_type, "name", "")).lower(), field.bitwidth)
            for field in schema.tables[name].match_fields
        ]
        assert fields == [(field, kind.value, width) for field, kind, width in shape.fields], name


def test_every_entry_of_the_shop_survives_the_wire(schema: finsy.P4Schema) -> None:
    plan = make_plan(load_manifests([SHOP]), load_node_config(SHOP / "node-a.yaml"))
    flow = flow_entry(Flow(FiveTuple(ip("10.0.0.1"), ip("10.96.0.1"), 17, 65535, 53), 1, 2, 3, 4, 5, 65535))
    for entry in (*plan.entries, bucket_entry(65535, 65535, 0xFFFFFFFF), flow):
        message = p4client._from_entry(entry).encode(schema)
        again = p4r.Entity.FromString(message.SerializeToString())
        assert p4client._to_entry(decode_entity(again, schema)) == entry


def test_a_default_route_and_an_unrestricted_rule_leave_the_field_out(schema: finsy.P4Schema) -> None:
    """T38: don't care is said by omission."""
    plan = make_plan(Cluster(), load_node_config(SHOP / "node-a.yaml"))
    (default,) = [entry for entry in plan.entries if entry.key.match == (None,)]
    assert not p4client._from_entry(default).encode(schema).table_entry.match


def test_digests_become_events() -> None:
    data = {
        "src": 1,
        "dst": 2,
        "proto": 6,
        "sport": 3,
        "dport": 4,
        "new_src": 1,
        "new_dst": 5,
        "new_sport": 3,
        "new_dport": 6,
        "service_id": 7,
        "tcp_flags": 2,
        "event": 1,
    }
    key = FiveTuple(1, 2, 6, 3, 4)
    assert p4client._digest_event(data) == NewFlow(key, 1, 5, 3, 6, 7, 2)
    assert p4client._digest_event({**data, "event": 2}) == FlowClosing(key)
    assert p4client._digest_event({**data, "event": 9}) is None


def test_the_digest_of_the_v1model_pipeline_has_the_fields_that_are_read() -> None:
    (digest,) = finsy.P4Schema(P4INFOS[1]).digests
    assert digest.alias == p4client.DIGEST
    fields = digest.pbuf.type_spec.struct.name
    members = finsy.P4Schema(P4INFOS[1]).p4info.type_info.structs[fields].members
    assert [member.name for member in members] == [
        "src",
        "dst",
        "proto",
        "sport",
        "dport",
        "new_src",
        "new_dst",
        "new_sport",
        "new_dport",
        "service_id",
        "tcp_flags",
        "event",
    ]
