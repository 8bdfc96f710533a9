"""What happens to pods while they run, and must, on any site that runs containers."""

from __future__ import annotations

import re
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from ...unit.api.interlink.pods import container
from ..servers import eventually
from .kubelet import Kubelet, Pod
from .pod_kinds import BUSYBOX, JSON, QUOTES, Kind, empty, env, mount, once, sh

LINES, WIDTH = 500_000, 100
"""Of the large log: 50 MB."""
HOSTILE = (
    QUOTES, JSON, "a\nb\r\n\tc", "$(NAME)", "$$(NAME)", "../../etc/passwd", "--help", "-c", "", " ",
    "';touch /tmp/pwned;'",
    "\x1b[31m\x07", "%s%n", "{{.}}", "#SBATCH --wrap=id", "é水🙂", "x" * 5000,
)  # fmt: skip


def check_refused(vk: Kubelet) -> None:
    """What the site is known not to have is refused at once, and what only its scheduler knows in the pod's status."""
    gpu = {"limits": {"nvidia.com/gpu": "1"}, "requests": {"nvidia.com/gpu": "1"}}
    answer = vk.hand_over(vk.manifest(Kind("gpu", (sh("nvidia-smi", resources=gpu),))))
    assert (answer.status_code, "has no GPU" in answer.text) == (422, True), answer.text
    flags = {"slurm-job.vk.io/flags": "--constraint=nonesuch"}
    one = vk.until_ended(vk.create(Kind("feature", (sh("true"),), annotations=flags)))
    over = one.ended("main")
    assert (one.phase, over["reason"]) == ("Failed", "SubmissionRefused"), one.last
    assert re.search("feature", over["message"], re.IGNORECASE), over
    vk.delete(one)


def check_probes(vk: Kubelet) -> None:
    """A pod is ready when its probes say so, no more when they do not, and asked to end it ends by itself."""
    web = sh(
        "mkdir /tmp/www; trap 'echo asked; exit 0' TERM; sleep 1; touch /tmp/up;"
        "httpd -f -p 127.0.0.1:18931 -h /tmp/www & "
        "sleep 1; echo fine > /tmp/www/ready; while :; do sleep 0.1; done",
        "web", ports=[{"name": "http", "containerPort": 18931, "protocol": "TCP"}],
        startupProbe=once({"exec": {"command": ["test", "-e", "/tmp/up"]}}, periodSeconds=1, failureThreshold=30),
        readinessProbe=once({"httpGet": {"path": "/ready", "port": "http", "scheme": "HTTP"}}, periodSeconds=1),
        livenessProbe=once({"exec": {"command": ["test", "-e", "/tmp/up"]}}, periodSeconds=1),
    )  # fmt: skip
    port = sh(
        "trap 'exit 0' TERM; sleep 1; httpd -f -p 127.0.0.1:18932 & while :; do sleep 0.1; done", "port",
        readinessProbe=once({"tcpSocket": {"port": 18932}}, periodSeconds=1),
    )  # fmt: skip
    wide = {"resources": {"limits": {"cpu": "500m", "memory": "64Mi"}}}
    kind = Kind("probes", ({**web, **wide}, {**port, **wide}), spec={"terminationGracePeriodSeconds": 10})
    one = vk.create(kind)
    vk.until(one, lambda p: p.phase == "Running" and "running" in p.container("web")["state"])
    assert not one.container("web")["ready"]
    vk.until(one, lambda p: p.container("web")["ready"] and p.container("port")["ready"])
    assert one.phase == "Running"
    vk.delete(one, grace=10)
    vk.until(one, lambda p: p.phase != "Running")


def check_hooks(vk: Kubelet) -> None:
    """What hooks print is in the log, that before the end too, while the container still runs."""
    hooks = {
        "postStart": {"exec": {"command": ["sh", "-c", "echo it has begun"]}},
        "preStop": {"exec": {"command": ["sh", "-c", "echo it shall end; touch /tmp/end"]}},
    }
    script = "trap 'echo asked' TERM; until test -e /tmp/end; do sleep 0.1; done; sleep 1; echo over"
    one = vk.create(Kind("hooks", (sh(script, lifecycle=hooks),), spec={"terminationGracePeriodSeconds": 20}))
    vk.until(one, lambda p: p.phase == "Running")
    with vk.following(one, "main") as lines:
        assert next(lines) == "it has begun"
        begun = time.monotonic()
        vk.delete(one, grace=20)
        assert set(lines) >= {"it shall end", "asked", "over"}
    assert time.monotonic() - begun < 15


def check_previous(vk: Kubelet) -> None:
    """Its first run is shown as the last state, and has a log of its own."""
    script = "echo try >> /v/tries; echo run $(wc -l < /v/tries); test $(wc -l < /v/tries) -ge 2 || exit 7; sleep 60"
    kind = Kind(
        "restarted", (sh(script, volumeMounts=[mount("v", "/v")]),),
        spec={"restartPolicy": "OnFailure", "volumes": empty("v"), "terminationGracePeriodSeconds": 1},
    )  # fmt: skip
    one = vk.create(kind)
    vk.until(one, lambda p: p.container("main")["restartCount"] == 1 and p.phase == "Running")
    assert one.container("main")["lastState"]["terminated"]["exitCode"] == 7
    assert vk.log(one, "main", Previous=True) == "run 1\n"
    eventually(lambda: vk.log(one, "main") == "run 2\n")  # it is told as running when Apptainer begins
    vk.delete(one, grace=1)


def check_large_log(vk: Kubelet) -> None:
    number = "awk '{ printf \"%08d %s\\n\", NR, $0 }'"
    script = f"yes {'x' * (WIDTH - 10)} | head -n {LINES} | {number}; sleep 2; echo the last"
    kind = Kind("large", (sh(script),), seconds=120)
    one = vk.until_ended(vk.create(kind), kind.seconds)
    assert one.phase == "Succeeded", one.last
    whole = vk.log(one, "main").splitlines()
    assert len(whole) == LINES + 1
    assert all(line.startswith(f"{number:08d} x") for number, line in enumerate(whole[:-1], 1))
    assert vk.log(one, "main", Tail=3).splitlines() == whole[-3:]
    assert vk.log(one, "main", Bytes=12) == whole[0][:12]
    stamped = vk.log(one, "main", Tail=2, Timestamps=True).splitlines()
    times = [datetime.fromisoformat(line.split(" ")[0]) for line in stamped]
    assert [line.split(" ", 1)[1] for line in stamped] == whole[-2:]
    assert times[0] < times[1]
    since = times[1].strftime("%Y-%m-%dT%H:%M:%SZ")
    assert vk.log(one, "main", SinceTime=since).splitlines()[-1] == "the last"
    assert len(vk.log(one, "main", SinceTime=since).splitlines()) < LINES
    seconds = int((datetime.now(UTC) - times[1]).total_seconds()) + 1
    assert vk.log(one, "main", SinceSeconds=seconds).splitlines()[-1] == "the last"
    vk.delete(one)


def check_following(vk: Kubelet) -> None:
    one = vk.create(Kind("followed", (sh("for n in 1 2 3 4 5; do echo line $n; sleep 0.5; done"),)))
    came = []
    with vk.following(one, "main") as lines:
        for line in lines:
            came.append((line, time.monotonic()))
    assert [line for line, _ in came] == [f"line {n}" for n in range(1, 6)]
    assert came[-1][1] - came[0][1] > 1
    vk.until_ended(one)
    vk.delete(one)


def check_hostile(vk: Kubelet) -> None:
    """Arguments, variables, annotations and names of files arrive as they are, and are run by nobody."""
    words = [word.replace("$", "$$") if word == "$$(NAME)" else word for word in HOSTILE]
    variables = env(**{f"V{number}": word for number, word in enumerate(HOSTILE)})
    odd = [{"name": "BASH_FUNC_x%%", "value": "() { touch /tmp/pwned; }"}, {"name": "LD_PRELOAD", "value": "/tmp/x.so"},
           {"name": "APPTAINER_BIND", "value": "/:/host"}, {"name": "APPTAINERENV_SLIPPED", "value": "in"}]  # fmt: skip
    dump = 'for one in "$@"; do printf \'%s\\0\' "$one"; done; ls /host /tmp/pwned 2>/dev/null; env | grep -c ^SLIPPED'
    said = container(image=BUSYBOX, command=["sh", "-c", dump, "sh"], args=words, env=[*variables, *odd])
    read = container(
        "vars", image=BUSYBOX, env=variables,
        command=["awk", f'BEGIN {{ for (n = 0; n < {len(HOSTILE)}; n++) printf "%s\\1", ENVIRON["V" n] }}'],
    )  # fmt: skip
    annotations = {"a.b/c": QUOTES, "x": "$(touch /tmp/pwned)\n#SBATCH --wrap=id", "y": "'; touch /tmp/pwned; '"}
    one = vk.until_ended(vk.create(Kind("hostile", (said, read), annotations=annotations)))
    assert vk.log(one, "main").split("\0") == [*(w.replace("$$", "$") for w in words), "0\n"]
    assert vk.log(one, "vars").split("\1")[:-1] == list(HOSTILE)
    vk.delete(one)


def check_deleted(vk: Kubelet) -> None:
    """It ends within its grace, though it does not listen."""
    one = vk.create(Kind("deleted", (sh("trap '' TERM; echo on; while :; do sleep 4321; done"),)))
    vk.until(one, lambda p: p.phase == "Running" and vk.log(p, "main") == "on\n")
    begun = time.monotonic()
    vk.delete(one, grace=1)
    vk.until(one, lambda p: p.phase == "Failed")
    assert time.monotonic() - begun < 20
    vk.delete(one)


def check_same_uid(vk: Kubelet) -> None:
    """Created again, at once and later, it is the same job."""
    kind = Kind("same", (sh("echo once; sleep 1"),))
    made = vk.manifest(kind)
    with ThreadPoolExecutor(4) as threads:
        answers = [answer.json() for answer in threads.map(lambda _: vk.hand_over(made, kind.sent), range(4))]
    made["metadata"]["annotations"]["JobID"] = answers[0]["PodJID"]
    one = vk.until_ended(Pod(made, answers[0]["PodJID"]))
    answers.append(vk.hand_over(made, kind.sent).json())
    assert answers == [answers[0]] * 5
    assert vk.log(one, "main") == "once\n"
    vk.delete(one)


def check_killed_plugin(vk: Kubelet) -> None:
    """Killed again and again while pods are handed over and run: each of them ran once."""
    kind = Kind("survivor", (sh("echo begin; sleep 3; echo end"),))
    made = [vk.manifest(kind) for _ in range(8)]
    handed: list[Pod] = []
    for number, one in enumerate(made):
        if number in (2, 5):
            vk.kill_plugin()
            vk.start_plugin()
        answer = vk.hand_over(one)
        assert answer.status_code == 200, answer.text
        one["metadata"]["annotations"]["JobID"] = answer.json()["PodJID"]
        handed.append(Pod(one, answer.json()["PodJID"]))
    time.sleep(1)
    vk.kill_plugin()
    vk.start_plugin()
    for pod in handed:
        vk.until_ended(pod, 90)
        assert (pod.phase, vk.log(pod, "main")) == ("Succeeded", "begin\nend\n"), pod.last
    assert len({pod.number for pod in handed}) == len(handed)
    for pod in handed:
        vk.delete(pod)


def check_many(vk: Kubelet, count: int) -> dict[str, float]:
    """All end well. Answers seconds: to hand them over, to have all ended, and the age of their ends when seen."""
    small = {"requests": {"cpu": "1", "memory": "64Mi"}, "limits": {"cpu": "1", "memory": "64Mi"}}
    kind = Kind("many", (sh("date +%s.%N; cat /proc/uptime >/dev/null; echo end", resources=small),))
    begun = time.time()
    with ThreadPoolExecutor(8) as threads:
        pods = list(threads.map(lambda _: vk.create(kind), range(count)))
        handed = time.time() - begun
        left, ages = list(pods), []
        while left:
            list(threads.map(vk.look, left))
            now = time.time()
            for one in [one for one in left if one.phase in ("Succeeded", "Failed")]:
                assert one.phase == "Succeeded", one.last
                finished = datetime.fromisoformat(one.ended("main")["finishedAt"]).timestamp()
                ages.append(max(0.0, now - finished - 0.5))  # it is told in whole seconds
                left.remove(one)
            assert now - begun < 60 + 4 * count, f"{len(left)} of {count} have not ended"
            time.sleep(0.1)
    whole = time.time() - begun
    for one in pods:
        assert vk.log(one, "main").endswith("end\n")
        vk.delete(one)
    return {
        "handed over": handed,
        "all ended": whole,
        "age of the median": statistics.median(ages),
        "oldest": max(ages),
    }
