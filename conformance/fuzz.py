"""`python -m conformance.fuzz`: damaged artifacts into both loaders. Called by `make fuzz`.

In: the committed artifacts (and more, if named). Out: counts, and every input that got out of the error tree,
saved. Exit code 1 if one did. Structure-aware: JSON documents lose, swap and gain values, `.spec` files lose,
swap and gain lines and words, from themselves and from each other. Only ArtifactError with one sentence may
come out, within 2 s and 1 GiB: a worker has that as its limits.
"""

from __future__ import annotations

import argparse
import copy
import faulthandler
import json
import multiprocessing
import os
import random
import resource
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any as Json
from typing import final

from p4nic.errors import ArtifactError
from p4nic.ir import verify
from p4nic.load import bmv2_json, dpdk_spec

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = (ROOT / "pipeline" / "build", ROOT / "tests" / "programs" / "build")
SECONDS, BYTES = 2, 1 << 30
CHUNK = 250
_NOT_PROGRAMS = ("context.json", "fingerprint.json")
_JUNK: tuple[Json, ...] = (
    None, True, False, 0, 1, -1, 7, 1 << 31, 65536, 2**64, 1 << 70, 1.5, "", "x", "0x", "0xff", "-0x1",
    "0x" + "f" * 40, "0x" + "f" * 2000, "9" * 5000, "\u0000", "$valid$", "header", "field", "expression",
    "scalars", "standard_metadata", [], {}, [[]], [None], ["h", "a"], {"type": "field"},
    {"type": "expression", "value": {}},
)  # fmt: skip
_WORDS = (
    "0x0", "0xffffffffffffffffff", "-1", "m.", "h.", "t.", "m.nothing", "h.a.b.c", "{", "}", "apply", "none",
    "args", "instanceof", "bit<0>", "bit<999999999>", "varbit<8>", ":", "LABEL", "extract", "jmp", "learn",
    "size", "",
)  # fmt: skip


class TooLong(BaseException):
    """The input took more than its seconds; a BaseException, so that no loader can take it for its own."""


@final
@dataclass(frozen=True, slots=True)
class Escape:
    """An input that did what none may."""

    why: str
    name: str
    text: str


def main(argv: Sequence[str] | None = None) -> int:
    """Run; the exit code."""
    parser = argparse.ArgumentParser("fuzz", description="Damaged artifacts into both loaders.")
    parser.add_argument("--count", type=int, default=100_000, help="inputs (100000)")
    parser.add_argument("--seed", type=int, default=0, help="seed (0)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2, help="worker processes")
    parser.add_argument("--out", type=Path, default=Path("fuzz-escapes"), help="where escapes are saved")
    parser.add_argument("artifact", nargs="*", type=Path, help="more originals: BMv2 JSON or .spec")
    args = parser.parse_args(argv)
    originals = [str(path) for path in (*committed(), *args.artifact)]
    outcomes: Counter[str] = Counter()
    escapes: list[Escape] = []
    context = multiprocessing.get_context("forkserver")
    with ProcessPoolExecutor(args.jobs, mp_context=context, initializer=limit) as pool:
        chunks = [
            pool.submit(run, originals, f"{args.seed}/{start}", min(CHUNK, args.count - start))
            for start in range(0, args.count, CHUNK)
        ]
        for done in as_completed(chunks):
            counted, escaped = done.result()
            outcomes += counted
            escapes += escaped
            print(f"{sum(outcomes.values())}/{args.count} inputs", file=sys.stderr, flush=True)
    print(
        f"{sum(outcomes.values())} inputs: " + ", ".join(f"{n} {name}" for name, n in outcomes.most_common())
    )
    for number, escape in enumerate(escapes):
        args.out.mkdir(parents=True, exist_ok=True)
        saved = args.out / f"{number}-{escape.name}"
        saved.write_text(escape.text, encoding="utf-8", errors="surrogatepass")
        print(f"escaped: {escape.why}: {saved}")
    return 1 if escapes else 0


def committed() -> list[Path]:
    """The artifacts of this repository that are programs."""
    found = [path for folder in FOLDERS for path in sorted(folder.iterdir())]
    return [
        p
        for p in found
        if p.suffix == ".spec" or (p.suffix == ".json" and not p.name.endswith(_NOT_PROGRAMS))
    ]


def limit() -> None:
    """A worker may not take more memory than an input may."""
    faulthandler.enable()
    resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
    signal.signal(signal.SIGALRM, _alarm)


def _alarm(number: int, frame: FrameType | None) -> None:
    raise TooLong


def run(originals: list[str], seed: str, count: int) -> tuple[Counter[str], list[Escape]]:
    """`count` inputs; how they ended, and those that escaped."""
    rng = random.Random(seed)
    texts = {name: Path(name).read_text(encoding="utf-8") for name in originals}
    outcomes: Counter[str] = Counter()
    escapes: list[Escape] = []
    for _ in range(count):
        name = rng.choice(originals)
        text = damaged(name, texts, rng)
        outcome = judge(Path(name).name, text)
        outcomes[outcome.partition(":")[0]] += 1
        if outcome not in ("loaded", "ArtifactError"):
            escapes.append(Escape(outcome, Path(name).name, text))
    return outcomes, escapes


def judge(name: str, text: str) -> str:
    """ "loaded", "ArtifactError", or what escaped."""
    load: Callable[[str, str], Json] = dpdk_spec.load_text if name.endswith(".spec") else bmv2_json.load_text
    # The processor's time, not the clock's: other work on the machine is not the loader's fault.
    before = resource.getrusage(resource.RUSAGE_SELF)
    signal.alarm(10 * SECONDS)
    try:
        verify.check(load(text, name))
        outcome = "loaded"
    except ArtifactError as error:
        sentence = str(error)
        outcome = "ArtifactError" if sentence and "\n" not in sentence else f"no sentence: {sentence!r}"
    except TooLong:
        outcome = f"no end after {10 * SECONDS} s"
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        outcome = f"{type(error).__name__}: {error}"[:200]
    finally:
        signal.alarm(0)
    after = resource.getrusage(resource.RUSAGE_SELF)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return f"too slow: {seconds:.1f} s" if seconds > SECONDS else outcome


def damaged(name: str, texts: dict[str, str], rng: random.Random) -> str:
    """A changed text: now and then cut or with other bytes, mostly with its structure changed."""
    text = texts[name]
    chance = rng.random()
    if chance < 0.03:
        return text[: rng.randrange(len(text))]
    if chance < 0.06:
        at = rng.randrange(len(text))
        return text[:at] + chr(rng.randrange(256)) + text[at + 1 :]
    times = rng.choice((1, 1, 1, 2, 3, 8))
    if name.endswith(".spec"):
        others = [other for other in texts if other.endswith(".spec")]
        return "\n".join(_damaged_lines(text, texts[rng.choice(others)], times, rng))
    others = [other for other in texts if other.endswith(".json")]
    document = json.loads(text)
    donor = json.loads(texts[rng.choice(others)]) if rng.random() < 0.2 else document
    for _ in range(times):
        _damage(document, donor, rng)
    return json.dumps(document)


def _places(value: Json) -> Iterator[tuple[Json, Json]]:
    """Every (container, key) of a document."""
    stack = [value]
    while stack:
        node = stack.pop()
        keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
        for key in keys:
            yield node, key
            stack.append(node[key])


def _damage(document: Json, donor: Json, rng: random.Random) -> None:
    spots = list(_places(document))
    if not spots:
        return
    container, key = rng.choice(spots)
    match rng.randrange(6):
        case 0:
            container[key] = copy.deepcopy(rng.choice(_JUNK))
        case 1:
            del container[key]
        case 2 | 3:
            other, other_key = rng.choice(list(_places(donor)) or spots)
            container[key] = copy.deepcopy(other[other_key])
        case 4:
            if isinstance(container, list):
                container.insert(rng.randrange(len(container) + 1), copy.deepcopy(container[key]))
            else:
                container[rng.choice(("type", "value", "op", "name", "id"))] = copy.deepcopy(container[key])
        case _:
            value = container[key]
            if isinstance(value, int) and not isinstance(value, bool):
                container[key] = value + rng.choice((-1, 1, 1 << 16, -value, 1 << 33))
            elif isinstance(value, str):
                container[key] = rng.choice((value[:-1], value + "0", value.upper(), value * 2))
            elif isinstance(value, list):
                rng.shuffle(value)


def _damaged_lines(text: str, donor: str, times: int, rng: random.Random) -> list[str]:
    lines = text.split("\n")
    pool = donor.split("\n")
    for _ in range(times):
        at = rng.randrange(len(lines))
        match rng.randrange(6):
            case 0:
                del lines[at]
            case 1:
                lines.insert(at, rng.choice(pool))
            case 2:
                other = rng.randrange(len(lines))
                lines[at], lines[other] = lines[other], lines[at]
            case 3:
                lines[at] = _other_word(lines[at], rng.choice(pool).split(), rng)
            case 4:
                lines[at] = _other_word(lines[at], list(_WORDS), rng)
            case _:
                start = rng.randrange(len(pool))
                lines[at:at] = pool[start : start + rng.randrange(1, 20)]
        if not lines:
            return [""]
    return lines


def _other_word(line: str, words: list[str], rng: random.Random) -> str:
    parts = line.split()
    if not parts or not words:
        return rng.choice(words) if words else ""
    at = rng.randrange(len(parts))
    if rng.random() < 0.2:
        del parts[at]
    else:
        parts[at] = rng.choice(words)
    return " ".join(parts)


if __name__ == "__main__":
    sys.exit(main())
