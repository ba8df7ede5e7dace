"""The switch around a pipeline: bursts, time, events, statistics."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest
from fake_pipeline import SECOND, FakePipeline

from p4nic.backend.api import DigestMessage, Entry, Expired, Outcome
from p4nic.clock import ManualClock, RealClock
from p4nic.errors import ErrorKind, InputError, PortError, StateError
from p4nic.ir.program import ActionCall, Exact, Lpm
from p4nic.target.ports.memory import MemoryPort
from p4nic.target.statistics import PortStatistics
from p4nic.target.switch import Switch

DROP = ActionCall("C.drop")


class Heard:
    """A subscriber that keeps what it was told, with the time it was told at."""

    def __init__(self, switch: Switch) -> None:
        self._switch = switch
        self.events: list[tuple[int, object]] = []
        self.subscription = switch.subscribe(
            self._keep, self._keep, lambda port, frame: self._keep((port, frame))
        )

    def _keep(self, event: object) -> None:
        self.events.append((self._switch.clock.now_ns(), event))

    @property
    def what(self) -> list[object]:
        return [event for _, event in self.events]


def make(notify: Sequence[str] = ("learned",)) -> tuple[Switch, Heard]:
    switch = Switch(FakePipeline(), ManualClock(), notify=notify)
    return switch, Heard(switch)


def test_outcomes_come_in_the_order_of_the_frames() -> None:
    switch, _ = make()
    assert switch.burst([(1, b"\x02a"), (2, b"\xff"), (3, b"\xfaz")]) == [
        Outcome(((2, b"\x02a"),)),
        Outcome((), "drop action"),
        Outcome(((1, b"\xfaz"), (2, b"\xfaz"))),
    ]
    assert switch.inject(1, b"\x03") == Outcome(((3, b"\x03"),))


def test_frames_are_counted_by_port_and_drops_by_reason() -> None:
    switch, _ = make()
    switch.burst([(1, b"\x02ab"), (1, b"\xff"), (2, b"\xfa")])
    assert switch.port_statistics() == {1: PortStatistics(2, 4, 1, 1), 2: PortStatistics(1, 1, 2, 4)}
    assert switch.drop_statistics() == {"drop action": 1}


def test_what_no_pipeline_may_see_is_dropped_and_counted() -> None:
    switch, _ = make()
    outcomes = switch.burst([(1, b""), (1, b"\x02"), (1, bytes(65536))])
    assert [o.drop_reason for o in outcomes] == ["empty frame", "", "frame longer than 65535 bytes"]
    assert switch.drop_statistics() == {"empty frame": 1, "frame longer than 65535 bytes": 1}
    assert switch.port_statistics()[1].rx_dropped == 2


def test_digests_and_packet_ins_are_told_in_order() -> None:
    switch, heard = make()
    switch.burst([(1, b"\xfc\x01"), (1, b"\xfbhello")])
    switch.inject(1, b"\xfc\x02")
    assert heard.what == [
        (510, b"\xfbhello"),
        DigestMessage("news", (1,)),
        DigestMessage("news", (2,)),
    ]
    assert switch.statistics()["events_unheard"] == 0


def test_a_closed_subscription_hears_nothing() -> None:
    switch, heard = make()
    heard.subscription.close()
    switch.inject(1, b"\xfc\x01")
    assert heard.what == []
    assert switch.statistics()["events_unheard"] == 1


def test_a_subscriber_may_call_back_into_the_switch() -> None:
    switch, heard = make()
    answers: list[int] = []

    def answer(message: DigestMessage) -> None:
        answers.append(message.values[0])
        if message.values[0] < 3:
            switch.inject(1, bytes([0xFC, message.values[0] + 1]))

    switch.subscribe(on_digest=answer)
    switch.inject(1, b"\xfc\x01")
    assert answers == [1, 2, 3]
    assert [m.values for m in heard.what if isinstance(m, DigestMessage)] == [(1,), (2,), (3,)]


def test_a_subscriber_that_fails_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    switch = Switch(FakePipeline(), ManualClock())
    switch.subscribe(on_digest=lambda _: 1 / 0)  # type: ignore[arg-type]
    heard = Heard(switch)
    switch.inject(1, b"\xfc\x01")
    assert heard.what == [DigestMessage("news", (1,))]
    assert switch.statistics()["subscriber_failed"] == 1
    assert "a subscriber to DigestMessage failed" in caplog.text


def test_packet_out_comes_from_the_cpu_port() -> None:
    switch, _ = make()
    assert switch.packet_out(b"\x02x") == Outcome(((2, b"\x02x"),))
    assert switch.port_statistics()[510].rx_packets == 1


# --- time ---


def test_a_learned_entry_expires_at_its_time_and_is_told_once() -> None:
    switch, heard = make()
    switch.inject(1, b"\xfd\x07")
    switch.advance(4 * SECOND)
    switch.inject(1, b"\xfd\x08")
    assert switch.advance(60 * SECOND) == 64 * SECOND
    assert [(at, e.state.entry.key, e.removed) for at, e in heard.events if isinstance(e, Expired)] == [
        (10 * SECOND, (Exact(7),), True),
        (14 * SECOND, (Exact(8),), True),
    ]
    assert switch.tables.entry_count("learned") == 0
    switch.advance(3600 * SECOND)
    assert len(heard.events) == 2


def test_a_learned_entry_of_another_table_vanishes_silently() -> None:
    switch, heard = make(notify=())
    switch.inject(1, b"\xfd\x07")
    switch.advance(10 * SECOND)
    assert heard.what == []
    assert switch.tables.entry_count("learned") == 0
    assert switch.statistics()["expired_silently"] == 1


def test_an_entry_of_the_control_plane_stays_and_is_always_told() -> None:
    switch, heard = make(notify=())
    entry = Entry("C.route", (Lpm(0x80000000, 1),), DROP, idle_timeout_ns=5 * SECOND)
    switch.tables.insert(entry)
    switch.advance(20 * SECOND)
    assert [at for at, _ in heard.events] == [5 * SECOND, 10 * SECOND, 15 * SECOND, 20 * SECOND]
    for number, event in enumerate(heard.what, start=1):
        assert isinstance(event, Expired)
        assert (event.removed, event.state.entry) == (False, entry)
        assert event.state.idle_ns == number * 5 * SECOND
    assert switch.tables.entry_count("C.route") == 1


def test_no_frame_hits_an_entry_whose_time_is_up() -> None:
    """Even if nobody polled: a burst expires first."""
    clock = ManualClock()
    switch = Switch(FakePipeline(), clock, notify=["learned"])
    heard = Heard(switch)
    switch.inject(1, b"\xfd\x07")
    clock.advance(10 * SECOND)
    switch.inject(1, b"\x02")
    assert len(heard.what) == 1


def test_advance_expires_what_is_due_before_it_moves() -> None:
    clock = ManualClock()
    switch = Switch(FakePipeline(), clock, notify=["learned"])
    heard = Heard(switch)
    switch.inject(1, b"\xfd\x07")
    clock.advance(11 * SECOND)
    assert switch.advance(0) == 11 * SECOND
    assert len(heard.what) == 1


def test_steps_of_two_callers_add_up() -> None:
    switch, heard = make()
    switch.inject(1, b"\xfd\x07")
    threads = [threading.Thread(target=lambda: [switch.advance(SECOND) for _ in range(50)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert switch.clock.now_ns() == 200 * SECOND
    assert len(heard.what) == 1


def test_advance_refusals() -> None:
    switch, _ = make()
    with pytest.raises(StateError, match="the clock cannot go back by 5 ns") as refusal:
        switch.advance(-5)
    assert refusal.value.kind is ErrorKind.INVALID_ARGUMENT
    real = Switch(FakePipeline(), RealClock(), name="s1")
    with pytest.raises(
        StateError, match="switch s1 follows the real clock; start it with a manual clock"
    ) as refusal:
        real.advance(1)
    assert refusal.value.kind is ErrorKind.FAILED_PRECONDITION


def test_poll_expires_under_the_real_clock() -> None:
    switch = Switch(FakePipeline(), RealClock(), notify=["learned"])
    heard = Heard(switch)
    switch.tables.insert(Entry("C.route", (Lpm(0x80000000, 1),), DROP, idle_timeout_ns=1))
    switch.poll()
    assert len(heard.what) == 1


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("lerned", 'table lerned, to be notified about, does not exist; did you mean "learned"?'),
        ("C.exact", "table C.exact, to be notified about, is no learner; choose one of learned, quiet"),
    ],
)
def test_notify_names_learners(name: str, sentence: str) -> None:
    with pytest.raises(StateError) as refusal:
        Switch(FakePipeline(), ManualClock(), notify=[name])
    assert str(refusal.value) == sentence


# --- pipelines ---


def test_without_a_pipeline_frames_are_dropped_and_state_is_refused() -> None:
    switch = Switch(None, ManualClock(), name="s1")
    assert not switch.has_pipeline
    assert switch.inject(1, b"\x02") == Outcome((), "no pipeline")
    assert switch.drop_statistics() == {"no pipeline": 1}
    assert switch.advance(5) == 5
    with pytest.raises(StateError, match="switch s1 has no pipeline yet; load one first") as refusal:
        _ = switch.tables
    assert refusal.value.kind is ErrorKind.FAILED_PRECONDITION
    switch.replace_pipeline(FakePipeline())
    assert switch.inject(1, b"\x02").sent == ((2, b"\x02"),)


def test_a_new_pipeline_starts_afresh_and_the_old_is_closed() -> None:
    old = FakePipeline()
    switch = Switch(old, ManualClock())
    switch.inject(1, b"\xfd\x07")
    switch.replace_pipeline(FakePipeline())
    assert old.closed
    assert switch.tables.entry_count("learned") == 0
    assert switch.port_statistics()[1].rx_packets == 1


def test_trace_is_a_real_packet() -> None:
    switch, heard = make()
    outcome, events = switch.trace(1, b"\xfd\x07")
    assert outcome.sent == ((1, b"\xfd\x07"),)
    assert [e.kind for e in events] == ["send"]
    assert switch.tables.entry_count("learned") == 1
    assert switch.port_statistics()[1].rx_packets == 1
    assert switch.trace(1, b"") == (Outcome((), "empty frame"), [])
    assert heard.what == []


# --- ports ---


def test_frames_flow_from_port_to_port() -> None:
    switch, _ = make()
    one, two = MemoryPort(), MemoryPort()
    switch.attach(1, one)
    switch.attach(2, two)
    one.put(b"\x02first")
    one.put(b"\xffdropped")
    two.put(b"\x01back")
    one.put(b"\x09nowhere")
    assert switch.drain()
    assert (one.take(), two.take()) == ([b"\x01back"], [b"\x02first"])
    assert switch.drop_statistics() == {"drop action": 1, "no such port": 1}
    switch.close()


def test_the_loop_takes_bursts_of_at_most_64() -> None:
    pipeline = FakePipeline()
    with Switch(pipeline, ManualClock()) as switch:
        port = MemoryPort()
        switch.attach(1, port)
        for _ in range(150):
            port.put(b"\x01")
        switch.drain()
        assert pipeline.bursts == [64, 64, 22]
        assert len(port.take()) == 150


def test_the_thread_processes_and_drain_waits_for_it() -> None:
    with Switch(FakePipeline(), RealClock()) as switch:
        port = MemoryPort()
        switch.start()
        switch.attach(1, port)
        for i in range(500):
            port.put(b"\x01" + bytes([i & 0xFF]))
        assert switch.drain()
        assert port.take() == [b"\x01" + bytes([i & 0xFF]) for i in range(500)]
        switch.stop()
        port.put(b"\x01later")
        switch.start()
        assert switch.drain()
        assert port.take() == [b"\x01later"]


def test_the_thread_wakes_for_a_timer_set_while_it_waits() -> None:
    with Switch(FakePipeline(), RealClock(), notify=["learned"]) as switch:
        told = threading.Event()
        switch.subscribe(on_expired=lambda _: told.set())
        switch.start()
        switch.tables.insert(Entry("C.route", (Lpm(0x80000000, 1),), DROP, idle_timeout_ns=1_000_000))
        assert told.wait(30)


def broken_port() -> MemoryPort:
    """An interface that was deleted."""

    def send(frame: bytes) -> str:
        raise PortError("interface x no longer exists")

    port = MemoryPort("veth:x")
    port.send = send  # type: ignore[method-assign]
    return port


def test_a_port_that_goes_away_is_said_once_and_the_switch_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    switch, _ = make()
    good, broken = MemoryPort(), broken_port()
    switch.attach(1, good)
    switch.attach(2, broken)
    for frame in (b"\x02lost", b"\x02lost too", b"\x01kept"):
        switch.inject(1, frame)
    assert good.take() == [b"\x01kept"]
    assert switch.drop_statistics() == {"no such port": 2}
    assert [r.getMessage() for r in caplog.records] == [
        "port 2 (veth:x) is gone, the switch goes on without it: interface x no longer exists"
    ]
    good.put(b"\x01")
    assert switch.drain()
    assert good.take() == [b"\x01"]
    switch.close()


class Encapsulating(FakePipeline):
    """Every frame leaves at port 1, fifty bytes longer."""

    def process(self, packets: Sequence[tuple[int, bytes]], now_ns: int) -> list[Outcome]:
        return [Outcome(((1, bytes(50) + frame),)) for _, frame in packets]


def test_a_frame_that_outgrew_every_port_is_dropped_and_counted() -> None:
    with Switch(Encapsulating(), ManualClock()) as switch:
        port = MemoryPort()
        switch.attach(1, port)
        switch.inject(2, bytes(65_485))
        switch.inject(2, bytes(65_486))
        assert [len(frame) for frame in port.take()] == [65_535]
        assert switch.drop_statistics() == {"frame longer than 65535 bytes": 1}
        assert switch.port_statistics()[1].tx_dropped == 1


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (1, "port 1 is already memory; it cannot be memory too"),
        (510, "port 510 is the CPU port; give memory another number"),
        (-1, "port -1 is negative; give memory another number"),
        (511, "port 511 means drop; give memory another number"),
        (512, "port 512 does not exist, the last one is 511; give memory another number"),
    ],
)
def test_attach_refusals(number: int, sentence: str) -> None:
    with Switch(FakePipeline(), ManualClock()) as switch:
        switch.attach(1, MemoryPort())
        spare = MemoryPort()
        with pytest.raises(InputError) as refusal:
            switch.attach(number, spare)
        assert str(refusal.value) == sentence
        spare.close()
