"""Expectations of p4c's tests that p4nic does not meet, and should not: with the evidence. Called by `jobs`.

Whoever adds one says what the test expects, what the target of the test does, and how that was found out.
"""

from __future__ import annotations

KNOWN = {
    ("STF, P4-14", "counter3"): (
        "check_counter wants 12, 25 and 39 bytes after packets of 8, 9 and 10 bytes: four more for each, the "
        "FCS of another target. BMv2 counts the bytes it received, and p4c's own runner (bmv2stf.py) ignores "
        "check_counter"
    ),
}

JSON_REFUSED_BY_BMV2 = "p4c names a header that it does not declare; BMv2 refuses the file as well"
JSON_REFUSALS = (
    ("the undeclared header", JSON_REFUSED_BY_BMV2),
    ("there is no header type named", JSON_REFUSED_BY_BMV2),
)
"""Parts of the sentences for a JSON that is refused on purpose, and what they have in common."""

SPEC_REFUSED_BY_DPDK = "p4c-dpdk wrote what DPDK refuses as well"
SPEC_REFUSALS = (
    ("wrote a header field without its header", SPEC_REFUSED_BY_DPDK),
    ("left a key of kind selector in an ordinary table", SPEC_REFUSED_BY_DPDK),
    (
        "the extern ipsec_accelerator needs an engine",
        "the IPsec accelerator, which p4nic declares and refuses",
    ),
)
"""Parts of the sentences for a .spec that is refused on purpose, and what they have in common."""

SPEC_AGAINST_P4INFO = (
    "p4c-dpdk left out of the .spec what the P4Info of the same run promises (entries, PSA's egress, actions "
    "of a shared profile), so p4nic refuses the pair and loads the .spec alone"
)
