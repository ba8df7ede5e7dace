"""Random verified Programs × random entries × random packets: do interpreter and native engine agree?

    seed ──program──▶ Program ──life──▶ steps (packets, changes, time) ──judge──▶ verdict ──shrink,
    keep──▶ folder

Run by `make fuzz-engines COUNT=N` and, small, by tests/test_engine_fuzz.py. Everything follows from the seed.
"""
