"""Checks of the repository that no ready-made linter makes: `python -m repocheck`, called by `make check`."""
