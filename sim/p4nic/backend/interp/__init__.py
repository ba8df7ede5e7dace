"""The reference interpreter: what an operation of the IR means is what this backend does.

    Program ──layout──▶ slots ──emit──▶ Python functions ──v1model | swx | psa | pna──▶ Outcome
                                  tables, ageing, meters, … (state) ▲

Choice of technique and measured speed: docs/decisions/0001-interpreter.md.
"""

from p4nic.backend.interp.pipeline import InterpreterBackend, InterpreterPipeline

__all__ = ["InterpreterBackend", "InterpreterPipeline"]
