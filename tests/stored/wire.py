# SPDX-License-Identifier: Apache-2.0
"""A client of the store's wire protocol (<xen/io/xs_wire.h>), over a socket or over a domain's page."""
import mmap
import os
import select
import socket
import struct
import time

(CONTROL, DIRECTORY, READ, GET_PERMS, WATCH, UNWATCH, TX_START, TX_END, INTRODUCE, RELEASE, GET_DOMAIN_PATH, WRITE,
 MKDIR, RM, SET_PERMS, WATCH_EVENT, ERROR, IS_INTRODUCED, RESUME, SET_TARGET, _, RESET_WATCHES, DIRECTORY_PART) = range(23)

HEADER = struct.Struct("=IIII")
RING, REQ_CONS, REQ_PROD, RSP_CONS, RSP_PROD, FEATURES, CONNECTION, RING_ERROR = (
    1024, 2048, 2052, 2056, 2060, 2064, 2068, 2072)


# Time limits are for an idle machine; a slow one multiplies them, as in scripts/machine.py.
SLOW = float(os.environ.get("KRYPTON_SLOW", "1"))


def deadline(seconds):
    return time.monotonic() + seconds * SLOW


def until(condition, seconds=60, what=lambda: ""):
    """Wait until condition() is true; returns what it was. what(): said with the failure."""
    end = deadline(seconds)
    while True:
        now = condition()
        if now:
            return now
        assert time.monotonic() < end, what()
        time.sleep(0.002)


class StoreError(Exception):
    """An ERROR reply; its text is the name of the error."""


class Closed(Exception):
    """The daemon ended the conversation."""


class Client:
    """What both transports share. Watch events that arrive meanwhile are kept in .events."""

    def __init__(self):
        self.events = []
        self.buffer = b""
        self.request = 0

    def send(self, kind, payload=b"", tx=0):
        """A request without waiting for the reply; returns its number."""
        self.request += 1
        self.put(HEADER.pack(kind, self.request, tx, len(payload)) + payload)
        return self.request

    def receive(self, timeout=60):
        """The next message: (type, req_id, tx_id, payload)."""
        end = deadline(timeout)
        while True:
            if len(self.buffer) >= HEADER.size:
                kind, number, tx, length = HEADER.unpack_from(self.buffer)
                if len(self.buffer) >= HEADER.size + length:
                    payload = self.buffer[HEADER.size:HEADER.size + length]
                    self.buffer = self.buffer[HEADER.size + length:]
                    return kind, number, tx, payload
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError("no answer from the store")
            self.buffer += self.get(left)

    def reply(self, number, timeout=60):
        while True:
            kind, got, tx, payload = self.receive(timeout)
            if kind == WATCH_EVENT:
                self.events.append(tuple(payload.split(b"\0")[:2]))
                continue
            assert got == number, (got, number)
            if kind == ERROR:
                raise StoreError(payload.rstrip(b"\0").decode())
            return payload

    def call(self, kind, *strings, tx=0, tail=b""):
        """One request of NUL-terminated strings and its reply's payload."""
        payload = b"".join((s if isinstance(s, bytes) else str(s).encode()) + b"\0" for s in strings)
        return self.reply(self.send(kind, payload + tail, tx))

    def read(self, path, tx=0):
        return self.call(READ, path, tx=tx)

    def write(self, path, value, tx=0):
        return self.call(WRITE, path, tx=tx, tail=value if isinstance(value, bytes) else value.encode())

    def mkdir(self, path, tx=0):
        return self.call(MKDIR, path, tx=tx)

    def rm(self, path, tx=0):
        return self.call(RM, path, tx=tx)

    def ls(self, path, tx=0):
        return [s.decode() for s in self.call(DIRECTORY, path, tx=tx).split(b"\0")[:-1]]

    def perms(self, path, tx=0):
        return [s.decode() for s in self.call(GET_PERMS, path, tx=tx).split(b"\0")[:-1]]

    def set_perms(self, path, *perms, tx=0):
        return self.call(SET_PERMS, path, *perms, tx=tx)

    def watch(self, path, token, *depth):
        return self.call(WATCH, path, token, *depth)

    def unwatch(self, path, token):
        return self.call(UNWATCH, path, token)

    def begin(self):
        return int(self.call(TX_START, "").rstrip(b"\0"))

    def end(self, tx, commit=True):
        return self.call(TX_END, "T" if commit else "F", tx=tx)

    def drain(self):
        """Events so far, and none kept: a reply comes after the events before it."""
        self.call(GET_DOMAIN_PATH, 1)
        events, self.events = self.events, []
        return events


class Socket(Client):
    """A local client, which the daemon takes for dom0."""

    def __init__(self, path):
        super().__init__()
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(str(path))

    def put(self, data):
        self.sock.sendall(data)

    def get(self, timeout):
        self.sock.settimeout(timeout)
        try:
            data = self.sock.recv(65536)
        except socket.timeout:
            return b""
        except ConnectionResetError:
            data = b""
        if not data:
            raise Closed()
        return data

    def close(self):
        self.sock.close()


class Ring(Client):
    """Domain domid's end of its store page, in a folder that tests/stored/fakexen.c reads."""

    def __init__(self, folder, domid):
        super().__init__()
        self.folder, self.domid = str(folder), domid
        path = "%s/ring-%d" % (folder, domid)
        with open(path, "a+b") as f:
            if os.path.getsize(path) < 4096:
                f.truncate(4096)
            self.page = mmap.mmap(f.fileno(), 4096)
        # The daemon reads the indices meanwhile: each is moved as a whole, where struct's "=I" goes byte by byte.
        self.words = memoryview(self.page).cast("I")
        self.doorbell = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        mine = "%s/guest-%d" % (folder, domid)
        if os.path.exists(mine):
            os.unlink(mine)
        self.doorbell.bind(mine)

    def word(self, at):
        return self.words[at // 4]

    def set_word(self, at, value):
        self.words[at // 4] = value & 0xffffffff

    def kick(self):
        try:
            self.doorbell.sendto(struct.pack("=I", 100 + self.domid), self.folder + "/evtchn")
        except (ConnectionRefusedError, FileNotFoundError):
            pass            # the daemon is away; it looks at the page when it is back

    def heard(self, timeout):
        """Wait for a signal; True when one came."""
        if not select.select([self.doorbell], [], [], timeout)[0]:
            return False
        self.doorbell.recv(4)
        return True

    def put(self, data, timeout=60):
        end = deadline(timeout)
        while data:
            cons, prod = self.word(REQ_CONS), self.word(REQ_PROD)
            room = RING - ((prod - cons) & 0xffffffff)
            if room == 0:
                if time.monotonic() > end:
                    raise TimeoutError("the store does not read")
                self.heard(0.01)
                continue
            n = min(room, len(data), RING - prod % RING)
            self.page[prod % RING:prod % RING + n] = data[:n]
            self.set_word(REQ_PROD, prod + n)
            data = data[n:]
            self.kick()

    def get(self, timeout):
        cons, prod = self.word(RSP_CONS), self.word(RSP_PROD)
        if cons == prod:
            self.heard(min(timeout, 0.2))
            return b""
        n = min((prod - cons) & 0xffffffff, RING - cons % RING)
        data = self.page[RING + cons % RING:RING + cons % RING + n]
        self.set_word(RSP_CONS, cons + n)
        self.kick()
        return data

    def close(self):
        self.doorbell.close()


def reset_page(folder, domid):
    """An unused store page."""
    path = "%s/ring-%d" % (folder, domid)
    with open(path, "r+b" if os.path.exists(path) else "wb") as f:    # someone may have it mapped
        f.write(b"\0" * 4096)


def set_domains(folder, states):
    """states: {domid: "running", "shutdown" or "dying"}."""
    with open("%s/domains.new" % folder, "w") as f:
        f.write("".join("%d %s\n" % it for it in states.items()))
    os.replace("%s/domains.new" % folder, "%s/domains" % folder)


def virq_dom_exc(folder):
    """What Xen sends when a domain dies or shuts down."""
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.sendto(struct.pack("=I", 99), "%s/evtchn" % folder)
    s.close()
