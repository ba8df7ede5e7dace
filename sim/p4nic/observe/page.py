"""Explained packets as one self-contained HTML page: no script, no link, opens from a file.

In: Explanations. Out: the page's text. Used by `p4nic explain --html` and reports.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from p4nic.backend.api import TraceEvent
from p4nic.ir.program import Program
from p4nic.observe.explain import Explanation, describe, is_quiet, verdict
from p4nic.observe.frames import changes, dump, summary

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --good: #2a7d3f; --bad: #b3372f; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin: 2.5rem 0 .5rem; }
code, pre, .step { font: 13px/1.5 ui-monospace, monospace; }
pre { background: var(--soft); padding: .6rem .8rem; overflow-x: auto; }
ol { list-style: none; padding: 0; margin: 1rem 0; border-top: 1px solid var(--line); }
.step { display: grid; grid-template-columns: 5rem 1fr auto; gap: 1rem; padding: .25rem .4rem; }
.step { border-bottom: 1px solid var(--line); }
.step > :first-child, .source { opacity: .65; }
.detail { display: block; opacity: .8; padding-left: 1rem; }
.quiet { display: none; } input:checked ~ ol .quiet { display: grid; }
.hit { color: var(--good); } .miss { color: var(--bad); }
.sent { border-left: 4px solid var(--good); padding-left: .8rem; }
.dropped { border-left: 4px solid var(--bad); padding-left: .8rem; }
"""


def page(
    explanations: Sequence[Explanation], program: Program, title: str = "What happened to the packet"
) -> str:
    """A whole HTML document; one section per packet."""
    sections = "\n".join(_section(e, program) for e in explanations)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n<p>Program <code>{escape(program.name)}</code>, "
        f"packets explained: {len(explanations)}.</p>\n{sections}\n</body>\n</html>\n"
    )


def _section(e: Explanation, program: Program) -> str:
    steps = "\n".join(_step(event, program) for event in e.events)
    fate = "sent" if e.outcome.sent else "dropped"
    return f"""<section>
<h2>Packet {e.number} on port {e.port}, at {e.time_ns / 1e9:.6f} s</h2>
<p><code>{escape(summary(e.frame))}</code></p>
<p class="{fate}">{escape(verdict(e))}</p>
<input type="checkbox" id="all{e.number}">
<label for="all{e.number}">also branches, helper tables and metadata</label>
<ol>
{steps}
</ol>
{_outputs(e)}</section>"""


def _step(event: TraceEvent, program: Program) -> str:
    first, *more = describe(event, program)
    kind, _, rest = first.partition(" ")
    details = "".join(f'<span class="detail {_tone(line)}">{escape(line)}</span>' for line in more)
    quiet = is_quiet(event, program)
    return (
        f'<li class="step{" quiet" if quiet else ""}"><span>{escape(kind)}</span>'
        f'<span>{escape(rest)}{details}</span><span class="source">{escape(event.source)}</span></li>'
    )


def _tone(line: str) -> str:
    return next((tone for tone in ("hit", "miss") if line.startswith(tone)), "")


def _outputs(e: Explanation) -> str:
    parts = [f"<h3>Received</h3>\n<pre>{escape(chr(10).join(dump(e.frame)))}</pre>\n"]
    for port, frame in e.outcome.sent:
        different = "".join(f"<li><code>{escape(line)}</code></li>" for line in changes(e.frame, frame))
        parts.append(
            f"<h3>Sent to port {port}</h3>\n<p><code>{escape(summary(frame))}</code></p>\n"
            f"<ul>{different or '<li>unchanged</li>'}</ul>\n<pre>{escape(chr(10).join(dump(frame)))}</pre>\n"
        )
    return "".join(parts)
