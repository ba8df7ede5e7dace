"""Differential runs: the same entries and the same packets through several engines, every answer compared.

`scenario` is what is run, `engines` runs it, `compare` judges, `generate` and `frames` make random ones,
`shrink` makes a small one of one that differs, `reproducer` writes it down. Called by `cli.diff` and tests.
"""
