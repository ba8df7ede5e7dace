"""Forwarding-pipeline configurations: verify, save, commit, reconcile (P4Runtime 1.5 §7, §14, §15).

In: a ForwardingPipelineConfig, whose device config is the artifact itself (BMv2 JSON or `.spec`). Out: the
Forwarding that Reads and Writes refer to, and another pipeline in the switch. Called by the service, which
keeps Writes out meanwhile.

Between VERIFY_AND_SAVE and COMMIT, Reads and Writes go to the saved configuration, on tables of its own;
the data plane runs on with the committed one. COMMIT starts the new pipeline and replays those Writes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import RLock
from typing import final

from p4nic.backend.api import Pipeline
from p4nic.errors import ArtifactError, ErrorKind, P4nicError, StateError
from p4nic.ir.program import Program
from p4nic.load.artifact import load_config
from p4nic.load.p4info import P4Info, decode_p4info
from p4nic.server.codec import Codec
from p4nic.server.forwarding import Forwarding
from p4nic.server.reconcile import carry
from p4nic.target.switch import Switch
from p4nic.target.tables import Tables
from p4rt import p4r

MakePipeline = Callable[[Program], Pipeline]
_Request = p4r.SetForwardingPipelineConfigRequest
_Answer = p4r.GetForwardingPipelineConfigRequest


@final
@dataclass(frozen=True, slots=True)
class _Verified:
    config: p4r.ForwardingPipelineConfig
    codec: Codec
    program: Program


@final
class PipelineConfigs:
    """The committed and the saved configuration of one switch.

    `p4info` given: the switch's pipeline counts as configured already, with `device_config` as its device
    config.
    """

    def __init__(
        self, switch: Switch, make_pipeline: MakePipeline, p4info: P4Info | None, device_config: bytes = b""
    ) -> None:
        self._switch = switch
        self._make_pipeline = make_pipeline
        self.committed: Forwarding | None = None
        self._saved: tuple[Forwarding, Pipeline] | None = None
        if p4info is not None:
            config = p4r.ForwardingPipelineConfig(p4info=p4info.message, p4_device_config=device_config)
            program = switch.program
            self.committed = Forwarding(config, Codec(p4info, program), program, self._switch_tables)

    def _switch_tables(self) -> Tables:
        return self._switch.tables

    def active(self) -> Forwarding:
        """What Reads and Writes refer to; StateError FAILED_PRECONDITION before the first configuration."""
        forwarding = self._saved[0] if self._saved is not None else self.committed
        if forwarding is None:
            raise StateError(
                ErrorKind.FAILED_PRECONDITION,
                "no pipeline configuration is set; push one with SetForwardingPipelineConfig",
            )
        return forwarding

    def get(self, what: int) -> p4r.GetForwardingPipelineConfigResponse:
        """The committed configuration, or the parts asked for; nothing set while there is none."""
        answer = p4r.GetForwardingPipelineConfigResponse()
        if what not in _Answer.ResponseType.values():
            raise StateError(
                ErrorKind.INVALID_ARGUMENT, f"response_type {what} is not one of P4Runtime's four"
            )
        if self.committed is None:
            return answer
        config = self.committed.config
        answer.config.SetInParent()
        if config.HasField("cookie"):
            answer.config.cookie.CopyFrom(config.cookie)
        if what in (_Answer.ALL, _Answer.P4INFO_AND_COOKIE):
            answer.config.p4info.CopyFrom(config.p4info)
        if what in (_Answer.ALL, _Answer.DEVICE_CONFIG_AND_COOKIE):
            answer.config.p4_device_config = config.p4_device_config
        return answer

    def set(self, request: p4r.SetForwardingPipelineConfigRequest) -> None:
        """Do what the request's action says; StateError if it cannot be done, with everything as before."""
        match request.action:
            case _Request.VERIFY:
                verified, pipeline = self._verify(request)
                pipeline.close()
            case _Request.VERIFY_AND_SAVE:
                self._save(*self._verify(request))
            case _Request.VERIFY_AND_COMMIT:
                verified, pipeline = self._verify(request)
                self._start(verified, pipeline)
            case _Request.COMMIT:
                self._commit(request)
            case _Request.RECONCILE_AND_COMMIT:
                self._reconcile(*self._verify(request))
            case _:
                raise StateError(
                    ErrorKind.INVALID_ARGUMENT,
                    "the action is not set; choose VERIFY, VERIFY_AND_SAVE, VERIFY_AND_COMMIT, COMMIT or "
                    "RECONCILE_AND_COMMIT",
                )

    # --- the actions ---

    def _verify(self, request: p4r.SetForwardingPipelineConfigRequest) -> tuple[_Verified, Pipeline]:
        if not request.HasField("config"):
            raise StateError(ErrorKind.INVALID_ARGUMENT, "no config is given; send P4Info and device config")
        config = p4r.ForwardingPipelineConfig()
        config.CopyFrom(request.config)
        try:
            if not config.HasField("p4info"):
                raise ArtifactError("no P4Info is given; send the one p4c wrote with the device config")
            info = decode_p4info(config.p4info)
            program = load_config(config.p4_device_config, info)
            codec = Codec(info, program)
            return _Verified(config, codec, program), self._make_pipeline(program)
        except StateError:
            raise
        except P4nicError as error:
            raise StateError(ErrorKind.INVALID_ARGUMENT, str(error)) from None

    def _save(self, verified: _Verified, pipeline: Pipeline) -> None:
        tables = Tables(verified.program, pipeline, self._switch.clock, RLock())
        forwarding = Forwarding(verified.config, verified.codec, verified.program, lambda: tables, replay=[])
        self._forget_saved()
        self._saved = forwarding, pipeline

    def _start(self, verified: _Verified, pipeline: Pipeline) -> Forwarding:
        """Put the pipeline in; its state is that of the program."""
        self._forget_saved()
        self._switch.replace_pipeline(pipeline)
        self.committed = Forwarding(verified.config, verified.codec, verified.program, self._switch_tables)
        return self.committed

    def _commit(self, request: p4r.SetForwardingPipelineConfigRequest) -> None:
        if request.HasField("config"):
            raise StateError(
                ErrorKind.INVALID_ARGUMENT, "COMMIT takes no config: it commits the saved one; leave it out"
            )
        if self._saved is None:
            raise StateError(ErrorKind.NOT_FOUND, "no configuration is saved; send VERIFY_AND_SAVE first")
        saved, _ = self._saved
        pipeline = self._make_pipeline(saved.program)
        with self._switch.lock:
            self._forget_saved()
            self._switch.replace_pipeline(pipeline)
            self._switch.tables.batch(saved.replay or [])
            self.committed = replace(saved, tables=self._switch_tables, replay=None)

    def _reconcile(self, verified: _Verified, pipeline: Pipeline) -> None:
        """Keep what the switch holds; INVALID_ARGUMENT if that cannot be, with everything as it was."""
        if self.committed is None:
            self._start(verified, pipeline)
            return
        old, program = self.committed, verified.program
        lost = [name for name, _ in old.digests.settings() if name not in verified.codec.info.digests]
        if lost:
            pipeline.close()
            raise StateError(
                ErrorKind.INVALID_ARGUMENT,
                f"the state cannot be kept under the new program: digest {lost[0]} is on, and is gone",
            )

        def fill(tables: Tables) -> None:
            running, clock = self._switch.pipeline, self._switch.clock
            carry(old.program, old.tables(), running, program, tables, pipeline, clock)

        with self._switch.lock:
            try:
                self._switch.replace_pipeline(pipeline, fill)
            except StateError:
                pipeline.close()
                raise
            verified.codec.take_names(old.codec)
            self._forget_saved()
            self.committed = replace(old, config=verified.config, codec=verified.codec, program=program)

    def _forget_saved(self) -> None:
        if self._saved is not None:
            _, pipeline = self._saved
            pipeline.close()
            self._saved = None
