"""Who may connect: plain text from this machine, TLS, mutual TLS."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import grpc
import pytest
from p4runtime_peer import arbitration, code_of, load_balancer, packet_io

from p4nic.__main__ import main
from p4nic.backend.api import Options
from p4nic.backend.interp import InterpreterBackend
from p4nic.clock import ManualClock
from p4nic.errors import InputError
from p4nic.server.access import Access, parse_bindings
from p4nic.server.security import check_plain, credentials
from p4nic.server.service import Limits, P4RuntimeServer
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


@needs_openssl
def test_lbctl_speaks_tls(files: Path) -> None:
    """`lbctl status` with --ca, --cert, --key where the server asks for a certificate; refusals in words."""
    backend, artifact = InterpreterBackend(), load_balancer()
    with Switch(backend.build(artifact.program, Options()), ManualClock()) as switch:
        given = credentials(files / "server.pem", files / "server.key", files / "ca.pem")
        server = P4RuntimeServer(
            switch, "127.0.0.1:0", lambda p: backend.build(p, Options()), artifact.info, credentials=given
        )
        server.start()
        try:
            status = ["status", "--p4rt", server.address, "--ca", str(files / "ca.pem")]
            own = ["--cert", str(files / "client.pem"), "--key", str(files / "client.key")]
            done = lbctl(*status, *own)
            assert done.returncode == 0, done.stderr
            assert lbctl(*status, *own[:2]).stderr == (
                "lbctl: --cert and --key go together, and with --ca; give --ca alone if the switch asks for "
                "none\n"
            )
            missing = lbctl(*status, *own[:3], "gone.key")
            assert (missing.returncode, missing.stderr) == (
                2, "lbctl: gone.key cannot be read: No such file or directory\n",
            )  # fmt: skip
        finally:
            server.stop(0)


def lbctl(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lbctl", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


# --- roles by certificate -----------------------------------------------------------------------------------


@needs_openssl
def test_roles_are_bound_to_certificates(files: Path) -> None:
    """§5.2: the client may arbitrate, write and read for its own role and for no other."""
    backend = InterpreterBackend()
    with Switch(backend.build(packet_io().program, Options()), ManualClock()) as switch:
        server = P4RuntimeServer(
            switch,
            "127.0.0.1:0",
            lambda p: backend.build(p, Options()),
            packet_io().info,
            credentials=credentials(files / "server.pem", files / "server.key", files / "ca.pem"),
            limits=Limits(parse_bindings(["client=monitor", "server=*"])),
        )
        server.start()
        try:
            refused = (
                "the client certificate of 'client' is not bound to the default role; its roles are 'monitor'"
            )
            assert arbitrate(server, files, "client", "") == ("PERMISSION_DENIED", refused)
            assert arbitrate(server, files, "client", "monitor") == ("OK", "you are the primary")
            assert arbitrate(server, files, "server", "") == ("OK", "you are the primary")
            assert read(server, files, "client", "") == ("PERMISSION_DENIED", refused)
            assert read(server, files, "client", "monitor") == ("OK", "")
            assert read(server, files, "server", "monitor") == ("OK", "")
        finally:
            server.stop(0)


def stub(server: P4RuntimeServer, files: Path, identity: str) -> tuple[grpc.Channel, p4r_grpc.P4RuntimeStub]:
    key, certificate = (files / f"{identity}.key").read_bytes(), (files / f"{identity}.pem").read_bytes()
    given = grpc.ssl_channel_credentials((files / "ca.pem").read_bytes(), key, certificate)
    channel = grpc.secure_channel(server.address, given)
    return channel, p4r_grpc.P4RuntimeStub(channel)


def arbitrate(server: P4RuntimeServer, files: Path, identity: str, role: str) -> tuple[str, str]:
    channel, asked = stub(server, files, identity)
    with channel:
        try:
            answer = next(iter(asked.StreamChannel(iter([arbitration(1, role)]), timeout=10)))
        except grpc.RpcError as error:
            return code_of(error), str(error.details())
    return ("OK" if not answer.arbitration.status.code else "other"), answer.arbitration.status.message


def read(server: P4RuntimeServer, files: Path, identity: str, role: str) -> tuple[str, str]:
    channel, asked = stub(server, files, identity)
    with channel:
        try:
            list(asked.Read(p4r.ReadRequest(device_id=1, role=role), timeout=10))
        except grpc.RpcError as error:
            return code_of(error), str(error.details())
    return "OK", ""


@pytest.mark.parametrize("text", ["client", "=role", ""])
def test_bindings_that_are_none(text: str) -> None:
    with pytest.raises(InputError) as error:
        parse_bindings([text])
    assert str(error.value) == (
        f"--client-role {text} is not NAME=ROLE, for example controller=* or reader=monitor"
    )


def test_without_bindings_everybody_may_do_everything() -> None:
    Access().check((), "any")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["--client-role", "a=b"],
            "--client-role needs --tls-client-ca: without mutual TLS nobody knows who a client is",
        ),
        (["--max-requests", "-1"], "--max-requests -1 is negative; 0 is any number"),
        (["--max-message", "1"], "--max-message 1 is not in 4..1024 MB"),
    ],
)
def test_limits_that_cannot_be(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", "--empty", "--grpc", "127.0.0.1:0", *arguments]) == 2
    assert sentence in capsys.readouterr().err
