"""What a site tells of a job, as the statuses that the stock virtual kubelet makes a pod's phase of.

It wants all containers of the pod and none besides: an empty list it takes for success, a name that it does not
know ends it, and a failed init container it notices only by main containers that are reported terminated.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from isthmus.api.dialects.interlink.jobs import PodJob
from isthmus.api.dialects.interlink.policy import Policy
from isthmus.api.dialects.interlink.wire import AskedPod, NamedContainer, PodStatus
from isthmus.work.job import ENDED, ContainerStatus, JobState, Phase, Reason, Restart

JID = "JobID"
"""The annotation by which the virtual kubelet notes that a pod was handed over."""
TERMINATED: Mapping[str, str] = {
    Reason.OUT_OF_MEMORY: "OOMKilled",
    Reason.TIME_LIMIT: "DeadlineExceeded",
    Reason.START_ERROR: "ContainerCannotRun",
    Reason.IMAGE: "ErrImagePull",
    Reason.UNHEALTHY: "Unhealthy",
    Reason.NODE_FAIL: "NodeLost",
    Reason.LOST: "NodeLost",
    Reason.PREEMPTED: "Preempted",
    Reason.REFUSED: "SubmissionRefused",
    Reason.STAGE_IN: "StageInFailed",
    Reason.STAGE_OUT: "StageOutFailed",
    Reason.CANCELLED: "Cancelled",
}
"""Those that a pod's job can have: it waits for no other job, and one over a quota is not ended."""
_FOR_GOOD = frozenset({Reason.START_ERROR, Reason.IMAGE})
"""How a container ends that is not started again, whatever its pod says: it would end the same way."""
WAITING: Mapping[JobState, str] = {
    JobState.PENDING: "Submitting",
    JobState.QUEUED: "Queued",
    JobState.HELD: "Held",
    JobState.RUNNING: "ContainerCreating",
}
_EXIT_CODES: Mapping[str, int] = {
    Reason.OUT_OF_MEMORY: 137,
    Reason.TIME_LIMIT: 143,
    Reason.CANCELLED: 143,
    Reason.PREEMPTED: 143,
    Reason.START_ERROR: 128,
}
"""For containers that left no code of their own."""


def status_of(pod: AskedPod, job: PodJob | None, policy: Policy | None = None) -> PodStatus | None:
    """The status of a pod; None for one that was never handed over, so that nothing changes in the cluster.

    ``policy`` says which restart policies are followed.
    """
    if job is None and not pod.metadata.annotations.get(JID):
        return None
    main = known_containers(pod)
    if not main:
        return None
    if job is None:
        what = "This site knows no job of the pod any more."
        containers = [_terminated(one, 1, "NodeLost", what) for one in main]
        init: list[dict[str, Any]] = []
    else:
        view = _View(pod, job, policy or Policy())
        containers, init = view.containers(main), view.init()
    metadata = pod.metadata
    return PodStatus(
        name=metadata.name,
        UID=metadata.uid,
        namespace=metadata.namespace,
        JID=job.id if job is not None else metadata.annotations[JID],
        containers=containers,
        initContainers=init,
    )


def known_containers(pod: AskedPod) -> list[NamedContainer]:
    """The containers that the cluster has a status of: told of another, the virtual kubelet ends."""
    known = {one.name for one in pod.status.container_statuses}
    return [one for one in pod.spec.containers if not known or one.name in known]


class _View:
    """One job, looked at as the pod that it was."""

    def __init__(self, pod: AskedPod, job: PodJob, policy: Policy):
        self._pod = pod
        self._job = job
        self._task = job.task
        self._statuses = {(one.init, one.name): one for one in job.task.containers}
        self._ended = job.state in ENDED
        self._restart = policy.restart(pod.spec.restart_policy)
        self._failed_init = next((one for one in job.task.containers if one.init and _has_failed(one)), None)

    def containers(self, named: list[NamedContainer]) -> list[dict[str, Any]]:
        made = [self._one(one, init=False) for one in named]
        if self._job.state in (JobState.FAILED, JobState.CANCELLED) and not any(map(_exit_code, made)):
            # All said 0, and still it failed: the cluster would take it for a success.
            made[0] = self._ended_without_word(named[0])
        return made

    def init(self) -> list[dict[str, Any]]:
        return [self._one(one, init=True) for one in self._pod.spec.init_containers]

    def _one(self, named: NamedContainer, *, init: bool) -> dict[str, Any]:
        status = self._statuses.get((init, named.name))
        if status is None:
            status = ContainerStatus(named.name, init)
        if status.phase is Phase.TERMINATED:
            return self._restarting(named, status) if self._goes_on(status) else self._over(named, status)
        if self._ended:
            return self._end_of_unfinished(named, init)
        if status.phase is Phase.RUNNING:
            state = {"running": {"startedAt": stamp(status.started or self._task.started)}}
            return _fields(named, state, status)
        if not init and self._failed_init is not None and self._restart is Restart.NEVER:
            return _terminated(named, 1, "Error", f"The init container {self._failed_init.name} failed.")
        return _fields(named, {"waiting": self._waiting(status)}, status)

    def _goes_on(self, status: ContainerStatus) -> bool:
        """Whether the container will be started again: told terminated, its pod would be over for good."""
        if self._ended or status.reason in _FOR_GOOD:
            return False
        failed = _has_failed(status)
        return failed and self._restart is not Restart.NEVER if status.init else (
            self._restart is Restart.ALWAYS or (self._restart is Restart.ON_FAILURE and failed)
        )  # fmt: skip

    def _waiting(self, status: ContainerStatus) -> dict[str, Any]:
        message = status.message or self._task.words
        if status.restarts or status.last_exit_code is not None:
            reason = "CrashLoopBackOff"
        elif self._job.state is JobState.PENDING and self._task.reason == Reason.QUOTA:
            reason = "QuotaExceeded"
        elif self._job.state is JobState.RUNNING and not status.init and self._has_init_to_run():
            reason = "PodInitializing"
        else:
            reason = WAITING.get(self._job.state, "ContainerCreating")
        return {"reason": reason, "message": message} if message else {"reason": reason}

    def _has_init_to_run(self) -> bool:
        names = [one.name for one in self._pod.spec.init_containers]
        statuses = [self._statuses.get((True, name)) for name in names]
        return not all(one is not None and one.phase is Phase.TERMINATED for one in statuses)

    def _over(self, named: NamedContainer, status: ContainerStatus) -> dict[str, Any]:
        code = status.exit_code if status.exit_code is not None else _EXIT_CODES.get(status.reason, 1)
        reason = _reason(status.reason, code)
        if code == 0 and status.reason in TERMINATED:
            code = 1
        state = {"exitCode": code, "reason": reason, "startedAt": stamp(status.started), "finishedAt":
                 stamp(status.ended)}  # fmt: skip
        if status.message:
            state["message"] = status.message
        if status.signal:
            state["signal"] = status.signal
        return _fields(named, {"terminated": state}, status)

    def _restarting(self, named: NamedContainer, status: ContainerStatus) -> dict[str, Any]:
        over = self._over(named, status)
        return {**over, "lastState": over["state"], "state": {"waiting": {"reason": "CrashLoopBackOff"}}}

    def _end_of_unfinished(self, named: NamedContainer, init: bool) -> dict[str, Any]:
        """A container whose end nobody saw, of a job that has ended."""
        if self._job.state is JobState.SUCCEEDED:
            ended = _terminated(named, 0, "Completed", "")
            return self._dated(ended)
        if init and (self._statuses.get((True, named.name)) is None or self._before_start(named.name)):
            return _fields(named, {"waiting": {"reason": "NotStarted"}}, ContainerStatus(named.name, True))
        return self._ended_without_word(named)

    def _before_start(self, name: str) -> bool:
        return self._statuses[(True, name)].phase is Phase.WAITING

    def _ended_without_word(self, named: NamedContainer) -> dict[str, Any]:
        task = self._task
        reason = task.reason or (Reason.CANCELLED if self._job.state is JobState.CANCELLED else Reason.ERROR)
        code = task.exit_code or _EXIT_CODES.get(reason, 1)
        message = task.words
        if self._failed_init is not None and not message:
            message = f"The init container {self._failed_init.name} failed."
        return self._dated(_terminated(named, code, _reason(reason, code), message))

    def _dated(self, status: dict[str, Any]) -> dict[str, Any]:
        over = status["state"]["terminated"]
        over |= {"startedAt": stamp(self._task.started), "finishedAt": stamp(self._task.ended)}
        return status


def _has_failed(status: ContainerStatus) -> bool:
    return status.phase is Phase.TERMINATED and (status.exit_code != 0 or status.reason in TERMINATED)


def _reason(reason: str, code: int) -> str:
    if reason in TERMINATED:
        return TERMINATED[reason]
    return "Completed" if code == 0 else reason or "Error"


def _exit_code(status: Mapping[str, Any]) -> int:
    return int(status["state"].get("terminated", {}).get("exitCode", 0))


def _terminated(named: NamedContainer, code: int, reason: str, message: str) -> dict[str, Any]:
    state: dict[str, Any] = {"exitCode": code, "reason": reason, "startedAt": None, "finishedAt": None}
    if message:
        state["message"] = message
    return _fields(named, {"terminated": state}, ContainerStatus(named.name))


def _fields(named: NamedContainer, state: dict[str, Any], status: ContainerStatus) -> dict[str, Any]:
    last: dict[str, Any] = {}
    if status.last_exit_code is not None:
        code = status.last_exit_code
        last = {"terminated": {"exitCode": code, "reason": _reason(status.last_reason, code)}}
    return {
        "name": named.name,
        "state": state,
        "lastState": last,
        "ready": _is_ready(state, status),
        "started": "running" in state,
        "restartCount": status.restarts,
        "image": named.image,
        "imageID": "",
    }


def _is_ready(state: Mapping[str, Any], status: ContainerStatus) -> bool:
    """An init container is ready once it has succeeded, another while it runs and its probe says so."""
    if status.init:
        return bool(state.get("terminated", {}).get("exitCode", 1) == 0)
    return "running" in state and status.ready


def stamp(time: float | None) -> str | None:
    """RFC 3339 in whole seconds, as Kubernetes meta/v1 Time; None stays so."""
    return None if time is None else datetime.fromtimestamp(int(time), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
