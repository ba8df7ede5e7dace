"""A switch's counters in the Prometheus text format.

In: a Switch. Out: the text, sorted, the same for the same counters. Used by the server's metrics endpoint and
by tests.
"""

from __future__ import annotations

from collections.abc import Iterable

from p4nic.target.switch import Switch

_PORT_COUNTERS = {
    "rx_packets": "Frames received",
    "rx_bytes": "Bytes received, without preamble and FCS",
    "tx_packets": "Frames sent",
    "tx_bytes": "Bytes sent, without preamble and FCS",
    "rx_dropped": "Frames received and refused before the pipeline",
    "tx_dropped": "Frames the pipeline sent and the port could not",
}


def render(switch: Switch) -> str:
    """Counters per port, per drop reason, per table, and of the engine."""
    lines: list[str] = []
    ports = switch.port_statistics()
    for name, about in _PORT_COUNTERS.items():
        samples = [((("port", str(number)),), getattr(counts, name)) for number, counts in ports.items()]
        _family(lines, f"p4nic_port_{name}_total", about, "counter", samples)
    drops = [((("reason", reason),), count) for reason, count in switch.drop_statistics().items()]
    _family(lines, "p4nic_drops_total", "Frames dropped, by reason", "counter", drops)
    engine = dict(sorted(switch.statistics().items()))
    for event in ("hit", "miss"):
        tables = [
            ((("table", key[6 : -len(event) - 1]),), value)
            for key, value in engine.items()
            if _is_table(key, event)
        ]
        _family(lines, f"p4nic_table_{event}s_total", f"Lookups that were a {event}", "counter", tables)
    others = [((("event", key),), value) for key, value in engine.items() if not key.startswith("table.")]
    _family(lines, "p4nic_engine_events_total", "What the engine counted", "counter", others)
    if switch.has_pipeline:
        sizes = [
            ((("table", name),), switch.tables.entry_count(name)) for name in sorted(switch.program.tables)
        ]
        _family(lines, "p4nic_table_entries", "Entries in a table now", "gauge", sizes)
    return "\n".join(lines) + "\n"


def _is_table(key: str, event: str) -> bool:
    return key.startswith("table.") and key.endswith(f".{event}")


Sample = tuple[tuple[tuple[str, str], ...], int]


def _family(lines: list[str], name: str, about: str, kind: str, samples: Iterable[Sample]) -> None:
    rows = [f"{name}{{{_labels(labels)}}} {value}" for labels, value in samples]
    if rows:
        lines += [f"# HELP {name} {about}", f"# TYPE {name} {kind}", *rows]


def _labels(labels: tuple[tuple[str, str], ...]) -> str:
    return ",".join(f'{key}="{_escape(value)}"' for key, value in labels)


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
