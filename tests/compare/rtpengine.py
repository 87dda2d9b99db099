"""Rtpengine, the media relay that the daemon's bridged calls are compared with: in user space, told by its ng protocol what to transcode."""

import os
import re
from collections.abc import Iterable

from phone import Phone, udp_socket
from server import Server

NG = ("127.0.0.1", 22222)
PORTS = (40000, 49999)

Value = str | int | list["Value"] | dict[str, "Value"]


class Rtpengine(Server):
    """A running rtpengine. `opus`: how it codes Opus, as it is told: name, clock, channels, and the bit rate where it is not the default."""

    def __init__(self, opus: str, real_time: bool = False) -> None:
        super().__init__("rtpengine")
        self._opus = opus
        self._calls: dict[Phone, str] = {}
        self._control = udp_socket()
        self._control.connect(NG)
        self._control.settimeout(5)
        command = ["rtpengine", "--foreground", "--log-stderr", "--log-level=4", "--table=-1", "--interface=127.0.0.1"]
        command += [f"--listen-ng={NG[0]}:{NG[1]}", f"--port-min={PORTS[0]}", f"--port-max={PORTS[1]}"]
        command += [f"--num-threads={os.cpu_count()}", f"--pidfile={self._folder}/pid"]
        self._start(command, real_time, lambda: self._request({"command": "ping"}))

    def connect_pair(self, first: Phone, second: Phone, meeting: int) -> None:
        """`first` calls with its codec, `second` is called and answers with Opus."""
        common = {"call-id": f"call{meeting}", "from-tag": "caller", "ICE": "remove", "DTLS": "off", "rtcp-mux": ["demux"], "replace": ["origin"]}
        codecs = {"mask": ["all"], "transcode": [self._opus]}
        offer = self._request(common | {"command": "offer", "sdp": first.description(), "codec": codecs})
        assert payload_type(offer["sdp"]) == second.codec.payload_type, offer["sdp"]
        answer = self._request(common | {"command": "answer", "to-tag": "called", "sdp": second.description()})
        first.rtp.connect(("127.0.0.1", port(answer["sdp"])))
        second.rtp.connect(("127.0.0.1", port(offer["sdp"])))
        self._calls[first] = common["call-id"]

    def disconnect(self, phone: Phone) -> None:
        if call := self._calls.pop(phone, None):
            self._request({"command": "delete", "call-id": call, "from-tag": "caller", "delete-delay": 0})
        phone.close()

    def _request(self, message: dict[str, Value]) -> dict:
        cookie = os.urandom(6).hex().encode()
        self._control.send(cookie + b" " + encoded(message))
        while True:
            received = self._control.recv(65536)
            # The answer to an earlier one, which was taken for lost, is passed over.
            if received.startswith(cookie + b" "):
                answer, _ = decoded(received, len(cookie) + 1)
                assert answer["result"] in ("ok", "pong"), answer
                return answer


def port(description: str) -> int:
    """Where a session description wants its audio."""
    return int(re.search(r"^m=audio (\d+)", description, re.MULTILINE).group(1))


def payload_type(description: str) -> int:
    """The first payload type of a session description."""
    return int(re.search(r"^m=audio \d+ \S+ (\d+)", description, re.MULTILINE).group(1))


# === Bencoding, as BitTorrent's specification (BEP 3) has it ===


def encoded(value: Value) -> bytes:
    """A value as it is sent."""
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, str):
        return b"%d:%s" % (len(value.encode()), value.encode())
    if isinstance(value, list):
        return b"l" + b"".join(map(encoded, value)) + b"e"
    return b"d" + b"".join(encoded(item) for pair in sorted(value.items()) for item in pair) + b"e"


def decoded(data: bytes, at: int) -> tuple[Value, int]:
    """The value that starts there, and where it ends."""
    kind = data[at : at + 1]
    if kind == b"i":
        end = data.index(b"e", at)
        return int(data[at + 1 : end]), end + 1
    if kind in b"ld":
        items, at = [], at + 1
        while data[at : at + 1] != b"e":
            item, at = decoded(data, at)
            items.append(item)
        return (items if kind == b"l" else dict(pairs(items))), at + 1
    colon = data.index(b":", at)
    end = colon + 1 + int(data[at:colon])
    return data[colon + 1 : end].decode(), end


def pairs(items: list) -> Iterable[tuple]:
    """Keys with their values."""
    return zip(items[::2], items[1::2])
