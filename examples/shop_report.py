"""The evidence of `make run`: a table on the terminal, one HTML page, the same as JSON.

In: the benches with their verdicts, the cluster, the node file. Out: reports/run/index.html and
verdicts.json. The page holds no time of day and no path, so that two runs can be compared byte by byte.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from string import Template

from shop_bench import Verdict
from shop_explain import Explanation

from lbctl.model import Cluster, NodeConfig, ip_text
from lbctl.plan import Plan

_PAGE = Path(__file__).parent / "shop_report.html"
ARTIFACT_NAMES = {"spec": "PNA, compiled by p4c-dpdk", "json": "v1model, compiled by p4c-bm2-ss"}


def print_table(artifact: str, verdicts: Sequence[Verdict]) -> None:
    """One line a row: what was checked, packets, expected, seen."""
    what, expected = (max(len(text) for text in column) for column in _columns(verdicts))
    print(f"\n{artifact} ({ARTIFACT_NAMES[artifact]})")
    print(f"  {'':4} {'kind':<12} {'what':<{what}} {'packets':>7}  {'expected':<{expected}}  seen")
    for v in verdicts:
        seen = "the same" if v.ok and v.seen == v.expected else v.seen
        start = f"  {'ok' if v.ok else 'FAIL':4} {v.section:<12} {v.what:<{what}} {v.packets:>7}"
        print(f"{start}  {v.expected:<{expected}}  {seen}")
    passed = sum(v.ok for v in verdicts)
    print(f"  {passed} of {len(verdicts)} as expected, {sum(v.packets for v in verdicts)} packets")


def _columns(verdicts: Sequence[Verdict]) -> tuple[list[str], list[str]]:
    """What sets the widths of the two long columns, their headings included."""
    return ["what", *(v.what for v in verdicts)], ["expected", *(v.expected for v in verdicts)]


def write_report(
    folder: Path,
    results: Mapping[str, Sequence[Verdict]],
    cluster: Cluster,
    node: NodeConfig,
    plan: Plan,
    explained: Explanation,
) -> Path:
    """Write the page and the JSON; the page's path."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = {artifact: [asdict(v) for v in verdicts] for artifact, verdicts in results.items()}
    (folder / "verdicts.json").write_text(json.dumps(rows, indent=1) + "\n")
    page = folder / "index.html"
    total = [v for verdicts in results.values() for v in verdicts]
    failed = sum(not v.ok for v in total)
    tables = "".join(_verdicts(artifact, verdicts) for artifact, verdicts in results.items())
    page.write_text(
        Template(_PAGE.read_text()).substitute(
            headline=f"{len(total) - failed} of {len(total)} as expected",
            state="bad" if failed else "good",
            packets=sum(v.packets for v in total),
            services=len({service.name for service in cluster.services}),
            policies=len(cluster.policies),
            nodes=len(cluster.nodes),
            topology=_topology(plan, node),
            tables=tables,
            explained=_explained(explained),
        )
    )
    return page


def _verdicts(artifact: str, verdicts: Sequence[Verdict]) -> str:
    rows = "".join(
        f"<tr class={'good' if v.ok else 'bad'}><td>{'✓' if v.ok else '✗'}</td>"
        f"<td>{html.escape(v.section)}</td><td>{html.escape(v.what)}</td><td class=n>{v.packets}</td>"
        f"<td><code>{html.escape(v.expected)}</code></td>"
        f"<td><code>{html.escape(v.seen)}</code></td></tr>"
        for v in verdicts
    )
    return (
        f"<h2>{html.escape(ARTIFACT_NAMES[artifact])}</h2><table><thead><tr><th></th><th>kind</th>"
        "<th>what was checked</th><th>packets</th><th>expected</th><th>seen</th></tr></thead>"
        f"<tbody>{rows}</tbody></table>"
    )


def _explained(explained: Explanation) -> str:
    return (
        f"<p>{html.escape(explained.frame.text())}. Step by step, as "
        f"<a href={explained.page!r}>a page of its own</a> or by hand:</p>"
        f"<pre class=command>{html.escape(explained.command)}</pre>"
        f"<pre>{html.escape(explained.text)}</pre>"
    )


# --- the picture
# ------------------------------------------------------------------------------------------------

_BOX = '<g transform="translate({x},{y})"><rect width="{w}" height="{h}" rx="6" class="{kind}"/>{lines}</g>'


def _topology(plan: Plan, node: NodeConfig) -> str:
    """The NIC in the middle, its pods below, other nodes and clients above."""
    pods = sorted(plan.pods, key=lambda pod: pod.wiring.port)
    width = max(len(pods) * 118, 700)
    nic = width / 2 - 150
    parts = [
        _box(
            nic,
            130,
            300,
            56,
            "nic",
            [f"p4nic on {node.name}", f"VTEP {ip_text(node.vtep_ip)}, VNI {node.vni}"],
        )
    ]
    above = [("clients outside", "by the next hop")]
    above += [(peer.node, f"VTEP {ip_text(peer.vtep_ip)}") for peer in node.peers]
    for i, (name, detail) in enumerate(above):
        x = (i + 0.5) * width / len(above) - 85
        parts.append(_wire(x + 85, 56, width / 2, 130, "tunnel" if i else "plain"))
        parts.append(_box(x, 8, 170, 48, "peer", [name, detail]))
    for i, pod in enumerate(pods):
        x = i * width / len(pods)
        parts.append(_wire(x + 55, 250, width / 2, 186, "plain"))
        parts.append(
            _box(
                x,
                250,
                110,
                62,
                "pod",
                [str(pod.pod.name).split("/")[-1], ip_text(pod.ip), f"port {pod.wiring.port}"],
            )
        )
    return f'<svg viewBox="0 0 {width} 320" role="img" aria-label="topology">{"".join(parts)}</svg>'


def _box(x: float, y: float, w: float, h: float, kind: str, lines: Sequence[str]) -> str:
    text = "".join(
        f'<text x="{w / 2}" y="{20 + 17 * i}" class="{"detail" if i else "name"}">{html.escape(line)}</text>'
        for i, line in enumerate(lines)
    )
    return _BOX.format(x=f"{x:.1f}", y=y, w=w, h=h, kind=kind, lines=text)


def _wire(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1}" x2="{x2:.1f}" y2="{y2}" class="{kind}"/>'
