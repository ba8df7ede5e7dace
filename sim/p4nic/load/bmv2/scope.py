"""Every name an expression or a primitive may refer to, except actions and tables.

In: the document and its `Layout`. Out: a `Scope`, which the lowering parts consult. Direct counters and
meters appear both here and in the tables that own them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Literal, TypeVar, final

from p4nic.ir.ops import Const, Operand, Ref
from p4nic.ir.program import Counter, DigestList, MeterArray, Register
from p4nic.ir.types import Field, Header, HeaderType
from p4nic.load.bmv2.layout import Layout
from p4nic.load.bmv2.pna_side import Timers
from p4nic.load.bmv2.tree import MAX_BITS, Node

T = TypeVar("T")
MAX_SIZE = (1 << 31) - 1

ALGORITHMS = {
    "crc16": 16, "crc16_custom": 16, "crc32": 32, "crc32_custom": 32, "crcCCITT": 16, "csum16": 16,
    "xor16": 16, "identity": 64, "round_robin": 64, "toeplitz": 32,
}  # fmt: skip
"""The hash algorithms a calculation may name, and the bits of their results."""


@final
@dataclass(frozen=True, slots=True)
class Calculation:
    """A hash: algorithm and inputs; `with_payload` ends them with the bytes the parser left, `skip_invalid`
    leaves out those of invalid headers."""

    algorithm: str
    inputs: tuple[Operand, ...]
    with_payload: bool
    skip_invalid: bool


@final
@dataclass(frozen=True, slots=True)
class VsetDeclaration:
    width: int
    size: int


@final
@dataclass(frozen=True, slots=True)
class Extern:
    """An extern instance of PSA or PNA: its type, and its constructor arguments by name."""

    type: str
    arguments: dict[str, str]


@final
@dataclass(slots=True)
class Scope:
    layout: Layout
    errors: dict[str, int] = field(default_factory=dict)
    calculations: dict[str, Calculation] = field(default_factory=dict)
    counters: dict[str, Counter] = field(default_factory=dict)
    meters: dict[str, MeterArray] = field(default_factory=dict)
    meter_results: dict[str, Ref] = field(default_factory=dict)
    registers: dict[str, Register] = field(default_factory=dict)
    value_sets: dict[str, VsetDeclaration] = field(default_factory=dict)
    digests: dict[str, DigestList] = field(default_factory=dict)
    learn_lists: dict[int, tuple[str, tuple[Operand, ...]]] = field(default_factory=dict)
    """By id: the digest's name and what it carries."""
    field_lists: dict[int, tuple[Ref, ...]] = field(default_factory=dict)
    externs: dict[str, Extern] = field(default_factory=dict)
    siblings: dict[int, list[str]] = field(default_factory=dict)
    """PNA: by action id, the actions of all tables that use it, itself included."""
    timers: Mapping[str, Timers] = field(default_factory=dict)
    """PNA: what the side file says, by table."""
    accepts_no_match: bool = True
    """Whether a select that matches nothing ends the parser without an error, as every BMv2 target has it."""

    def lookup(self, table: dict[str, T], what: str, node: Node) -> T:
        """The object of kind `what` that a string names."""
        name = node.text()
        if name not in table:
            raise node.unknown(what, name, table)
        return table[name]


def load_scope(root: Node, layout: Layout) -> Scope:
    scope = Scope(layout)
    for entry in root.items("errors"):
        name, value = entry.pair()
        scope.errors[name.text()] = value.integer()
    _each(root, "calculations", scope.calculations, lambda n: _calculation(n, scope))
    _each(root, "counter_arrays", scope.counters, _counter)
    _each(root, "meter_arrays", scope.meters, lambda n: _meter(n, scope))
    _each(root, "register_arrays", scope.registers, _register)
    _each(root, "parse_vsets", scope.value_sets, _value_set)
    _each(root, "extern_instances", scope.externs, _extern)
    _extern_state(root, scope)
    for node in root.items("learn_lists"):
        _learn_list(node, scope)
    for node in root.items("field_lists"):
        number = node.get("id").integer()
        if number in scope.field_lists:
            raise node.fail(f"there are two field lists with id {number}.")
        scope.field_lists[number] = tuple(_field_list_element(e, scope) for e in node.items("elements"))
    return scope


def _each(root: Node, key: str, into: dict[str, T], load: Callable[[Node], T]) -> None:
    for node in root.items(key):
        name = node.name()
        if name in into:
            raise node.fail(f"{key} has two entries named {name!r}.")
        into[name] = load(node)


# --- arrays -------------------------------------------------------------------------------------------------


def _counter(node: Node) -> Counter:
    if node.flag("is_direct"):
        return Counter(node.name(), "both", table=node.get("binding").text())
    return Counter(node.name(), "both", node.get("size").integer(0, MAX_SIZE))


def _meter(node: Node, scope: Scope) -> MeterArray:
    name, kind = node.name(), node.get("type")
    unit: Literal["packets", "bytes"]
    match kind.text():
        case "packets":
            unit = "packets"
        case "bytes":
            unit = "bytes"
        case _:
            raise kind.wrong("'packets' or 'bytes'")
    rates = node.get("rate_count").integer(1, 16)
    if rates != 2:
        raise node.unsupported(f"a meter of {rates} rates", "meters have two rates and three colours")
    if not node.flag("is_direct"):
        return MeterArray(name, unit, node.get("size").integer(0, MAX_SIZE))
    target = node.opt("result_target")
    if target is not None:
        scope.meter_results[name] = scope.layout.ref(target)[0]
    return MeterArray(name, unit, table=node.get("binding").text())


def _register(node: Node) -> Register:
    width = node.get("bitwidth").integer(1, MAX_BITS)
    return Register(node.name(), width, node.get("size").integer(0, MAX_SIZE))


def _value_set(node: Node) -> VsetDeclaration:
    size = node.opt("max_size")
    width = node.get("compressed_bitwidth").integer(1, MAX_BITS)
    return VsetDeclaration(width, 1024 if size is None else size.integer(0, MAX_SIZE))


def _extern(node: Node) -> Extern:
    arguments: dict[str, str] = {}
    for attribute in node.items("attribute_values"):
        value = attribute.get("value")
        if attribute.get("type").text() not in ("hexstr", "string"):
            raise attribute.unsupported("an extern argument that is an expression", "pass a constant")
        # p4c-bm2-psa writes some numbers as numbers, under the type "hexstr".
        plain = isinstance(value.value, int)
        arguments[attribute.name()] = hex(value.integer(0, MAX_SIZE)) if plain else value.text()
    return Extern(node.get("type").text(), arguments)


EXTERNS = ("Counter", "Meter", "Hash", "InternetChecksum")
CHECKSUM_STATE = "$checksums"
"""Hidden metadata: the running sum of each InternetChecksum."""


def _extern_state(root: Node, scope: Scope) -> None:
    """The arrays and fields behind the extern instances of PSA and PNA."""
    sums: list[Field] = []
    for node in root.items("extern_instances"):
        name, extern = node.name(), scope.externs[node.name()]
        if extern.type == "Counter":
            unit = _COUNTER_UNITS[_argument(node, extern, "type", len(_COUNTER_UNITS) - 1)]
            scope.counters[name] = Counter(name, unit, _argument(node, extern, "n_counters"))
        elif extern.type == "Meter":
            packets = extern.arguments.get("type") in ("packets", "0x0")
            size = _argument(node, extern, "n_meters")
            scope.meters[name] = MeterArray(name, "packets" if packets else "bytes", size)
        elif extern.type == "InternetChecksum":
            sums.append(Field(name, 16))
        elif extern.type not in EXTERNS:
            raise node.unsupported(f"the extern {extern.type!r}", f"p4nic has {', '.join(EXTERNS)}")
    if sums:
        scope.layout.types[CHECKSUM_STATE] = HeaderType(CHECKSUM_STATE, tuple(sums))
        scope.layout.headers[CHECKSUM_STATE] = Header(CHECKSUM_STATE, CHECKSUM_STATE, metadata=True)


_COUNTER_UNITS: tuple[Literal["packets", "bytes", "both"], ...] = ("packets", "bytes", "both")


def _argument(node: Node, extern: Extern, name: str, most: int = MAX_SIZE) -> int:
    if name not in extern.arguments:
        raise node.fail(f"the {extern.type} lacks its argument {name!r}.")
    value = Node(extern.arguments[name], node.file, node, name).hexint()
    if not 0 <= value <= most:
        raise node.fail(f"the argument {name!r} must be from 0 to {most}.")
    return value


# --- lists --------------------------------------------------------------------------------------------------


def _calculation(node: Node, scope: Scope) -> Calculation:
    algorithm = node.get("algo")
    check_algorithm(algorithm)
    inputs, with_payload = hash_inputs(node.get("input"), scope)
    skips = leaves_out(algorithm.text(), inputs, scope.layout)
    return Calculation(algorithm.text(), inputs, with_payload, skips)


def leaves_out(algorithm: str, inputs: tuple[Operand, ...], layout: Layout) -> bool:
    """Whether it shows that BMv2 leaves invalid headers out of a hash, where zeros are simpler.

    It does not in a checksum to which each header contributes whole words: zeros add nothing.
    """
    at = 0
    for header, run in groupby(inputs, lambda i: _header_of(i, layout)):
        fields = [_field_of(i, layout) for i in run]
        width = sum(f.width for f in fields)
        whole = not (at % 16 or width % 16 or any(f.varbit for f in fields))
        if header is not None and not (algorithm == "csum16" and whole):
            return True
        at += width
    return False


def _header_of(operand: Operand, layout: Layout) -> str | None:
    """The header, which may be invalid, that a hash input is of."""
    if not isinstance(operand, Ref) or layout.headers[operand.header].metadata:
        return None
    return operand.header


def _field_of(operand: Operand, layout: Layout) -> Field:
    """The shape of a hash input; they are fields and constants."""
    if isinstance(operand, Ref):
        found = layout.types[layout.headers[operand.header].type].field(operand.field)
        assert found is not None
        return found
    assert isinstance(operand, Const)
    return Field("constant", operand.width)


def check_algorithm(node: Node) -> None:
    if node.text() not in ALGORITHMS:
        raise node.unsupported(f"the hash algorithm {node.text()!r}", f"use one of {', '.join(ALGORITHMS)}")


def hash_inputs(node: Node, scope: Scope) -> tuple[tuple[Operand, ...], bool]:
    """What a hash is taken over, and whether the payload follows."""
    inputs: list[Operand] = []
    with_payload = False
    for entry in node.items():
        if with_payload:
            raise entry.unsupported("a hash input after the payload", "put the payload last")
        kind = entry.get("type").text()
        if kind == "payload":
            with_payload = True
        elif kind == "header":
            header = scope.layout.header(entry.get("value"))
            inputs += [Ref(header.name, f.name) for f in scope.layout.types[header.type].fields]
        elif kind == "header_stack":
            stack = scope.layout.stack(entry.get("value"))
            fields = scope.layout.stack_type(stack.name).fields
            inputs += [Ref(f"{stack.name}[{i}]", f.name) for i in range(stack.size) for f in fields]
        else:
            inputs.append(_simple_operand(entry, scope)[0])
    return tuple(inputs), with_payload


def _simple_operand(entry: Node, scope: Scope) -> tuple[Operand, Field]:
    """A field or a constant of known width, with a Field that describes it."""
    kind = entry.get("type")
    match kind.text():
        case "field":
            return scope.layout.ref(entry.get("value"))
        case "hexstr":
            value = entry.get("value").hexint()
            bits = entry.opt("bitwidth")
            # Without a bitwidth (learn lists) only the digits tell; p4c pads them to whole bytes.
            width = (
                4 * len(entry.get("value").text().split("x")[1])
                if bits is None
                else bits.integer(1, MAX_BITS)
            )
            if not -(1 << (width - 1)) <= value < 1 << width:
                raise entry.wrong(f"a number of {width} bits")
            return Const(value & ((1 << width) - 1), width), Field("constant", width)
        case other:
            raise kind.unsupported(f"{other!r} in a list of fields", "list fields and constants")


def _learn_list(node: Node, scope: Scope) -> None:
    """One digest message. Two lists may share a name (the message's struct type); then they must agree."""
    operands: list[Operand] = []
    fields: list[tuple[str, int]] = []
    for element in node.items("elements"):
        operand, found = _simple_operand(element, scope)
        name = found.name.rsplit(".", 1)[-1]
        taken = {n for n, _ in fields}
        number = 2
        unique = name
        while unique in taken:
            unique, number = f"{name}_{number}", number + 1
        operands.append(operand)
        fields.append((unique, found.width))
    number = node.get("id").integer()
    if number in scope.learn_lists:
        raise node.fail(f"there are two learn lists with id {number}.")
    name = node.name()
    digest = DigestList(name, tuple(fields))
    known = scope.digests.setdefault(name, digest)
    if [w for _, w in known.fields] != [w for _, w in fields]:
        raise node.unsupported(
            f"two digests named {name!r} with different fields", "use a struct type for each"
        )
    scope.learn_lists[number] = (name, tuple(operands))


def _field_list_element(entry: Node, scope: Scope) -> Ref:
    kind = entry.get("type")
    if kind.text() != "field":
        raise kind.unsupported(f"{kind.text()!r} in a field list", "list metadata fields")
    return scope.layout.ref(entry.get("value"))[0]
