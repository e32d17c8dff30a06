"""One party of OpenMined PSI: `openmined.py holder|verifier DIR PORT`. Both run at once, each a process, over TCP on loopback.

DIR holds HOLDER.csv and VERIFIER.csv (a header, then an id a line); the verifier writes what it found to DIR/found.csv.
Golomb-compressed set (the library's default), intersection revealed to the verifier alone.
"""

import socket
import struct
import sys
import time

import private_set_intersection.python as psi

from usage import Phase, say

# The set's hashes are of 63 bits: max(pairs, records) * pairs / fpr has to stay below that.
HASH_BITS = 62


def false_positive_rate(pairs, records):
    """oblink's own 2^-40 for a whole session, or the least power of two that this library's hash range allows."""
    product = max(pairs, records) * max(pairs, 1)
    return 2.0 ** -max(1, min(40, HASH_BITS - product.bit_length()))


def read(path):
    with open(path, encoding="ascii") as lines:
        next(lines)
        return lines.read().split()


def send(connection, message):
    connection.sendall(struct.pack(">Q", len(message)))
    connection.sendall(message)


def exactly(connection, count):
    message = bytearray(count)
    view, at = memoryview(message), 0
    while at < count:
        got = connection.recv_into(view[at:])
        if got == 0:
            raise EOFError("the other party hung up")
        at += got
    return bytes(message)


def receive(connection):
    return exactly(connection, struct.unpack(">Q", exactly(connection, 8))[0])


def holder(directory, port):
    records = read(f"{directory}/holder.csv")
    with socket.create_server(("127.0.0.1", port)) as listener:
        connection, _ = listener.accept()
    with connection:
        pairs = struct.unpack(">Q", receive(connection))[0]
        rate = false_positive_rate(pairs, len(records))
        with Phase() as offline:
            party = psi.server.CreateWithNewKey(True)
            setup = party.CreateSetupMessage(rate, pairs, records, psi.DataStructure.GCS).SerializeToString()
        # The verifier's clock starts when this arrives.
        send(connection, b"ready")
        with Phase() as online:
            send(connection, setup)
            request = receive(connection)
            response = party.ProcessRequest(psi.Request.FromString(request)).SerializeToString()
            send(connection, response)
    traffic = {"to_verifier": len(setup) + len(response), "to_holder": len(request)}
    say({
        "version": psi.__version__,
        "parameters": {"data_structure": "GCS", "curve": "P-256", "false_positive_rate": rate},
        "phases": {"offline": offline.report(), "online": online.report(bytes=traffic, set_bytes=len(setup))},
    })


def connect(port):
    # The holder reads its file first.
    for _ in range(1200):
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            time.sleep(0.25)
    raise TimeoutError("the holder does not listen")


def verifier(directory, port):
    pairs = read(f"{directory}/verifier.csv")
    with connect(port) as connection:
        send(connection, struct.pack(">Q", len(pairs)))
        receive(connection)
        with Phase() as online:
            setup = receive(connection)
            party = psi.client.CreateWithNewKey(True)
            send(connection, party.CreateRequest(pairs).SerializeToString())
            response = receive(connection)
            found = party.GetIntersection(psi.ServerSetup.FromString(setup), psi.Response.FromString(response))
    with open(f"{directory}/found.csv", "w", encoding="ascii") as results:
        results.write("id\n")
        results.writelines(f"{pairs[index]}\n" for index in found)
    say({"version": psi.__version__, "phases": {"online": online.report()}})


if __name__ == "__main__":
    {"holder": holder, "verifier": verifier}[sys.argv[1]](sys.argv[2], int(sys.argv[3]))
