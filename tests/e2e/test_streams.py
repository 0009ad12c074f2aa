"""What a server does when it has much to do, said in frames without a client's help."""

import json
import queue
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from client import PATIENCE_SECONDS, environment_with, frames_of
from conftest import BELLJAR, GUESTS, Home

HANDSHAKE = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "test", "version": "1"},
}


class Frames:
    """A server, and frames to it and from it."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self._frames: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self._frames.put(json.loads(line))
        self._frames.put(None)

    def send(self, *messages: dict[str, Any]) -> None:
        """Sends messages in one write."""
        lines = [json.dumps({"jsonrpc": "2.0"} | message) + "\n" for message in messages]
        self.process.stdin.write("".join(lines).encode())
        self.process.stdin.flush()

    def take(self) -> dict[str, Any]:
        """The next frame of the server."""
        frame = self._frames.get(timeout=PATIENCE_SECONDS)
        assert frame is not None, "the server ended"
        return frame

    def answer(self) -> dict[str, Any]:
        """The next answer, whatever notifications come before it."""
        while "id" not in (frame := self.take()):
            pass
        return frame

    def end(self) -> int:
        """Closes standard input and waits for the server's exit status."""
        self.process.stdin.close()
        status = self.process.wait(PATIENCE_SECONDS)
        self._reader.join()
        return status


@contextmanager
def serve(home: Home, *arguments: str) -> Iterator[Frames]:
    """A server that has shaken hands."""
    command = [BELLJAR, "serve", "--stdio", *arguments]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment_with(home.folder),
    ) as process:
        frames = Frames(process)
        try:
            frames.send(
                {"id": "hello", "method": "initialize", "params": HANDSHAKE},
                {"method": "notifications/initialized"},
            )
            assert frames.take()["id"] == "hello"
            yield frames
        finally:
            if process.poll() is None:
                process.kill()


def call(number: int | str, tool: str, /, **arguments: Any) -> dict[str, Any]:
    """A request to call a tool."""
    params = {"name": tool, "arguments": arguments}
    return {"id": number, "method": "tools/call", "params": params}


def test_two_thousand_calls_keep_their_ids_while_a_guest_spins(home: Home) -> None:
    total, in_flight = 2_000, 16
    with serve(
        home, str(GUESTS / "spinner.wat"), "--grant", "spinner:limit=timeout=200ms"
    ) as server:
        server.send(call("stuck", "spinner_spin"))
        sent = in_flight
        server.send(*(call(number, "spinner_double", number=number) for number in range(in_flight)))
        answers: dict[int | str, dict[str, Any]] = {}
        while len(answers) < total + 1:
            answer = server.answer()
            assert answer["id"] not in answers, f"{answer['id']} was answered twice"
            answers[answer["id"]] = answer["result"]
            if sent < total and answer["id"] != "stuck":
                server.send(call(sent, "spinner_double", number=sent))
                sent += 1
        stuck = answers.pop("stuck")
        assert stuck["isError"], "a guest that runs for ever has no result"
        assert '"timeout"' in stuck["content"][0]["text"]
        wrong = [
            number for number, answer in answers.items()
            if answer["structuredContent"] != {"result": 2 * number}
        ]  # fmt: skip
        assert wrong == [], f"these calls got another's result: {wrong[:10]}"
        assert server.end() == 0


def test_the_end_of_standard_input_ends_calls_and_the_server(home: Home) -> None:
    with serve(home, str(GUESTS / "spinner.wat")) as server:
        server.send(call("stuck", "spinner_spin"), call("quick", "spinner_double", number=1))
        assert server.answer()["id"] == "quick", "the other call runs by now and has no end"
        assert server.end() == 0
    outcomes = [line["record"]["outcome"] for line in home.log("--kind", "call")]
    assert sorted(outcomes) == ["cancelled", "returned"]


def test_standard_output_carries_frames_whatever_guests_and_clients_write(home: Home) -> None:
    asked = home.folder / "asked"
    written = home.folder / "written"
    lines = [
        json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HANDSHAKE}),
        json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}),
        "this is no frame",
        '{"jsonrpc": "2.0"',
        "",
        json.dumps({"jsonrpc": "2.0"} | call(2, "talker_run")),
        json.dumps({"jsonrpc": "2.0", "id": 3, "method": "no/such/method"}),
    ]
    asked.write_text("\n".join(lines) + "\n")
    with asked.open("rb") as source, written.open("wb") as target:
        ended = subprocess.run(
            [BELLJAR, "serve", "--stdio", str(GUESTS / "talker.wat")],
            stdin=source,
            stdout=target,
            stderr=subprocess.PIPE,
            env=environment_with(home.folder),
            timeout=PATIENCE_SECONDS,
            check=False,
        )
    assert ended.returncode == 0, ended.stderr
    errors = [frame["error"]["code"] for frame in frames_of(written) if "error" in frame]
    assert len(errors) == 3, "two lines are no frames, and one method does not exist"
    assert errors[-1] == -32601
