"""`python -m conformance.emit_corpus OUT ARTIFACT…`: the C of each artifact, or why there is none, into OUT.

With the p4nic that is on the path, which for `conformance.replay` may be one of another commit: only
`load_program`, `Options` and `emit` are asked for.
"""

from __future__ import annotations

import sys
from pathlib import Path

from p4nic.backend.api import Options
from p4nic.backend.native import emit
from p4nic.errors import P4nicError
from p4nic.load.artifact import load_program


def text_of(artifact: Path) -> str:
    """The unit's C; a sentence where the program is refused."""
    try:
        return emit(load_program([artifact]), Options()).text
    except P4nicError as error:
        return f"/* refused: {str(error).replace(str(artifact.parent), '')} */\n"


def main() -> int:
    out, artifacts = Path(sys.argv[1]), [Path(a) for a in sys.argv[2:]]
    for artifact in artifacts:
        (out / f"{artifact.parent.parent.name}-{artifact.name}.c").write_text(text_of(artifact), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
