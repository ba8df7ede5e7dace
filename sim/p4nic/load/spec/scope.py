"""What a name in an instruction means: `h.HEADER.FIELD`, `m.FIELD`, `t.PARAMETER`, `h.HEADER`, or a number.

In: a parsed `.spec` and its names. Out: IR operands with their widths. Called by the `instr_*` files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, final

from p4nic.ir.ops import Const, Operand, Param, Ref
from p4nic.ir.types import Field, Header, HeaderType
from p4nic.load.spec.lines import Line, nearest, number
from p4nic.load.spec.syntax import SpecFile, StructDecl

METADATA = "m"
"""The metadata's instance name in the Program; p4c-dpdk has one metadata struct, and calls it `m` in every
operand."""


@final
@dataclass(frozen=True, slots=True)
class Value:
    """An operand, where it lies (header, metadata, action data, immediate), its width, and its place in its
    struct."""

    operand: Operand
    kind: Literal["h", "m", "t", "i"]
    width: int
    struct: StructDecl | None = None
    position: int = 0
    varbit: bool = False


@final
@dataclass(frozen=True, slots=True)
class Layout:
    """Structs, header types and instances of a `.spec`."""

    spec: SpecFile
    header_types: Mapping[str, HeaderType]
    headers: Mapping[str, Header]


def lay_out(spec: SpecFile) -> Layout:
    """Header types and instances; raises ArtifactError for a header of a struct that is not there or is not
    whole bytes."""
    types: dict[str, HeaderType] = {}
    headers = {METADATA: Header(METADATA, spec.metadata, metadata=True)}
    used = {spec.metadata}
    scratch = _scratch_headers(spec)
    for header in spec.headers.values():
        if header.name == METADATA:
            raise header.line.error(f"a header cannot be called {METADATA}: that is the metadata's name")
        struct = spec.structs.get(header.struct)
        if struct is None:
            raise header.line.error(
                f"there is no struct {header.struct}{nearest(header.struct, spec.structs, 'structs')}"
            )
        bits = sum(f.width for f in struct.fields)
        if bits % 8 or not bits:
            raise header.line.error(
                f"header {header.name} has {bits} bits, which is not a whole number of bytes"
            )
        headers[header.name] = Header(header.name, header.struct, metadata=header.name in scratch)
        used.add(header.struct)
    for name, struct in spec.structs.items():
        if name in used:
            types[name] = HeaderType(
                name, tuple(Field(f.name, f.width, varbit=f.varbit) for f in struct.fields)
            )
    return Layout(spec, types, headers)


def _scratch_headers(spec: SpecFile) -> set[str]:
    """Headers that no instruction makes or tests valid: p4c-dpdk's work space (`cksum_state`,
    `dpdk_pseudo_header`).

    DPDK gives every header storage that can be written while the header is invalid. In a Program only
    metadata can.
    """
    on_wire: set[str] = set()
    for i in (*spec.apply, *(i for a in spec.actions.values() for i in a.body)):
        if i.mnemonic in _ON_WIRE:
            on_wire.update(arg.removeprefix("h.") for arg in i.args)
    return set(spec.headers) - on_wire


_ON_WIRE = frozenset({"extract", "lookahead", "emit", "validate", "invalidate", "jmpv", "jmpnv"})


@final
class Scope:
    """Resolves operands for one code: the apply block, or an action with its parameters (`struct` and their
    IR names)."""

    def __init__(self, layout: Layout, struct: StructDecl | None, params: tuple[str, ...]) -> None:
        self.layout = layout
        self.struct = struct
        self.params = params
        self.cache: dict[str, Value] = {}

    def value(self, token: str, line: Line) -> Value:
        """Any operand: a field, a parameter or a number."""
        found = self.cache.get(token)
        if found is None:
            found = self.cache[token] = self._constant(token, line) or self._field(token, line)
        return found

    def scalar(self, token: str, line: Line) -> Value:
        """An operand that is not a varbit."""
        value = self.value(token, line)
        if value.varbit:
            raise line.error(f"{token} has a variable length and cannot be an operand")
        return value

    def place(self, token: str, line: Line) -> tuple[Ref, Value]:
        """A field of a header or the metadata, to be written."""
        value = self.scalar(token, line)
        if not isinstance(value.operand, Ref):
            what = "a parameter" if value.kind == "t" else "a number"
            raise line.error(f"{token} is {what} and cannot be written")
        return value.operand, value

    def metadata(self, token: str, line: Line) -> tuple[Ref, Value]:
        """A field of the metadata, to be written."""
        ref, value = self.place(token, line)
        if value.kind != "m":
            raise line.error(f"{token} is not a metadata field (m.NAME)")
        return ref, value

    def header(self, token: str, line: Line) -> str:
        """`h.NAME` as the name of a header."""
        prefix, _, name = token.partition(".")
        if token == "h":
            raise line.unsupported(_NO_HEADER_NAME)
        if prefix != "h" or name == METADATA or name not in self.layout.headers:
            raise line.error(f"there is no header {token}{nearest(name, self._headers(), 'headers')}")
        return name

    def _headers(self) -> list[str]:
        return list(self.layout.spec.headers)

    def _constant(self, token: str, line: Line) -> Value | None:
        value = number(token)
        if value is None:
            return None
        return Value(Const(value, max(value.bit_length(), 1)), "i", max(value.bit_length(), 1))

    def _field(self, token: str, line: Line) -> Value:
        structs = self.layout.spec.structs
        match token.split("."):
            case ("h", header, field):
                decl = self.layout.spec.headers.get(header)
                if decl is None:
                    raise line.error(
                        f"there is no header h.{header}{nearest(header, self._headers(), 'headers')}"
                    )
                return self._member(structs[decl.struct], field, "h", header, token, line)
            case ("h", name) if name not in self.layout.headers:
                raise line.unsupported(_NO_HEADER_NAME)
            case ("m", field):
                return self._member(structs[self.layout.spec.metadata], field, "m", METADATA, token, line)
            case ("t", field):
                if self.struct is None:
                    raise line.error(f"{token} is an action parameter, but there are none here")
                return self._member(self.struct, field, "t", "", token, line)
            case (("e" | "f"), *_):
                raise line.unsupported(f"{token} is a mailbox of an extern, which p4nic cannot run")
            case _:
                raise line.error(
                    f"{token} is not an operand; operands are h.HEADER.FIELD, m.FIELD, t.PARAMETER "
                    f"and numbers"
                )

    def _member(
        self,
        struct: StructDecl,
        field: str,
        kind: Literal["h", "m", "t"],
        header: str,
        token: str,
        line: Line,
    ) -> Value:
        for position, each in enumerate(struct.fields):
            if each.name == field:
                operand = Param(self.params[position]) if kind == "t" else Ref(header, field)
                return Value(operand, kind, each.width, struct, position, each.varbit)
        what = {"h": f"header h.{header}", "m": "metadata", "t": "action data"}[kind]
        hint = nearest(field, (f.name for f in struct.fields), "fields")
        raise line.error(
            f"there is no field {token}: struct {struct.name} of the {what} does not have it{hint}"
        )


_NO_HEADER_NAME = (
    "p4c-dpdk wrote a header field without its header, because the P4 parser's header "
    "parameter is one header instead of a "
    "struct of headers; DPDK refuses this as well. Put the header into a struct"
)
