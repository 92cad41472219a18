# SPDX-License-Identifier: Apache-2.0
"""
The store daemon on this host: Debian's own clients, domains' rings, kill -9, live updates, floods, and the same random
operations as Debian's daemon. Xen is tests/stored/fakexen.c.
"""
import os
import pathlib
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

import pytest

import machine as machines
from conftest import TOP

sys.path.insert(0, str(TOP / "tests/stored"))
import differential  # noqa: E402
import wire  # noqa: E402
from daemons import BUILD, Store, debian_program  # noqa: E402


@pytest.fixture(scope="session", autouse=True)
def stored_built():
    machines.made(BUILD / "sim/kr-stored", BUILD / "fast/kr-stored", BUILD / "fakexen.so")


@pytest.fixture
def stores(tmp_path):
    """stores(kind, options...) -> Store; each is stopped and its log judged."""
    running = []

    def start(kind="ours", *options, **more):
        store = Store(kind, tmp_path / ("%s%d" % (kind, len(running))), options, **more)
        running.append(store)
        return store

    yield start
    for store in running:
        store.stop()


def test_every_option_is_in_the_manual():
    text = subprocess.run([str(BUILD / "sim/kr-stored"), "--help"], stdout=subprocess.PIPE, universal_newlines=True,
                          check=True).stdout
    manual = (TOP / "tools/stored/kr-stored.8").read_text()
    options = re.findall(r"(-[A-Za-z]), -(-[a-z-]+)", text)
    assert len(options) > 15
    for short, long in options:
        named = r"\.It Fl %s , %s\b" % (short[1:], long)
        assert re.search(named, manual) or short in ("-I", "-K", "-w"), "kr-stored.8 lacks %s" % short



def tool(store, name, *args, **more):
    loader, program = debian_program("usr/bin/xenstore-" + name)
    return subprocess.run(loader + program + list(args), env=store.environment(), stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=60 * wire.SLOW, text=True, **more)


def with_guest(store, domid=1):
    dom0 = store.socket()
    dom0.call(wire.INTRODUCE, domid, 1, 1)
    home = "/local/domain/%d" % domid
    dom0.mkdir(home)
    dom0.set_perms(home, "n%d" % domid)
    return dom0, store.ring(domid)


# ---- Debian's clients ---------------------------------------------------------------------------

def test_debians_clients(stores):
    store = stores(user="65534")        # as it is started by default
    assert tool(store, "write", "/a/b", "1", "/a/c", "two words").returncode == 0
    assert tool(store, "read", "/a/c").stdout == "two words\n"
    assert tool(store, "chmod", "/a", "n0", "r3").returncode == 0
    assert tool(store, "list", "/a").stdout == "b\nc\n"
    listing = [line.replace(" .", "").split() for line in tool(store, "ls", "-p", "/a").stdout.splitlines()]
    assert [[line[0], line[-1]] for line in listing] == [["b", "(n0)"], ["c", "(n0)"]]
    assert tool(store, "exists", "/a/b").returncode == 0 and tool(store, "exists", "/none").returncode != 0
    assert tool(store, "rm", "/a").returncode == 0
    assert tool(store, "read", "/a/b").returncode != 0


def test_xenstore_watch(stores):
    store = stores()
    loader, program = debian_program("usr/bin/xenstore-watch")
    watch = subprocess.Popen(loader + program + ["-n", "2", "/w"], env=store.environment(), stdout=subprocess.PIPE,
                             text=True)
    assert watch.stdout.readline() == "/w\n"
    tool(store, "write", "/w/x", "1")
    assert watch.stdout.readline() == "/w/x\n"
    assert watch.wait(60 * wire.SLOW) == 0


def test_it_gives_up_its_privileges(stores):
    store = stores(user="65534")
    with open("/proc/%d/status" % store.server()) as status:
        lines = dict(line.split(":", 1) for line in status)
    assert set(lines["Uid"].split()) == {"65534"} and not lines["Groups"].strip()
    assert int(lines["CapEff"], 16) == 0 and int(lines["NoNewPrivs"]) == 1


# ---- the same answers -----------------------------------------------------------------------------

@pytest.mark.parametrize("seed", range(1, 5))
def test_the_same_answers_as_debians(stores, seed):
    pair = differential.Pair(stores("ours"), stores("debian"), seed)
    pair.run(600)
    assert pair.count["both"] > 0


@pytest.mark.full
@pytest.mark.parametrize("seed", range(100, 120))
def test_the_same_answers_at_length(stores, seed):
    pair = differential.Pair(stores("ours"), stores("debian"), seed)
    pair.run(5000)


@pytest.mark.parametrize("seed", range(11, 14))
def test_nobody_notices_a_killed_server(stores, seed):
    """The same answers as a daemon that lives on: tree, watches, transactions, replies on their way."""
    pair = differential.Pair(stores("ours"), stores("debian"), seed)
    pair.run(400, kill=0.1)
    assert pair.count["killed"] > 10


# ---- kill -9, live update ------------------------------------------------------------------------------

def test_a_kill_amid_a_stream_of_requests(stores):
    """Requests follow each other without waiting; each is answered once, in order."""
    store = stores()
    dom0, guest = with_guest(store)
    for client, path in ((dom0, "/x"), (guest, "x")):
        sent, got, killed = 0, 0, 0
        first = client.request + 1
        end = wire.deadline(120)
        while got < 2000:
            assert time.monotonic() < end
            while sent < 2000 and sent - got < 40:
                client.send(wire.WRITE, path.encode() + b"\0%d" % sent)
                sent += 1
            if sent >= killed + 400:
                store.kill_server()
                killed = sent
            kind, number, _, payload = client.receive(60)
            assert (kind, number, payload) == (wire.WRITE, first + got, b"OK\0")
            got += 1
        assert client.read(path) == b"1999"
    dom0.call(wire.CONTROL, "check")


def test_a_kill_while_the_state_is_saved(stores):
    """Saving goes in steps: most of these servers end in the middle of it. Nothing is lost or done twice."""
    store = stores("fast")
    client = store.socket()
    for n in range(300):
        client.write("/big/%d" % n, b"%d" % n * 300)
    dice = random.Random(1)
    sent, got, kill_at = 0, 0, 50
    first = client.request + 1
    while got < 3000:
        while sent < 3000 and sent - got < 40:
            client.send(wire.WRITE, b"/big/%d\0" % (sent % 300) + b"%d" % sent * 300)
            sent += 1
        if sent >= kill_at:
            store.kill_server()
            kill_at = sent + dice.randrange(60, 200)
        kind, number, _, payload = client.receive(60)
        assert (kind, number, payload) == (wire.WRITE, first + got, b"OK\0")
        got += 1
    for n in range(300):
        assert client.read("/big/%d" % n) == b"%d" % (2700 + n) * 300
    client.call(wire.CONTROL, "check")


def another_server(store, than):
    """The server that comes after that one."""
    def other():
        server = store.server()
        return server if server != than else None
    return wire.until(other, 60, store.log)


@pytest.mark.parametrize("sig", [signal.SIGKILL, signal.SIGTERM])
def test_servers_killed_from_outside_leave_nothing_out(stores, sig):
    """However many end before they serve, and whatever was the last input: it was not its doing."""
    store = stores()
    dom0, guest = with_guest(store)
    guest.write("x", "1")
    dom0.write("/y", "1")
    (store.folder / "hold").touch()
    server = store.server()
    os.kill(server, signal.SIGSTOP)
    guest.send(wire.READ, b"x\0")
    dom0.send(wire.READ, b"/y\0")
    os.kill(server, signal.SIGKILL)
    for _ in range(8):
        server = another_server(store, server)
        os.kill(server, sig)
    another_server(store, server)
    (store.folder / "hold").unlink()
    for client in (guest, dom0):
        kind, number, _, payload = client.receive(60)
        assert (kind, number, payload) == (wire.READ, client.request, b"1")
    assert "left out" not in store.log()


def test_an_input_that_ends_three_servers_is_left_out(stores):
    """Who sent it is disconnected; the others are served."""
    store = stores("ours", "-T", "/dev/stderr")
    dom0, guest = with_guest(store)
    culprit = store.socket()
    culprit.write("/c", "1")
    (store.folder / "crash").touch()
    first = store.server()
    culprit.send(wire.SET_PERMS, b"/c\0n4\0")
    dom0.send(wire.READ, b"/tool\0")
    with pytest.raises((wire.Closed, OSError)):
        culprit.receive(60)
    assert dom0.receive(60)[3] == b"" and store.server() != first
    (store.folder / "crash").unlink()
    guest.write("x", "1")
    assert store.socket().perms("/c") == ["n0"]


def test_a_server_killed_while_it_introduces_a_domain(stores):
    """The port that it had bound, and not noted, is not in its successor's way."""
    store = stores()
    dom0, _ = with_guest(store, 1)
    (store.folder / "killed").touch()
    guest = with_guest(store, 2)[1]
    assert not (store.folder / "killed").exists()
    guest.write("x", "1")
    assert dom0.read("/local/domain/2/x") == b"1"
    dom0.call(wire.CONTROL, "check")


def test_no_client_is_lost_with_a_server(stores):
    """New clients come and go while servers are killed as fast as they start."""
    store = stores("fast")
    store.socket().write("/x", "1")
    (store.folder / "slow").touch()
    done = threading.Event()
    served = 0

    def kill():
        seen, pause = 0, 0.003
        while not done.is_set():
            try:
                store.kill_server()
            except ProcessLookupError:
                pass
            # On a busy host a server may need longer to serve anybody.
            seen, pause = served, 0.003 if served != seen else min(pause * 1.2, 1)
            time.sleep(pause)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        for served in range(200):
            client = store.socket()
            assert client.read("/x") == b"1"
            client.close()
    finally:
        done.set()
        killer.join()
    store.socket().call(wire.CONTROL, "check")


def test_both_processes_killed(stores):
    """Socket clients cannot be kept then; the tree and the domains' connections are."""
    store = stores()
    dom0, guest = with_guest(store)
    dom0.write("/kept", "1")
    guest.watch("x", "token")
    tx = guest.begin()
    guest.write("x/in", "2", tx=tx)
    assert guest.drain() == [(b"x", b"token")]
    server = store.server()
    store.process.kill()
    store.process.wait()
    os.kill(server, signal.SIGKILL)
    with pytest.raises((wire.Closed, BrokenPipeError)):
        dom0.read("/kept")
    store.start()
    assert store.socket().read("/kept") == b"1"
    assert guest.read("x/in", tx=tx) == b"2"
    guest.end(tx)
    assert guest.drain() == [(b"x/in", b"token")]


def test_a_damaged_journal_ends_where_it_is_damaged(stores):
    store = stores()
    dom0 = store.socket()
    dom0.write("/early", "1")
    dom0.write("/late", "1")
    for pid in (store.process.pid, store.server()):
        os.kill(pid, signal.SIGKILL)
    store.process.wait()
    kept = max(store.folder.glob("kr-state.*"), key=lambda f: f.stat().st_size)     # the other one is empty
    state = bytearray(kept.read_bytes())
    at = struct.unpack_from("=QQQQ", state)[3]
    while b"/late" not in state[at:at + struct.unpack_from("=I", state, at)[0]]:
        at += struct.unpack_from("=I", state, at)[0]
    struct.pack_into("=I", state, at, 0x7ffffff0)
    kept.write_bytes(state)
    store.start()
    dom0 = store.socket()
    assert dom0.read("/early") == b"1"
    with pytest.raises(wire.StoreError, match="ENOENT"):
        dom0.read("/late")


def test_live_update(stores, tmp_path):
    store = stores()
    dom0, guest = with_guest(store)
    dom0.watch("/x", "t")
    dom0.drain()
    tx = dom0.begin()
    dom0.write("/x/in", "1", tx=tx)
    before = store.server()
    newer = tmp_path / "newer"
    newer.write_bytes((BUILD / "sim/kr-stored").read_bytes())
    newer.chmod(0o755)
    dom0.call(wire.CONTROL, "live-update", "-f", str(newer))
    dom0.call(wire.CONTROL, "live-update", "-s")
    wire.until(lambda: os.readlink("/proc/%d/exe" % store.process.pid) == str(newer))
    assert dom0.read("/x/in", tx=tx) == b"1"
    dom0.end(tx)
    assert dom0.drain() == [(b"/x/in", b"t")]
    guest.write("a", "1")
    assert store.server() != before
    store.kill_server()
    assert guest.read("a") == b"1"


def test_an_update_that_cannot_run_changes_nothing(stores):
    store = stores()
    dom0, guest = with_guest(store)
    dom0.write("/x", "1")
    dom0.call(wire.CONTROL, "live-update", "-f", "/nonexistent")
    dom0.call(wire.CONTROL, "live-update", "-s")
    assert dom0.read("/x") == b"1"
    guest.write("a", "1")


# ---- domains ---------------------------------------------------------------------------------------------

def test_a_dying_domain_is_cleaned_up_after(stores):
    store = stores()
    dom0, guest = with_guest(store)
    dom0.watch("@releaseDomain", "r")
    guest.write("x/y", "1")
    dom0.drain()
    store.set_domain(1, "shutdown")
    wire.virq_dom_exc(store.folder)
    assert dom0.receive()[3] == b"@releaseDomain\0r\0"
    assert dom0.read("/local/domain/1/x/y") == b"1"
    store.set_domain(1, None)
    wire.virq_dom_exc(store.folder)
    assert dom0.receive()[3] == b"@releaseDomain\0r\0"
    assert dom0.call(wire.IS_INTRODUCED, 1) == b"F\0"
    with pytest.raises(wire.StoreError, match="ENOENT"):
        dom0.read("/local/domain/1")


def test_a_domain_that_dies_while_nobody_serves(stores):
    store = stores()
    dom0, guest = with_guest(store)
    os.kill(store.process.pid, signal.SIGSTOP)      # no new server yet
    store.kill_server()
    store.set_domain(1, None)
    os.kill(store.process.pid, signal.SIGCONT)
    wire.until(lambda: dom0.call(wire.IS_INTRODUCED, 1) == b"F\0")


def test_a_domain_whose_port_is_refused(stores):
    """A toolstack that introduces it again gets the error; its events wait until that succeeds."""
    store = stores()
    dom0, guest = with_guest(store)
    guest.watch("x", "t")
    guest.drain()
    serving = store.server()
    store.set_domain(1, None)           # nobody tells the store
    with pytest.raises(wire.StoreError, match="EINVAL"):
        dom0.call(wire.INTRODUCE, 1, 1, 1)
    store.set_domain(1, "running")
    dom0.write("/local/domain/1/x", "1")
    assert dom0.read("/local/domain/1/x") == b"1"
    dom0.call(wire.INTRODUCE, 1, 1, 1)
    assert guest.read("x") == b"1"
    assert guest.events == [(b"x", b"t")]
    assert store.server() == serving, store.log()


def test_a_ring_reconnects(stores):
    store = stores()
    dom0, guest = with_guest(store)
    guest.watch("x", "t")
    guest.put(wire.HEADER.pack(wire.READ, 1, 0, 100) + b"part")
    wire.until(lambda: guest.word(wire.REQ_CONS) == guest.word(wire.REQ_PROD))     # it has the part
    guest.set_word(wire.CONNECTION, 1)
    guest.kick()
    wire.until(lambda: guest.word(wire.CONNECTION) == 0)
    guest.buffer = b""
    dom0.write("/local/domain/1/x", "1")
    assert guest.read("x") == b"1" and guest.drain() == []


@pytest.mark.parametrize("what", ["index", "length"])
def test_a_corrupt_ring_hurts_its_domain_alone(stores, what):
    store = stores()
    dom0, guest = with_guest(store)
    other = with_guest(store, 2)[1]
    if what == "index":
        guest.set_word(wire.REQ_PROD, guest.word(wire.REQ_CONS) + 5000)
        guest.kick()
    else:
        guest.put(wire.HEADER.pack(wire.READ, 1, 0, 1 << 30))
    wire.until(lambda: guest.word(wire.RING_ERROR))
    other.write("x", "1")
    assert dom0.read("/local/domain/2/x") == b"1"
    store.kill_server()
    assert other.read("x") == b"1"


# ---- floods ------------------------------------------------------------------------------------------------

def test_a_flooding_guest_hurts_itself_alone(stores):
    """It neither reads its replies nor stops; everybody else is served as before."""
    store = stores()
    dom0, flooder = with_guest(store)
    quiet = with_guest(store, 2)[1]
    message = wire.HEADER.pack(wire.DIRECTORY, 1, 0, 2) + b".\0"
    for _ in range(300):
        cons, prod = flooder.word(wire.REQ_CONS), flooder.word(wire.REQ_PROD)
        if (prod - cons) & 0xffffffff < 900:
            flooder.put(message, timeout=0.01)
        quiet.write("x", "1")
        assert dom0.read("/local/domain/2/x") == b"1"
    assert store.memory() < 400 * 1024


def test_a_socket_that_does_not_read(stores):
    """Its own requests wait; those whose events go to it go on after a while. When it goes, the server lets it go."""
    store = stores()
    dom0, guest = with_guest(store)
    sockets = pathlib.Path("/proc/%d/fd" % store.server())
    before = len(list(sockets.iterdir()))
    lazy = store.socket()
    lazy.watch("/local/domain/1", "t" * 2000)
    lazy.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    dom0.write("/large", "v" * 2000)    # answers are long, so that the kernel has no room for them all
    request = wire.HEADER.pack(wire.READ, 1, 0, 7) + b"/large\0"
    lazy.sock.setblocking(False)
    sent = 0
    try:
        while sent < 10_000_000:
            sent += lazy.sock.send(request * 100)
    except BlockingIOError:
        pass
    assert sent < 10_000_000, "it is read from without end"
    assert dom0.read("/tool") == b""
    guest.write("x", "1")
    lazy.sock.close()
    wire.until(lambda: len(list(sockets.iterdir())) == before, 60, store.log)


def test_random_bytes_on_the_socket(stores):
    store = stores()
    noise = random.Random(5)
    for _ in range(200):
        client = store.socket()
        kind = noise.choice([noise.randrange(30), noise.getrandbits(32)])
        body = noise.randbytes(noise.randrange(60))
        try:
            client.put(struct.pack("=IIII", kind, noise.getrandbits(32), 0, len(body)) + body + noise.randbytes(20))
        except OSError:
            pass
        client.close()
    assert store.socket().ls("/")[0] == "tool"
