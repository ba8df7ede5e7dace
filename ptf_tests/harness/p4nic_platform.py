"""PTF platform of the ptf command: the ports of the testbed P4NIC_TESTBED names, over our port class.

In: PTF's configuration. Out: port map and port class in it. Loaded by `ptf --platform p4nic_platform`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from harness.start import from_environment, start
from harness.testbed import load_testbed
from harness.unix_port import port_class


def platform_config_update(config: dict[str, Any]) -> None:
    """Called by ptf before it opens the data plane."""
    testbed = load_testbed(Path(os.environ["P4NIC_TESTBED"]))
    running = from_environment(testbed) or start(testbed)
    config["port_map"] = {(0, number): interface for number, interface in running.interfaces.items()}
    config["dataplane"] = {"portclass": port_class(testbed.loopback)}
