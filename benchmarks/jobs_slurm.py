"""Jobs on a Slurm cluster of the catalogue: how soon Slurm has them, and how soon followers have their lines.

Submits: 200 jobs by ``POST /v1/jobs``, until slurmctld has them all, against a loop of ``sbatch`` on the controller;
and one array of 200, against ``sbatch --array``. No job starts meanwhile. Followers: 100 of one log that gets 10
lines a second, against ``tail --follow`` in as many sessions of ``ssh``.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Sequence
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from _cluster import NAME, Cluster, cluster
from _followers import GO, OUTPUT, PAUSE, by_api, by_ssh, speaker
from common import Progress, Report, at_once, parse_arguments

CLIENTS = 4
ONE: dict[str, Any] = {"container": False, "command": ["true"], "site": NAME}
LOOP = "for i in $(seq {times}); do sbatch --quiet {options} --output=/dev/null --wrap true; done"
say = Progress()


# -- submits ------------------------------------------------------------------------------------


def post(place: Cluster, bodies: Sequence[dict[str, Any]]) -> list[str]:
    """Post jobs on connections that stay open; their ids."""
    where, headers = urlsplit(place.server.url).netloc, {"Authorization": f"Bearer {place.server.token}"}

    def client(mine: Sequence[dict[str, Any]]) -> list[str]:
        connection, ids = HTTPConnection(where), []
        for body in mine:
            connection.request("POST", "/v1/jobs", json.dumps(body), {**headers, "Content-Type": "application/json"})
            answer = connection.getresponse()
            told = json.load(answer)
            if answer.status != 202:
                raise SystemExit(f"a job is refused: {told}")
            ids.append(told["id"])
        connection.close()
        return ids

    shares = [bodies[n::CLIENTS] for n in range(min(CLIENTS, len(bodies)))]
    return [id for ids in at_once(client, shares) for id in ids]


def until_handed(place: Cluster) -> None:
    """Wait until no job waits to be handed over."""
    while place.server.get("/jobs?state=pending&limit=1")["items"]:
        time.sleep(0.5)


def seconds_until_taken(place: Cluster, begun: float, count: int) -> float:
    """From ``begun`` until slurmctld noted the last of ``count`` jobs."""
    taken = [moment for moment in place.taken().values() if moment >= begun - 0.001]
    if len(taken) != count:
        raise SystemExit(f"{len(taken)} jobs were taken, not {count}")
    return max(taken) - begun


def submits(place: Cluster, report: Report, count: int) -> None:
    with place.closed():
        say(f"{count} jobs by POST /v1/jobs")
        begun = time.time()
        ids = post(place, [ONE] * count)
        accepted = time.time() - begun
        until_handed(place)
        ours = seconds_until_taken(place, begun, count)
        say("an array by POST /v1/jobs")
        begun = time.time()
        ids += post(place, [{**ONE, "array": f"0-{count - 1}"}])
        until_handed(place)
        array = seconds_until_taken(place, begun, 1)
        say(f"{count} jobs by a loop of sbatch, and an array by one")
        loop = bare(place, count, count)
        bare_array = bare(place, 1, 1, f"--array=0-{count - 1}")
    for id in ids:
        place.server.get(f"/jobs/{id}", "DELETE")
    report.add(f"{count} jobs", count / ours, "jobs/s", count / loop, "a loop of sbatch on the controller")
    report.add(f"  until all were accepted, by {CLIENTS} clients", count / accepted, "jobs/s")
    report.add(f"one array of {count}", array, "s", bare_array, "one sbatch --array")


def bare(place: Cluster, times: int, count: int, options: str = "") -> float:
    """Seconds until slurmctld has taken what a loop of ``sbatch`` hands to it."""
    begun = float(place.user(f"date +%s.%N\n{LOOP.format(times=times, options=options)}"))
    return seconds_until_taken(place, begun, count)


# -- followers ----------------------------------------------------------------------------------


def follows(place: Cluster, report: Report, followers: int, lines: int) -> None:
    """100 followers of one log, by the API and by ssh."""
    say(f"{followers} followers of {lines} lines by the API")
    place.user(f"rm -f {GO}")
    (job,) = post(place, [{**ONE, "command": ["sh", "-c", speaker(lines)]}])
    until_handed(place)
    ours = by_api(place, job, followers, lines)
    place.server.get(f"/jobs/{job}", "DELETE")
    say("the same by ssh and tail")
    place.user(f"rm -f {GO} {OUTPUT}; touch {OUTPUT}; sbatch --quiet --output={OUTPUT} --wrap '{speaker(lines)}'")
    theirs = by_ssh(place, followers, lines)
    place.user(f"rm -f {GO} {OUTPUT}")
    against, seconds = "tail -f in as many sessions of ssh", lines * PAUSE
    report.add(f"{followers} followers: a line's way, median", statistics.median(ours.delays), "s",
               statistics.median(theirs.delays), against)  # fmt: skip
    report.add("  worst", max(ours.delays), "s", max(theirs.delays), against)
    report.add("  CPU of the server", ours.cpu / seconds, "cores", theirs.cpu / seconds, "the ssh processes together")


def main() -> None:
    """Measure, and print."""
    arguments = parse_arguments(__doc__ or "")
    report = Report("jobs on Slurm")
    with cluster() as place:
        submits(place, report, 50 if arguments.quick else 200)
        follows(place, report, *((20, 50) if arguments.quick else (100, 100)))
    report.show(arguments.json)


if __name__ == "__main__":
    main()
