"""Drives the official Python SDK by lines of JSON on standard input and output.

python_sdk.py MODE COMMAND [ARGUMENT ...]

MODE is the SDK's own: legacy, auto or a version. typescript_sdk.mjs does the same with the
TypeScript SDKs; ../client.py has the other end and says what the lines are.
"""

import asyncio
import json
import os
import sys
from typing import Any

import anyio
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from mcp.shared.exceptions import MCPError

LOG_LEVEL_KEY = "io.modelcontextprotocol/logLevel"


def say(message: dict[str, Any]) -> None:
    """Writes one line."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def plain(model: Any) -> Any:
    """A model of the SDK as it was on the wire."""
    return model.model_dump(mode="json", by_alias=True, exclude_none=True)


class Driver:
    """Carries out one line after the other; calls run side by side."""

    def __init__(self, client: Client, tasks: Any) -> None:
        self.client = client
        self.tasks = tasks
        self.level: str | None = None
        self.calls: dict[int, anyio.CancelScope] = {}
        self.closing = anyio.Event()

    @property
    def is_stateless(self) -> bool:
        """Whether every request stands for itself, as from 2026-07-28 on."""
        return self.client.protocol_version >= "2026"

    async def tools(self, _: dict[str, Any]) -> Any:
        """All tools."""
        listed = await self.client.list_tools()
        return [plain(tool) for tool in listed.tools]

    async def call(self, line: dict[str, Any]) -> Any:
        """Calls a tool."""

        async def progress(done: float, _total: float | None, _message: str | None) -> None:
            say({"event": "progress", "call": line["id"], "progress": done})

        meta = {LOG_LEVEL_KEY: self.level} if self.is_stateless and self.level else None
        with anyio.CancelScope() as scope:
            self.calls[line["id"]] = scope
            result = await self.client.call_tool(
                line["name"], line["arguments"], progress_callback=progress, meta=meta
            )
            return plain(result)
        raise MCPError(0, "cancelled by the client")

    async def cancel(self, line: dict[str, Any]) -> Any:
        """Cancels a call that runs."""
        self.calls[line["call"]].cancel()

    async def level_(self, line: dict[str, Any]) -> Any:
        """Says from which level on messages are wanted."""
        self.level = line["level"]
        if not self.is_stateless:
            await self.client.set_logging_level(self.level)

    async def listen(self, _: dict[str, Any]) -> Any:
        """Asks to hear of changes, where that has to be asked for."""
        if not self.is_stateless:
            return
        ready = anyio.Event()

        async def follow() -> None:
            async with self.client.listen(tools_list_changed=True) as subscription:
                ready.set()
                async for _ in subscription:
                    say({"event": "tools-changed"})

        self.tasks.start_soon(follow)
        await ready.wait()

    async def close(self, _: dict[str, Any]) -> Any:
        """Ends the connection."""
        self.closing.set()

    async def carry_out(self, line: dict[str, Any]) -> None:
        """Carries out a line and says what came of it."""
        name = "level_" if line["do"] == "level" else line["do"]
        try:
            say({"id": line["id"], "result": await getattr(self, name)(line)})
        except Exception as error:
            say({"id": line["id"], "error": f"{type(error).__name__}: {error}"})

    async def read(self) -> None:
        """Reads lines until one says to close."""
        reader = asyncio.StreamReader(limit=64 * 1024 * 1024)
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while text := await reader.readline():
            self.tasks.start_soon(self.carry_out, json.loads(text))
        self.closing.set()


async def main() -> None:
    """Connects and takes lines."""
    mode, command, *arguments = sys.argv[1:]

    async def on_message(message: Any) -> None:
        if getattr(message, "method", "") == "notifications/tools/list_changed":
            say({"event": "tools-changed"})

    async def on_log(params: Any) -> None:
        say({"event": "log"} | plain(params))

    # Only from these variables does the server know where its state is.
    server = StdioServerParameters(command=command, args=arguments, env=dict(os.environ))
    async with Client(
        server, mode=mode, message_handler=on_message, logging_callback=on_log
    ) as client:
        say({"event": "connected", "version": client.protocol_version})
        async with anyio.create_task_group() as tasks:
            driver = Driver(client, tasks)
            tasks.start_soon(driver.read)
            await driver.closing.wait()
            tasks.cancel_scope.cancel()
    say({"event": "closed"})


if __name__ == "__main__":
    asyncio.run(main())
