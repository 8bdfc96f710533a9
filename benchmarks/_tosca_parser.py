"""Reads templates with tosca-parser and prints what came of each as JSON; runs where that package is installed.

`_tosca_parser.py PATH…` prints one object: `cases` with the seconds of each and its error, the seconds of all
together, and the most memory in MB, before any template and at the end. Imports are not in the seconds.
"""

from __future__ import annotations

import json
import logging
import socket
import sys
import time
from pathlib import Path
from typing import Any

from toscaparser.tosca_template import ToscaTemplate


def refuse(*_: Any) -> None:
    raise OSError("no network here")


def read(path: str) -> dict[str, Any]:
    """Seconds for one template, and why it was refused. An input without a value is no reason."""
    begun = time.perf_counter()
    error = ""
    try:
        ToscaTemplate(path)
    except Exception as e:  # whatever it raises is its verdict
        error = "" if type(e).__name__ == "MissingRequiredInputError" else f"{type(e).__name__}: {e}"[:300]
    except SystemExit as e:
        error = f"exits: {e}"
    return {"seconds": time.perf_counter() - begun, "error": error}


def peak() -> float:
    """The most memory so far, in MB; `ru_maxrss` would begin with that of the process that started this one."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) * 1024 / 1e6


def main() -> None:
    logging.disable(logging.CRITICAL)
    socket.socket.connect = refuse  # type: ignore[method-assign]
    bare, begun = peak(), time.perf_counter()
    cases = [read(path) for path in sys.argv[1:]]
    print(json.dumps({"cases": cases, "seconds": time.perf_counter() - begun, "bare": bare, "peak": peak()}))


if __name__ == "__main__":
    main()
