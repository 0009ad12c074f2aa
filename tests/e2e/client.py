"""An MCP client in a process of its own, driven by lines of JSON.

The drivers in clients/ put the official SDKs behind the same few lines, so that one test holds for
all of them. To a driver go {"id", "do", ...}, where "do" is tools, call, cancel, level, listen or
close; from it come {"id", "result"} or {"id", "error"}, and {"event", ...} for what nobody asked
for. An id is a number that counts up.
"""

import json
import os
import queue
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Long enough for a slow machine; nothing waits for it that goes well.
PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class ClientKind:
    """One official client, and the era in which it is to speak."""

    name: str
    # The driver and its arguments before the server's command.
    driver: tuple[str, ...]
    version: str

    @property
    def has_structured_content(self) -> bool:
        """Whether its version of the protocol knows results with a schema."""
        return self.version >= "2025-06-18"

    @property
    def wraps_values(self) -> bool:
        """Whether results that are no objects travel as {"result": ...}."""
        return self.version < "2026"


def _python(mode: str, version: str) -> ClientKind:
    return ClientKind(f"python-2.3.0-{mode}", ("python_sdk.py", mode), version)


def _typescript(package: str, number: str, mode: str, version: str) -> ClientKind:
    driver = ("typescript_sdk.mjs", package, mode)
    return ClientKind(f"typescript-{number}-{mode}", driver, version)


_NEW = "@modelcontextprotocol/client"
CLIENTS = [
    _python("2026-07-28", "2026-07-28"),
    _python("auto", "2026-07-28"),
    _python("legacy", "2025-11-25"),
    _typescript(_NEW, "2.4.0", "2026-07-28", "2026-07-28"),
    _typescript(_NEW, "2.4.0", "auto", "2026-07-28"),
    _typescript(_NEW, "2.4.0", "legacy", "2025-11-25"),
    _typescript("sdk-2025-11-25", "1.32.2", "legacy", "2025-11-25"),
    _typescript("sdk-2025-06-18", "1.20.2", "legacy", "2025-06-18"),
    _typescript("sdk-2025-03-26", "1.12.3", "legacy", "2025-03-26"),
]


class ClientError(Exception):
    """What the client's library raised."""


class Pending:
    """A line that was sent and may not have been answered yet."""

    def __init__(self, client: "Client", number: int) -> None:
        self._client = client
        self.number = number

    def result(self) -> Any:
        """Waits for the answer."""
        return self._client.answer_of(self.number)


class Client:
    """A connection to a server by one of the official clients."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            text=True,
        )
        self._lines: queue.Queue[dict[str, Any]] = queue.Queue()
        self._answers: dict[int, dict[str, Any]] = {}
        self._events: list[dict[str, Any]] = []
        self._said: list[str] = []
        self._sent = 0
        self._readers = [
            threading.Thread(target=self._read_lines),
            threading.Thread(target=self._read_errors),
        ]
        for reader in self._readers:
            reader.start()
        self.version = self.event(lambda event: event["event"] == "connected")["version"]

    def _read_lines(self) -> None:
        for text in self._process.stdout:
            self._lines.put(json.loads(text))
        self._lines.put({"event": "ended"})

    def _read_errors(self) -> None:
        for text in self._process.stderr:
            self._said.append(text)

    def _take(self) -> None:
        """Takes one line more from the driver."""
        try:
            line = self._lines.get(timeout=PATIENCE_SECONDS)
        except queue.Empty:
            raise AssertionError(f"the client said nothing for {PATIENCE_SECONDS} s") from None
        if "event" in line:
            self._events.append(line)
        else:
            self._answers[line["id"]] = line

    def event(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Waits for an event and takes it out; those before it stay."""
        while True:
            for index, event in enumerate(self._events):
                if wanted(event):
                    return self._events.pop(index)
            if any(event["event"] == "ended" for event in self._events):
                raise AssertionError("the client ended: " + "".join(self._said)[-4000:])
            self._take()

    def events(self, kind: str) -> list[dict[str, Any]]:
        """The events of a kind that came so far."""
        return [event for event in self._events if event["event"] == kind]

    def send(self, what: str, **members: Any) -> Pending:
        """Sends a line and does not wait."""
        self._sent += 1
        line = {"id": self._sent, "do": what} | members
        self._process.stdin.write(json.dumps(line) + "\n")
        self._process.stdin.flush()
        return Pending(self, self._sent)

    def answer_of(self, number: int) -> Any:
        """Waits for the answer to a line."""
        while number not in self._answers:
            if any(event["event"] == "ended" for event in self._events):
                raise AssertionError("the client ended: " + "".join(self._said)[-4000:])
            self._take()
        answer = self._answers.pop(number)
        if "error" in answer:
            raise ClientError(answer["error"])
        return answer["result"]

    def tools(self) -> dict[str, dict[str, Any]]:
        """The tools by their names, as the client was told of them."""
        return {tool["name"]: tool for tool in self.send("tools").result()}

    def start(self, name: str, **arguments: Any) -> Pending:
        """Starts a call of a tool."""
        return self.send("call", name=name, arguments=arguments)

    def call(self, name: str, **arguments: Any) -> dict[str, Any]:
        """Calls a tool and waits for its result."""
        return self.start(name, **arguments).result()

    def close(self) -> None:
        """Ends the connection as the client does, and the driver with it."""
        if self._process.poll() is None and not self._process.stdin.closed:
            self.send("close")
            self._process.stdin.close()
        try:
            self._process.wait(PATIENCE_SECONDS)
        finally:
            self._process.kill()
            for reader in self._readers:
                reader.join()
            self._process.stdout.close()
            self._process.stderr.close()


def text_of(result: dict[str, Any]) -> str:
    """All text of a result."""
    return "\n".join(part["text"] for part in result["content"] if part["type"] == "text")


def frames_of(output: Path) -> Iterator[Any]:
    """The messages in what a server wrote to its standard output. Anything else is an error."""
    content = output.read_bytes()
    assert content.endswith(b"\n") or not content, f"it ends within a line: {content[-200:]!r}"
    for line in content.splitlines():
        try:
            message = json.loads(line)
        except ValueError as error:
            raise AssertionError(f"standard output holds no frame: {line[:200]!r}") from error
        assert isinstance(message, dict), f"not a message: {line[:200]!r}"
        assert message.get("jsonrpc") == "2.0", f"not a message of JSON-RPC 2.0: {line[:200]!r}"
        yield message


def environment_with(home: Path) -> dict[str, str]:
    """The environment of everything that a test starts: state in a folder, and no colours."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    return kept | {"BELLJAR_HOME": str(home), "HOME": str(home), "NO_COLOR": "1", "TERM": "dumb"}
