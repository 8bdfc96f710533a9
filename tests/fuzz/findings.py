"""Keeps the documents that break something: one of each kind, the smallest, with what happened beside it."""

from __future__ import annotations

import hashlib
import re
import traceback
from pathlib import Path
from typing import Final

from .oracle import Broken

SLOW: Final = 1.0
"""Seconds of the processor that one document may take."""

MOST_SLOW: Final = 10
"""Slow documents that are kept."""


def keep_failure(folder: Path, data: bytes, error: BaseException) -> None:
    """Keep a document for which something was raised, unless a smaller one with the same cause is there."""
    kind, where = _cause(error)
    _keep(folder / f"{kind}-{hashlib.sha256(where.encode()).hexdigest()[:8]}", data, _trace(error))


def keep_slow(folder: Path, data: bytes, told: str) -> None:
    """Keep a document that takes too long."""
    if len(list(folder.glob("slow-*.bundle"))) < MOST_SLOW:
        _keep(folder / f"slow-{hashlib.sha256(data).hexdigest()[:8]}", data, told)


def list_findings(folder: Path) -> list[tuple[Path, str]]:
    """Every kept document with a line on what it does; those that ended the fuzzer itself too."""
    kept = [(path, path.with_suffix(".txt").read_text().splitlines()[0]) for path in sorted(folder.glob("*.bundle"))]
    ended = [p for name in ("crash", "timeout", "oom") for p in sorted(folder.glob(f"{name}-*")) if not p.suffix]
    return [*kept, *((path, f"the fuzzer itself ended: {path.name.partition('-')[0]}") for path in ended)]


def _keep(name: Path, data: bytes, told: str) -> None:
    bundle = name.with_suffix(".bundle")
    if not bundle.exists() or len(data) < bundle.stat().st_size:
        name.parent.mkdir(parents=True, exist_ok=True)
        bundle.write_bytes(data)
        name.with_suffix(".txt").write_text(told)


def _cause(error: BaseException) -> tuple[str, str]:
    if isinstance(error, Broken):
        return re.sub(r"[^\w-]", "_", error.kind), ""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "isthmus" in f.filename]
    place = f"{Path(frames[-1].filename).stem}-{frames[-1].name}" if frames else "outside"
    # In endless recursion the last frame is a matter of chance.
    exact = f":{frames[-1].lineno}" if frames and not isinstance(error, RecursionError) else ""
    return f"{type(error).__name__}-{place}", f"{place}{exact}"


def _trace(error: BaseException) -> str:
    first = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"[:300]
    return "\n".join([first, "", *traceback.format_exception(error, limit=-40)])
