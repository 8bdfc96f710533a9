"""Fuzzes the language: `python -m tests.fuzz.tosca --minutes 15 [--jobs 2]`; `--replay FILE` tries one finding again.

The fuzzer is atheris, in an environment of its own that is made when this is run. No document may raise
anything, take a second, make the process take 500 MB, or be told a place outside of its files. What does is
kept in `.cache/fuzz/tosca/findings`, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import resource
import subprocess
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .findings import list_findings
from .oracle import check
from .packing import unpack
from .seeds import built_in, public

ROOT = Path(__file__).parents[2]
HOME = ROOT / ".cache/fuzz/tosca"
LIMIT = 1.0
"""Seconds of the processor that one document may take."""

LIMITS = ["-rss_limit_mb=500", "-timeout=20", "-max_len=65536", "-print_final_stats=1", "-verbosity=1"]
"""The time limit of libFuzzer's own is for what never ends; a second is measured in :mod:`tests.fuzz.target`."""


def replay(data: bytes) -> int:
    """Try one document and tell what it does; 0 when nothing is wrong with that."""
    begun = time.process_time()
    try:
        check(unpack(data))
    except Exception:  # whatever is raised is what one wants to see
        print(traceback.format_exc())
        return 1
    took = time.process_time() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{'SLOW' if took > LIMIT else 'fine'}: {took:.2f} s, {peak:.0f} MB")
    return int(took > LIMIT)


def plant(corpus: Path) -> None:
    """Put the seeds where the fuzzer begins."""
    corpus.mkdir(parents=True, exist_ok=True)
    for data in [*built_in().values(), *public().values()]:
        (corpus / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)


def fuzz(job: int, minutes: float, folder: Path) -> int:
    """Run the fuzzer until the time is over, again when a document ended it; how often that was."""
    ends, over = 0, time.monotonic() + 60 * minutes
    while (left := int(over - time.monotonic())) > 0:
        command = [
            str(Path(sys.executable).with_name("uv")), "run", "--isolated", "--no-project", "--python", sys.executable,
            "--with", "atheris", "--with", "pyyaml", "python", "-m", "tests.fuzz.target", str(folder / "findings"),
            *LIMITS, f"-max_total_time={left}", f"-artifact_prefix={folder / 'findings'}{os.sep}", str(folder / "corpus"),
        ]  # fmt: skip
        with (folder / f"job-{job}.log").open("a") as log:
            done = subprocess.run(
                command, cwd=ROOT, env={**os.environ, "PYTHONPATH": f"src{os.pathsep}."}, stdout=log, stderr=log, check=False
            )
        if done.returncode == 0:
            break
        ends += 1
        if ends > 20 or (ends == 1 and time.monotonic() > over - 60 * minutes + 5 and not list_findings(folder / "findings")):
            break
    return ends


def report(folder: Path) -> int:
    """Print what was found and how to see it again; how many findings there are."""
    findings = list_findings(folder / "findings")
    for path, told in findings:
        print(f"{path.name}: {told}\n    {sys.executable} -m tests.fuzz.tosca --replay {path.relative_to(ROOT)}")
    for log in sorted(folder.glob("job-*.log")):
        lines = log.read_text(errors="replace").splitlines()
        stats = [line for line in lines if line.startswith("stat::")]
        print(f"{log.name}:", *(stats[-6:] or lines[-5:]), sep="\n  ")
    print(f"{len(findings)} findings")
    return len(findings)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--jobs", type=int, default=1, help="fuzzers at the same time")
    parser.add_argument("--replay", metavar="FILE", help="try one document without the fuzzer; - is standard input")
    args = parser.parse_args()
    if args.replay:
        return replay(sys.stdin.buffer.read() if args.replay == "-" else Path(args.replay).read_bytes())
    folder = HOME / time.strftime("%Y%m%d-%H%M%S")
    (folder / "findings").mkdir(parents=True)
    plant(folder / "corpus")
    with ThreadPoolExecutor(args.jobs) as threads:
        ends = sum(threads.map(lambda job: fuzz(job, args.minutes, folder), range(args.jobs)))
    print(f"the fuzzer was ended {ends} times" if ends else "the fuzzer ran to its end")
    return int(report(folder) > 0 or ends > 0)


if __name__ == "__main__":
    sys.exit(main())
