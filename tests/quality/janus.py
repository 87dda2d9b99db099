"""Janus with its AudioBridge, the mixer that the daemon is compared with: plain RTP, FEC on."""

import json
import shutil
import urllib.request

from phone import Phone
from server import Server, answers_http

API = "http://127.0.0.1:8088/janus"

# It starts with an address alone that is not loopback, although nobody uses ICE here: that of tests/interop/in-namespace.sh.
CONFIGURATION = {
    "janus": """
general: { configs_folder = "FOLDER", interface = "10.77.0.1", debug_level = 4, debug_colors = false, session_timeout = 0 }
nat: { ice_enforce_list = "10.77.0.1" }
plugins: { disable = "libjanus_duktape.so,libjanus_echotest.so,libjanus_lua.so,libjanus_nosip.so,libjanus_recordplay.so,libjanus_sip.so,\
libjanus_streaming.so,libjanus_textroom.so,libjanus_videocall.so,libjanus_videoroom.so,libjanus_voicemail.so" }
transports: { disable = "libjanus_mqtt.so,libjanus_nanomsg.so,libjanus_pfunix.so,libjanus_rabbitmq.so,libjanus_websockets.so" }
""",
    "transport.http": """
general: { base_path = "/janus", http = true, port = 8088, ip = "127.0.0.1", https = false }
""",
    "plugin.audiobridge": """
general: { local_ip = "127.0.0.1", rtp_port_range = "30000-30999" }
""",
}

ROOM = """
room-{room}: {{ description = "Room {room}", sampling_rate = {rate}, allow_rtp_participants = true, default_expectedloss = 0 }}
"""


def installed() -> bool:
    """Whether Debian's package is there."""
    return shutil.which("janus") is not None


def room(meeting: int) -> int:
    """The number of a room."""
    return 1000 + meeting


class Janus(Server):
    """A running Janus with so many rooms."""

    def __init__(self, meetings: int, real_time: bool = False, rate: int = 48000) -> None:
        super().__init__("janus")
        files = dict(CONFIGURATION)
        files["plugin.audiobridge"] += "".join(ROOM.format(room=room(meeting), rate=rate) for meeting in range(meetings))
        for name, text in files.items():
            file = "janus.jcfg" if name == "janus" else f"janus.{name}.jcfg"
            (self._folder / file).write_text(text.replace("FOLDER", str(self._folder)))
        command = ["janus", "-F", self._folder, "-C", self._folder / "janus.jcfg"]
        self._start(command, real_time, answers_http(API + "/info"))
        self._session = self._request("", {"janus": "create"})["data"]["id"]
        self._handles: dict[Phone, int] = {}

    def connect(self, phone: Phone, meeting: int) -> None:
        handle = self._request(f"/{self._session}", {"janus": "attach", "plugin": "janus.plugin.audiobridge"})["data"]["id"]
        ours = {"ip": "127.0.0.1", "port": phone.rtp.getsockname()[1], "payload_type": phone.codec.payload_type, "fec": True}
        join = {"request": "join", "room": room(meeting), "display": phone.name, "codec": phone.codec.name, "rtp": ours}
        self._request(f"/{self._session}/{handle}", {"janus": "message", "body": join})
        theirs = self._event(handle)["plugindata"]["data"]["rtp"]
        phone.rtp.connect((theirs["ip"], theirs["port"]))
        self._handles[phone] = handle

    def disconnect(self, phone: Phone) -> None:
        self._request(f"/{self._session}/{self._handles.pop(phone)}", {"janus": "detach"})
        phone.close()

    def _request(self, path: str, message: dict) -> dict:
        data = json.dumps(message | {"transaction": "quality"}).encode()
        sent = urllib.request.Request(API + path, data=data, headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(sent, timeout=10) as answer:
            response = json.load(answer)
        assert response["janus"] != "error", response
        return response

    def _event(self, handle: int) -> dict:
        """The next event of a handle; those of others are of no use here."""
        while True:
            with urllib.request.urlopen(f"{API}/{self._session}?maxev=1", timeout=40) as answer:
                response = json.load(answer)
            if response.get("sender") == handle and response["janus"] == "event" and "rtp" in response["plugindata"]["data"]:
                return response
            assert "error" not in response.get("plugindata", {}).get("data", {}), response
