"""``python -m tests.chaos.isolated JOBS``: a whole system in a network of its own, watched from outside it.

To be run in network and mount namespaces of its own. Every address there is this machine, so that nothing
that is sent is lost: a name server answers (and notes) every question, and every packet to another address
than a loopback one is counted. Prints one JSON object.
"""

import json
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import httpx

from tests.end_to_end.test_faceblur import finished
from tests.system import ROOT, RunningSystem

NAME_SERVER = "10.53.53.53"
ALL_PROTOCOLS = 3
IPV4, IPV6 = b"\x08\x00", b"\x86\xdd"


def take_over_the_network() -> None:
    """Make every address of this namespace end here, and this machine's name server ours."""
    for words in (
        "link set lo up",
        "route add local 0.0.0.0/0 dev lo",
        "-6 route add local ::/0 dev lo",
    ):
        subprocess.run(["ip", *words.split()], check=True)
    file = Path(tempfile.mkdtemp()) / "resolv.conf"
    file.write_text(f"nameserver {NAME_SERVER}\n")
    subprocess.run(["mount", "--bind", str(file), "/etc/resolv.conf"], check=True)


class Watch:
    """Counts name look-ups and packets that leave this machine - or would, on another network."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.packets: Counter[str] = Counter()
        self._server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._server.bind((NAME_SERVER, 53))
        self._wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL_PROTOCOLS))
        for work in (self._answer, self._count):
            threading.Thread(target=work, daemon=True).start()

    def _answer(self) -> None:
        while True:
            question, asker = self._server.recvfrom(4096)
            self.names.append(question[12:60].decode("ascii", "replace"))
            # "No such name".
            self._server.sendto(question[:2] + b"\x81\x83" + question[4:], asker)

    def _count(self) -> None:
        while True:
            frame = self._wire.recv(65_535)
            if frame[12:14] == IPV4 and frame[30] != 127:
                self.packets[socket.inet_ntoa(frame[30:34])] += 1
            elif frame[12:14] == IPV6 and frame[38:54] != socket.inet_pton(socket.AF_INET6, "::1"):
                self.packets[socket.inet_ntop(socket.AF_INET6, frame[38:54])] += 1

    def settle(self) -> None:
        """Wait until what was sent has been counted: the counting threads have their own time."""
        for _ in range(50):
            before = (len(self.names), self.packets.total())
            time.sleep(0.2)
            if min(before) and before == (len(self.names), self.packets.total()):
                return


def main() -> None:
    """Run the system and its jobs, first making sure that the watch sees what it is to see."""
    take_over_the_network()
    watch = Watch()
    with suppress(OSError):
        socket.getaddrinfo("example.org", 443)
    with suppress(OSError):
        socket.create_connection(("192.0.2.1", 443), timeout=2).close()
    watch.settle()
    seen = {"names": len(watch.names), "packets": watch.packets["192.0.2.1"]}
    watch.names.clear()
    watch.packets.clear()
    folder = Path(tempfile.mkdtemp())
    system = RunningSystem("standalone", folder / "data")
    try:
        system.wait_until_ready()
        photo = (ROOT / "examples" / "portrait.jpg").read_bytes()
        with httpx.Client(base_url=system.url, timeout=60) as client:
            tasks = [
                client.post("/blur", files={"file": photo}).json()["task_id"] for _ in range(int(sys.argv[1]))
            ]
            ends = Counter(finished(client, task)["status"] for task in tasks)
    finally:
        system.stop()
        shutil.rmtree(folder)
    outcome = {"self_test": seen, "ends": ends, "names": watch.names, "packets": watch.packets}
    sys.stdout.write(json.dumps(outcome) + "\n")


if __name__ == "__main__":
    main()
