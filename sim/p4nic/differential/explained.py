"""The way our interpreter sends the packet that differs, step by step, beside a difference.

In: an interpreter Engine, a shrunk scenario. Out: the text of `p4nic explain`. Called by `cli.diff_session`.
"""

from __future__ import annotations

from p4nic.differential.engines import Engine
from p4nic.differential.scenario import Scenario
from p4nic.observe.explain import Explanation, as_text


def explained(engine: Engine, scenario: Scenario, position: int | None) -> str:
    """Of the packet at `position`, or of all where only the state after the last differs."""
    session = engine.begin(scenario)
    texts = []
    try:
        for number, packet in enumerate(scenario.packets):
            if position is not None and number != position:
                session.send(packet)
                if number > position:
                    break
                continue
            now = session.switch.clock.now_ns()
            session.switch.advance(max(packet.time_ns - now, 0))
            outcome, events = session.switch.trace(packet.port, packet.frame)
            step = Explanation(number + 1, packet.port, packet.frame, packet.time_ns, outcome, events)
            texts.append(as_text(step, engine.program, True))
    finally:
        session.close()
    return "\n".join(texts)
