"""A phone with one call over UDP: INVITE, ACK and BYE (RFC 3261), and one line of audio with one codec."""

import re
import socket
import zlib

from attack import SdesKey
from voice_codecs import ASKED_BITRATE, Codec

SO_TIMESTAMPNS = 35
"""The kernel stamps what arrives (socket(7)): how late this program reads it does not matter."""

GATEWAY = ("127.0.0.1", 5060)

EVENTS = 101
"""Payload type of keys (RFC 4733). A device without them is listened to for tones, which takes time (A-2)."""


class Phone:
    """One phone, in one call at most."""

    def __init__(self, name: str, codec: Codec, key: SdesKey | None = None) -> None:
        """With a `key` it offers SRTP alone; what it is sent is then encrypted and not decrypted here."""
        self.name, self.codec, self.key = name, codec, key
        self.sip, self.rtp = udp_socket(), udp_socket()
        self.sip.connect(GATEWAY)
        self.sip.settimeout(5)
        self.rtp.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.rtp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.rtp.setblocking(False)
        self._to = self._uri = ""
        self.ssrc = zlib.crc32(f"{name} {self.rtp.getsockname()}".encode())

    def sip_port(self) -> int:
        """The port that the daemon knows it by."""
        return self.sip.getsockname()[1]

    def call(self, number: str) -> None:
        """Calls a conference ID and waits until it is answered."""
        self._uri = f"sip:{number}@127.0.0.1"
        self._to = f"<{self._uri}>"
        self._send("INVITE", 1, self.description())
        answer = self._final_answer()
        assert answer.startswith("SIP/2.0 200"), f"{self.name}: {answer.splitlines()[0]}"
        self._to = header(answer, "To")
        self._uri = re.search(r"<([^>]+)>", header(answer, "Contact")).group(1)
        asked = re.search(r"maxaveragebitrate=(\d+)", answer)
        assert asked is None or int(asked.group(1)) == ASKED_BITRATE, f"{self.name}: {asked.group(0)}"
        port = re.search(r"^m=audio (\d+)", answer, re.MULTILINE).group(1)
        self.rtp.connect(("127.0.0.1", int(port)))
        self._send("ACK", 1)

    def hang_up(self) -> None:
        """Ends the call, and waits until the other side has."""
        self._send("BYE", 2)
        self._final_answer()
        self.close()

    def description(self) -> str:
        """Its session description, offer and answer alike: one codec (RFC 3264)."""
        codec, port = self.codec, self.rtp.getsockname()[1]
        lines = [
            "v=0",
            "o=- 1 1 IN IP4 127.0.0.1",
            "s=-",
            "c=IN IP4 127.0.0.1",
            "t=0 0",
            f"m=audio {port} RTP/{'SAVP' if self.key else 'AVP'} {codec.payload_type} {EVENTS}",
            f"a=rtpmap:{codec.payload_type} {codec.rtpmap}",
            f"a=rtpmap:{EVENTS} telephone-event/{codec.clock}",
            *([f"a=fmtp:{codec.payload_type} {codec.fmtp}"] if codec.fmtp else []),
            *([f"a=crypto:{self.key.crypto()}"] if self.key else []),
            "a=ptime:20",
        ]
        return "\r\n".join(lines) + "\r\n"

    def close(self) -> None:
        """Closes its sockets."""
        self.sip.close()
        self.rtp.close()

    def _send(self, method: str, sequence: int, body: str = "") -> None:
        local = f"127.0.0.1:{self.sip_port()}"
        lines = [
            f"{method} {self._uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {local};rport;branch=z9hG4bK{method}{self.ssrc}",
            "Max-Forwards: 70",
            f"From: <sip:{self.name}@127.0.0.1>;tag={self.ssrc}",
            f"To: {self._to}",
            f"Call-ID: {self.ssrc}@{local}",
            f"CSeq: {sequence} {method}",
            f"Contact: <sip:{self.name}@{local}>",
            *(["Content-Type: application/sdp"] if body else []),
            f"Content-Length: {len(body)}",
        ]
        self.sip.send(("\r\n".join(lines) + "\r\n\r\n" + body).encode())

    def _final_answer(self) -> str:
        while True:
            text = self.sip.recv(65536).decode()
            if not text.startswith("SIP/2.0"):
                self._refuse(text)
            elif not text.startswith("SIP/2.0 1"):
                return text

    def _refuse(self, request: str) -> None:
        """A request inside the call is answered 200: nothing here changes by one."""
        names = ("Via", "From", "To", "Call-ID", "CSeq")
        copied = [line for line in request.split("\r\n") if line.split(":")[0] in names]
        self.sip.send(("\r\n".join(["SIP/2.0 200 OK", *copied, "Content-Length: 0"]) + "\r\n\r\n").encode())


def header(message: str, name: str) -> str:
    """The value of the first header of this name."""
    return re.search(rf"^{name}: *(.*?)\r$", message, re.MULTILINE | re.IGNORECASE).group(1)


def udp_socket() -> socket.socket:
    """A socket on loopback with a port of its own."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(("127.0.0.1", 0))
    return made
