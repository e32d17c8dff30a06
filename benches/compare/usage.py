"""What a party has cost: processor seconds, wall seconds, memory, bytes on its connections. Standard library only."""

import json
import os
import resource
import socket
import struct
import time

# The libraries print to standard output too: from here on that is standard error, and the report goes where it was.
REPORT = os.fdopen(os.dup(1), "w", encoding="ascii")
os.dup2(2, 1)

# Offsets of tcpi_bytes_acked and tcpi_bytes_received (both 64 bits) in Linux's struct tcp_info.
ACKED, RECEIVED = 120, 128


def cpu_s():
    """Processor seconds so far, of this process and of what it ran and waited for: the libraries call sort(1)."""
    uses = (resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN))
    return sum(use.ru_utime + use.ru_stime for use in uses)


def peak_rss_mb():
    """Most memory of this process so far, in MB of 10^6 bytes. Not getrusage's: that begins at the parent's peak."""
    with open("/proc/self/status", encoding="ascii") as status:
        line = next(line for line in status if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024 / 1e6


def tcp_bytes():
    """(sent, received) over every TCP connection that is open in this process, whoever opened it; None where not to be had.

    A library that does not count its bytes leaves its sockets to be asked. Payload alone, without TCP's own headers.
    """
    sent = received = connections = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            if not os.readlink(f"/proc/self/fd/{name}").startswith("socket:"):
                continue
            with socket.socket(fileno=os.dup(int(name))) as connection:
                if connection.family not in (socket.AF_INET, socket.AF_INET6) or connection.type != socket.SOCK_STREAM:
                    continue
                if connection.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                    continue
                info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        except OSError:
            continue
        if len(info) >= RECEIVED + 8:
            connections += 1
            sent += struct.unpack_from("=Q", info, ACKED)[0]
            received += struct.unpack_from("=Q", info, RECEIVED)[0]
    return (sent, received) if connections else None


class Phase:
    """One phase of one party: `with Phase() as phase: …`, then `phase.report()`."""

    def __enter__(self):
        self.idle_rss_mb = peak_rss_mb()
        self.wall, self.cpu = time.perf_counter(), cpu_s()
        return self

    def __exit__(self, *_):
        self.cpu, self.wall = cpu_s() - self.cpu, time.perf_counter() - self.wall
        self.peak = peak_rss_mb()

    def report(self, **others):
        """The phase as an object; `idle_rss_mb` is what the process had taken before it, interpreter and imports."""
        return {"cpu_s": self.cpu, "wall_s": self.wall, "peak_rss_mb": self.peak, "idle_rss_mb": self.idle_rss_mb, **others}


def say(result):
    """The party's one line."""
    json.dump(result, REPORT)
    print(file=REPORT, flush=True)
