"""``python3 runner.pyz run --submission FOLDER --index I`` on a node, ``… serve`` on a login node.

Jobs of several nodes call ``span`` and ``reach`` besides, see :mod:`.spanning`.
"""

from __future__ import annotations

import sys

_USAGE = "usage: run --submission FOLDER --index I | serve"


def main(argv: list[str]) -> int:
    """Do what the first argument says; ends with 64 when that is nothing known."""
    if argv[:1] == ["serve"]:
        from .serve import main as serve

        return serve()
    if len(argv) == 5 and argv[0] == "run" and argv[1] == "--submission" and argv[3] == "--index":
        from .supervisor import run

        if argv[4].isdigit():
            return run(argv[2], int(argv[4]))
    if argv[:1] in (["span"], ["reach"]):
        from .spanning import main as spanning

        return spanning(argv)
    print(_USAGE, file=sys.stderr)
    return 64


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
