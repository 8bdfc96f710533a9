"""Fuzzes the language: `python -m tests.fuzz.tosca --minutes 15 [--jobs 2]`; `--replay FILE` tries one finding again.

The fuzzer is atheris, in an environment of its own that is made when this is run. No document may raise
anything, take a second, make the process take 500 MB, or be told a place outside of its files. What does is
kept in a folder below `.cache/fuzz/tosca`, and the exit code is 1.
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

from .findings import SLOW, list_findings
from .oracle import check
from .packing import unpack
from .seeds import built_in, public, public_names

ROOT = Path(__file__).parents[2]
HOME = ROOT / ".cache/fuzz/tosca"
LIMITS = ["-rss_limit_mb=500", "-timeout=20", "-max_len=65536", "-print_final_stats=1", "-verbosity=1"]
"""The time limit of libFuzzer's own is for what never ends; a second is measured in :mod:`tests.fuzz.target`."""
LONG = 12_000
"""Bytes of a seed that takes the time of many others."""


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
    print(f"{'SLOW' if took > SLOW else 'fine'}: {took:.2f} s, {peak:.0f} MB")
    return int(took > SLOW)


def plant(corpus: Path) -> None:
    """Put the seeds where the fuzzer begins; of the long ones a few, since each takes the time of many short ones."""
    corpus.mkdir(parents=True, exist_ok=True)
    seeds = [*built_in().values(), *map(public, public_names())]
    long = [data for data in seeds if len(data) > LONG]
    for data in [*(d for d in seeds if len(d) <= LONG), *long[:: len(long) // 10 + 1]]:
        (corpus / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)


def fuzz(job: int, over: float, corpus: Path, findings: Path) -> int:
    """Run the fuzzer until a time of the monotonic clock, again when a document ended it; how often one did."""
    ends = 0
    log = findings / f"job-{job}.log"
    while (left := over - time.monotonic()) > 1:
        command = [
            str(Path(sys.executable).with_name("uv")), "run", "--isolated", "--no-project", "--python", sys.executable,
            "--with", "atheris", "--with", "pyyaml", "python", "-m", "tests.fuzz.target", str(findings), *LIMITS,
            f"-max_total_time={left:.0f}", f"-artifact_prefix={findings}{os.sep}", str(corpus),
        ]  # fmt: skip
        with log.open("a") as out:
            environment = {**os.environ, "PYTHONPATH": f"src{os.pathsep}."}
            done = subprocess.run(command, cwd=ROOT, env=environment, stdout=out, stderr=out, check=False)
        if done.returncode == 0:
            return ends
        if "INFO: Seed" not in log.read_text(errors="replace"):
            raise SystemExit(f"the fuzzer does not start: {log.read_text()[-2000:]}")
        ends += 1
    return ends


def report(folder: Path) -> int:
    """Print what was found and how to see it again; how many findings there are."""
    findings = list_findings(folder)
    for path, told in findings:
        print(f"{path.name}: {told}\n    {sys.executable} -m tests.fuzz.tosca --replay {path}")
    for log in sorted(folder.glob("job-*.log")):
        stats = [line for line in log.read_text(errors="replace").splitlines() if line.startswith("stat::")]
        print(f"{log.name}:", *stats[-5:], sep="\n  ")
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
    folder = HOME / time.strftime("findings-%Y%m%d-%H%M%S")
    folder.mkdir(parents=True)
    plant(HOME / "corpus")
    over = time.monotonic() + 60 * args.minutes
    with ThreadPoolExecutor(args.jobs) as threads:
        ends = sum(threads.map(lambda job: fuzz(job, over, HOME / "corpus", folder), range(args.jobs)))
    print(f"the fuzzer was ended {ends} times" if ends else "the fuzzer ran to its end")
    return int(report(folder) > 0 or ends > 0)


if __name__ == "__main__":
    sys.exit(main())
