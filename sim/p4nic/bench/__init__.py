"""Measuring: a small module per workload in `workloads/`, the data that crosses in `api`, trials in `trials`.

`p4nic bench NAME` (cli/bench.py) runs one; `make bench` (benchmarks/run.py) runs the set and writes the
report. docs/benchmarks.md is the user's page.
"""
