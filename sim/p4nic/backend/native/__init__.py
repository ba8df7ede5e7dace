"""The native engine: a Program becomes one C unit, is compiled, and runs packets in bursts.

    Program ──flat──▶ Items ──variables, flow──▶ what is live ──emit_*, unit──▶ C ──compiler──▶ library ──▶
    Pipeline
                                                          runtime/*.h (tables, timers, bursts) ▲

Choice of technique and measured speed: docs/decisions/native-engine.md.
"""

from p4nic.backend.native.pipeline import NativeBackend, NativePipeline, emit

__all__ = ["NativeBackend", "NativePipeline", "emit"]
