"""The benchmark of table writes: its requests are what they say, its answer has the keys of the Interface.
How fast anything is, is not asked here."""

from __future__ import annotations

import pytest

from p4nic.backend.native.pipeline import NativeBackend
from p4nic.bench.api import Options
from p4nic.bench.p4rt_client import KEY, Requests, flow
from p4nic.bench.workloads import p4rt_writes
from p4nic.cli.common import backend
from p4rt import p4r


def test_requests_are_the_flows_they_name() -> None:
    request = p4r.WriteRequest.FromString(Requests().inserts(70_000, 3))
    assert request.device_id == 1
    assert request.election_id.low == 1
    for number, update in enumerate(request.updates, start=70_000):
        entry = update.entity.table_entry
        values = [m.exact.value for m in entry.match] + [p.value for p in entry.action.action.params]
        assert tuple(int.from_bytes(value, "big") for value in values) == flow(number)
    assert len({flow(number)[: len(KEY)] for number in range(100_000)}) == 100_000


def test_rates_look_at_both_ends() -> None:
    told = p4rt_writes.rates([0.01] * 100 + [0.02] * 100)
    assert (told["first_100k"], told["last_100k"], told["entries_per_s"]) == (100_000, 50_000, 66_667)
    assert [round(part) for part in told["parts"]] == [100_000] * 5 + [50_000] * 5


@pytest.mark.skipif(bool(NativeBackend().missing), reason=NativeBackend().missing)
def test_the_answer_has_the_keys_of_the_interface(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(p4rt_writes, "SINGLES", 20)
    monkeypatch.setattr(p4rt_writes, "AGEING", 1000)
    monkeypatch.setattr(p4rt_writes, "TIMEOUT_NS", 100_000_000)
    told = p4rt_writes.run(Options(backend, flows=2000, peers=()), lambda _: None).as_json()
    rates = ("entries_per_s", "first_100k", "last_100k", "single_per_s", "single_p50_us", "single_p99_us")
    for key in (*rates, "read_per_s", "idle_notifications_per_s", "target_entries_per_s", "mpps", "samples"):
        assert told[key], key
    assert told["peers"] == {}
    assert capfd.readouterr().out == "", "stdout is for the JSON object"
