"""Firefox for Playwright, which speaks WebDriver BiDi as a newer Firefox than Debian's knows it.

Started in Firefox's place, with the same arguments: starts it, passes everything on, and says by
itself that it did what Debian's Firefox doesn't know and no test needs.
"""

import asyncio
import json
import re
import subprocess
import sys
from contextlib import suppress
from functools import partial

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

UNKNOWN = {"emulation.setMediaFeaturesOverride"}
LISTENS = re.compile(r"WebDriver BiDi listening on (ws://\S+)")


async def pass_on(playwright: ServerConnection, firefox_url: str) -> None:
    path = playwright.request.path if playwright.request else ""
    async with connect(firefox_url + path, max_size=None, proxy=None) as firefox:

        async def answers() -> None:
            async for message in firefox:
                await playwright.send(message)

        async def commands() -> None:
            async for message in playwright:
                told = json.loads(message)
                if told["method"] in UNKNOWN:
                    done = {"type": "success", "id": told["id"], "result": {}}
                    await playwright.send(json.dumps(done))
                else:
                    await firefox.send(message)

        both = [asyncio.create_task(answers()), asyncio.create_task(commands())]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        for task in both:
            task.cancel()
            with suppress(asyncio.CancelledError, ConnectionClosed):
                await task


async def run(command: list[str]) -> int:
    firefox = await asyncio.create_subprocess_exec(*command, stderr=subprocess.PIPE)
    assert firefox.stderr is not None
    async for line in firefox.stderr:
        text = line.decode()
        if listens := LISTENS.search(text):
            text = text.replace(listens[1], await stand_before(listens[1]))
        sys.stderr.write(text)
        sys.stderr.flush()
    return await firefox.wait()


async def stand_before(firefox_url: str) -> str:
    """Our own address, which is served until this process ends."""
    handle = partial(pass_on, firefox_url=firefox_url)
    server = await serve(handle, "127.0.0.1", 0, max_size=None)
    port = next(iter(server.sockets)).getsockname()[1]
    return f"ws://127.0.0.1:{port}"


if __name__ == "__main__":
    sys.exit(asyncio.run(run(sys.argv[1:])))
