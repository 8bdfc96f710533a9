"""The baseline of api.py: the least that FastAPI can do, with uvicorn set as Isthmus sets it.

``python _bare.py`` prints its port and serves until it is ended.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import uvicorn
import uvloop
from fastapi import FastAPI, Request

ANSWER = {"id": "0123456789ab", "name": "bare", "phase": "running", "reason": "", "template": "machine"}


def build() -> FastAPI:
    """One read and one write, both answering a constant."""
    app = FastAPI(openapi_url=None)

    @app.get("/constant")
    async def read() -> dict[str, str]:
        return ANSWER

    @app.post("/constant", status_code=202)
    async def write(request: Request) -> dict[str, str]:
        body: Any = await request.json()
        return ANSWER | {"name": body["name"]}

    return app


def main() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        print(listener.getsockname()[1], flush=True)
        config = uvicorn.Config(
            build(), loop="none", http="httptools", ws="none", lifespan="off", log_config=None, access_log=False,
            server_header=False,
        )  # fmt: skip
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(uvicorn.Server(config).serve([listener]))


if __name__ == "__main__":
    main()
