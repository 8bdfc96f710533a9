"""Makes this machine ready as the ``local`` site: ``python -m isthmus.sites.local.provision``.

Says something only when there is something to do; ends with 1 and the reason when it cannot be done.
"""

from __future__ import annotations

import asyncio
import sys

from isthmus.sites.errors import SiteError
from isthmus.sites.local.driver import LocalDriver


def main() -> int:
    """Start or install an engine and make the machine image, where they are missing."""
    try:
        asyncio.run(_prepare())
    except SiteError as error:
        print(f"local site: {error}", file=sys.stderr)
        return 1
    return 0


async def _prepare() -> None:
    driver = LocalDriver("local", {})
    try:
        await driver.prepare(lambda line: print(f"local site: {line}", flush=True))
    finally:
        await driver.close()


if __name__ == "__main__":
    sys.exit(main())
