"""The daemon under test: the real binary with a configuration of its own, and a member without sound in each meeting.

Nobody from outside enters a meeting before a member is there (rule M-5), so the harness joins by the page's WebSocket (RFC 6455).
"""

import base64
import json
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = "127.0.0.1:8080"
SIP = ("127.0.0.1", 5060)

SETTINGS = """
[sip.listen.udp]
transport = "udp"
port = 5060
[http]
address = "127.0.0.1"
port = 8080
[limits]
invites_per_second = 200
[media]
webrtc_addresses = ["127.0.0.1"]
[store]
directory = "{folder}/state"
[prompts]
directory = "{prompts}"
"""

MEETING = """
[meeting.m{number}]
title = "Meeting {number}"
conference_id = "{conference_id}"
devices_bypass = true
"""


def binary() -> Path:
    """The daemon: `$ROOMGATE`, or the release build."""
    path = Path(os.environ.get("ROOMGATE", ROOT / "target/release/roomgate")).resolve()
    if not path.is_file():
        raise SystemExit(f"{path} is not there; run: make build")
    return path


def conference_id(meeting: int) -> str:
    """What reaches a meeting."""
    return str(3000 + meeting)


class Gateway:
    """A running daemon with so many meetings, each with a member in it. Stopped at the end of a `with`."""

    def __init__(self, meetings: int, real_time: bool = False) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="roomgate-quality-"))
        (self._folder / "conf").mkdir()
        text = SETTINGS.format(folder=self._folder, prompts=ROOT / "conf/prompts")
        tables = [MEETING.format(number=n, conference_id=conference_id(n)) for n in range(meetings)]
        (self._folder / "conf/roomgate.toml").write_text(text + "".join(tables))
        self._log = (self._folder / "log").open("w")
        # Before all that is not: for comparisons on a machine that compiles meanwhile.
        before = ["chrt", "--rr", "1"] if real_time else []
        command = [*before, binary(), "run", "--config", self._folder / "conf"]
        self._process = subprocess.Popen(command, cwd=self._folder, stdout=self._log, stderr=self._log)
        self._wait_until_ready()
        self._members = [self._member(f"m{number}") for number in range(meetings)]
        threading.Thread(target=self._answer_pings, daemon=True).start()

    def __enter__(self) -> "Gateway":
        return self

    def __exit__(self, *_: object) -> None:
        # The second signal ends what calls there are.
        for _ in range(2):
            self._process.send_signal(signal.SIGTERM)
            time.sleep(0.1)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._log.close()
        shutil.rmtree(self._folder)

    def log(self) -> str:
        """What it has printed and logged."""
        return (self._folder / "log").read_text()

    def cpu_seconds(self) -> float:
        """User and system time of its process so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def waited_seconds(self) -> float:
        """How long its threads could have run and had no CPU (the second figure of schedstat)."""
        waits = (path.read_text().split()[1] for path in Path(f"/proc/{self._process.pid}/task").glob("*/schedstat"))
        return sum(int(wait) for wait in waits) / 1e9

    def calls(self) -> dict[int, dict]:
        """The figures of all calls, by the port of their SIP."""
        found = {}
        for call in self._get("calls")["calls"]:
            details = self._get("calls/" + call["call"])
            found[int(call["source"].rsplit(":", 1)[1])] = details
        return found

    def _get(self, path: str) -> dict:
        token = (self._folder / "state/api-token").read_text().strip()
        request = urllib.request.Request(f"http://{PAGES}/api/v1/{path}", headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.load(answer)

    def _wait_until_ready(self) -> None:
        for _ in range(300):
            if self._process.poll() is not None:
                raise SystemExit("the daemon has ended:\n" + self.log())
            try:
                urllib.request.urlopen(f"http://{PAGES}/readyz", timeout=1).close()
                return
            except OSError:
                time.sleep(0.1)
        raise SystemExit("the daemon is not ready after 30 s:\n" + self.log())

    def _member(self, meeting: str) -> socket.socket:
        """Joins as an organiser; the WebSocket."""
        arguments = ["link", meeting, "--as", "organiser", "--config", self._folder / "conf"]
        link = subprocess.run([binary(), *arguments], cwd=self._folder, capture_output=True, text=True, check=True)
        token = link.stdout.split("token=")[1].split()[0]
        entered = exchange(
            f"POST /enter HTTP/1.0\r\nHost: {PAGES}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            f"Content-Length: {len(token) + 6}\r\n\r\ntoken={token}"
        )
        cookie = next(line[12:].split(";")[0] for line in entered.split("\r\n") if line.lower().startswith("set-cookie: "))
        made = socket.create_connection(("127.0.0.1", 8080))
        key = base64.b64encode(os.urandom(16)).decode()
        made.sendall(
            f"GET /m/{meeting}/ws HTTP/1.1\r\nHost: {PAGES}\r\nOrigin: http://{PAGES}\r\nCookie: {cookie}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        head = b""
        while b"\r\n\r\n" not in head:
            head += made.recv(1)
        assert b" 101 " in head, head
        made.sendall(frame(1, json.dumps({"type": "join", "name": "Organiser"}).encode()))
        return made

    def _answer_pings(self) -> None:
        """Reads what the meetings tell their members, so that they stay connected."""
        buffers = {member: b"" for member in self._members}
        while True:
            for member in select.select(self._members, [], [])[0]:
                data = member.recv(65536)
                if not data:
                    return
                buffers[member] = answer_frames(member, buffers[member] + data)


def exchange(request: str) -> str:
    """An HTTP request whose answer ends with the connection."""
    with socket.create_connection(("127.0.0.1", 8080)) as connection:
        connection.sendall(request.encode())
        data = b""
        while part := connection.recv(65536):
            data += part
        return data.decode()


def frame(opcode: int, payload: bytes) -> bytes:
    """A frame from a client: masked, here with zeros."""
    assert len(payload) < 126
    return struct.pack("!BB", 0x80 | opcode, 0x80 | len(payload)) + bytes(4) + payload


def answer_frames(member: socket.socket, data: bytes) -> bytes:
    """Answers the pings among complete frames; what is left."""
    while len(data) >= 2:
        opcode, length, start = data[0] & 15, data[1] & 127, 2
        if length >= 126:
            start = 4 if length == 126 else 10
            length = int.from_bytes(data[2:start], "big")
        if len(data) < start + length:
            break
        payload, data = data[start : start + length], data[start + length :]
        # The page's own ping, beside that of the protocol.
        if opcode == 1 and json.loads(payload).get("type") == "ping":
            member.sendall(frame(1, b'{"type":"pong"}'))
        elif opcode == 9:
            member.sendall(frame(10, payload))
    return data
