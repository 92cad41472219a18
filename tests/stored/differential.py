# SPDX-License-Identifier: Apache-2.0
"""
The same random operations on two stores: the same answers and the same watch events, after each of them.

Transactions differ, and are compared by what they mean. Ours reads the store as it was when the transaction began (as Xen's
xenstore.txt says); Debian's reads each node as it is when the transaction first touches it. And Debian's ends with EAGAIN when a
node that it touched was changed in any way, ours only when an answer that it gave would differ now. So:
  both commit            then both gave the same answers
  only one commits       then the operations, given to the other one again without interruption, give the answers that
                         the first one gave; and ours fails only when an answer was not like that

By hand: differential.py SEED COUNT [KILL]
"""
import random
import sys
import tempfile
import time

import wire
from daemons import Store

NAMES = ["a", "b", "c", "d"]
HOMES = ["/local/domain/%d" % n for n in range(5)]


def is_error(answer):
    return isinstance(answer, str)


class Pair:
    """Two stores with the same clients: two sockets of dom0 and a ring of each domain."""

    def __init__(self, first, second, seed):
        self.stores = (first, second)
        self.random = random.Random(seed)
        self.trace = []
        self.count = {"both": 0, "ours alone": 0, "Debian's alone": 0}
        for store in self.stores:
            dom0 = store.socket()
            for domid in (1, 2, 3):
                dom0.call(wire.INTRODUCE, domid, 1, domid)
                dom0.mkdir(HOMES[domid])
                dom0.set_perms(HOMES[domid], "n%d" % domid)
            dom0.close()
        self.clients = [[s.socket(), s.socket(), s.ring(1), s.ring(2), s.ring(3)] for s in self.stores]
        self.open = [{} for _ in self.clients[0]]     # our transaction -> (Debian's, operations so far)

    # ---- one operation ------------------------------------------------------------------------

    def path(self, client):
        r = self.random
        base = r.choice(["", "", "/t", HOMES[1], HOMES[2], HOMES[3]] + ([HOMES[client - 1], "."] if client > 1 else ["."]))
        depth = r.choice([0, 1, 1, 2, 2, 3])
        if depth == 0 and base == "":
            return "/"
        parts = [r.choice(NAMES) for _ in range(max(depth, base == "."))]
        if base == ".":
            return "/".join(parts)
        return base + "".join("/" + p for p in parts)

    def perms(self, client):
        r = self.random
        owner = r.choice([0, 1, 2, 3]) if client < 2 else client - 1
        return ["%s%d" % (r.choice("nrwb"), owner)] + [
            "%s%d" % (r.choice("nrwb"), r.choice([0, 1, 2, 3])) for _ in range(r.choice([0, 0, 1, 2]))]

    def operation(self, client):
        """(kind, strings, tail)"""
        r = self.random
        kind = r.choice([wire.READ] * 3 + [wire.WRITE] * 6 + [wire.MKDIR] * 2 + [wire.RM] * 2 +
                        [wire.DIRECTORY] * 3 + [wire.GET_PERMS] * 2 + [wire.SET_PERMS] * 2 + [wire.DIRECTORY_PART])
        path = self.path(client)
        if kind == wire.WRITE:
            return kind, [path], r.choice([b"", b"x", b"1", b"value\0with zero", b"y" * 300])
        if kind == wire.SET_PERMS:
            return kind, [path] + self.perms(client), b""
        if kind == wire.DIRECTORY_PART:
            return kind, [path, r.choice(["0", "2", "99"])], b""
        return kind, [path], b""

    @staticmethod
    def ask(client, kind, strings, tail=b"", tx=0):
        try:
            answer = client.call(kind, *strings, tx=tx, tail=tail)
        except wire.StoreError as error:
            return "ERROR " + str(error)
        if kind == wire.DIRECTORY_PART:
            return answer[answer.index(b"\0"):]         # the generation is the daemon's own
        return answer

    def both(self, client, kind, strings, tail=b"", tx=(0, 0)):
        answers = [self.ask(clients[client], kind, strings, tail, t) for clients, t in zip(self.clients, tx)]
        self.trace.append((client, kind, strings, tail[:10], tx, answers[0]))
        return answers

    def same(self, client, kind, strings, tail=b"", tx=(0, 0)):
        ours, theirs = self.both(client, kind, strings, tail, tx)
        assert ours == theirs, self.report("ours answers %r, Debian's %r" % (ours, theirs))
        return ours

    def report(self, what):
        return "\n".join([what] + [repr(t) for t in self.trace[-60:]])

    @staticmethod
    def settled(clients):
        """
        Every client's events so far: a reply comes after the events before it, so one more request shows them all. All at
        once, for a domain is held up while others have not taken the events that it caused.
        """
        waiting = {client: client.send(wire.GET_DOMAIN_PATH, b"1\0") for client in clients}
        end = wire.deadline(60)
        while waiting:
            for client, number in list(waiting.items()):
                try:
                    kind, got, _, payload = client.receive(0.01 if len(waiting) > 1 else 1)
                except TimeoutError:
                    assert time.monotonic() < end, "no answer"
                    continue
                if kind == wire.WATCH_EVENT:
                    client.events.append(tuple(payload.split(b"\0")[:2]))
                else:
                    assert got == number
                    del waiting[client]
        events = [sorted(set(c.events)) for c in clients]   # Debian's leaves out what it has queued already
        for client in clients:
            client.events = []
        return events

    def same_events(self):
        for client, seen in enumerate(zip(*(self.settled(clients) for clients in self.clients))):
            # Debian's forgets, at a commit, who could read what was removed; xenstore.txt promises the event.
            more = self.trace and self.trace[-1][1] == wire.TX_END and client > 1
            same = set(seen[0]) >= set(seen[1]) if more else seen[0] == seen[1]
            assert same, self.report("events of client %d: ours %r, Debian's %r" % (client, *seen))

    # ---- transactions -------------------------------------------------------------------------

    def start(self, client):
        ours, theirs = self.both(client, wire.TX_START, [""])
        if isinstance(ours, str):
            assert ours == theirs, self.report("start: %r, %r" % (ours, theirs))
            return
        assert not isinstance(theirs, str), self.report("Debian's refuses a transaction: " + str(theirs))
        self.open[client][int(ours[:-1])] = (int(theirs[:-1]), [])

    def end(self, client, tx, commit):
        theirs_tx, done = self.open[client].pop(tx)
        ours, theirs = self.both(client, wire.TX_END, ["T" if commit else "F"], tx=(tx, theirs_tx))
        if not commit or ours == theirs == "ERROR EAGAIN":
            assert ours == theirs, self.report("end: ours %r, Debian's %r" % (ours, theirs))
        elif ours == theirs:
            self.count["both"] += 1
            different = [d for d in done if d[3] != d[4]]
            assert not different, self.report("both commit, but answered differently: %r" % different)
        elif ours == b"OK\0" and theirs == "ERROR EAGAIN":
            self.count["ours alone"] += 1
            self.again(self.clients[1][client], [d[:4] for d in done])
        elif ours == "ERROR EAGAIN" and theirs == b"OK\0":
            self.count["Debian's alone"] += 1
            self.no_longer(self.clients[0][client], [d[:4] for d in done])
            # Debian's does not look again at what it refused.
            self.again(self.clients[0][client], [d[:3] + d[4:] for d in done if not is_error(d[4])])
        else:
            raise AssertionError(self.report("end: ours %r, Debian's %r" % (ours, theirs)))

    def again(self, client, done):
        """After all that came between, the same operations give the answers that were committed."""
        tx = client.begin()
        for kind, strings, tail, answer in done:
            now = self.ask(client, kind, strings, tail, tx)
            assert now == answer, self.report("committed, but %d %r would now answer %r, not %r"
                                              % (kind, strings, now, answer))
        client.end(tx)

    def no_longer(self, client, done):
        """One of the answers would be another one now."""
        tx = client.begin()
        now = [self.ask(client, *d[:3], tx) for d in done]
        client.end(tx, False)
        assert now != [d[3] for d in done], self.report("fails although all its answers still hold: %r" % done)

    # ---- steps ---------------------------------------------------------------------------------

    def step(self):
        r = self.random
        client = r.randrange(len(self.open))
        what = r.random()
        txs = self.open[client]
        if what < 0.08 and len(txs) < 4:
            self.start(client)
        elif what < 0.16 and txs:
            self.end(client, r.choice(list(txs)), r.random() < 0.85)
        elif what < 0.40 and txs:
            tx = r.choice(list(txs))
            kind, strings, tail = self.operation(client)
            answers = self.both(client, kind, strings, tail, (tx, txs[tx][0]))
            txs[tx][1].append((kind, strings, tail, *answers))
        elif what < 0.50:
            path = r.choice([self.path(client), "@releaseDomain", "@introduceDomain"])
            self.same(client, r.choice([wire.WATCH, wire.WATCH, wire.UNWATCH]), [path, r.choice("tuv")])
        elif what < 0.51:
            self.same(client, wire.RESET_WATCHES, [""])
            self.open[client] = {}
        elif what < 0.53:
            self.domains(client)
        else:
            self.same(client, *self.operation(client))
        self.same_events()

    def domains(self, client):
        r = self.random
        kind = r.choice([wire.IS_INTRODUCED, wire.SET_TARGET, wire.RESUME, wire.GET_DOMAIN_PATH, wire.RELEASE])
        if kind == wire.SET_TARGET:
            self.same(client, kind, [r.choice("1239"), r.choice("1230")])
        elif kind == wire.RELEASE:      # of one that nobody uses
            if client > 1:
                self.same(client, kind, ["4"])
                return
            self.same(client, wire.INTRODUCE, ["4", "1", "4"])
            self.same_events()
            if r.random() < 0.5:
                self.same(client, wire.WRITE, ["/owned/x"], b"v")
                self.same(client, wire.SET_PERMS, ["/owned/x", "n4"])
                self.same(client, wire.WRITE, ["/owned/x/y"], b"v")
                self.same_events()
            self.same(client, wire.RELEASE, ["4"])
        else:
            self.same(client, kind, [r.choice("01239")])

    def run(self, count, kill=0.0):
        """kill: how often our server is killed while it may be at work; nobody may notice."""
        for _ in range(count):
            if self.random.random() < kill:
                self.count["killed"] = self.count.get("killed", 0) + 1
                self.stores[0].kill_server()
            self.step()


def main():
    seed, count = int(sys.argv[1]), int(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        stores = Store("ours", folder + "/ours"), Store("debian", folder + "/debian")
        try:
            pair = Pair(*stores, seed)
            pair.run(count, float(sys.argv[3]) if len(sys.argv) > 3 else 0.0)
        finally:
            for store in stores:
                store.stop()
    print("seed %d: %d operations, the same; commits: %s" % (seed, count, pair.count))


if __name__ == "__main__":
    main()
