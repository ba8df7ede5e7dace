"""The instructions of the IR: flat three-address code with labels.

Out of: loaders. Into: verify, text, every backend. All classes are final; match on them and close with
`assert_never`.

**One rule of arithmetic**: an operation computes on the infinite integers its operands stand for, then wraps
the result to the destination's width and sign. (BMv2 computes unbounded and truncates on store; DPDK SWX
computes in 64 bits and truncates on store. Loaders choose widths of temporaries so that nothing is lost that
the artifact keeps.) Comparisons and logic give 1 or 0. Shifts by more than the width give 0 (or -1 for a
negative, arithmetic, right shift). Division and modulo by zero give 0.

Reading a field of an invalid header gives 0; writing one does nothing. (DPDK leaves old bytes there; a
program must not depend on either.)

**Control flow**: code runs from the first instruction; `Jump`, `Branch…`, `Switch` go to a `Label` of the
same code; running off the end is `Return`. Which instructions may stand where is `verify`'s business: parser
blocks have Extract…, pipelines of a `.spec` hold everything in one code.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

from p4nic.ir.types import Source

# --- operands ---


@final
@dataclass(frozen=True, slots=True)
class Const:
    value: int
    width: int
    signed: bool = False


@final
@dataclass(frozen=True, slots=True)
class Ref:
    """A field of a header or metadata instance."""

    header: str
    field: str


@final
@dataclass(frozen=True, slots=True)
class StackRef:
    """A field of a stack element chosen at run time. `index` is an operand, or "last" (the newest
    extracted)."""

    stack: str
    index: Operand | Literal["last"]
    field: str


@final
@dataclass(frozen=True, slots=True)
class Temp:
    """A temporary, local to one run of one code. Written before read; `verify` checks."""

    name: str
    width: int
    signed: bool = False


@final
@dataclass(frozen=True, slots=True)
class Param:
    """A parameter of the action that the code belongs to; its width stands in the Action."""

    name: str


@final
@dataclass(frozen=True, slots=True)
class Valid:
    """1 if the header (or any element of the union) is valid, else 0."""

    header: str


@final
@dataclass(frozen=True, slots=True)
class StackValid:
    """1 if the stack element at run-time `index` is valid."""

    stack: str
    index: Operand | Literal["last"]


@final
@dataclass(frozen=True, slots=True)
class PacketLength:
    """Length in bytes of the packet as it was received (32 bits)."""


@final
@dataclass(frozen=True, slots=True)
class StackIndex:
    """`lastIndex` (how == "last") or the number of extracted elements (how == "next") of a stack, 32 bits."""

    stack: str
    how: Literal["last", "next"]


Operand = Const | Ref | StackRef | Temp | Param | Valid | StackValid | PacketLength | StackIndex
Place = Ref | StackRef | Temp

UnaryOp = Literal["not", "neg", "lnot"]
BinaryOp = Literal[
    "add", "sub", "mul", "div", "mod", "and", "or", "xor", "shl", "shr",
    "sat_add", "sat_sub", "eq", "ne", "lt", "le", "gt", "ge", "land", "lor",
]  # fmt: skip
"""sat_add and sat_sub saturate at the destination's bounds instead of wrapping."""
CompareOp = Literal["eq", "ne", "lt", "le", "gt", "ge"]

# --- moving and computing ---


@final
@dataclass(frozen=True, slots=True)
class Move:
    """dst = src. Between two varbits the current length moves along."""

    dst: Place
    src: Operand
    source: Source = Source()


@final
@dataclass(frozen=True, slots=True)
class Unary:
    """dst = op a. "not" is ~a, "neg" is -a, "lnot" is a == 0."""

    dst: Place
    op: UnaryOp
    a: Operand
    source: Source = Source()


@final
@dataclass(frozen=True, slots=True)
class Binary:
    """dst = a op b."""

    dst: Place
    op: BinaryOp
    a: Operand
    b: Operand
    source: Source = Source()


@final
@dataclass(frozen=True, slots=True)
class Choose:
    """dst = a if cond != 0 else b."""

    dst: Place
    cond: Operand
    a: Operand
    b: Operand
    source: Source = Source()


@final
@dataclass(frozen=True, slots=True)
class Hash:
    """dst = base + (hash(inputs) mod modulus), or the plain hash where modulus is None.

    `inputs` are laid end to end, big-endian and padded with zero bits to a whole byte at the end; with
    `host_order` each input is whole bytes, little-endian (DPDK hashes its metadata struct as it lies in
    memory). A varbit contributes its current bits. `with_payload` appends the bytes the parser did not
    extract. With `skip_invalid` a field of an invalid header contributes nothing (BMv2's calculations); else
    it contributes zeros. Algorithms: `backend.api.HASHES`.
    """

    dst: Place
    algorithm: str
    inputs: tuple[Operand, ...]
    base: Operand | None = None
    modulus: Operand | None = None
    host_order: bool = False
    with_payload: bool = False
    skip_invalid: bool = False
    source: Source = Source()


@final
@dataclass(frozen=True, slots=True)
class ChecksumAdd:
    """SWX `ckadd`/`cksub`: dst (16 bits, one's complement checksum) with `src` added to or subtracted from
    the data it covers.

    `src` of 16, 32, 48, 64 or 128 bits counts as 16-bit words; a header name counts every word of the header.
    As DPDK does it, a result of 0 is stored as 0xFFFF (reference/platform-semantics: T2).
    """

    dst: Place
    src: Operand | str
    subtract: bool = False
    source: Source = Source()


@final
@dataclass(frozen=True, slots=True)
class Random:
    """dst = a number in [low, high], from the switch's seeded generator.

    If low > high it is `low`, and nothing is drawn.
    """

    dst: Place
    low: Operand
    high: Operand
    source: Source = Source()


# --- headers ---


@final
@dataclass(frozen=True, slots=True)
class SetValid:
    """Make a header valid (its fields are zero if it was not), or the stack element at a run-time index."""

    header: str
    index: Operand | None = None
    source: Source = Source()


@final
@dataclass(frozen=True, slots=True)
class SetInvalid:
    header: str
    index: Operand | None = None
    source: Source = Source()


@final
@dataclass(frozen=True, slots=True)
class CopyHeader:
    """dst = src with validity: headers, whole stacks or whole unions of one type."""

    dst: str
    src: str
    source: Source = Source()


@final
@dataclass(frozen=True, slots=True)
class Push:
    """push_front(count): elements move to higher indices, the first `count` become invalid."""

    stack: str
    count: int
    source: Source = Source()


@final
@dataclass(frozen=True, slots=True)
class Pop:
    """pop_front(count)."""

    stack: str
    count: int
    source: Source = Source()


# --- parsing and deparsing ---


@final
@dataclass(frozen=True, slots=True)
class Extract:
    """Take a header (or, for a stack name, its next element) from the packet; too short is parser error
    PacketTooShort.

    `varbit_bits` is the length of the header's varbit field. Where the architecture is "swx" a short packet
    is not an error but a rejected packet (`--semantics spec`), or zero-filled (`--semantics dpdk`;
    the outgoing packet is shorter by what was missing: a runt leaves as long as it came).
    """

    header: str
    varbit_bits: Operand | None = None
    source: Source = Source()


@final
@dataclass(frozen=True, slots=True)
class Lookahead:
    """dst = `dst`-width bits found `offset` bits after the cursor, cursor unmoved. A header name fills the
    whole header."""

    dst: Place | str
    offset: int = 0
    source: Source = Source()


@final
@dataclass(frozen=True, slots=True)
class Advance:
    """Move the cursor by `bits` without extracting."""

    bits: Operand
    source: Source = Source()


@final
@dataclass(frozen=True, slots=True)
class Verify:
    """If cond == 0: the parser stops with this error. `error` is a name of Program.errors, or its number at
    run time."""

    cond: Operand
    error: str | Operand
    source: Source = Source()


@final
@dataclass(frozen=True, slots=True)
class Reject:
    """Stop the parser; `error` is a name of Program.errors."""

    error: str
    source: Source = Source()


@final
@dataclass(frozen=True, slots=True)
class Emit:
    """Append the header, if valid, to the outgoing packet."""

    header: str
    source: Source = Source()


# --- control flow ---


@final
@dataclass(frozen=True, slots=True)
class Label:
    """A place to go to. kind "state" marks a parser state (traces, coverage), "node" a control node of the
    artifact."""

    name: str
    kind: Literal["plain", "state", "node"] = "plain"
    source: Source = Source()


@final
@dataclass(frozen=True, slots=True)
class Jump:
    target: str
    source: Source = Source()


@final
@dataclass(frozen=True, slots=True)
class Branch:
    """If a op b: go to target."""

    op: CompareOp
    a: Operand
    b: Operand
    target: str
    source: Source = Source()


@final
@dataclass(frozen=True, slots=True)
class Case:
    """One arm of a Switch: every key & mask == value, or the keys are a member of `value_set`. A mask of -1
    is exact."""

    values: tuple[int, ...]
    masks: tuple[int, ...]
    target: str
    value_set: str | None = None


@final
@dataclass(frozen=True, slots=True)
class Switch:
    """A parser's select: the first matching case wins; `default` None means parser error NoMatch."""

    keys: tuple[Operand, ...]
    cases: tuple[Case, ...]
    default: str | None
    source: Source = Source()


@final
@dataclass(frozen=True, slots=True)
class Apply:
    """Look the table up and run the action of the matching entry, or the default action.

    For a learner, the entry's timer is not touched (only Rearm does).
    """

    table: str
    source: Source = Source()


@final
@dataclass(frozen=True, slots=True)
class BranchHit:
    """If the last Apply hit (or, with `hit` False, missed): go to target."""

    target: str
    hit: bool = True
    source: Source = Source()


@final
@dataclass(frozen=True, slots=True)
class BranchAction:
    """If the last Apply ran `action` (or, with `ran` False, another one): go to target."""

    action: str
    target: str
    ran: bool = True
    source: Source = Source()


@final
@dataclass(frozen=True, slots=True)
class Call:
    """Run an action directly with these arguments."""

    action: str
    args: tuple[Operand, ...] = ()
    source: Source = Source()


@final
@dataclass(frozen=True, slots=True)
class Return:
    """End of this code: back to the Apply or Call, or out of the block."""

    source: Source = Source()


@final
@dataclass(frozen=True, slots=True)
class Exit:
    """End of the whole control block, from any depth."""

    source: Source = Source()


# --- state ---


@final
@dataclass(frozen=True, slots=True)
class Learn:
    """Add-on-miss: in the learner looked up last, under the key looked up then, add (or replace) an entry.

    `profile` indexes the learner's timeouts. A full table counts a failure and changes nothing else.
    """

    action: str
    args: tuple[Operand, ...]
    profile: Operand
    source: Source = Source()


@final
@dataclass(frozen=True, slots=True)
class Rearm:
    """Restart the timer of the entry the last lookup *of a learner* hit; nothing if it missed.

    A profile gives a learned entry that timeout; an entry of the control plane keeps its own.
    """

    profile: Operand | None = None
    source: Source = Source()


@final
@dataclass(frozen=True, slots=True)
class Forget:
    """Delete the entry the last lookup of a learner hit, without a notice; nothing if it missed."""

    source: Source = Source()


@final
@dataclass(frozen=True, slots=True)
class EntryId:
    """dst = the index of the entry the last lookup hit, in [0, table size); 0 on a miss. Stable while the
    entry lives."""

    dst: Place
    source: Source = Source()


@final
@dataclass(frozen=True, slots=True)
class Count:
    """Add to an indexed counter; an amount of None leaves that half alone. An index beyond the size is
    ignored."""

    counter: str
    index: Operand
    packets: Operand | None
    bytes: Operand | None
    source: Source = Source()


@final
@dataclass(frozen=True, slots=True)
class CountDirect:
    """Add to the direct counter of the entry the last lookup hit; on a miss, in the default action alone, to
    the default entry's."""

    counter: str
    packets: Operand | None
    bytes: Operand | None
    source: Source = Source()


@final
@dataclass(frozen=True, slots=True)
class Meter:
    """dst = colour (0 green, 1 yellow, 2 red) of this packet at `index` of a meter; `index` None is the
    direct meter of the entry hit, or on a miss, in the default action alone, of the default entry.

    `length` None means the received length; `color` None means colour-blind.
    """

    dst: Place
    meter: str
    index: Operand | None
    length: Operand | None = None
    color: Operand | None = None
    source: Source = Source()


@final
@dataclass(frozen=True, slots=True)
class RegisterRead:
    """dst = register[index]; beyond the size, 0."""

    dst: Place
    register: str
    index: Operand
    source: Source = Source()


@final
@dataclass(frozen=True, slots=True)
class RegisterWrite:
    """register[index] = src; beyond the size, nothing."""

    register: str
    index: Operand
    src: Operand
    source: Source = Source()


@final
@dataclass(frozen=True, slots=True)
class RegisterAdd:
    """register[index] += src, wrapping."""

    register: str
    index: Operand
    src: Operand
    source: Source = Source()


# --- packets ---


@final
@dataclass(frozen=True, slots=True)
class Digest:
    """Send these values to the control plane as a message of a digest list."""

    digest: str
    values: tuple[Operand, ...]
    source: Source = Source()


@final
@dataclass(frozen=True, slots=True)
class Clone:
    """v1model clone: "i2e" takes the packet as received, "e2e" as deparsed at the end; `fields` keep their
    value."""

    kind: Literal["i2e", "e2e"]
    session: Operand
    fields: tuple[Ref, ...] = ()
    source: Source = Source()


@final
@dataclass(frozen=True, slots=True)
class Resubmit:
    """v1model: after ingress, start over with the received packet, keeping `fields`."""

    fields: tuple[Ref, ...] = ()
    source: Source = Source()


@final
@dataclass(frozen=True, slots=True)
class Recirculate:
    """v1model: after deparsing, start over with the outgoing packet, keeping `fields`. SWX: the packet's
    metadata is kept."""

    fields: tuple[Ref, ...] = ()
    source: Source = Source()


@final
@dataclass(frozen=True, slots=True)
class RecirculationId:
    """SWX `recircid`: dst = how many times this packet was recirculated."""

    dst: Place
    source: Source = Source()


@final
@dataclass(frozen=True, slots=True)
class Mirror:
    """SWX `mirror`: at `Transmit` or `Drop`, also send the outgoing packet through mirroring session
    `session`.

    Slots are served in ascending order, before the packet itself; a later mirror into the same slot replaces.
    """

    slot: Operand
    session: Operand
    source: Source = Source()


@final
@dataclass(frozen=True, slots=True)
class Truncate:
    """Keep at most `length` bytes of the outgoing packet."""

    length: Operand
    source: Source = Source()


@final
@dataclass(frozen=True, slots=True)
class Receive:
    """SWX `rx`: dst = the input port. Stands once, at the start of a pipeline block."""

    dst: Place
    source: Source = Source()


@final
@dataclass(frozen=True, slots=True)
class Transmit:
    """SWX `tx`: send the emitted headers and the payload to `port`; ends the packet."""

    port: Operand
    source: Source = Source()


@final
@dataclass(frozen=True, slots=True)
class Drop:
    """SWX `drop`: ends the packet at once."""

    source: Source = Source()


@final
@dataclass(frozen=True, slots=True)
class LogMessage:
    """log_msg: `text` with {} for each value, to the log and the trace."""

    text: str
    values: tuple[Operand, ...] = ()
    source: Source = Source()


@final
@dataclass(frozen=True, slots=True)
class Assert:
    """assert/assume: a false condition is reported with its P4 position and counted; the packet goes on."""

    cond: Operand
    text: str
    source: Source = Source()


Op = (
    Move | Unary | Binary | Choose | Hash | ChecksumAdd | Random
    | SetValid | SetInvalid | CopyHeader | Push | Pop
    | Extract | Lookahead | Advance | Verify | Reject | Emit
    | Label | Jump | Branch | Switch | Apply | BranchHit | BranchAction | Call | Return | Exit
    | Learn | Rearm | Forget | EntryId
    | Count | CountDirect | Meter | RegisterRead | RegisterWrite | RegisterAdd
    | Digest | Clone | Resubmit | Recirculate | RecirculationId | Mirror | Truncate
    | Receive | Transmit | Drop | LogMessage | Assert
)  # fmt: skip
Code = tuple[Op, ...]
