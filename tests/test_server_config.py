"""Forwarding-pipeline configurations (P4Runtime 1.5 §14, §15): set, saved, committed, reconciled."""
# ruff: noqa: E501  (golden rows: one message, one code, one sentence a line)

from __future__ import annotations

from collections.abc import Callable, Iterator

import grpc
import pytest
from p4runtime_peer import (
    SECOND,
    Client,
    Names,
    ServerUnderTest,
    code_of,
    entity,
    insert,
    load_balancer,
    modify,
    packet_io,
)
from server_backends import BACKENDS

from p4nic.backend.api import Entry
from p4nic.ir.program import ActionCall, Exact
from p4rt import p4r

SET = p4r.SetForwardingPipelineConfigRequest
GET = p4r.GetForwardingPipelineConfigRequest
NAMES = Names(packet_io().info.message)
ENTRY = NAMES.entry("Switch.l2", {"dst": 1}, "Switch.drop")


@pytest.fixture
def empty() -> Iterator[ServerUnderTest]:
    """A server whose pipeline a client brings."""
    with ServerUnderTest(None) as server:
        yield server


def get(client: Client, what: int = GET.ALL) -> p4r.GetForwardingPipelineConfigResponse:
    request = GET(device_id=1, response_type=what)  # type: ignore[arg-type]
    return client.stub.GetForwardingPipelineConfig(request, timeout=10)


def config(cookie: int | None = None) -> p4r.ForwardingPipelineConfig:
    message = packet_io().config
    if cookie is not None:
        message.cookie.cookie = cookie
    return message


def refusal(call: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(grpc.RpcError) as error:
        call()
    return code_of(error.value), str(error.value.details())


def l2(client: Client) -> list[p4r.TableEntry]:
    return client.read_entries(NAMES.entry("Switch.l2"))


# --- before the first configuration -------------------------------------------------------------------------


def test_nothing_configured(empty: ServerUnderTest) -> None:
    client = empty.primary()
    assert not get(client).HasField("config")
    nothing = "no pipeline configuration is set; push one with SetForwardingPipelineConfig"
    assert refusal(lambda: client.write(insert(ENTRY))) == ("FAILED_PRECONDITION", nothing)
    assert refusal(client.read_entries) == ("FAILED_PRECONDITION", nothing)


def test_pipeline_of_the_start_counts_as_configured(client: Client) -> None:
    answer = get(client)
    assert answer.config.p4info == packet_io().info.message
    assert not answer.config.HasField("cookie")


# --- set and get --------------------------------------------------------------------------------------------


def test_config_is_read_back_as_set(empty: ServerUnderTest) -> None:
    """§15: symmetry, and the four kinds of answer."""
    client = empty.primary()
    client.set_config(SET.VERIFY_AND_COMMIT, config(77))
    assert get(client).config == config(77)
    only = {
        kind: get(client, kind).config
        for kind in (GET.COOKIE_ONLY, GET.P4INFO_AND_COOKIE, GET.DEVICE_CONFIG_AND_COOKIE)
    }
    assert all(c.cookie.cookie == 77 for c in only.values())
    assert [c.HasField("p4info") for c in only.values()] == [False, True, False]
    assert [bool(c.p4_device_config) for c in only.values()] == [False, False, True]
    with pytest.raises(grpc.RpcError, match="response_type 9 is not one of P4Runtime's four"):
        get(client, 9)
    client.write(insert(ENTRY))
    assert l2(client) == [ENTRY]


def test_spec_artifact_is_a_device_config_too(empty: ServerUnderTest) -> None:
    client = empty.primary()
    client.set_config(SET.VERIFY_AND_COMMIT, load_balancer().config)
    assert empty.switch.program.tables["Lb.flow_table"].is_learner


def test_commit_clears_the_state(client: Client) -> None:
    client.write(insert(ENTRY))
    client.set_config(SET.VERIFY_AND_COMMIT, config())
    assert l2(client) == []


def test_verify_changes_nothing(client: Client) -> None:
    client.write(insert(ENTRY))
    client.set_config(SET.VERIFY, load_balancer().config)
    assert l2(client) == [ENTRY]


def broken(**fields: object) -> p4r.ForwardingPipelineConfig:
    message = config()
    for name, value in fields.items():
        if value is None:
            message.ClearField(name)  # type: ignore[arg-type]
        else:
            setattr(message, name, value)
    return message


REFUSED = [
    (SET.UNSPECIFIED, config(), "INVALID_ARGUMENT", "the action is not set; choose VERIFY,"),
    (SET.VERIFY, None, "INVALID_ARGUMENT", "no config is given; send P4Info and device config"),
    (SET.COMMIT, None, "NOT_FOUND", "no configuration is saved; send VERIFY_AND_SAVE first"),
    (SET.COMMIT, config(), "INVALID_ARGUMENT", "COMMIT takes no config: it commits the saved one; leave it out"),
    (SET.VERIFY, broken(p4info=None), "INVALID_ARGUMENT", "no P4Info is given;"),
    (SET.VERIFY, broken(p4_device_config=None), "INVALID_ARGUMENT", "the device config is empty; send the JSON or the .spec"),
    (SET.VERIFY, broken(p4_device_config=b"\0\1\2"), "INVALID_ARGUMENT", "the device config is a binary file of another kind"),
    (SET.VERIFY, broken(p4_device_config=packet_io().config.p4_device_config[:5000]), "INVALID_ARGUMENT", ""),
    (SET.VERIFY, broken(p4_device_config=load_balancer().config.p4_device_config), "INVALID_ARGUMENT", ""),
]  # fmt: skip


@pytest.mark.parametrize(("action", "sent", "code", "sentence"), REFUSED, ids=range(len(REFUSED)))
def test_refused_configs_leave_everything_as_it_was(
    client: Client, action: int, sent: p4r.ForwardingPipelineConfig | None, code: str, sentence: str
) -> None:
    client.write(insert(ENTRY))
    got_code, got_sentence = refusal(lambda: client.set_config(action, sent))
    assert (got_code, got_sentence[: len(sentence)]) == (code, sentence)
    assert got_sentence
    assert l2(client) == [ENTRY]


def test_only_the_primary_sets_a_config(server: ServerUnderTest) -> None:
    server.primary(5)
    backup = server.client()
    backup.arbitrate(4)
    assert refusal(lambda: backup.set_config(SET.VERIFY, config()))[0] == "PERMISSION_DENIED"


def test_unknown_device(client: Client) -> None:
    requests = (
        lambda: client.stub.GetForwardingPipelineConfig(GET(device_id=2)),
        lambda: client.stub.SetForwardingPipelineConfig(SET(device_id=2)),
        lambda: client.stub.Capabilities(p4r.CapabilitiesRequest(device_id=2)),
        lambda: list(client.stub.Read(p4r.ReadRequest(device_id=2))),
    )
    assert {refusal(request) for request in requests} == {
        ("NOT_FOUND", "there is no device 2 here; the only device is 1")
    }


def test_capabilities(client: Client) -> None:
    for device_id in (0, 1):
        request = p4r.CapabilitiesRequest(device_id=device_id)
        assert client.stub.Capabilities(request).p4runtime_api_version == "1.5.0"


# --- save, then commit --------------------------------------------------------------------------------------


def test_between_save_and_commit_writes_are_for_the_new_config(
    server: ServerUnderTest, client: Client
) -> None:
    """§14: the data plane runs on with the old one; COMMIT replays what was written."""
    client.write(insert(NAMES.entry("Switch.l2", {"dst": 9}, "Switch.forward", {"port": 2})))
    client.set_config(SET.VERIFY_AND_SAVE, config(5))
    assert l2(client) == []
    client.write(
        insert(ENTRY),
        insert(
            entity(
                "packet_replication_engine_entry { multicast_group_entry { multicast_group_id: 1 metadata: 'm' } }"
            )
        ),
    )
    assert l2(client) == [ENTRY]
    assert client.refused(insert(ENTRY))[0][0] == "ALREADY_EXISTS"
    assert not get(client).config.HasField("cookie")
    assert server.switch.inject(1, bytes(5) + b"\x09" + bytes(60)).sent[0][0] == 2
    client.set_config(SET.COMMIT)
    assert get(client).config.cookie.cookie == 5
    assert l2(client) == [ENTRY]
    (read,) = client.read(entity("packet_replication_engine_entry { multicast_group_entry {} }"))
    assert read.packet_replication_engine_entry.multicast_group_entry.metadata == b"m"
    assert server.switch.inject(1, bytes(5) + b"\x09" + bytes(60)).sent == ()
    assert refusal(lambda: client.set_config(SET.COMMIT))[0] == "NOT_FOUND"


# --- reconcile ----------------------------------------------------------------------------------------------


def test_reconcile_keeps_everything(client: Client) -> None:
    written = [
        NAMES.entry(
            "Switch.l2", {"dst": 1}, "Switch.forward", {"port": 4}, metadata=b"m", idle_timeout_ns=10 * SECOND
        ),
        NAMES.entry("Switch.acl", {"src": (1, 3)}, "Switch.drop", priority=3),
    ]
    one_shot = p4r.TableAction()
    one = one_shot.action_profile_action_set.action_profile_actions.add(weight=2)
    one.action.CopyFrom(NAMES.action("Switch.route_to", {"port": 1, "dmac": 2}))
    written.append(NAMES.entry("Switch.ecmp", {"dst": (0x0A000000, 8)}, one_shot))
    written[0].counter_data.packet_count = 5
    client.write(
        *(insert(e) for e in written),
        modify(NAMES.entry("Switch.l2", None, "Switch.to_cpu", {"reason": 1}, is_default_action=True, metadata=b"d")),
        modify(entity(f"counter_entry {{ counter_id: {NAMES.ids['Switch.port_counter']} index {{ index: 3 }} data {{ packet_count: 8 }} }}")),
        modify(entity(f"register_entry {{ register_id: {NAMES.ids['Switch.last_seen']} index {{ index: 3 }} data {{ bitstring: '8' }} }}")),
        insert(entity("packet_replication_engine_entry { multicast_group_entry { multicast_group_id: 1 replicas { egress_port: 1 } } }")),
        insert(entity(f"digest_entry {{ digest_id: {NAMES.ids['mac_learn_t']} config {{ max_list_size: 3 }} }}")),
    )  # fmt: skip
    client.advance(3 * SECOND)
    everything = [
        entity("table_entry { counter_data {} time_since_last_hit {} meter_config {} }"),
        entity("table_entry { is_default_action: true }"),
        *(
            entity(f"{kind} {{}}")
            for kind in ("counter_entry", "register_entry", "meter_entry", "digest_entry")
        ),
        entity("packet_replication_engine_entry { multicast_group_entry {} }"),
    ]
    before = client.read(*everything)
    client.set_config(SET.RECONCILE_AND_COMMIT, config(6))
    assert client.read(*everything) == before
    assert get(client).config.cookie.cookie == 6


@pytest.mark.parametrize("backend", BACKENDS)
def test_reconcile_keeps_learned_flows_and_their_time(backend: str) -> None:
    with ServerUnderTest(load_balancer(), backend=backend, notify=("Lb.flow_table",)) as server:
        client = server.primary()
        call = ActionCall("Lb.flow_hit", (1, 2, 3, 4, 5, 6))
        with server.switch.lock:
            key = tuple(Exact(7) for _ in range(5))
            entry = Entry("Lb.flow_table", key, call, idle_timeout_ns=30 * SECOND, origin="learned")
            server.switch.pipeline.insert(entry, 0)
        client.advance(20 * SECOND)
        ask = server.names.entry("Lb.flow_table", time_since_last_hit={})
        before = client.read_entries(ask)
        assert [e.metadata for e in before] == [b"learned"]
        client.set_config(SET.RECONCILE_AND_COMMIT, load_balancer().config)
        assert client.read_entries(ask) == before
        client.advance(10 * SECOND)
        assert client.read_entries(ask) == []
        assert len(client.fence()) == 1


def test_reconcile_refuses_what_it_cannot_keep(client: Client) -> None:
    """§14: INVALID_ARGUMENT, and nothing has changed."""
    client.write(insert(ENTRY))
    code, sentence = refusal(lambda: client.set_config(SET.RECONCILE_AND_COMMIT, load_balancer().config))
    assert code == "INVALID_ARGUMENT"
    assert sentence == (
        "the state cannot be kept under the new program: table Switch.l2: entry dst=0x1: the table is gone"
    )
    assert l2(client) == [ENTRY]
    assert get(client).config.p4info == packet_io().info.message


def test_reconcile_without_a_pipeline_is_a_commit(empty: ServerUnderTest) -> None:
    client = empty.primary()
    client.set_config(SET.RECONCILE_AND_COMMIT, config())
    client.write(insert(ENTRY))
    assert l2(client) == [ENTRY]
