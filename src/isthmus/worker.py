"""The worker process: ``isthmus server work``, or ``python -m isthmus.worker``."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys

from isthmus.errors import IsthmusError
from isthmus.logs import set_up_logging
from isthmus.settings import Settings, load_settings


def main() -> int:
    """Work until SIGTERM or SIGINT; the exit code for the shell."""
    try:
        settings = load_settings()
        set_up_logging(settings.log_level)
        asyncio.run(_work(settings))
    except IsthmusError as error:
        print(f"isthmus: {error.detail}", file=sys.stderr)
        return 2
    return 0


async def _work(settings: Settings) -> None:
    from isthmus.runtime import run_worker

    task = asyncio.ensure_future(run_worker(settings))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    logging.getLogger("isthmus.worker").info("working on %s", settings.database_url.rpartition("@")[2])
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()


if __name__ == "__main__":
    sys.exit(main())
