"""How long the command line takes to answer, against an empty Python and one that imports Typer."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from common import ISTHMUS, PYTHON, Isthmus, Progress, Report, best_of, isthmus, parse_arguments, percentile

say = Progress()


def measure(command: Sequence[str], runs: int, server: Isthmus) -> list[float]:
    """Seconds of each of several runs."""

    def call() -> None:
        subprocess.run(command, env=server.environment, stdout=subprocess.DEVNULL, check=True)

    call()  # what Python compiles the first time is on disk from now on
    return [best_of(1, call)[0] for _ in range(runs)]


def main() -> None:
    args = parse_arguments(__doc__ or "")
    runs = 5 if args.quick else 30
    report = Report("cli_start")
    with isthmus("sites: [{name: fake, kind: fake}]\n") as server:
        nothing = measure([PYTHON, "-c", "pass"], runs, server)
        typer = measure([PYTHON, "-c", "import typer"], runs, server)
        for command, goal in (("--help", "≤ 0.25 s"), ("list", "")):
            took = measure([str(ISTHMUS), command], runs, server)
            report.add(f"isthmus {command}, median", percentile(took, 0.5), "s", percentile(nothing, 0.5),
                       "python -c pass", goal)  # fmt: skip
            report.add("", percentile(took, 0.5), "s", percentile(typer, 0.5), "python -c 'import typer'")
            report.add("  quickest", min(took), "s", min(typer), "python -c 'import typer'")
    report.show(args.json)


if __name__ == "__main__":
    main()
