"""Which client may use which role: roles bound to the names in client certificates (mutual TLS).

In: a gRPC context, a role. Out: nothing, or ArbitrationRefused PERMISSION_DENIED. `admission` notes who calls
at the beginning of every RPC, `sessions` asks. P4Runtime 1.5 §5.2 leaves it to the server which clients may
arbitrate for a role.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from threading import local
from typing import Any, cast, final

import grpc

from p4nic.errors import ErrorKind, InputError
from p4nic.server.arbitration import ArbitrationRefused

ANY_ROLE = "*"
_NAMES = ("x509_common_name", "x509_subject_alternative_name")


@final
class _Here(local):
    """Of the thread that runs an RPC: the names its client's certificate carries."""

    names: tuple[str, ...] = ()


_here = _Here()


def note_caller(context: grpc.ServicerContext) -> None:
    """This thread works for that client from now on."""
    found: Mapping[str, Iterable[bytes]] = cast(Any, context.auth_context())
    _here.names = tuple(name.decode("utf-8", "replace") for key in _NAMES for name in found.get(key, ()))


def caller() -> tuple[str, ...]:
    """The names of the client this thread works for; none without mutual TLS."""
    return _here.names


@final
@dataclass(frozen=True, slots=True)
class Access:
    """Roles by the name in the certificate; empty: every client may use every role. "" is the default role,
    "*" stands for all.
    """

    roles: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def check(self, names: Iterable[str], role: str) -> None:
        """ArbitrationRefused unless one of the names is bound to the role."""
        if not self.roles:
            return
        told = list(names)
        mine = frozenset[str]().union(*(self.roles.get(name, frozenset()) for name in told))
        if role in mine or ANY_ROLE in mine:
            return
        who = f"the client certificate of {told[0]!r}" if told else "a client without certificate"
        may = ", ".join(repr(one) for one in sorted(mine)) or "none"
        raise ArbitrationRefused(
            ErrorKind.PERMISSION_DENIED,
            f"{who} is not bound to {f'role {role!r}' if role else 'the default role'}; its roles are {may}",
        )


def parse_bindings(texts: Iterable[str]) -> Access:
    """From NAME=ROLE; InputError for what is none."""
    roles: dict[str, set[str]] = {}
    for text in texts:
        name, equals, role = text.partition("=")
        if not name or not equals:
            raise InputError(
                f"--client-role {text} is not NAME=ROLE, for example controller=* or reader=monitor"
            )
        roles.setdefault(name, set()).add(role)
    return Access({name: frozenset(mine) for name, mine in roles.items()})
