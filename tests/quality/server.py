"""A process under test with what it costs: the daemon, or a mixer that it is compared with."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

from phone import Phone


class Server:
    """Runs in a folder of its own, which is removed with it at the end of a `with`."""

    def __init__(self, name: str) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix=f"{name}-quality-"))
        self._log = (self._folder / "log").open("w")
        self._process: subprocess.Popen | None = None

    def __enter__(self) -> "Server":
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
            self._process.wait()
        self._log.close()
        shutil.rmtree(self._folder)

    def connect(self, phone: Phone, meeting: int) -> None:
        """Brings a phone into a meeting, counted from 0."""
        raise NotImplementedError

    def connect_pair(self, first: Phone, second: Phone, meeting: int) -> None:
        """Brings two phones into a meeting of their own."""
        self.connect(first, meeting)
        self.connect(second, meeting)

    def disconnect(self, phone: Phone) -> None:
        """Ends its call, and closes its sockets."""
        raise NotImplementedError

    def concealed(self, phones: list[Phone]) -> list[float]:
        """Seconds that were made up for what came from each phone; zeros where the server does not report it."""
        return [0.0] * len(phones)

    def log(self) -> str:
        """What it has printed and logged."""
        return (self._folder / "log").read_text()

    def cpu_seconds(self) -> float:
        """User and system time of its process so far."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_kilobytes(self) -> int:
        """What of its memory is resident."""
        lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))

    def waited_seconds(self) -> float:
        """How long its threads could have run and had no CPU (the second figure of schedstat)."""
        waits = (path.read_text().split()[1] for path in Path(f"/proc/{self._process.pid}/task").glob("*/schedstat"))
        return sum(int(wait) for wait in waits) / 1e9

    def _start(self, command: list, real_time: bool, ready: Callable[[], object]) -> None:
        """`real_time`: before all that is not, for comparisons on a machine that does other things. `ready` fails (`OSError`) until then."""
        before = ["chrt", "--rr", "1"] if real_time else []
        self._process = subprocess.Popen([*before, *command], cwd=self._folder, stdout=self._log, stderr=self._log)
        for _ in range(300):
            if self._process.poll() is not None:
                raise SystemExit(f"{command[0]} has ended:\n" + self.log())
            try:
                ready()
                return
            except OSError:
                time.sleep(0.1)
        raise SystemExit(f"{command[0]} is not ready after 30 s:\n" + self.log())


def answers_http(address: str) -> Callable[[], object]:
    """For `Server._start`: whether an address of HTTP answers."""
    return lambda: urllib.request.urlopen(address, timeout=1).close()
