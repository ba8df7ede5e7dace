"""All codecs of one pipeline configuration, made once from its P4Info and Program.

In: P4Info and Program (checked against each other). Out: a Codec. Made by `pipeline_config`, used by
`writer`, `reader`, `notifications` and the stream.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never, final

from p4nic.ir.program import Program
from p4nic.load.p4info import P4Info
from p4nic.load.p4info_model import MatchFieldInfo, Translation
from p4nic.server.change import Change, DigestChange, DigestSettings
from p4nic.server.codec.action import ActionCodec, Actions, Param
from p4nic.server.codec.match import KeyCodec, KeyField
from p4nic.server.codec.meter import MeterCodec, decode_unmark
from p4nic.server.codec.names import by_id
from p4nic.server.codec.p4data import DataTypes, members_of
from p4nic.server.codec.packet import PacketHeader
from p4nic.server.codec.profiles import decode_group, decode_member
from p4nic.server.codec.replication import decode_clone, decode_multicast
from p4nic.server.codec.scalar import Scalar, SdnNames, invalid, unimplemented
from p4nic.server.codec.table import TableCodec
from p4nic.target.entities import (
    CounterCell,
    DirectCounter,
    DirectMeter,
    EntryKey,
    MeterCell,
    Operation,
    RegisterCell,
    ValueSetMembers,
)
from p4rt import p4d, p4r

_OPERATIONS: Mapping[int, Operation] = {
    p4r.Update.INSERT: "insert",
    p4r.Update.MODIFY: "modify",
    p4r.Update.DELETE: "delete",
}


@final
class Codec:
    """Everything one P4Info says about messages."""

    def __init__(self, info: P4Info, program: Program) -> None:
        self.info = info
        self._strings: dict[str, SdnNames] = {}
        types = DataTypes(info.message.type_info, self._strings)
        self.actions = Actions(
            {
                a.name: ActionCodec(a.id, a.name, self._params(a.name, program))
                for a in info.actions.values()
                if a.name in program.actions
            }
        )
        self.meters = {m.name: MeterCodec(m) for m in info.meters.values()}
        self.tables = {t.name: self._table(t.name, program) for t in info.tables.values()}
        self.tables_by_id = {codec.id: codec for codec in self.tables.values()}
        self.value_sets = {
            v.name: KeyCodec(f"value set {v.name}", self._fields(f"value set {v.name}", v.match_fields, ()))
            for v in info.value_sets.values()
        }
        self.registers = {
            r.preamble.name: types.scalar(r.type_spec, f"register {r.preamble.name}")
            for r in info.message.registers
        }
        self._digests = {d.preamble.name: members_of(d, types) for d in info.message.digests}
        self.packet_in = PacketHeader("packet_in", info.packet_headers.get("packet_in"))
        self.packet_out = PacketHeader("packet_out", info.packet_headers.get("packet_out"))

    # --- made from the P4Info ---

    def _table(self, name: str, program: Program) -> TableCodec:
        table, info = program.tables[name], self.info.tables[name]
        fields = self._fields(f"table {name}", info.match_fields, tuple(k.width for k in table.keys))
        meter = self.meters.get(table.meter) if table.meter else None
        return TableCodec(info, table, KeyCodec(f"table {name}", fields), self.actions, meter)

    def _params(self, action: str, program: Program) -> tuple[Param, ...]:
        widths = [p.width for p in program.actions[action].params]
        return tuple(
            Param(p.id, p.name, self._scalar(f"action {action}, parameter {p.name}", width, p.translation))
            for p, width in zip(self.info.actions[action].params, widths, strict=True)
        )

    def _fields(
        self, place: str, fields: tuple[MatchFieldInfo, ...], widths: tuple[int, ...]
    ) -> tuple[KeyField, ...]:
        return tuple(
            KeyField(f.id, f.name, f.kind, self._scalar(f"{place}, field {f.name}", width, f.translation))
            for f, width in zip(fields, widths or tuple(f.width for f in fields), strict=True)
        )

    def _scalar(self, place: str, width: int, translation: Translation | None) -> Scalar:
        if translation is None or translation.kind != "sdn_string":
            return Scalar(place, width)
        name = translation.type_name
        return Scalar(place, width, self._strings.setdefault(name, SdnNames(name)))

    def take_names(self, old: Codec) -> None:
        """Go on with the strings another configuration has chosen values for: its entries are kept (§14)."""
        for type_name, names in self._strings.items():
            if type_name in old._strings:
                names.take(old._strings[type_name])

    # --- writes ---

    def change(self, update: p4r.Update) -> Change:
        """What an update asks for; StateError if its message makes no sense under this P4Info."""
        operation = _OPERATIONS.get(update.type)
        if operation is None:
            raise invalid("the update has no type; set INSERT, MODIFY or DELETE")
        entity = update.entity
        which = entity.WhichOneof("entity")
        match which:
            case "table_entry":
                return self.table(entity.table_entry.table_id).change(operation, entity.table_entry)
            case "action_profile_member":
                member = decode_member(self.info, self.actions, operation, entity.action_profile_member)
                return Change(((operation, member),))
            case "action_profile_group":
                group = decode_group(self.info, operation, entity.action_profile_group)
                return Change(((operation, group),))
            case "packet_replication_engine_entry":
                return _replication(operation, entity.packet_replication_engine_entry)
            case "digest_entry":
                return Change(digest=self._digest(operation, entity.digest_entry))
            case "extern_entry":
                raise self.no_extern(entity.extern_entry)
            case None:
                raise invalid("the update's entity is empty; set what it is about")
            case _:
                return self._cell(operation, which, entity)

    def table(self, number: int) -> TableCodec:
        return by_id(self.info, "table", number, self.tables_by_id, self.tables)

    def no_extern(self, message: p4r.ExternEntry) -> Exception:
        return unimplemented(
            f"extern type {message.extern_type_id} is not known; p4nic has no extern beyond "
            "those of the architecture"
        )

    def _digest(self, operation: Operation, message: p4r.DigestEntry) -> DigestChange:
        name = self.digest_name(message.digest_id)
        config = message.config
        if operation != "delete":
            for field in ("max_timeout_ns", "max_list_size", "ack_timeout_ns"):
                if getattr(config, field) < 0:
                    raise invalid(f"digest {name}: {field} {getattr(config, field)} is negative")
        return DigestChange(
            operation,
            name,
            DigestSettings(config.max_timeout_ns, config.max_list_size, config.ack_timeout_ns),
        )

    def digest_name(self, number: int) -> str:
        return by_id(self.info, "digest", number, self.info.digests.by_id, self.info.digests).name

    def encode_digest(self, name: str, values: tuple[int, ...]) -> p4d.P4Data:
        return self._digests[name].encode(values)

    def _cell(self, operation: Operation, which: str, entity: p4r.Entity) -> Change:
        """What can only be modified; the refusal of the others says what it was about, so it is up to
        `Tables`.
        """
        match which:
            case "counter_entry":
                counter = entity.counter_entry
                name = self.counter_name(counter.counter_id)
                if operation == "modify" and not counter.HasField("data"):
                    return Change()  # §9.3.2: "the counter value is not modified"
                data = counter.data
                cell = CounterCell(name, index_of(counter), data.packet_count, data.byte_count)
                return Change(((operation, cell),))
            case "meter_entry":
                meter = entity.meter_entry
                name = self.meter_name(meter.meter_id)
                unmark = _unmarks(f"meter {name}", meter)
                config = self.meters[name].decode(meter.config) if meter.HasField("config") else None
                return Change(((operation, MeterCell(name, index_of(meter), config, unmark)),))
            case "register_entry":
                register = entity.register_entry
                name = self.register_name(register.register_id)
                value = (
                    0
                    if operation != "modify"
                    else self.registers[name].decode(register.data, f"register {name}")
                )
                return Change(((operation, RegisterCell(name, index_of(register), value)),))
            case "value_set_entry":
                value_set = entity.value_set_entry
                name = self.value_set_name(value_set.value_set_id)
                members = tuple(self.value_sets[name].decode(m.match) for m in value_set.members)
                return Change(((operation, ValueSetMembers(name, members)),))
            case "direct_counter_entry":
                direct = entity.direct_counter_entry
                codec = self.table(direct.table_entry.table_id)
                owner = codec.decode_owner(direct.table_entry)
                if operation == "modify" and not direct.HasField("data"):
                    return Change(must_exist=owner if isinstance(owner, EntryKey) else None)
                pair = direct.data.packet_count, direct.data.byte_count
                return Change(((operation, DirectCounter(owner, *pair)),))
            case "direct_meter_entry":
                metered = entity.direct_meter_entry
                codec = self.table(metered.table_entry.table_id)
                unmark = _unmarks(codec.place, metered)
                wanted = codec.decode_meter(metered.config) if metered.HasField("config") else None
                owner = codec.decode_owner(metered.table_entry)
                return Change(((operation, DirectMeter(owner, wanted, unmark)),))
            case _:
                raise unimplemented(f"p4nic does not know entities of kind {which}")

    def counter_name(self, number: int) -> str:
        return by_id(self.info, "counter", number, self.info.counters.by_id, self.info.counters).name

    def meter_name(self, number: int) -> str:
        return by_id(self.info, "meter", number, self.info.meters.by_id, self.info.meters).name

    def register_name(self, number: int) -> str:
        return by_id(self.info, "register", number, self.info.registers.by_id, self.info.registers).name

    def value_set_name(self, number: int) -> str:
        return by_id(self.info, "value set", number, self.info.value_sets.by_id, self.info.value_sets).name


def index_of(message: p4r.CounterEntry | p4r.MeterEntry | p4r.RegisterEntry) -> int | None:
    """None where the client left the index out: every cell."""
    return message.index.index if message.HasField("index") else None


def _unmarks(place: str, message: p4r.MeterEntry | p4r.DirectMeterEntry) -> bool:
    if message.HasField("counter_data"):
        decode_unmark(place, message.counter_data)
    return message.HasField("counter_data")


def _replication(operation: Operation, message: p4r.PacketReplicationEngineEntry) -> Change:
    which = message.WhichOneof("type")
    match which:
        case "multicast_group_entry":
            group, note = decode_multicast(operation, message.multicast_group_entry)
            return Change(((operation, group),), note=note)
        case "clone_session_entry":
            session, note = decode_clone(operation, message.clone_session_entry)
            return Change(((operation, session),), note=note)
        case None:
            raise invalid(
                "the packet replication engine entry is empty; set a multicast group or a clone session"
            )
        case _:
            assert_never(which)
