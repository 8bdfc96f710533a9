"""The API server's side of the recorded conversation: its answers kept, its defects not."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from isthmus.api.dialects.interlink.door import Door
from isthmus.api.dialects.interlink.edge import Edge
from isthmus.api.dialects.interlink.memory import Statuses
from isthmus.api.dialects.interlink.upstream import Broken, Reply, Unreached
from isthmus.work.job import JobState

from .conftest import Client
from .ledger import Ledger, ended, running
from .pods import UID, config_map, container, log_request, pod, secret

SESSION = "CreatePod#76576"


class Recorder:
    """A plugin that answers what the test says, and keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, bytes] | Exception] = []
        self.asked: list[tuple[str, str, bytes, str]] = []

    async def send(self, method: str, path: str, body: bytes, session: str) -> Reply:
        self.asked.append((method, path, body, session))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return Reply(answer[0], _once(answer[1]))

    async def close(self) -> None:
        """Nothing is held."""


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def kubelet(recorder: Recorder, clock: Clock) -> AsyncIterator[Client]:
    statuses = Statuses(lost_after=300, clock=clock)
    client = Client(Door(Edge(recorder, statuses, patience=0.05, pause=0.01).routes()))
    yield client
    await client.http.aclose()


def create_body(made: dict[str, Any], **sent: Any) -> dict[str, Any]:
    nothing = {"configmaps": None, "secrets": None, "projectedvolumesmaps": None, "jobscriptURL": ""}
    return {"pod": made, **nothing, **sent}


def ids(uid: str = UID, number: str = "1004") -> bytes:
    return json.dumps({"PodUID": uid, "PodJID": number}).encode()


def shown(name: str = "main", uid: str = UID, **state: Any) -> dict[str, Any]:
    one = {"name": name, "state": state or {"running": {"startedAt": "2026-11-21T15:15:41Z"}}}
    return {"name": "p", "UID": uid, "namespace": "t", "JID": "1004", "containers": [one], "initContainers": []}


async def test_the_whole_way_of_a_pod_in_one_process(edge: Client, ledger: Ledger) -> None:
    """Virtual kubelet, API server, plugin, job: created, running, its log read, ended, deleted."""
    made = pod(container(volumeMounts=[{"name": "cm", "mountPath": "/c"}]),
               volumes=[{"name": "cm", "configMap": {"name": "cm1"}}])  # fmt: skip
    answer = await edge.ask("POST", "/create", create_body(made, configmaps=[config_map("cm1", k="v")]))
    assert (answer.status_code, answer.json()) == (200, {"PodUID": UID, "PodJID": "1001"})
    files = ledger.specs[UID].volumes[0].files
    assert files is not None
    assert files[0].path == "k"
    made["metadata"]["annotations"]["JobID"] = "1001"
    ledger.move(UID, JobState.RUNNING, running())
    assert "running" in (await edge.ask("GET", "/status", [made])).json()[0]["containers"][0]["state"]
    ledger.write(UID, "main", b"hello\n")
    assert (await edge.ask("GET", "/getLogs", log_request())).content == b"hello\n"
    ledger.move(UID, JobState.FAILED, ended(code=3))
    over = (await edge.ask("GET", "/status", [made])).json()[0]["containers"][0]["state"]["terminated"]
    assert over["exitCode"] == 3
    assert (await edge.ask("DELETE", "/delete", made)).status_code == 200
    assert ledger.removed == [UID]


async def test_a_refusal_reaches_the_pod_by_name_and_escaped(edge: Client) -> None:
    made = pod(container(), volumes=[{"name": "v", "hostPath": {"path": "/<b>"}}])
    answer = await edge.ask("POST", "/create", create_body(made), **{"Interlink-Http-Session": SESSION})
    assert answer.status_code == 422
    assert answer.text.startswith(
        f"HTTP InterLink session {SESSION}:  call exit status: 500. Body: The pod is refused."
    )
    assert "spec.volumes[0].hostPath.path" in answer.text
    assert "<b>" not in answer.text
    assert "&lt;b&gt;" in answer.text


async def test_what_a_plugin_is_sent(kubelet: Client, recorder: Recorder) -> None:
    """Init containers first; each with what its mounts name, once, and null where it names nothing."""
    recorder.answers = [(200, ids())]
    made = pod(
        container("main", volumeMounts=[
            {"name": "cm", "mountPath": "/a"}, {"name": "cm", "mountPath": "/b"}, {"name": "s", "mountPath": "/s"},
            {"name": "kube-api-access-x", "mountPath": "/k"}, {"name": "e", "mountPath": "/e"}]),
        container("bare"),
        initContainers=[container("init", volumeMounts=[{"name": "cm2", "mountPath": "/a"}])],
        volumes=[
            {"name": "cm", "configMap": {"name": "cm1"}}, {"name": "cm2", "configMap": {"name": "cm1"}},
            {"name": "s", "secret": {"secretName": "s1"}}, {"name": "e", "emptyDir": {}},
            {"name": "kube-api-access-x", "projected": {"sources": []}}],
    )  # fmt: skip
    map1, secret1 = config_map("cm1", k="v"), secret("s1", user="alice")
    token = config_map("kube-api-access-x", token="t")
    sent = create_body(made, configmaps=[map1, map1], secrets=[secret1], projectedvolumesmaps=[token])
    answer = await kubelet.ask("POST", "/create", sent, **{"Interlink-Http-Session": SESSION})
    assert (answer.status_code, answer.content) == (200, ids().replace(b" ", b""))
    method, path, body, session = recorder.asked[0]
    assert (method, path, session) == ("POST", "/create", SESSION)
    got = json.loads(body)
    nothing = {"configMaps": None, "projectedvolumemaps": None, "secrets": None, "emptyDirs": None}
    assert got["pod"] == made
    assert got["container"] == [
        {**nothing, "name": "init", "configMaps": [map1]},
        {"name": "main", "configMaps": [map1], "secrets": [secret1], "projectedvolumemaps": [token], "emptyDirs": None},
        {**nothing, "name": "bare"},
    ]
    assert got["jobConfig"]["ApptainerOptions"]["fakeroot"] is False
    assert "jobScript" not in got


@pytest.mark.parametrize(
    ("answer", "status", "text"),
    [
        ((200, ids()), 200, ""),
        ((201, ids()), 200, ""),
        ((200, b"[" + ids() + b"]"), 200, ""),
        (
            (500, b"boom <b> \"q\" 'a' &"),
            500,
            "call exit status: 500. Body: boom &lt;b&gt; &#34;q&#34; &#39;a&#39; &amp;",
        ),
        ((404, b"nf"), 404, "call exit status: 500. Body: nf"),
        ((503, b"busy"), 503, "call exit status: 500. Body: busy"),
        ((200, b""), 500, "named no job"),
        ((200, b"hello"), 500, "named no job"),
        ((200, b'{"PodUID": 3}'), 500, "named no job"),
        ((200, ids(uid="other")), 500, "another pod"),
        (Broken("cut off"), 500, "cut off"),
        (Unreached("refused"), 500, "cannot be reached"),
    ],
)
async def test_answers_of_plugins_to_create(
    kubelet: Client, recorder: Recorder, answer: Any, status: int, text: str
) -> None:
    recorder.answers = [answer]
    found = await kubelet.ask("POST", "/create", create_body(pod()), **{"Interlink-Http-Session": SESSION})
    assert found.status_code == status
    assert text in found.text
    if status != 200:
        assert found.text.startswith(f"HTTP InterLink session {SESSION}:  call exit status: 500. Body: ")


async def test_a_plugin_that_starts_up_is_waited_for(recorder: Recorder) -> None:
    """A refused connection would fail the pod for good, and orphan the job of a deleted one."""
    kubelet = Client(Door(Edge(recorder, Statuses(), patience=60, pause=0.01).routes()))
    recorder.answers = [Unreached("refused"), Unreached("refused"), (200, ids())]
    assert (await kubelet.ask("POST", "/create", create_body(pod()))).status_code == 200
    recorder.answers = [Unreached("refused"), (200, b"ok")]
    assert (await kubelet.ask("DELETE", "/delete", pod())).status_code == 200
    assert [one[:2] for one in recorder.asked[-2:]] == [("POST", "/delete")] * 2
    await kubelet.http.aclose()


async def test_what_broke_in_the_middle_is_not_sent_twice(kubelet: Client, recorder: Recorder) -> None:
    recorder.answers = [Broken("cut off")]
    assert (await kubelet.ask("POST", "/create", create_body(pod()))).status_code == 500
    assert len(recorder.asked) == 1


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"[" * 5000, b'{"pod":3}', b'{"pod":{"metadata":{}}}'])
@pytest.mark.parametrize("path", ["/create", "/delete", "/getLogs"])
async def test_bodies_that_are_none_end_nothing(kubelet: Client, recorder: Recorder, path: str, body: bytes) -> None:
    """A /delete that is no JSON ended the stock process."""
    recorder.answers = [(200, b"pong")]
    assert (await kubelet.ask("POST", path, body)).status_code == 400
    assert (await kubelet.ask("POST", "/pinglink")).status_code == 200


async def test_a_script_by_url_is_refused(kubelet: Client) -> None:
    answer = await kubelet.ask("POST", "/create", create_body(pod(), jobscriptURL="http://builder/"))
    assert (answer.status_code, answer.text[:12]) == (422, "jobscriptURL")


async def test_statuses_pass_through(kubelet: Client, recorder: Recorder) -> None:
    recorder.answers = [(200, json.dumps([shown()]).encode())]
    answer = await kubelet.ask("GET", "/status", [pod()])
    assert (answer.status_code, answer.json()) == (200, [shown()])
    method, path, body, _ = recorder.asked[0]
    assert (method, path, json.loads(body)) == ("GET", "/status", [pod()])


@pytest.mark.parametrize(
    ("answer", "status", "text"),
    [
        ((500, b"boom"), 500, "Body: boom"),
        ((404, b"nf"), 404, "Body: nf"),
        ((200, b""), 200, ""),
        ((200, b"junk"), 200, ""),
        ((200, b"{}"), 200, ""),
        ((200, b"[]"), 200, "null"),
        (Broken("cut off"), 500, ""),
        (Unreached("refused"), 500, ""),
    ],
)
async def test_answers_of_plugins_to_status(
    kubelet: Client, recorder: Recorder, answer: Any, status: int, text: str
) -> None:
    recorder.answers = [answer]
    found = await kubelet.ask("GET", "/status", [pod()])
    assert (found.status_code, found.text[-len(text) :] if text else found.text) == (status, text)


@pytest.mark.parametrize(
    "faulty",
    [
        [shown(uid="other")],
        [{**shown(), "containers": []}],
        [{**shown(), "containers": None}],
        [shown("ghost")],
        [{**shown(), "UID": None}],
        [3, None, "x"],
    ],
)
async def test_faulty_statuses_reach_no_pod(kubelet: Client, recorder: Recorder, faulty: list[Any]) -> None:
    recorder.answers = [(200, json.dumps(faulty).encode())]
    answer = await kubelet.ask("GET", "/status", [pod()])
    assert (answer.status_code, answer.json()) == (200, None)


async def test_a_name_that_would_end_the_virtual_kubelet_is_dropped(kubelet: Client, recorder: Recorder) -> None:
    status = shown()
    status["containers"] = [{"name": "ghost", "state": {"terminated": {"exitCode": 0}}}, *status["containers"]]
    recorder.answers = [(200, json.dumps([status]).encode())]
    assert (await kubelet.ask("GET", "/status", [pod()])).json() == [shown()]


async def test_a_container_that_the_cluster_has_no_status_of_is_dropped(kubelet: Client, recorder: Recorder) -> None:
    made = pod(container(), container("later"))
    made["status"]["containerStatuses"].pop()
    status = shown()
    status["containers"] = [*status["containers"], {"name": "later", "state": {"terminated": {"exitCode": 0}}}]
    recorder.answers = [(200, json.dumps([status]).encode())]
    assert (await kubelet.ask("GET", "/status", [made])).json() == [shown()]


async def test_a_pod_that_the_plugin_lost_ends_in_time(kubelet: Client, recorder: Recorder, clock: Clock) -> None:
    """The stock API server would show it running for ever."""
    made = pod(annotations={"JobID": "1004"})
    recorder.answers = [(200, json.dumps([shown()]).encode()), (200, b"[]")]
    for moment in (0.0, 10.0, 309.0):
        clock.now = moment
        assert (await kubelet.ask("GET", "/status", [made])).json() == [shown()]
    clock.now = 310.0
    over = (await kubelet.ask("GET", "/status", [made])).json()[0]["containers"][0]["state"]["terminated"]
    assert over["reason"] == "NodeLost"


async def test_a_pod_that_was_never_created_stays_as_it_is(kubelet: Client, recorder: Recorder, clock: Clock) -> None:
    recorder.answers = [(200, b"[]")]
    for clock.now in (0.0, 1000.0):
        assert (await kubelet.ask("GET", "/status", [pod()])).json() is None


@pytest.mark.parametrize("body", [b"[]", b"{}", b"junk", b""])
async def test_without_pods_all_that_is_remembered_comes(kubelet: Client, recorder: Recorder, body: bytes) -> None:
    recorder.answers = [(200, json.dumps([shown()]).encode())]
    assert (await kubelet.ask("GET", "/status", body)).json() is None
    await kubelet.ask("GET", "/status", [pod()])
    assert (await kubelet.ask("POST", "/status", body)).json() == [shown()]


@pytest.mark.parametrize("body", [UID.encode(), json.dumps(pod()).encode(), b"junk", b""])
async def test_updating_the_cache_is_always_well(kubelet: Client, recorder: Recorder, body: bytes) -> None:
    recorder.answers = [(200, json.dumps([shown()]).encode())]
    await kubelet.ask("GET", "/status", [pod()])
    answer = await kubelet.ask("POST", "/updateCache", body)
    assert (answer.status_code, answer.text) == (200, "Updated cache")
    forgotten = (await kubelet.ask("GET", "/status", [])).json() is None
    assert forgotten == (UID.encode() in body)


@pytest.mark.parametrize(
    ("answer", "status", "text"),
    [
        ((200, b'{"status":"ok" , "x":1}'), 200, '{"status":"ok" , "x":1}'),
        ((500, b"slurm down"), 500, f"HTTP InterLink session {SESSION}:  call exit status: 500. Body: slurm down503"),
        (Unreached("refused"), 500, "503"),
        (Broken("cut off"), 500, "503"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_pings(kubelet: Client, recorder: Recorder, answer: Any, status: int, text: str, method: str) -> None:
    recorder.answers = [answer]
    found = await kubelet.ask(method, "/pinglink", b"", **{"Interlink-Http-Session": SESSION})
    assert (found.status_code, found.text) == (status, text)
    assert recorder.asked == [("GET", "/status", b"[]", SESSION)]


async def test_a_session_is_made_up_where_none_is_given(kubelet: Client, recorder: Recorder) -> None:
    recorder.answers = [(200, b"")]
    await kubelet.ask("POST", "/pinglink")
    await kubelet.ask("POST", "/pinglink", **{"Interlink-Http-Session": "x" * 300})
    sessions = [one[3] for one in recorder.asked]
    assert all(one.startswith("Request-") for one in sessions)
    assert sessions[0] != sessions[1]


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        (log_request(Tail=3, Bytes=12), "Both Tail and LimitBytes set. Set only one of them"),
        (log_request(SinceSeconds=3, SinceTime="2026-11-21T15:15:41Z"), "Both SinceSeconds and SinceTime set"),
        (log_request(namespace="a_b"), "Namespace"),
        (log_request(container="a_b"), "ContainerName"),
        (log_request(uid="a b"), "PodUID"),
    ],
)
async def test_logs_that_are_refused(kubelet: Client, request_: dict[str, Any], text: str) -> None:
    answer = await kubelet.ask("GET", "/getLogs", request_)
    assert answer.status_code == 400
    assert text in answer.text


@pytest.mark.parametrize("method", ["POST", "DELETE", "GET"])
async def test_delete_by_any_method_becomes_post(kubelet: Client, recorder: Recorder, method: str) -> None:
    recorder.answers = [(200, b"whatever")]
    assert (await kubelet.ask(method, "/delete", pod())).status_code == 200
    assert recorder.asked[0][:2] == ("POST", "/delete")


async def test_a_delete_that_fails_is_told(kubelet: Client, recorder: Recorder) -> None:
    recorder.answers = [(404, b"nf")]
    answer = await kubelet.ask("DELETE", "/delete", pod())
    assert (answer.status_code, "Body: nf" in answer.text) == (404, True)


async def test_unknown_paths(kubelet: Client) -> None:
    answer = await kubelet.ask("GET", "/healthz")
    assert (answer.status_code, answer.text) == (404, "404 page not found\n")
