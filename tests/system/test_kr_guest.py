# SPDX-License-Identifier: Apache-2.0
"""kr in a real dom0 of each architecture: guests made, run and ended with Debian's store daemon and our console daemon beside it."""
import base64
import gzip
import json
import re
import shutil
import struct

import machine as machines
import pytest

from dom0 import Dom0
from guests import SCHED_OP, SHUTDOWN, SLEEPS, WATCHDOG, WRITES, WRITTEN


# Kernels of a page in dom0's /guest, which make one call of sched_op: how it ends. Two more are "sleeps" and "writes".
ENDS = {"poweroff": (SHUTDOWN, 0), "reboot": (SHUTDOWN, 1), "crash": (SHUTDOWN, 3), "soft_reset": (SHUTDOWN, 5), "watchdog": (WATCHDOG, 0, 1)}


@pytest.fixture(scope="module", params=["arm64", "x86_64"])
def dom0(request, tmp_path_factory):
    arch = request.param
    folder = tmp_path_factory.mktemp("extra")
    programs = [machines.BUILD / "tools" / arch / name for name in ("kr", "kr-consoled", "kr-supervisor")]
    machines.made(*programs)
    assert programs[0].stat().st_size < 2 << 20
    (folder / "usr/sbin").mkdir(parents=True)
    for program in programs:
        shutil.copy(program, folder / "usr/sbin")
    (folder / "guest").mkdir()
    for name, kernel in dict({what: SCHED_OP[arch](*call) for what, call in ENDS.items()}, sleeps=SLEEPS[arch],
                             writes=WRITES[arch][0]).items():
        (folder / "guest" / name).write_bytes(kernel)
    disk = tmp_path_factory.mktemp("disk") / "disk"
    disk.write_bytes(bytes(4 << 20))
    with Dom0("krypton", "kr-guest-" + arch, arch=arch, extra=str(folder), disk=disk) as machine:
        yield machine


def kr(dom0, command, seconds=60):
    """What kr COMMAND --json prints; it must succeed."""
    return json.loads(dom0.ok("kr %s --json 2>/dev/null" % command, seconds))


def domains(dom0):
    return {d["name"]: d for d in kr(dom0, "list")["domains"]}


def refused(dom0, command):
    status, text = dom0.run("kr " + command)
    assert status == 1, text
    return text


def state(dom0):
    """What a guest that has ended must leave as it was: nodes with a value, loop devices, interfaces, domains."""
    # What a guest's front ends complain about is the guest's own business.
    return (dom0.ok("xenstore-ls -f | grep -v '^/tool\\|^/local/domain/[0-9]*/error/\\|= \"\"$'"),
            dom0.ok("losetup -a"), dom0.ok("ls /sys/class/net"), list(domains(dom0)))


@pytest.fixture
def nothing_is_left(dom0):
    before, free = state(dom0), kr(dom0, "info")["free_mib"]
    yield
    for name in domains(dom0):      # so that a failure does not become that of the next test
        if name not in before[-1]:
            dom0.ok("kr destroy %s" % name)
    assert state(dom0) == before
    # Linux gives pages of its own away, 2 MiB at a time, to have room for mappings.
    assert abs(kr(dom0, "info")["free_mib"] - free) <= 8


@pytest.fixture(scope="module")
def guest(dom0):
    """A guest that is up, without devices, and what its console showed: its input ends when it is up, and with it the console."""
    return dom0.ok("config g; booted g 100 | kr create /tmp/g.cfg vcpus=2 --console", 110)


def test_the_machine_is_described(dom0, nothing_is_left):
    info = kr(dom0, "info")
    assert info["extra"] == "-krypton" and info["cpus"] == 2
    assert 0 < info["free_mib"] < info["memory_mib"]
    assert "Krypton" in dom0.ok("kr dmesg")
    assert "key 'm'" in dom0.ok("kr debug-key h; kr dmesg")
    assert kr(dom0, "cpupool")["pools"][0]["cpus"] == "0-1" and kr(dom0, "sched")["scheduler"] == "credit2"
    # A reason of each table, and the manuals.
    assert "meaning:" in dom0.ok("kr explain NAME_TAKEN") and "from:    hypervisor" in dom0.ok("kr explain R_NO_SUCH_DOMAIN")
    assert "create" in dom0.ok("man kr") and "rename-restart" in dom0.ok("man kr-supervisor")


def test_a_guest_lives_from_create_to_destroy(dom0, nothing_is_left):
    """With a disk and an address; Xen's own tools see it too."""
    dom0.ok("truncate -s 1M /tmp/cd; echo on the CD | dd of=/tmp/cd conv=notrunc 2>/dev/null; "
            "config a \"disk=['/guest/disk.img,raw,xvda,w', '/tmp/cd,raw,hdc,cdrom']\" \"vif=['bridge=xenbr0']\"; "
            "kr create -p /tmp/a.cfg vcpus=2 maxvcpus=3", 60)
    assert domains(dom0)["a"]["state"] == "paused"
    assert domains(dom0)["a"]["memory_kib"] in range(96 << 10, (96 << 10) + 9)
    assert ("kr", "created", "/tmp/a.cfg") in [(e["from"], e["what"], e.get("why")) for e in kr(dom0, "events a")["events"]]
    dom0.ok("kr unpause a; booted a 60", 70)
    assert domains(dom0)["a"]["state"] == "running"
    assert dom0.ok("inside a nproc").strip() == "2"
    assert "hello from the disk" in dom0.ok("inside a 'mount /dev/xvda /mnt && cat /mnt/hello && umount /mnt'")
    assert dom0.ok("inside a 'cat /sys/block/xvdc/ro /dev/xvdc | head -n 2'").splitlines() == ["1", "on the CD"]
    dom0.ok("inside a 'ip addr add 10.0.0.2/24 dev eth0; ip link set eth0 up'; "
            "until_true 20 ping -c 1 -W 1 10.0.0.2", 40)
    assert re.search(r"(?m)^a +\d", dom0.ok("xl list"))
    dom0.ok("kr pause a")
    assert domains(dom0)["a"]["state"] == "paused"
    dom0.ok("kr unpause a; kr shutdown a; until_true 40 sh -c 'kr list | grep \"a .*shut down\"'", 60)
    # The interface and the loop devices are gone when it returns.
    assert dom0.ok("kr destroy a; ls /sys/class/net | sed -n /vif/p; losetup -a; rm /tmp/cd").strip() == ""


def test_a_card_is_set_up_as_asked(dom0, nothing_is_left):
    dom0.ok("config n \"vif=['mac=00:16:3e:00:00:01,vifname=cardn,rate=1MB/s@20ms', '']\"; kr create -p /tmp/n.cfg", 60)
    id = domains(dom0)["n"]["domid"]
    assert dom0.ok("cat /sys/class/net/cardn/brport/state /sys/class/net/vif%d.1/brport/state" % id)
    back = "/local/domain/0/backend/vif/%d/0/" % id
    assert dom0.ok("xenstore-read %srate %smac" % (back, back)).split() == ["20000,20000", "00:16:3e:00:00:01"]
    assert "has the address 00:16:3e:00:00:01 already" in refused(
        dom0, "create /tmp/n.cfg \"name='m'\" \"vif=['mac=00:16:3e:00:00:01']\"")


def test_what_is_refused_in_dom0(dom0, nothing_is_left):
    dom0.ok("config b; kr create -p /tmp/b.cfg", 60)
    assert "the name b is domain" in refused(dom0, "create /tmp/b.cfg")
    assert "there is no domain with the name c" in refused(dom0, "pause c")
    assert "there is no domain with the number 77" in refused(dom0, "destroy 77")
    text = refused(dom0, "create --dry-run /tmp/b.cfg memory=100000")
    assert "the name b is domain" in text and "Domain-0 has" in text and "b has 96" in text
    dom0.ok("mkdir -p /tmp/small; mount -t tmpfs -o size=1M none /tmp/small")
    assert "MiB are wanted, but there is room for 1 [FILE_ROOM]" in refused(dom0, "dump-core b /tmp/small/core")
    assert not dom0.ok("ls -A /tmp/small; umount /tmp/small; rmdir /tmp/small; kr destroy b").strip()
    assert "not enough free memory: 100000 MiB wanted" in refused(dom0, "create /tmp/b.cfg memory=100000")
    assert "there is no bridge nobridge; there are: xenbr0" in refused(
        dom0, "create /tmp/b.cfg \"vif=['bridge=nobridge']\"")
    if dom0.machine.arch == "x86_64":   # packed there, and unpacked into the guest
        dom0.ok("cp /guest/vmlinuz /tmp/damaged; dd if=/dev/zero of=/tmp/damaged bs=1M seek=9 count=1 conv=notrunc")
        assert "lz4 data is damaged after" in refused(dom0, "create /tmp/b.cfg \"kernel='/tmp/damaged'\"")
        dom0.ok("rm /tmp/damaged")


@pytest.mark.first("arm64")
def test_wrong_set_ups_have_one_line_each(dom0, nothing_is_left):
    """What only a running system can show; files and their keys are in tests/config and test_kr.py."""
    dom0.ok("config w \"disk=['/guest/disk.img,raw,xvda,w']\"; kr create -p /tmp/w.cfg; : >/tmp/empty; head -c 5000 /guest/vmlinuz >/tmp/short", 60)
    uuid = kr(dom0, "list -l w")["domains"][0]["uuid"]
    for overrides, reason in [
            ("", "NAME_TAKEN"), ("\"uuid='%s'\"" % uuid, "UUID_TAKEN"), ("", "DISK_SHARED"), ("memory=100000", "HOST_MEMORY"),
            ("\"kernel='/nowhere'\"", "FILE_MISSING"), ("\"kernel='/tmp'\"", "FILE_KIND"), ("\"kernel='/tmp/empty'\"", "FILE_EMPTY"),
            ("\"kernel='/guest/disk.img'\"", "KERNEL_FORMAT"), ("\"kernel='/tmp/short'\"", "KERNEL_TRUNCATED"),
            ("\"ramdisk='/nowhere'\"", "FILE_MISSING"), ("\"ramdisk='/tmp/empty'\"", "FILE_EMPTY"),
            ("\"disk=['/nowhere,raw,xvda,w']\"", "DISK_MISSING"), ("\"disk=['/dev/null,raw,xvda,w']\"", "DISK_KIND"),
            ("\"disk=['/tmp/empty,raw,xvda,w']\"", "DISK_EMPTY"), ("\"vif=['bridge=none']\"", "NO_BRIDGE"),
            ("\"vif=['gatewaydev=none,ip=10.7.0.2']\"", "NO_INTERFACE"), ("vcpus=4000", "CONFIG_VALUE")]:
        text = refused(dom0, "create /tmp/w.cfg " + overrides)
        assert "[%s]" % reason in text, (overrides, text)
        assert all(line.startswith("kr: ") for line in text.splitlines()), text
    dom0.ok("kr destroy w")
    # Two at once: one of them is made.
    first, second = (int(n) for n in dom0.run(
        "(kr create -p /tmp/w.cfg 2>/tmp/1; echo $? >/tmp/1.status) & kr create -p /tmp/w.cfg 2>/tmp/2; echo $?; wait; "
        "cat /tmp/1.status", 120)[1].split()[-2:])
    assert sorted((first, second)) == [0, 1]
    assert "NAME_TAKEN" in dom0.ok("cat /tmp/1 /tmp/2")
    dom0.ok("kr destroy w")
    # Nobody but root; no store daemon, and no other way to one.
    assert "PRIVILEGE" in dom0.run("su nobody -c 'kr list'")[1]
    dom0.ok("mkdir -p /tmp/some; cp -a /dev/xen/privcmd /dev/xen/hypercall /tmp/some")
    assert "[NO_STORE]" in dom0.run(
        "unshare -m sh -c 'mount --bind /tmp/some /dev/xen && XENSTORED_PATH=/nowhere kr create /tmp/w.cfg'")[1]
    dom0.ok("rm -r /tmp/some /tmp/empty /tmp/short")


def test_top_is_live(dom0):
    assert dom0.terminal("env TERM=vt100 kr top", [("", "domains,"), ("", "Domain-0"), ("m", ""), ("q", "")], 60) == 0


@pytest.mark.first("arm64")
def test_a_disk_has_one_writer(dom0, nothing_is_left):
    """A file by whatever name, a loop device, another guest's or dom0's own."""
    dom0.ok("config b \"disk=['/guest/disk.img,raw,xvda,w']\"; kr create -p /tmp/b.cfg; ln -sf disk.img /guest/link", 60)
    refusal = refused(dom0, "create /tmp/b.cfg \"name='c'\" \"disk=['/guest/link,raw,xvda,w']\"")
    assert "(b) has /guest/link as xvda already, and both would write to it [DISK_SHARED]" in refusal
    assert "DISK_SHARED" in refused(dom0, "create /tmp/b.cfg \"name='c'\" \"disk=['/guest/disk.img,raw,xvda,r']\"")
    dom0.ok("kr destroy b; kr create -p /tmp/b.cfg \"disk=['/guest/disk.img,raw,xvda,r']\"; "
            "kr create -p /tmp/b.cfg \"name='c'\" \"disk=['/guest/link,raw,xvda,r']\"", 60)
    assert "this one would write" in refused(dom0, "create /tmp/b.cfg \"name='d'\"")
    dom0.ok("kr destroy b; kr destroy c; truncate -s 1M /tmp/used; losetup /dev/loop7 /tmp/used; mkswap /dev/loop7; swapon /dev/loop7")
    assert "in use here through /dev/loop7" in refused(dom0, "create /tmp/b.cfg \"disk=['/tmp/used,raw,xvda,w']\"")
    assert "in use here: mounted, swapped to" in refused(dom0, "create /tmp/b.cfg \"disk=['/dev/loop7,raw,xvda,w']\"")
    # A user's loop device that goes when nobody has it open any more still does after a guest had it.
    dom0.ok("swapoff /dev/loop7; exec 9</dev/loop7; losetup -d /dev/loop7; kr create -p /tmp/b.cfg \"disk=['/dev/loop7,raw,xvda,w']\"; exec 9<&-; "
            "grep -q /tmp/used /sys/block/loop7/loop/backing_file; kr destroy b; until_true 20 [ ! -e /sys/block/loop7/loop ]; rm /guest/link /tmp/used", 60)


@pytest.mark.first("arm64")
def test_a_create_that_is_interrupted_leaves_nothing(dom0, nothing_is_left):
    dom0.ok("config i \"disk=['/guest/disk.img,raw,xvda,w']\" \"vif=['']\"")
    for tenths in (1, 3, 6, 10, 15):
        dom0.run("kr create /tmp/i.cfg & usleep %d00000; kill -TERM $!; wait" % tenths, 60)
        dom0.run("kr destroy i")    # if it was faster than the signal


def test_what_takes_long_is_shown_and_ctrl_c_undoes_it(dom0, nothing_is_left):
    """On a terminal. The script lasts until kr has been told to end, the lock as long as we want."""
    dom0.ok("printf '%s\\n' '#!/bin/sh' '[ $1 = offline ] || until grep -q \"^ShdPnd.*[1-9a-f]\" /proc/$PPID/status; do usleep 100000; done' "
            ">/etc/xen/scripts/slow; chmod 755 /etc/xen/scripts/slow; "
            "printf '%s\\n' \"name='t'\" \"type='pvh'\" memory=8 \"kernel='/guest/sleeps'\" \"vif=['script=slow']\" >/tmp/t.cfg")
    assert dom0.terminal("kr create /tmp/t.cfg", [("", "t: waiting for a script ..."), ("\x03", "what was done is undone [INTERRUPTED]")], 60) == 130
    dom0.ok("sh -c 'exec 9>>/run/kr.lock; flock 9; echo $$ >/tmp/holder; exec sleep 1000' >/dev/null 2>&1 & until_true 20 [ -s /tmp/holder ]")
    assert dom0.terminal("kr create /tmp/t.cfg", [("", "t: waiting for another kr to finish ..."), ("\x03", "")], 60) == 130
    dom0.ok("kill $(cat /tmp/holder); rm /tmp/holder /etc/xen/scripts/slow")


@pytest.mark.first("arm64")
def test_kill_at_any_moment_leaves_nothing(dom0, nothing_is_left, request):
    """What the next command finds is whole: a guest that runs, or none."""
    full = request.config.getoption("--full")
    dom0.ok("config k \"disk=['/guest/disk.img,raw,xvda,w']\" \"vif=['']\"")
    before = state(dom0)
    for tenths in (1, 2, 3, 4, 5, 7, 9, 11, 14) if full else (2, 5, 9):
        dom0.run("kr create /tmp/k.cfg >/dev/null 2>&1 & usleep %d00000; kill -KILL $!; wait" % tenths, 60)
        if "k" in domains(dom0):
            assert domains(dom0)["k"]["state"] != "paused"
            dom0.run("kr destroy k & usleep %d0000; kill -KILL $!; wait" % tenths, 60)
            dom0.run("kr list; kr destroy k", 60)
        assert state(dom0) == before
    dom0.ok("config k; truncate -s 1M /tmp/extra.img; kr create -p /tmp/k.cfg", 60)
    before = state(dom0)
    for hundredths in (1, 2, 4, 8, 16, 32) if full else (2, 8):
        dom0.run("kr block-attach k /tmp/extra.img,raw,xvdb,w & usleep %d0000; kill -KILL $!; wait" % hundredths, 60)
        dom0.run("kr block-list; kr block-detach k xvdb", 60)
        assert state(dom0) == before
    dom0.ok("rm /tmp/extra.img")


@pytest.mark.first("arm64")
def test_a_guest_is_restarted_although_daemons_are_killed(dom0, nothing_is_left):
    start = "kr-supervisor --pid-file=/run/supervisor.pid"
    killed = "kill -9 $(cat /run/supervisor.pid)"
    record = "$(grep -l /tmp/s.cfg /run/krypton/domains/*)"
    # The console daemon while the guest boots: what is printed meanwhile waits for the next one.
    dom0.ok("%s; config s \"disk=['/guest/disk.img,raw,xvda,w']\" \"on_poweroff='rename-restart'\"; "
            "kr create /tmp/s.cfg; kill -9 $(cat /run/consoled.pid); "
            "kr-consoled --pid-file=/run/consoled.pid --log=guest --log-dir=/var/log/xen/console; booted s 100" % start, 130)
    first = kr(dom0, "list -l s")["domains"][0]
    # The supervisor while the guest is between two domains; a slow dom0 may see only that there is another one.
    dom0.ok("file=%s; kr reboot s; until_true 60 sh -c \"grep -e restarting -e making $file || ! grep '\\\"domid\\\": %d,' $file\"; "
            "%s; %s; booted s 100 2" % (record, first["domid"], killed, start), 200)
    second = kr(dom0, "list -l s")["domains"][0]
    assert second["uuid"] == first["uuid"] and second["domid"] != first["domid"]
    assert second["disks"][0]["state"] == "connected"
    # A kr create that is killed leaves nothing, and nobody has to call kr for that.
    dom0.run("config h; kr create /tmp/h.cfg & until grep -l /tmp/h.cfg /run/krypton/domains/*; do usleep 20000; done; "
             "usleep 100000; kill -9 $!; wait $! && kr destroy h")    # if it was faster
    dom0.ok("until_true 60 sh -c '! grep -l /tmp/h.cfg /run/krypton/domains/*'", 80)
    # It stays for a person to look at, and is made anew beside it, by the next supervisor.
    old = "s-%d" % second["domid"]
    dom0.ok("kr shutdown s; until_true 60 kr list %s; %s; %s; until_true 60 kr list s; "
            "until_true 60 sh -c 'kr list s | grep running'" % (old, killed, start), 140)
    assert domains(dom0)[old]["state"] == "shut down"
    third = kr(dom0, "list -l s")["domains"][0]
    assert third["uuid"] != second["uuid"]
    # One that crashes stays as it is.
    dom0.ok("kr destroy s; kr destroy %s; "
            "printf '%%s\\n' \"name='s'\" \"type='pvh'\" memory=8 \"kernel='/guest/crash'\" \"on_crash='preserve'\" >/tmp/s.cfg; "
            "kr create /tmp/s.cfg; until_true 60 sh -c 'kr list s | grep crashed'" % old, 100)
    fourth = kr(dom0, "list -l s")["domains"][0]
    # Who is destroyed while there is no supervisor is written down and forgotten by the next one.
    dom0.ok("until_true 60 sh -c 'kr events s | grep \"crash.*-> preserve\"'; %s; kr destroy s; %s; "
            "until_true 60 sh -c '! grep -l /tmp/s.cfg /run/krypton/domains/*'" % (killed, start), 100)
    events = [(e["domid"], e["what"], e.get("action")) for e in kr(dom0, "events")["events"] if e["from"] == "supervisor"]
    for event in [(first["domid"], "reboot", "restart"), (second["domid"], "poweroff", "rename-restart"),
                  (third["domid"], "destroyed", None), (fourth["domid"], "crash", "preserve"), (fourth["domid"], "destroyed", None)]:
        assert event in events, (event, events)
    dom0.ok("kill $(cat /run/supervisor.pid)")


DUMPS = "/var/lib/xen/dump"


class Core:
    """A core file in dom0 (Xen's dump-core-format.txt)."""

    def __init__(self, dom0, path):
        self.dom0, self.path = dom0, path
        front = self.at(0, 4096)
        assert struct.unpack_from("<16s2H", front) == (b"\x7fELF\2\1\1".ljust(16, b"\0"), 4, {"arm64": 183, "x86_64": 62}[dom0.machine.arch])
        at, = struct.unpack_from("<Q", front, 0x28)
        size, count, names = struct.unpack_from("<3H", front, 0x3a)
        sections = [struct.unpack_from("<2I4Q", front, at + i * size) for i in range(count)]
        start, end = sections[-1][4], sum(sections[names][4:])     # the list of frames, and behind it the names
        behind = self.at(start, end - start)
        text = behind[sections[names][4] - start:]
        self.sections = {text[s[0]:text.index(b"\0", s[0])].decode(): s[4:] for s in sections}
        assert set(self.sections) == {"", ".shstrtab", ".note.Xen", ".xen_prstatus", ".xen_pages", ".xen_pfn"}
        # The notes: none, header, version, format.
        note = self.sections[".note.Xen"][0]
        assert struct.unpack_from("<3I4s", front, note + 16) == (4, 32, 0x2000001, b"Xen\0")
        magic, self.vcpus, pages, page = struct.unpack_from("<4Q", front, note + 32)
        assert (magic, page) == (0xF00FEBEE, 4096) and self.sections[".xen_pages"][1] == pages * page
        self.frames = struct.unpack_from("<%dQ" % pages, behind)
        assert self.sections[".xen_pfn"] == (start, 8 * pages)

    def at(self, offset, size):
        first = offset // 4096
        text = self.dom0.ok("dd if=%s bs=4096 skip=%d count=%d 2>/dev/null | gzip | base64"
                            % (self.path, first, (offset + size - 1) // 4096 - first + 1))
        return gzip.decompress(base64.b64decode(text))[offset - first * 4096:][:size]

    def read(self, address, size):
        """What the guest had there, in one page."""
        return self.at(self.sections[".xen_pages"][0] + self.frames.index(address // 4096) * 4096 + address % 4096, size)


@pytest.mark.first("arm64")
def test_each_end_has_its_action(dom0, nothing_is_left):
    """A guest ends by itself; what is made in its place, of the same file, sleeps."""
    ends = [("e1", "watchdog", "restart"), ("e2", "watchdog", "coredump-destroy"), ("e3", "crash", "rename-restart"),
            ("e4", "reboot", "preserve"), ("e5", "soft_reset", "destroy"), ("e6", "poweroff", "restart"), ("e7", "crash", "coredump-restart")]
    kernels = {name: "writes" if name == "e7" else end for name, end, _ in ends}
    dom0.ok("kr-supervisor --pid-file=/run/supervisor.pid; " + "".join(
        "cp /guest/%s /tmp/%s; printf '%%s\\n' \"name='%s'\" \"type='pvh'\" memory=8 \"kernel='/tmp/%s'\" \"on_%s='%s'\" >/tmp/%s.cfg; "
        "kr create -p /tmp/%s.cfg; " % (kernels[name], name, name, name, end, action, name, name) for name, end, action in ends), 120)
    made = domains(dom0)
    kernel_at = next(int(piece["start"], 0) for piece in kr(dom0, "create -n /tmp/e7.cfg \"name='e8'\"")["layout"] if piece["what"] == "kernel")
    # They have their memory already: what is in the files from now on is for those that come after them.
    dom0.ok("".join("cp /guest/sleeps /tmp/%s; " % name for name, *_ in ends)
            + "".join("kr unpause %s; " % name for name, *_ in ends))
    for name, end, action in ends:
        dom0.ok("until_true 120 sh -c 'kr events %s | grep \"%s.* -> %s\"'" % (name, end.replace("_", " "), action), 130)
    for name in ("e1", "e3", "e6", "e7"):     # made again, and it stays
        dom0.ok("until_true 120 sh -c 'kr list %s | grep running'" % name, 130)
    dom0.ok("until_true 120 sh -c '! kr list e2 && ! kr list e5'", 130)
    left = domains(dom0)
    old = "e3-%d" % made["e3"]["domid"]
    assert left[old]["state"] == "crashed" and left[old]["domid"] == made["e3"]["domid"]
    assert left["e4"]["domid"] == made["e4"]["domid"]
    assert sorted(name for name in left if name.startswith("e")) == ["e1", "e3", old, "e4", "e6", "e7"]
    assert all(left[name]["domid"] != made[name]["domid"] for name in ("e1", "e3", "e6", "e7"))
    core = Core(dom0, DUMPS + "/e7")
    assert core.vcpus == 1 and core.read(kernel_at + WRITES[dom0.machine.arch][1], len(WRITTEN)) == WRITTEN
    assert dom0.ok("ls -A %s; rm -r %s" % (DUMPS, DUMPS)).split() == ["e2", "e7"]
    dom0.ok("for name in e1 e3 %s e4 e6 e7; do kr destroy $name; done; "
            "until_true 60 sh -c '! grep -l /tmp/e[1-7].cfg /run/krypton/domains/*'; kill $(cat /run/supervisor.pid); rm /tmp/e[1-7]*"
            % old, 80)


# ---- one guest, from here to the end ------------------------------------------------------------------------

def test_a_console_shows_the_guest(guest):
    assert "g is domain" in guest and "KRYPTON-GUEST up name=g" in guest


def test_devices_come_and_go(dom0, guest, nothing_is_left):
    dom0.ok("truncate -s 1M /tmp/extra.img")
    assert kr(dom0, "block-attach g /tmp/extra.img,raw,xvdb,w")["id"] == 51728
    assert kr(dom0, "network-attach g mac=00:16:3e:00:00:07 bridge=xenbr0")["id"] == 0
    dom0.ok("inside g 'for i in $(seq 300); do [ -b /dev/xvdb ] && [ -d /sys/class/net/eth0 ] && break; usleep 100000; done; "
            "[ \"$(cat /sys/block/xvdb/size)\" = 2048 ] && grep -i 00:16:3e:00:00:07 /sys/class/net/eth0/address'", 40)
    assert "DEVICE_EXISTS" in refused(dom0, "block-attach g /tmp/extra.img,raw,xvdb,w")
    assert "DISK_SHARED" in refused(dom0, "block-attach g /tmp/extra.img,raw,xvdc,w")
    assert "DISK_MISSING" in refused(dom0, "block-attach g /nowhere,raw,xvdc,w")
    assert "NO_SUCH_DEVICE" in refused(dom0, "block-detach g xvdc")
    # A guest that does not answer keeps it.
    dom0.ok("kr pause g")
    assert "DEVICE_BUSY" in refused(dom0, "block-detach g xvdb")
    # Nor does one who asks again and does not wait for the answer take it away.
    assert "INTERRUPTED" in dom0.run(
        "kr block-detach g xvdb & until grep -q '^SigBlk.*[1-9a-f]' /proc/$!/status; do usleep 50000; done; kill -TERM $!; wait $!")[1]
    assert [d["vdev"] for d in kr(dom0, "block-list g")["devices"]] == ["xvdb"]
    dom0.ok("kr unpause g; kr block-detach g 51728; kr network-detach g 00:16:3e:00:00:07", 60)
    dom0.ok("until_true 20 inside g '[ ! -e /sys/block/xvdb ] && [ ! -e /sys/class/net/eth0 ]'", 60)
    assert kr(dom0, "block-list g")["devices"] == [] and kr(dom0, "network-list g")["devices"] == []
    dom0.ok("rm /tmp/extra.img")


@pytest.mark.first("arm64")
def test_a_disk_may_be_dom0s_own(dom0, guest, nothing_is_left):
    """Its DMA goes to and from pages of the guest, which dom0 has mapped."""
    disk = machines.DISK[dom0.machine.arch]
    dom0.ok("modprobe -a %s; until_true 60 [ -b %s ]; dd if=/dev/urandom of=/tmp/random bs=64k count=16 2>/dev/null; "
            "dd if=/tmp/random of=%s bs=64k 2>/dev/null; sync; kr block-attach g %s,raw,xvdb,w"
            % (" ".join(machines.DISK_MODULES[dom0.machine.arch]), disk, disk, disk), 120)
    written = dom0.ok("md5sum </tmp/random").strip()
    assert re.fullmatch(r"\w{32}  -", written)
    dom0.ok("inside g 'for i in $(seq 300); do [ -b /dev/xvdb ] && break; usleep 100000; done; "
            "dd if=/dev/xvdb of=/tmp/copy bs=64k count=16 2>/dev/null; [ \"$(md5sum </tmp/copy)\" = \"%s\" ]'" % written, 90)
    dom0.ok("inside g 'dd if=/tmp/copy of=/dev/xvdb bs=64k seek=16 2>/dev/null; sync; rm /tmp/copy'; kr block-detach g xvdb; "
            "echo 3 >/proc/sys/vm/drop_caches", 90)
    assert dom0.ok("dd if=%s bs=64k skip=16 count=16 2>/dev/null | md5sum; rm /tmp/random" % disk).strip() == written


SCRIPT = """#!/bin/sh
echo "$(basename "$0") $* $XENBUS_TYPE ${XENBUS_PATH##*/backend/} $vif" >>/tmp/scripts
case $1 in
add) loop=$(losetup -f); losetup "$loop" "$(xenstore-read "$XENBUS_PATH/params")"
	xenstore-write "$XENBUS_PATH/physical-device" "$(printf %x:%x $(stat -c '0x%t 0x%T' "$loop"))" \
		"$XENBUS_PATH/node" "$loop" ;;
remove) losetup -d "$(xenstore-read "$XENBUS_PATH/node")" ;;
online) ip link set "$vif" up ;;
esac
"""


@pytest.mark.first("arm64")
def test_a_back_end_is_started_again_below_a_guest(dom0, guest, nothing_is_left):
    """As when its driver is loaded again: the disk's file and the card's bridge are found, and the guest goes on."""
    dom0.ok("kr-supervisor --pid-file=/run/supervisor.pid; truncate -s 1M /tmp/extra.img; kr block-attach g /tmp/extra.img,raw,xvdb,w; "
            "kr network-attach g bridge=xenbr0", 60)
    dom0.ok("inside g 'until [ -b /dev/xvdb ]; do usleep 100000; done'; inside g 'until [ -d /sys/class/net/eth0 ]; do usleep 100000; done'; "
            "inside g 'ip addr add 10.0.0.2/24 dev eth0; ip link set eth0 up; echo before >/dev/xvdb'; until_true 20 ping -c 1 -W 1 10.0.0.2", 60)
    id = domains(dom0)["g"]["domid"]
    for device in ("vbd-%d-51728" % id, "vif-%d-0" % id):
        driver = "/sys/bus/xen-backend/drivers/" + device[:3]
        dom0.ok("echo %s >%s/unbind; [ ! -e %s/%s ]; echo %s >%s/bind" % ((device, driver) * 3))
    dom0.ok("until_true 40 sh -c 'kr block-list g | grep connected'; until_true 40 ping -c 1 -W 1 10.0.0.2", 90)
    dom0.ok("inside g 'echo behind | dd of=/dev/xvdb seek=8 conv=fsync'")
    assert dom0.ok("inside g 'cat /dev/xvdb | tr -d \\\\0'").split() == ["before", "behind"]
    assert dom0.ok("tr -d '\\0' </tmp/extra.img").split() == ["before", "behind"]
    assert [d["state"] for d in kr(dom0, "network-list g")["devices"]] == ["connected"]
    dom0.ok("kr block-detach g xvdb; kr network-detach g 0; kill $(cat /run/supervisor.pid); rm /tmp/extra.img", 60)


@pytest.mark.first("arm64")
def test_a_users_own_script_is_run(dom0, guest, nothing_is_left):
    for name, text in (("mine", SCRIPT), ("bad", "#!/bin/sh\necho one; echo the cause >&2; exit 3\n")):
        dom0.ok("cat >/etc/xen/scripts/%s <<'.'\n%s.\nchmod 755 /etc/xen/scripts/%s" % (name, text, name))
    dom0.ok("kr block-attach g /guest/disk.img,raw,xvdb,w,script=mine; kr network-attach g script=/etc/xen/scripts/mine", 60)
    dom0.ok("inside g 'for i in $(seq 300); do [ -b /dev/xvdb ] && break; usleep 100000; done; mount /dev/xvdb /mnt && umount /mnt'")
    dom0.ok("kr block-detach g xvdb; kr network-detach g 0", 60)
    id = domains(dom0)["g"]["domid"]
    assert dom0.ok("cat /tmp/scripts").splitlines() == [
        "mine add vbd vbd/%d/51728 " % id, "mine online type_if=vif vif vif/%d/0 vif%d.0" % (id, id),
        "mine remove vbd vbd/%d/51728 " % id, "mine offline type_if=vif vif vif/%d/0 vif%d.0" % (id, id)]
    text = refused(dom0, "network-attach g script=bad")
    assert "the script /etc/xen/scripts/bad failed with status 3: the cause [HOTPLUG]" in text and text.count("\n") == 1
    assert "No such file" in refused(dom0, "network-attach g script=none")
    # Xen's own, as its users have it.
    dom0.ok("kr network-attach g bridge=xenbr0,script=vif-bridge", 60)
    assert dom0.ok("ls /sys/class/net/xenbr0/brif").strip() == "vif%d.0" % id
    dom0.ok("kr network-detach g 0")


@pytest.mark.first("arm64")
def test_a_card_is_routed(dom0, guest, nothing_is_left):
    dom0.ok("kr network-attach g ip=10.7.0.2 gatewaydev=xenbr0")
    dom0.ok("inside g 'for i in $(seq 300); do [ -d /sys/class/net/eth0 ] && break; usleep 100000; done; "
            "ip addr add 10.7.0.2/24 dev eth0; ip link set eth0 up; ip route add default dev eth0'; "
            "until_true 20 ping -c 1 -W 1 10.7.0.2", 60)
    assert "vif%d.0" % domains(dom0)["g"]["domid"] in dom0.ok("ip route get 10.7.0.2")
    dom0.ok("inside g 'ping -c 1 -W 5 10.0.0.1'; kr network-detach g 0; ip link add bare type bridge")
    assert "no IPv4 address" in refused(dom0, "network-attach g ip=10.7.0.3 gatewaydev=bare")
    dom0.ok("ip link del bare")


def test_a_running_guest_is_changed_and_its_console_survives_the_daemon(dom0, guest):
    # The daemon is an ordinary user, whose console nobody else may open.
    assert dom0.ok("grep ^Uid: /proc/$(cat /run/consoled.pid)/status").split()[1:] == ["65534"] * 4
    dom0.ok("kr vcpu-set g 1; until_true 60 sh -c 'kr vcpu-list g | grep offline'", 80)
    assert dom0.ok("inside g nproc").strip() == "1"
    # Linux gives up after a few tries when it finds no page to give away: it is asked again.
    dom0.ok("until_true 30 sh -c 'kr mem-set g 84; sleep 1; [ $(kr list g | tail -n 1 | sed \"s/.* //\") -le 84 ]'", 80)
    dom0.ok("kr vcpu-pin g all 1")
    assert {v["may_run_on"] for v in kr(dom0, "vcpu-list g")["vcpus"]} == {"1"}
    dom0.ok("kr mem-max g 128; kr sched g 512")
    assert domains(dom0)["g"]["maxmem_kib"] in range(128 << 10, (128 << 10) + 9)
    assert kr(dom0, "sched g")["domains"][0]["weight"] == 512
    assert [d["state"] for d in kr(dom0, "top -n 1")["domains"] if d["name"] == "g"] == ["running"]
    tty = kr(dom0, "console g")["tty"]
    assert tty.startswith("/dev/pts/") and tty == kr(dom0, "list -l g")["domains"][0]["console"]
    dom0.ok("kill -9 $(cat /run/consoled.pid); sleep 1; kr pause g; kr unpause g; "
            "kr-consoled --pid-file=/run/consoled.pid --log=guest --log-dir=/var/log/xen/console")
    assert dom0.ok("inside g 'echo the daemon is new'").strip() == "the daemon is new"
    # More than the ring, the terminal that nobody reads and a tick's budget hold: all of it is in the log.
    dom0.ok("inside g 'head -c 300000 /dev/zero | tr \"\\000\" x' 120 >/dev/null", 140)
    assert int(dom0.ok("tr -cd x <$(log_of g) | wc -c")) >= 300000
    assert dom0.ok("kr log g | grep -c 'up name=g'").strip() == "1"
    dom0.ok("kr rename g other; until_true 60 inside other 'echo by another name' 2; kr log other | grep '^by another name'")
    assert domains(dom0)["other"]["state"] == "running"
