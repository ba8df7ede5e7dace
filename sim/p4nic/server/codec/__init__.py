"""Protobuf messages of P4Runtime to entities by name, and back. Ids and bytestrings end here (I2).

    p4.v1.Entity ──Codec──▶ target.entities, backend.api.Entry        (Write, the keys of Read)
    EntryState, cells  ──Codec──▶ p4.v1.Entity                        (Read, notifications)

What a P4Info alone can tell is judged here (ids, missing and unknown fields, bytestrings); what the program
or the state decides is judged by `target.tables`.
"""

from p4nic.server.codec.schema import Codec

__all__ = ["Codec"]
