"""The `backend` fixture: a behaviour test names no engine and runs on every one that p4nic has; `server` and
`client`: a P4Runtime server with the program `packet_io` on each of them, and its primary.

The native engine is compiled without optimisation: tests ask what a program means, not how fast it is, and
most of them run a packet or two. Its cache is the user's, keyed by content, so that xdist's workers and the
next run share what was compiled.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from fake_pipeline import FakePipeline, sample_program
from server_backends import BACKENDS

from p4nic.backend.api import Backend, Options, Pipeline
from p4nic.backend.interp import InterpreterBackend
from p4nic.backend.native import NativeBackend, compiler

if TYPE_CHECKING:  # gRPC takes a moment, and most tests have nothing to do with it
    from p4runtime_peer import Client, ServerUnderTest

ENGINES: dict[str, type[InterpreterBackend] | type[NativeBackend]] = {
    "interp": InterpreterBackend,
    "native": NativeBackend,
}


def pytest_configure() -> None:
    compiler.OPTIMISE = ("-O0",)


def engine(name: str) -> Backend:
    """An engine; skips the test where it cannot run."""
    if name == "native" and not compiler.compiler():
        pytest.skip("there is no C compiler on this machine")
    return ENGINES[name]()


@pytest.fixture(params=list(ENGINES))
def backend(request: pytest.FixtureRequest) -> Backend:
    """Each engine in turn; without a C compiler there is only the interpreter."""
    return engine(request.param)


@pytest.fixture(params=["fake", *ENGINES])
def sample_pipeline(request: pytest.FixtureRequest) -> Pipeline:
    """The sample program in the fake and in each engine: their tables must behave alike."""
    if request.param == "fake":
        return FakePipeline()
    return engine(request.param).build(sample_program(), Options())


@pytest.fixture(params=BACKENDS)
def server(request: pytest.FixtureRequest) -> Iterator[ServerUnderTest]:
    """In this process, with a clock that stands still unless told."""
    from p4runtime_peer import ServerUnderTest, packet_io

    with ServerUnderTest(packet_io(), backend=request.param) as server:
        yield server


@pytest.fixture
def client(server: ServerUnderTest) -> Client:
    return server.primary()
