"""Who may connect: plain text from this machine, TLS, mutual TLS."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import grpc
import pytest
from p4runtime_peer import code_of, packet_io

from p4nic.backend.api import Options
from p4nic.backend.interp import InterpreterBackend
from p4nic.clock import ManualClock
from p4nic.errors import InputError
from p4nic.server.security import check_plain, credentials
from p4nic.server.service import P4RuntimeServer
from p4nic.target.switch import Switch
from p4rt import p4r, p4r_grpc

needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificates")


@pytest.mark.parametrize("address", ["127.0.0.1:0", "127.9.9.9:1", "[::1]:0", "localhost:0", "unix:/tmp/x"])
def test_plain_on_this_machine(address: str) -> None:
    check_plain(address)


@pytest.mark.parametrize("address", ["0.0.0.0:9559", "[::]:0", "10.0.0.1:1", "switch.example:1", ":9559"])
def test_plain_elsewhere_is_refused(address: str) -> None:
    with pytest.raises(InputError) as error:
        check_plain(address)
    assert str(error.value) == (
        f"{address} can be reached from other machines, and plain gRPC lets anybody program the switch; "
        "give --tls-cert and --tls-key, or say --insecure, or listen on 127.0.0.1"
    )


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True, timeout=60)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CA, and a server and a client certificate signed by it; a stranger's, signed by itself."""
    folder = tmp_path_factory.mktemp("tls")
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    for name in ("ca", "stranger"):
        openssl(
            folder,
            "req",
            "-x509",
            *key,
            "-keyout",
            f"{name}.key",
            "-out",
            f"{name}.pem",
            "-subj",
            f"/CN={name}",
        )
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    for name in ("server", "client"):
        openssl(
            folder,
            "req",
            "-new",
            *key,
            "-keyout",
            f"{name}.key",
            "-out",
            f"{name}.csr",
            "-subj",
            f"/CN={name}",
        )
        sign = (
            "-in",
            f"{name}.csr",
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-extfile",
            "names",
        )
        openssl(folder, "x509", "-req", *sign, "-out", f"{name}.pem")
    return folder


def ask(server: P4RuntimeServer, files: Path, identity: str | None) -> str:
    """The API version, or the code the call ends with."""
    key = (files / f"{identity}.key").read_bytes() if identity else None
    certificate = (files / f"{identity}.pem").read_bytes() if identity else None
    channel_credentials = grpc.ssl_channel_credentials((files / "ca.pem").read_bytes(), key, certificate)
    with grpc.secure_channel(server.address, channel_credentials) as channel:
        try:
            answer = p4r_grpc.P4RuntimeStub(channel).Capabilities(p4r.CapabilitiesRequest(), timeout=10)
        except grpc.RpcError as error:
            return code_of(error)
    return answer.p4runtime_api_version


@needs_openssl
@pytest.mark.parametrize(
    ("mutual", "identity", "expected"),
    [
        (False, None, "1.5.0"),
        (True, "client", "1.5.0"),
        (True, None, "UNAVAILABLE"),
        (True, "stranger", "UNAVAILABLE"),
    ],
)
def test_tls(files: Path, mutual: bool, identity: str | None, expected: str) -> None:
    backend = InterpreterBackend()
    with Switch(backend.build(packet_io().program, Options()), ManualClock()) as switch:
        given = credentials(files / "server.pem", files / "server.key", files / "ca.pem" if mutual else None)
        server = P4RuntimeServer(
            switch, "127.0.0.1:0", lambda p: backend.build(p, Options()), packet_io().info, credentials=given
        )
        server.start()
        try:
            assert ask(server, files, identity) == expected
        finally:
            server.stop(0)


@needs_openssl
@pytest.mark.parametrize(
    ("certificate", "key", "reason"),
    [
        ("gone.pem", "server.key", "No such file or directory"),
        ("server.pem", "client.key", "key values mismatch"),
        ("names", "server.key", "not pem"),
    ],
)
def test_files_that_cannot_be_used(files: Path, certificate: str, key: str, reason: str) -> None:
    with pytest.raises(InputError) as error:
        credentials(files / certificate, files / key)
    assert str(error.value) == f"{files / certificate} and {files / key} cannot be used for TLS: {reason}"
