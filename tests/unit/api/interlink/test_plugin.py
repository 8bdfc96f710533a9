"""The plugin's side of the recorded conversation, and what the stock plugins get wrong in it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from isthmus.api.dialects.interlink.door import Door
from isthmus.api.dialects.interlink.ping import NodeFace, choose_partition, count_gpus
from isthmus.api.dialects.interlink.plugin import Plugin
from isthmus.api.dialects.interlink.policy import ACCELERATORS, Policy
from isthmus.api.dialects.interlink.wire import Taint
from isthmus.errors import Busy, Invalid
from isthmus.sites.jobs import LogOptions, Partition
from isthmus.work.job import JobState

from .conftest import Client
from .ledger import Ledger, ended, running
from .pods import UID, config_map, container, log_request, pod, retrieved

OTHER = "0f6dfb1e-4b0a-4c55-9b0e-b1a7a7b0c002"


async def test_create_answers_one_object_and_200(site: Client, ledger: Ledger) -> None:
    answer = await site.ask("POST", "/create", retrieved(pod(container(command=["true"]))))
    assert (answer.status_code, answer.json()) == (200, {"PodUID": UID, "PodJID": "1001"})
    assert ledger.names[UID] == "t/p"
    assert ledger.specs[UID].containers[0].command == ("true",)


async def test_create_is_idempotent_by_uid(site: Client, ledger: Ledger) -> None:
    """A virtual kubelet that was restarted in the middle sends the pod again."""
    body = retrieved(pod())
    answers = await asyncio.gather(*(site.ask("POST", "/create", body) for _ in range(5)))
    assert {answer.text for answer in answers} == {'{"PodUID":"' + UID + '","PodJID":"1001"}'}
    assert len(ledger.jobs) == 1


async def test_what_is_refused_says_the_field(site: Client, ledger: Ledger) -> None:
    answer = await site.ask("POST", "/create", retrieved(pod(container(), hostPID=True)))
    assert answer.status_code == 422
    assert "spec.hostPID: true" in answer.text
    assert not ledger.jobs


async def test_what_the_service_refuses_fails_the_pod(site: Client, ledger: Ledger) -> None:
    ledger.troubles = [Invalid("The site takes no jobs of 9 nodes.")]
    answer = await site.ask("POST", "/create", retrieved(pod()))
    assert (answer.status_code, answer.text) == (422, "The site takes no jobs of 9 nodes.")


async def test_a_busy_service_is_asked_again(site: Client, ledger: Ledger) -> None:
    """The virtual kubelet would mark the pod failed for good."""
    ledger.troubles = [Busy(retry_after=0.001), Busy(retry_after=0.001)]
    assert (await site.ask("POST", "/create", retrieved(pod()))).status_code == 200


async def test_a_service_that_stays_busy_fails_the_pod_before_its_caller_gives_up(
    site: Client, ledger: Ledger, plugin: Plugin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugin, "_patience", 0.2)
    ledger.troubles = [Busy("the store is away", retry_after=0.05)] * 50
    answer = await site.ask("POST", "/create", retrieved(pod()))
    assert (answer.status_code, answer.text) == (503, "the store is away")


async def test_a_delete_does_not_overtake_a_create_that_waits(site: Client, ledger: Ledger) -> None:
    ledger.troubles = [Busy(retry_after=0.02)]
    create = asyncio.create_task(site.ask("POST", "/create", retrieved(pod())))
    await ledger.tripped.wait()
    assert (await site.ask("POST", "/delete", pod())).status_code == 200
    assert (await create).status_code == 200
    assert ledger.removed == [UID]
    assert not ledger.jobs


async def test_an_unforeseen_error_tells_nothing_of_itself(site: Client, ledger: Ledger) -> None:
    ledger.troubles = [RuntimeError("password=hunter2")]
    answer = await site.ask("POST", "/create", retrieved(pod()))
    assert answer.status_code == 500
    assert "hunter2" not in answer.text


@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_delete_ends_the_job_within_the_pods_grace(site: Client, ledger: Ledger, method: str) -> None:
    await site.ask("POST", "/create", retrieved(pod()))
    leaving = pod()
    leaving["metadata"] |= {"deletionTimestamp": "2026-11-21T16:00:00Z", "deletionGracePeriodSeconds": 5}
    leaving["status"]["containerStatuses"] = [{"name": "main", "state": {"terminated": {"exitCode": 0}}}]
    assert (await site.ask(method, "/delete", leaving)).status_code == 200
    assert (ledger.cancelled, ledger.removed) == ({UID: 5.0}, [UID])


async def test_delete_of_a_pod_that_ended_only_lets_it_go(site: Client, ledger: Ledger) -> None:
    await site.ask("POST", "/create", retrieved(pod()))
    ledger.move(UID, JobState.SUCCEEDED, ended())
    assert (await site.ask("POST", "/delete", pod())).status_code == 200
    assert (ledger.cancelled, ledger.removed) == ({}, [UID])


async def test_delete_of_a_pod_that_nobody_knows_is_fine(site: Client) -> None:
    assert (await site.ask("POST", "/delete", pod())).status_code == 200


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"metadata":{}}', b'"x"', b"[" * 5000, b"\xff\xfe"])
@pytest.mark.parametrize("path", ["/delete", "/create", "/getLogs"])
async def test_bodies_that_are_none_end_nothing(site: Client, path: str, body: bytes) -> None:
    answer = await site.ask("POST", path, body)
    assert answer.status_code in (400, 422)
    assert (await site.ask("GET", "/status", [])).status_code == 200


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_status_is_of_exactly_the_pods_asked_from_one_query(site: Client, ledger: Ledger, method: str) -> None:
    uids = [f"0f6dfb1e-4b0a-4c55-9b0e-{n:012}" for n in range(20)]
    for uid in uids:
        await site.ask("POST", "/create", retrieved(pod(uid=uid)))
    ledger.move(uids[3], JobState.RUNNING, running())
    ledger.move(uids[4], JobState.FAILED, ended(code=3))
    wanted = [pod(uid=uid) for uid in (uids[4], uids[3], OTHER, uids[3])]
    answer = await site.ask(method, "/status", wanted)
    assert answer.status_code == 200
    found = answer.json()
    assert [one["UID"] for one in found] == [uids[4], uids[3]]
    assert found[0]["containers"][0]["state"]["terminated"]["exitCode"] == 3
    assert "running" in found[1]["containers"][0]["state"]
    assert ledger.queries == [{uids[3], uids[4], OTHER}]


async def test_one_asked_after_another_is_not_answered_with_the_other(site: Client) -> None:
    await site.ask("POST", "/create", retrieved(pod()))
    assert [one["UID"] for one in (await site.ask("GET", "/status", [pod()])).json()] == [UID]
    assert (await site.ask("GET", "/status", [pod(uid="zz")])).json() == []


async def test_a_job_that_is_lost_ends_its_pod(site: Client) -> None:
    found = (await site.ask("GET", "/status", [pod(annotations={"JobID": "1001"})])).json()
    assert found[0]["containers"][0]["state"]["terminated"]["reason"] == "NodeLost"


async def test_a_thousand_pods_in_one_body(plugin: Plugin, ledger: Ledger) -> None:
    client = Client(Door(plugin.routes()))
    body = [pod(uid=f"0f6dfb1e-4b0a-4c55-9b0e-{n:012}", annotations={"JobID": "1"}) for n in range(1000)]
    assert len((await client.ask("GET", "/status", body)).json()) == 1000
    assert len(ledger.queries) == 1
    await client.http.aclose()


@pytest.mark.parametrize("body", [b"[]", b"", b"null", b" [ ] "])
async def test_an_empty_list_is_a_ping(site: Client, body: bytes) -> None:
    answer = await site.ask("GET", "/status", body)
    assert (answer.status_code, answer.json()) == (
        200,
        {
            "status": "ok",
            "resources": {
                "cpu": "64", "memory": "192Gi", "pods": "1000",
                "accelerators": [
                    {"resourceType": "amd.com/gpu", "available": "2"},
                    {"resourceType": "nvidia.com/gpu", "available": "4"},
                ],
            },
        },
    )  # fmt: skip


async def test_a_ping_is_answered_while_the_site_is_away(site: Client, ledger: Ledger) -> None:
    """One failed ping would stop scheduling; five minutes of them evict all pods."""
    await site.ask("GET", "/status", [])
    ledger.site = Invalid("slurm down")
    answer = await site.ask("GET", "/status", [])
    assert answer.status_code == 200
    assert answer.json()["resources"]["cpu"] == "64"
    assert "slurm down" in answer.json()["message"]


async def test_the_operators_word_on_the_node(ledger: Ledger) -> None:
    face = NodeFace(
        memory="1Ti", pods="20", accelerators={"nvidia.com/gpu": "8"}, partition="debug",
        taints=(Taint(key="site/gpu", value="yes", effect="NoSchedule"),),
    )  # fmt: skip
    client = Client(Door(Plugin(ledger, Policy(), face).routes()))
    assert (await client.ask("GET", "/status", [])).json() == {
        "status": "ok",
        "resources": {"cpu": "4", "memory": "1Ti", "pods": "20", "accelerators": [
            {"resourceType": "nvidia.com/gpu", "available": "8"}]},
        "taints": [{"key": "site/gpu", "value": "yes", "effect": "NoSchedule"}],
    }  # fmt: skip
    await client.http.aclose()


@pytest.mark.parametrize(
    ("named", "chosen"),
    [("debug", "debug"), ("debug,main", "debug"), ("gone,main,debug", "main"), ("gone", None), (None, "main")],
)
def test_the_partition_that_pods_go_to(named: str | None, chosen: str | None) -> None:
    partitions = Partition("debug", cpus=64), Partition("main", cpus=4, default=True)
    found = choose_partition(partitions, named)
    assert (found and found.name) == chosen


async def test_resources_that_the_operator_names_are_shown_by_the_node(ledger: Ledger) -> None:
    """Kubernetes never schedules a pod that asks for what no node has."""
    policy = Policy(accelerators={**ACCELERATORS, "site.org/a100": "a100", "site.org/h100": "h100"})
    face = NodeFace(accelerators={"amd.com/gpu": "1"})
    client = Client(Door(Plugin(ledger, policy, face).routes()))
    assert (await client.ask("GET", "/status", [])).json()["resources"]["accelerators"] == [
        {"resourceType": name, "available": n}
        for name, n in (("amd.com/gpu", "1"), ("nvidia.com/gpu", "4"), ("site.org/a100", "4"), ("site.org/h100", "0"))
    ]
    await client.http.aclose()


@pytest.mark.parametrize(
    ("gpus", "named", "counts"),
    [
        ({}, {}, {}),
        ({"a100": 0}, {}, {}),
        ({"a100": 4, "mi250": 2}, {}, {"nvidia.com/gpu": "4", "amd.com/gpu": "2"}),
        ({"a100": 4, "v100": 2}, {"site.org/gpu": ""}, {"nvidia.com/gpu": "6", "site.org/gpu": "6"}),
        ({"a100": 4, "v100": 2}, {"nvidia.com/gpu": "A100"}, {"nvidia.com/gpu": "4"}),
        ({"a100": 4, "a100_80g": 2}, {"site.org/a": "a100"}, {"nvidia.com/gpu": "6", "site.org/a": "4"}),
        ({"NVIDIA A100-SXM4-40GB": 4}, {"site.org/a": "a100"}, {"nvidia.com/gpu": "4", "site.org/a": "4"}),
        ({"a100": 4, "max1550": 6}, {"gpu.intel.com/xe": "max1550"}, {"nvidia.com/gpu": "4", "gpu.intel.com/xe": "6"}),
        ({"1g.5gb": 7}, {}, {"nvidia.com/gpu": "7", "nvidia.com/mig-1g.5gb": "7"}),
        ({"gpu": 2}, {"site.org/h100": "h100"}, {"nvidia.com/gpu": "2", "site.org/h100": "0"}),
    ],
)
def test_gpus_by_the_resources_that_pods_ask_for(
    gpus: dict[str, int], named: dict[str, str], counts: dict[str, str]
) -> None:
    assert count_gpus(gpus, {**ACCELERATORS, **named}) == counts


@pytest.mark.parametrize(
    ("opts", "meant"),
    [
        ({}, LogOptions()),
        ({"Tail": 3}, LogOptions(tail=3)),
        ({"Bytes": 12}, LogOptions(limit=12)),
        ({"LimitBytes": 12}, LogOptions(limit=12)),
        ({"Bytes": 12, "LimitBytes": 12, "Tail": 2}, LogOptions(limit=12, tail=2)),
        ({"SinceSeconds": 10}, LogOptions(since=9_990.0)),
        ({"SinceSeconds": 10**12}, LogOptions()),
        ({"SinceTime": "1900-01-01T00:00:00Z"}, LogOptions()),
        ({"Tail": 10**30}, LogOptions(tail=2**53)),
        ({"Bytes": 10**30}, LogOptions(limit=2**53)),
        ({"SinceTime": "2026-11-21T15:15:41Z"}, LogOptions(since=1795274141.0)),
        ({"SinceTime": "2026-11-21T16:15:41+01:00"}, LogOptions(since=1795274141.0)),
        ({"Timestamps": True, "Previous": True}, LogOptions(timestamps=True, previous=True)),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_options_of_logs(
    site: Client, ledger: Ledger, opts: dict[str, Any], meant: LogOptions, method: str
) -> None:
    await site.ask("POST", "/create", retrieved(pod()))
    ledger.write(UID, "main", b"hello\n")
    answer = await site.ask(method, "/getLogs", log_request(**opts))
    assert (answer.status_code, answer.content) == (200, b"hello\n")
    assert ledger.asked[-1] == (UID, "main", meant)


async def test_an_empty_log_is_no_error(site: Client) -> None:
    await site.ask("POST", "/create", retrieved(pod()))
    answer = await site.ask("GET", "/getLogs", log_request(container=""))
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize(
    ("request_", "status", "named"),
    [
        (log_request(SinceSeconds=1, SinceTime="2026-11-21T15:15:41Z"), 400, "Both SinceSeconds and SinceTime set"),
        (log_request(Bytes=1, LimitBytes=2), 400, "LimitBytes"),
        (log_request(Stream="Stdout"), 400, "Opts.Stream"),
        (log_request(Tail=-1), 400, "Opts.Tail"),
        (log_request(SinceTime="yesterday"), 400, "Opts.SinceTime"),
        (log_request(container="../x"), 400, "ContainerName"),
        (log_request(namespace="a b"), 400, "Namespace"),
        (log_request(uid="../../etc"), 400, "PodUID"),
        (log_request(uid=OTHER), 404, "no such job"),
    ],
)
async def test_logs_that_cannot_be_had(site: Client, request_: dict[str, Any], status: int, named: str) -> None:
    answer = await site.ask("GET", "/getLogs", request_)
    assert answer.status_code == status
    assert named in answer.text


async def test_system_info_is_always_200(site: Client, ledger: Ledger) -> None:
    answer = await site.ask("GET", "/system-info")
    assert answer.json() == {
        "status": "ok", "timestamp": "1970-01-01T02:46:40Z", "slurm_connected": True,
        "sinfo_output": "PARTITION AVAIL TIMELIMIT NODES\ndebug up infinite 1\nmain* up infinite 3",
        "scheduler": "slurm", "version": "24.11.5",
    }  # fmt: skip
    ledger.site = RuntimeError("no")
    answer = await site.ask("GET", "/system-info")
    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["slurm_connected"]) == ("error", False)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/create", 405), ("PUT", "/delete", 405), ("DELETE", "/status", 405), ("GET", "/nothing", 404)],
)
async def test_other_methods_and_paths(site: Client, method: str, path: str, status: int) -> None:
    assert (await site.ask(method, path)).status_code == status


async def test_a_body_that_is_too_large_is_not_read(site: Client) -> None:
    assert (await site.ask("POST", "/create", b"[" + b" " * 200_001)).status_code == 413


async def test_browsers_have_no_business_here(site: Client, ledger: Ledger) -> None:
    body = retrieved(pod(container()), {"configMaps": [config_map("x")]})
    assert (await site.ask("POST", "/create", body, origin="http://evil.example")).status_code == 403
    assert (await site.ask("POST", "/create", body, sec_fetch_site="same-origin")).status_code == 403
    assert not ledger.jobs


async def test_secrets_of_a_pod_are_in_no_answer_and_no_log(
    site: Client, ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    made = pod(container(env=[{"name": "A=", "value": "hunter2"}, {"name": "B", "value": "hunter2"}]))
    made["spec"]["containers"][0]["command"] = {"x": "hunter2"}
    refused = await site.ask("POST", "/create", retrieved(made))
    made["spec"]["containers"][0]["command"] = None
    refused_again = await site.ask("POST", "/create", retrieved(made))
    made["spec"]["containers"][0]["env"].pop(0)
    await site.ask("POST", "/create", retrieved(made))
    shown = await site.ask("GET", "/status", [pod()])
    assert ledger.specs[UID].containers[0].secrets == {"B": "hunter2"}
    assert "hunter2" not in refused.text + refused_again.text + shown.text + caplog.text
