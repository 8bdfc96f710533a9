"""Statuses as the stock virtual kubelet needs them: all containers of the pod, none besides, never a false success."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isthmus.api.dialects.interlink.jobs import PodJob
from isthmus.api.dialects.interlink.policy import Policy
from isthmus.api.dialects.interlink.statuses import status_of
from isthmus.api.dialects.interlink.wire import AskedPod
from isthmus.work.job import ENDED, ContainerStatus, JobState, Phase, Reason, Restart, TaskStatus

from .ledger import ended, running
from .pods import container, pod

INIT = [container("i1"), container("i2")]


def look(
    state: JobState, *containers: ContainerStatus, made: dict[str, Any] | None = None, **task: Any
) -> dict[str, Any]:
    asked = AskedPod.model_validate(made or pod(container("a"), container("b")))
    job = PodJob("1002", state, TaskStatus(0, state, containers=containers, **task))
    found = status_of(asked, job, Policy(restarts=Restart.ALWAYS))
    assert found is not None
    return found.model_dump()


def states(found: dict[str, Any], which: str = "containers") -> list[Any]:
    return [next(iter(one["state"].items())) for one in found[which]]


def waits(found: dict[str, Any], which: str = "containers") -> list[str]:
    return [kind + " " + state.get("reason", "") for kind, state in states(found, which)]


def init(name: str, **fields: Any) -> ContainerStatus:
    return ContainerStatus(name, True, **fields)


def test_the_whole_of_a_status() -> None:
    assert look(JobState.RUNNING, running("a"), running("b")) == {
        "name": "p", "UID": "0f6dfb1e-4b0a-4c55-9b0e-b1a7a7b0c001", "namespace": "t", "JID": "1002",
        "containers": [
            {"name": name, "image": "busybox", "imageID": "", "restartCount": 0, "ready": True, "started": True,
             "lastState": {}, "state": {"running": {"startedAt": "1970-01-01T00:16:40Z"}}}
            for name in ("a", "b")
        ],
        "initContainers": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (JobState.PENDING, "waiting Submitting"),
        (JobState.QUEUED, "waiting Queued"),
        (JobState.HELD, "waiting Held"),
        (JobState.RUNNING, "waiting ContainerCreating"),
    ],
)
def test_before_it_runs_all_wait_with_the_sites_words(state: JobState, reason: str) -> None:
    found = look(state, words="PENDING (Priority)")
    assert waits(found) == [reason, reason]
    assert states(found)[0][1]["message"] == "PENDING (Priority)"


def test_a_job_over_a_quota_waits_with_that_reason() -> None:
    found = look(JobState.PENDING, reason=Reason.QUOTA, words="QOSMaxSubmitJobPerUserLimit")
    assert states(found) == [
        ("waiting", {"reason": "QuotaExceeded", "message": "QOSMaxSubmitJobPerUserLimit"}),
    ] * 2  # fmt: skip
    assert waits(look(JobState.QUEUED)) == ["waiting Queued"] * 2


def test_while_init_containers_run_the_others_initialise() -> None:
    made = pod(container("a"), initContainers=INIT)
    statuses = (init("i1", phase=Phase.TERMINATED, exit_code=0), init("i2", phase=Phase.RUNNING, started=5.0))
    found = look(JobState.RUNNING, *statuses, made=made)
    assert waits(found) == ["waiting PodInitializing"]
    assert [kind for kind, _ in states(found, "initContainers")] == ["terminated", "running"]


def test_an_init_container_is_ready_once_it_has_succeeded() -> None:
    made = pod(container("a"), initContainers=[*INIT, container("i3")])
    succeeded, failed = (init(f"i{code + 1}", phase=Phase.TERMINATED, exit_code=code) for code in (0, 1))
    found = look(JobState.RUNNING, succeeded, failed, init("i3", phase=Phase.RUNNING, ready=True), made=made)
    assert [one["ready"] for one in found["initContainers"]] == [True, False, False]


def test_a_failed_init_container_ends_the_main_ones() -> None:
    made = pod(container("a"), initContainers=INIT)
    failed = init("i1", phase=Phase.TERMINATED, exit_code=2, reason=Reason.ERROR)
    for state in (JobState.RUNNING, JobState.FAILED):
        found = look(state, failed, made=made)
        (kind, over), *_ = states(found)
        assert (kind, over["exitCode"]) == ("terminated", 1)
        assert "i1 failed" in over["message"]
        assert states(found, "initContainers")[0] == (
            "terminated", {"exitCode": 2, "reason": "Error", "startedAt": None, "finishedAt": None},
        )  # fmt: skip
        assert states(found, "initContainers")[1][0] == "waiting"


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        (ended("a"), 0, "Completed"),
        (ended("a", 3, reason=Reason.ERROR), 3, "Error"),
        (ended("a", 7), 7, "Error"),
        (ended("a", 137, reason=Reason.OUT_OF_MEMORY), 137, "OOMKilled"),
        (ended("a", 143, reason=Reason.TIME_LIMIT), 143, "DeadlineExceeded"),
        (ended("a", 128, reason=Reason.START_ERROR), 128, "ContainerCannotRun"),
        (ended("a", None, reason=Reason.IMAGE), 1, "ErrImagePull"),
        (ended("a", None, reason=Reason.NODE_FAIL), 1, "NodeLost"),
        (ended("a", 143, reason=Reason.CANCELLED), 143, "Cancelled"),
        (ended("a", 0, reason=Reason.OUT_OF_MEMORY), 1, "OOMKilled"),
    ],
)
def test_how_a_container_ended(status: ContainerStatus, code: int, reason: str) -> None:
    over = states(look(JobState.FAILED, status, made=pod(container("a"))))[0][1]
    if code:
        assert (over["exitCode"], over["reason"]) == (code, reason)
    assert states(look(JobState.RUNNING, status, running("b")))[0][1]["exitCode"] == code


def test_signals_messages_and_times_are_shown() -> None:
    over = states(look(JobState.FAILED, ended("a", 137, signal=9, message="killed"), made=pod(container("a"))))[0][1]
    assert over == {
        "exitCode": 137, "signal": 9, "message": "killed", "reason": "Error",
        "startedAt": "1970-01-01T00:16:40Z", "finishedAt": "1970-01-01T00:16:45Z",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("state", "reason", "code", "shown"),
    [
        (JobState.FAILED, Reason.REFUSED, 1, "SubmissionRefused"),
        (JobState.FAILED, Reason.STAGE_IN, 1, "StageInFailed"),
        (JobState.FAILED, Reason.STAGE_OUT, 1, "StageOutFailed"),
        (JobState.FAILED, Reason.PREEMPTED, 143, "Preempted"),
        (JobState.FAILED, Reason.NODE_FAIL, 1, "NodeLost"),
        (JobState.FAILED, Reason.LOST, 1, "NodeLost"),
        (JobState.FAILED, Reason.TIME_LIMIT, 143, "DeadlineExceeded"),
        (JobState.FAILED, Reason.OUT_OF_MEMORY, 137, "OOMKilled"),
        (JobState.CANCELLED, "", 143, "Cancelled"),
        (JobState.FAILED, "", 1, "Error"),
    ],
)
def test_the_end_of_a_job_whose_containers_left_no_word(state: JobState, reason: str, code: int, shown: str) -> None:
    found = look(state, reason=reason, words="said the site", ended=1_005.0)
    for kind, over in states(found):
        assert (kind, over["exitCode"], over["reason"]) == ("terminated", code, shown)
        assert (over["message"], over["finishedAt"]) == ("said the site", "1970-01-01T00:16:45Z")


def test_a_job_that_failed_is_no_success_though_all_containers_say_0() -> None:
    found = look(JobState.FAILED, ended("a"), ended("b"), reason=Reason.STAGE_OUT)
    assert [over["exitCode"] for _, over in states(found)] == [1, 0]


def test_a_success_whose_containers_left_no_word() -> None:
    assert [over["exitCode"] for _, over in states(look(JobState.SUCCEEDED))] == [0, 0]


def test_a_container_that_will_be_restarted_is_not_told_as_ended() -> None:
    made = pod(container("a"), restartPolicy="Always")
    found = look(JobState.RUNNING, ended("a", 1), made=made)
    assert waits(found) == ["waiting CrashLoopBackOff"]
    assert found["containers"][0]["lastState"]["terminated"]["exitCode"] == 1
    made = pod(container("a"), container("b"), restartPolicy="OnFailure")
    found = look(JobState.RUNNING, ended("a", 0), ended("b", 1), made=made)
    assert waits(found) == ["terminated Completed", "waiting CrashLoopBackOff"]


def test_where_restart_policies_are_not_followed_an_end_is_an_end() -> None:
    job = PodJob("1", JobState.RUNNING, TaskStatus(0, JobState.RUNNING, containers=(ended("a", 1), running("b"))))
    made = AskedPod.model_validate(pod(container("a"), container("b"), restartPolicy="Always"))
    found = status_of(made, job, Policy(restarts=Restart.NEVER))
    assert found is not None
    assert waits(found.model_dump()) == ["terminated Error", "running "]
    assert status_of(made, job) == found


def test_restarts_are_counted() -> None:
    again = ContainerStatus("a", restarts=5, last_exit_code=137, last_reason=Reason.OUT_OF_MEMORY)
    one = look(JobState.RUNNING, again, made=pod(container("a")))["containers"][0]
    assert one["restartCount"] == 5
    assert one["lastState"] == {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    assert one["state"] == {"waiting": {"reason": "CrashLoopBackOff"}}


def test_between_its_runs_a_container_crash_loops_from_the_first_on() -> None:
    again = ContainerStatus("a", reason=Reason.ERROR, message="exit code 1; starts again in 0 s", last_exit_code=1)
    one = look(JobState.RUNNING, again, made=pod(container("a")))["containers"][0]
    assert one["state"] == {"waiting": {"reason": "CrashLoopBackOff", "message": "exit code 1; starts again in 0 s"}}
    assert (one["restartCount"], one["lastState"]["terminated"]["exitCode"]) == (0, 1)


@pytest.mark.parametrize(
    ("reason", "shown"), [(Reason.IMAGE, "ErrImagePull"), (Reason.START_ERROR, "ContainerCannotRun")]
)
def test_a_container_that_cannot_start_is_not_tried_again_whatever_its_pod_says(reason: Reason, shown: str) -> None:
    made = pod(container("a"), container("b"), restartPolicy="Always")
    failed = ended("a", 128, reason=reason, message="no such file")
    found = look(JobState.RUNNING, failed, running("b"), made=made)
    assert waits(found) == [f"terminated {shown}", "running "]
    assert states(found)[0][1]["message"] == "no such file"


def test_init_containers_of_a_job_that_failed_before_them_were_not_started() -> None:
    made = pod(container("a"), initContainers=INIT)
    found = look(JobState.FAILED, reason=Reason.REFUSED, words="no such partition", made=made)
    assert waits(found, "initContainers") == ["waiting NotStarted"] * 2
    assert waits(found) == ["terminated SubmissionRefused"]


def test_names_that_the_virtual_kubelet_does_not_know_would_end_it() -> None:
    assert [one["name"] for one in look(JobState.RUNNING, running("z"), running("a"))["containers"]] == ["a", "b"]
    made = pod(container("a"), container("b"))
    made["status"]["containerStatuses"].pop()
    assert [one["name"] for one in look(JobState.RUNNING, made=made)["containers"]] == ["a"]


def test_a_pod_that_was_never_handed_over_has_no_status() -> None:
    assert status_of(AskedPod.model_validate(pod()), None) is None


def test_a_pod_whose_job_is_gone_ends() -> None:
    found = status_of(AskedPod.model_validate(pod(annotations={"JobID": "1004"})), None)
    assert found is not None
    assert found.JID == "1004"
    over = found.containers[0]["state"]["terminated"]
    assert (over["exitCode"], over["reason"]) == (1, "NodeLost")


STATUS = st.builds(
    ContainerStatus,
    st.sampled_from(["a", "b", "i1", "z"]), st.booleans(), st.sampled_from(Phase),
    st.sampled_from(["", *Reason]), exit_code=st.none() | st.integers(0, 255), restarts=st.integers(0, 3),
)  # fmt: skip


@given(
    st.sampled_from(JobState), st.lists(STATUS, max_size=5), st.sampled_from(["Always", "OnFailure", "Never"]),
    st.sampled_from(["", *Reason]),
)  # fmt: skip
def test_whatever_the_site_says_the_phase_agrees_with_the_job(
    state: JobState, containers: list[ContainerStatus], policy: str, reason: str
) -> None:
    made = pod(container("a"), container("b"), initContainers=[container("i1")], restartPolicy=policy)
    found = look(state, *containers, made=made, reason=reason)
    assert [one["name"] for one in found["containers"]] == ["a", "b"]
    assert [one["name"] for one in found["initContainers"]] == ["i1"]
    for one in (*found["containers"], *found["initContainers"]):
        assert len(one["state"]) == 1
    kinds = [kind for kind, _ in states(found)]
    codes = [over["exitCode"] for kind, over in states(found) if kind == "terminated"]
    if state in ENDED:
        assert kinds == ["terminated", "terminated"]
    if state in (JobState.FAILED, JobState.CANCELLED):
        assert any(codes)
