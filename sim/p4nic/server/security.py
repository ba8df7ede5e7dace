"""Who may connect: TLS, mutual TLS, and plain text on this machine only (P4Runtime 1.5 §4.1.1).

In: PEM files, an address. Out: credentials for the server, or InputError. Called by the command line and the
service.
"""

from __future__ import annotations

import ipaddress
import ssl
from pathlib import Path
from typing import TypeAlias

import grpc

from p4nic.errors import InputError

Credentials: TypeAlias = grpc.ServerCredentials


def credentials(certificate: Path, key: Path, client_ca: Path | None = None) -> Credentials:
    """From PEM files. With `client_ca`, clients need a certificate that it has signed (mutual TLS).

    The files are tried out first: gRPC itself would only log what is wrong, and refuse every client.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key)
        if client_ca is not None:
            context.load_verify_locations(client_ca)
    except (OSError, ssl.SSLError) as error:
        files = f"{certificate} and {key}" + (f" or {client_ca}" if client_ca is not None else "")
        raise InputError(f"{files} cannot be used for TLS: {_reason(error)}") from None
    return grpc.ssl_server_credentials(
        [(key.read_bytes(), certificate.read_bytes())],
        root_certificates=client_ca.read_bytes() if client_ca is not None else None,
        require_client_auth=client_ca is not None,
    )


def _reason(error: OSError | ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLError):
        return f"{(error.reason or 'not PEM').replace('_', ' ').lower()}"
    return error.strerror or str(error)


def check_plain(address: str) -> None:
    """InputError unless only this machine can reach `address`: plain gRPC lets anybody program the switch."""
    if address.startswith("unix:"):
        return
    host = address.rpartition(":")[0].strip("[]")
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = host in ("localhost", "ip6-localhost")
    if not local:
        raise InputError(
            f"{address} can be reached from other machines, and plain gRPC lets anybody program the switch; "
            "give --tls-cert and --tls-key, or say --insecure, or listen on 127.0.0.1"
        )
