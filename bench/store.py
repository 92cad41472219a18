# SPDX-License-Identifier: Apache-2.0
"""
Our store daemon beside Debian's on this host: operations a second of the daemon's processor time, and memory.

Processor time (of all its processes, from the kernel's nanosecond accounts), because what waits for the other side or for a busy
host is not the daemon's. Each connection owns a directory, watches it, and repeats: write, read, list, write in a
transaction. With many connections all send, then all read. The ratio is ours to Debian's: more is better for operations, less for
memory.

By hand: store.py [OPERATIONS], after `make stored-test`.
"""
import pathlib
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TOP / "tests/stored"))
import wire  # noqa: E402
from daemons import Store  # noqa: E402

CONNECTIONS = (1, 100, 1000)
ROUNDS = 5


def message(kind, payload, tx=0):
    return wire.HEADER.pack(kind, 1, tx, len(payload)) + payload


class Connection:
    """A client that counts replies and lets watch events pass."""

    def __init__(self, store, number):
        self.home = b"/bench/%d" % number
        self.client = store.socket()
        self.client.write(self.home.decode() + "/key", "0")
        self.client.watch(self.home.decode(), "token")
        self.client.drain()

    def put(self, data):
        self.client.sock.sendall(data)

    def take(self, replies=1):
        """The last of so many replies' payload."""
        payload = b""
        while replies:
            kind, _, _, payload = self.client.receive(60)
            assert kind != wire.ERROR, payload
            replies -= kind != wire.WATCH_EVENT
        return payload


def rounds(connections, operations):
    """(operations done, their requests) of the workload, about so many."""
    done = 0
    while done < operations:
        for c in connections:
            c.put(message(wire.WRITE, c.home + b"/key\0" + b"%d" % done))
        for c in connections:
            c.take()
        for c in connections:
            c.put(message(wire.READ, c.home + b"/key\0"))
        for c in connections:
            c.take()
        for c in connections:
            c.put(message(wire.DIRECTORY, c.home + b"\0"))
        for c in connections:
            c.take()
        for c in connections:
            c.put(message(wire.TX_START, b"\0"))
        txs = [int(c.take()[:-1]) for c in connections]
        for c, tx in zip(connections, txs):
            c.put(message(wire.WRITE, c.home + b"/key\0t", tx))
        for c in connections:
            c.take()
        for c, tx in zip(connections, txs):
            c.put(message(wire.TX_END, b"F\0" if len(connections) > 1 and tx % 8 else b"T\0", tx))
            c.take()
        done += 6 * len(connections)
    return done


def processor_ns(store):
    total = 0
    for pid in {store.process.pid, store.server()}:
        for task in pathlib.Path("/proc/%d/task" % pid).iterdir():
            total += int((task / "schedstat").read_text().split()[0])
    return total


class Measured:
    def __init__(self, kind, folder, count):
        self.store = Store(kind, folder)
        self.connections = [Connection(self.store, n) for n in range(count)]
        rounds(self.connections, 6 * count)
        self.memory = self.store.memory()
        self.best = 0.0

    def round(self, operations):
        before = processor_ns(self.store)
        done = rounds(self.connections, operations)
        self.best = max(self.best, done / ((processor_ns(self.store) - before) / 1e9))
        self.memory = max(self.memory, self.store.memory())


def measure(count, operations):
    """{kind: (operations a second, KiB)}; the daemons take turns, the best of the rounds counts."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:     # as /run: the journal is memory
        pair = {kind: Measured(kind, folder + "/" + kind, count) for kind in ("debian", "fast")}
        try:
            for _ in range(ROUNDS):
                for it in pair.values():
                    it.round(operations)
            return {kind: (it.best, it.memory) for kind, it in pair.items()}
        finally:
            for it in pair.values():
                it.store.stop()


def rows(operations=20000):
    """(what, Debian's figure, ours)."""
    for count in CONNECTIONS:
        of = measure(count, operations)
        yield "store, %d connections: operations a second" % count, of["debian"][0], of["fast"][0]
        yield "store, %d connections: memory, KiB" % count, of["debian"][1], of["fast"][1]


def main():
    print("%-50s %12s %12s %8s" % ("", "Debian's", "ours", "ratio"))
    for what, debian, ours in rows(*(int(a) for a in sys.argv[1:])):
        print("%-50s %12.6g %12.6g %8.3f" % (what, debian, ours, ours / debian), flush=True)


if __name__ == "__main__":
    main()
