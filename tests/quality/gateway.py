"""The daemon under test: the real binary with a configuration of its own, and a member without sound in each meeting.

Nobody from outside enters a meeting before a member is there (rule M-5), so the harness joins by the page's WebSocket (RFC 6455).
"""

import base64
import json
import os
import select
import socket
import struct
import subprocess
import threading
import urllib.request
from pathlib import Path

from phone import Phone
from server import Server, answers_http

ROOT = Path(__file__).resolve().parents[2]
PAGES = "127.0.0.1:8080"

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
    built = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release/roomgate"
    path = Path(os.environ.get("ROOMGATE", built)).resolve()
    if not path.is_file():
        raise SystemExit(f"{path} is not there; run: make build")
    return path


def conference_id(meeting: int) -> str:
    """What reaches a meeting."""
    return str(3000 + meeting)


class Gateway(Server):
    """A running daemon with so many meetings, each with a member in it."""

    def __init__(self, meetings: int, real_time: bool = False, settings: str = "", meeting: str = "") -> None:
        """`settings`: tables beside those above; `meeting`: keys of each meeting."""
        super().__init__("roomgate")
        (self._folder / "conf").mkdir()
        text = SETTINGS.format(folder=self._folder, prompts=ROOT / "conf/prompts") + settings
        tables = [MEETING.format(number=n, conference_id=conference_id(n)) + meeting for n in range(meetings)]
        (self._folder / "conf/roomgate.toml").write_text(text + "".join(tables))
        self._start([binary(), "run", "--config", self._folder / "conf"], real_time, answers_http(f"http://{PAGES}/readyz"))
        self._members = [self._member(f"m{number}") for number in range(meetings)]
        threading.Thread(target=self._answer_pings, daemon=True).start()

    def connect(self, phone: Phone, meeting: int) -> None:
        phone.call(conference_id(meeting))

    def disconnect(self, phone: Phone) -> None:
        phone.hang_up()

    def concealed(self, phones: list[Phone]) -> list[float]:
        ports = {}
        for call in self._get("calls")["calls"]:
            ports[int(call["source"].rsplit(":", 1)[1])] = self._get("calls/" + call["call"])["media"]["concealed_ms"] / 1000
        return [ports[phone.sip_port()] for phone in phones]

    def _get(self, path: str) -> dict:
        token = (self._folder / "state/api-token").read_text().strip()
        request = urllib.request.Request(f"http://{PAGES}/api/v1/{path}", headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.load(answer)

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
        """Reads what the meetings send their members, so that they stay connected."""
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
