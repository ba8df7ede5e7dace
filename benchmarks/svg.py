"""Plots as inline SVG: bars on a logarithmic axis, lines. In: names, numbers. Out: text. Called by
`report`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

COLOURS = {"native": "#2563eb", "interp": "#7c3aed", "floor": "#475569", "swx": "#d97706", "bmv2": "#be123c"}
OTHER = ("#2563eb", "#d97706", "#059669", "#be123c", "#7c3aed", "#475569", "#0891b2", "#a16207")


def colour(name: str, number: int = 0) -> str:
    """An engine's own colour, or the next of a row."""
    return COLOURS.get(name, OTHER[number % len(OTHER)])


def number(value: float) -> str:
    """Three digits, as one reads them."""
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"


def legend(names: Sequence[str]) -> str:
    """Coloured squares with names."""
    items = "".join(
        f'<span><i style="background:{colour(name, i)}"></i>{escape(name)}</span>'
        for i, name in enumerate(names)
    )
    return f'<div class="legend">{items}</div>'


def _decades(values: Sequence[float]) -> tuple[int, int]:
    low = math.floor(math.log10(min(values)))
    high = math.ceil(math.log10(max(values)))
    return low, max(high, low + 1)


def bars(groups: Mapping[str, Mapping[str, float]], unit: str) -> str:
    """A group of horizontal bars for each key, one for each engine, on a logarithmic axis."""
    values = [v for group in groups.values() for v in group.values() if v > 0]
    if not values:
        return ""
    low, high = _decades(values)
    left, width, bar, gap = 190, 720, 15, 12
    height = sum(len(g) * bar + gap for g in groups.values()) + 34
    at = 6
    parts = []
    for decade in range(low, high + 1):
        x = left + width * (decade - low) / (high - low)
        parts.append(f'<line x1="{x:.0f}" x2="{x:.0f}" y1="0" y2="{height - 28}" class="grid"/>')
        parts.append(
            f'<text x="{x:.0f}" y="{height - 12}" class="tick" text-anchor="middle">{10**decade:g}</text>'
        )
    for name, group in groups.items():
        middle = at + len(group) * bar / 2 + 4
        parts.append(
            f'<text x="{left - 10}" y="{middle:.0f}" class="label" text-anchor="end">{escape(name)}</text>'
        )
        for engine, value in group.items():
            length = max(width * (math.log10(value) - low) / (high - low), 1) if value > 0 else 1
            parts.append(
                f'<rect x="{left}" y="{at}" width="{length:.1f}" height="{bar - 2}" fill="{colour(engine)}"/>'
                f'<text x="{left + length + 5:.1f}" y="{at + bar - 4}" class="value">{number(value)}</text>'
            )
            at += bar
        at += gap
    total = left + width + 70
    parts.append(
        f'<text x="{total - 4}" y="{height - 12}" class="tick" text-anchor="end">{escape(unit)}</text>'
    )
    return f'<svg viewBox="0 0 {total} {height}" role="img">{"".join(parts)}</svg>'


def lines(
    series: Mapping[str, Sequence[tuple[float, float]]], x_unit: str, y_unit: str, log_x: bool = False
) -> str:
    """One line for each name through its (x, y); y from 0."""
    points = [p for line in series.values() for p in line]
    if not points:
        return ""
    left, top, width, height = 60, 12, 760, 230
    scale = math.log10 if log_x else float
    xs = [scale(x) for x, _ in points]
    first, last = min(xs), max(xs)
    most = max(y for _, y in points) * 1.08 or 1

    def place(x: float, y: float) -> tuple[float, float]:
        across = (scale(x) - first) / (last - first) if last > first else 0.5
        return left + width * across, top + height * (1 - y / most)

    parts = []
    for step in range(5):
        y = most * step / 4
        _, at = place(points[0][0], y)
        parts.append(f'<line x1="{left}" x2="{left + width}" y1="{at:.1f}" y2="{at:.1f}" class="grid"/>')
        parts.append(
            f'<text x="{left - 8}" y="{at + 4:.1f}" class="tick" text-anchor="end">{number(y)}</text>'
        )
    for x in sorted({x for x, _ in points}):
        at, _ = place(x, 0)
        if len({x for x, _ in points}) <= 12:
            parts.append(
                f'<text x="{at:.1f}" y="{top + height + 18}" class="tick" text-anchor="middle">'
                f"{x:,.0f}</text>"
            )
    for i, (name, line) in enumerate(series.items()):
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*p) for p in sorted(line)))
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour(name, i)}" stroke-width="2"/>')
        for p in line:
            x, y = place(*p)
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour(name, i)}"/>')
    parts.append(
        f'<text x="{left + width}" y="{top + height + 36}" class="tick" text-anchor="end">'
        f"{escape(x_unit)}</text>"
    )
    parts.append(f'<text x="{left + 4}" y="{top + 4}" class="tick">{escape(y_unit)}</text>')
    return f'<svg viewBox="0 0 {left + width + 40} {top + height + 42}" role="img">{"".join(parts)}</svg>'
