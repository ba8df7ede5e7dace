"""The one error of lbtraffic: something a user gave cannot be used, said in one sentence."""

from __future__ import annotations


class TrafficError(Exception):
    """A flag, address, capture or port that cannot be used as given; the command line ends on exit code 2."""
