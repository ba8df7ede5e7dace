"""Random WriteRequests for tests/programs/bulk.p4: mostly good, on few keys so that they meet, some damaged.

Called by test_server_bulk. Everything is drawn from one Random: a seed is a reproducer.
"""

from __future__ import annotations

from random import Random

from p4runtime_mutations import mutate
from p4runtime_peer import Artifact, Names, Value, bulk_program

from p4rt import p4r

ARTIFACT: Artifact = bulk_program()
NAMES = Names(ARTIFACT.info.message)
EXACT_TABLES = ("Main.flows", "Main.wide", "Main.aged")
TABLES = (*EXACT_TABLES, "Main.routes", "Main.rules", "Main.metered")
SECOND = 1_000_000_000


def value(random: Random, width: int) -> int:
    """Few values, the extreme ones among them."""
    return random.choice((0, 1, 2, 255, 256, (1 << width) - 1, 1 << (width - 1))) % (1 << width)


def match(random: Random, kind: str, width: int) -> Value | None:
    """None is don't care."""
    whole = (1 << width) - 1
    one = value(random, width)
    match kind:
        case "exact":
            return one
        case _ if random.random() < 0.2:
            return None
        case "optional":
            return one
        case "lpm":
            length = random.randint(1, width)
            return one & (whole >> (width - length) << (width - length)), length
        case "ternary":
            mask = value(random, width) or whole
            return one & mask, mask
        case _:
            low, high = sorted((one, value(random, width)))
            return (low, high) if (low, high) != (0, whole) else None


def entry(random: Random, table: str | None = None) -> p4r.TableEntry:
    """An entry of a table that can be right or wrong about the rest of the state only."""
    spec = ARTIFACT.program.tables[table or random.choice(TABLES)]
    given = {k.name: match(random, k.kind, k.width) for k in spec.keys}
    refs = [r.action for r in spec.actions if r.action != "Main.fallback"]
    action = ARTIFACT.program.actions[random.choice(refs)]
    args = {p.name: value(random, p.width) for p in action.params}
    message = NAMES.entry(
        spec.name, {name: m for name, m in given.items() if m is not None}, action.name, args
    )
    if spec.has_priority:
        message.priority = random.randint(1, 3)
    if spec.idle_timeout and random.random() < 0.5:
        message.idle_timeout_ns = random.choice((1, 3)) * SECOND
    return message


def update(random: Random, table: str | None = None) -> p4r.Update:
    made = entry(random, table)
    if random.random() < 0.03:
        made.metadata = b"mine"
    if random.random() < 0.03:
        made.counter_data.packet_count = 5
    if random.random() < 0.05 and made.match:
        first = made.match[0]
        if first.WhichOneof("field_match_type") == "exact":
            first.exact.value = b"\0\0" + first.exact.value  # longer than need be, and good all the same
    kind = random.choices((p4r.Update.INSERT, p4r.Update.MODIFY, p4r.Update.DELETE), (5, 2, 2))[0]
    return p4r.Update(type=kind, entity=p4r.Entity(table_entry=made))


def request(random: Random) -> p4r.WriteRequest:
    """Some updates of one primary. One in eight is damaged below the request's own fields."""
    made = p4r.WriteRequest(device_id=1, atomicity=random.choice((0, 0, 1, 2)))  # type: ignore[arg-type]
    made.election_id.low = 1
    count = random.choice((1, 1, 2, 5, 20))
    table = random.choice((None, *EXACT_TABLES))
    made.updates.extend(update(random, table) for _ in range(count))
    if random.random() < 0.125:
        mutate(random.choice(made.updates), random)
    return made
