"""Install what `p4nic serve --backend swx` needs: DPDK's development files, a C compiler, pkg-config.

Called by `make setup-dpdk`. Out: the packages, by apt; exit code 0, or 2 with one sentence. Says what it does
before it does it, and does nothing if all is there. Runs on the system's Python, with the standard library.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

PACKAGES = ("libdpdk-dev", "gcc", "libc6-dev", "pkg-config")


def main() -> int:
    """Install what is missing; the exit code."""
    missing = [package for package in PACKAGES if not installed(package)]
    if not missing:
        print("DPDK for --backend swx is installed already: " + version() + ".")
        return 0
    if shutil.which("apt-get") is None:
        print(
            "setup-dpdk knows apt alone; install DPDK 22.11 with its static libraries another way.",
            file=sys.stderr,
        )
        return 2
    prefix: list[str] = []
    if os.geteuid() != 0:
        if shutil.which("sudo") is None:
            print("setup-dpdk installs packages: run it as root, or install sudo.", file=sys.stderr)
            return 2
        prefix = ["sudo"]
    command = [*prefix, "apt-get", "install", "--yes", "--no-install-recommends", *missing]
    print("Installing with apt (about 100 MB of DPDK): " + " ".join(missing), flush=True)
    if subprocess.call([*prefix, "apt-get", "update", "--quiet"]) or subprocess.call(command):
        print("apt did not install them; its message is above.", file=sys.stderr)
        return 2
    print("Installed: " + version() + ". No hugepages and no root are needed to run it.")
    return 0


def installed(package: str) -> bool:
    """Does dpkg know the package as installed?"""
    if shutil.which("dpkg-query") is None:
        return False
    query = ["dpkg-query", "--show", "--showformat=${db:Status-Status}", package]
    answer = subprocess.run(query, capture_output=True, text=True, check=False)
    return answer.stdout.strip() == "installed"


def version() -> str:
    """The version of libdpdk that pkg-config sees."""
    answer = subprocess.run(
        ["pkg-config", "--modversion", "libdpdk"], capture_output=True, text=True, check=False
    )
    return "libdpdk " + answer.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
