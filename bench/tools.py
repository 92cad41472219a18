# SPDX-License-Identifier: Apache-2.0
"""What dom0's tools and the ways between dom0 and a guest cost: instructions of the whole machine.

Debian's xl and the programs of images/xc.c run in dom0 under -icount on one CPU: a nanosecond of the
machine's clock is an instruction, or a moment in which nobody had anything to do. x86-64's dom0 is a PVH dom0 of either hypervisor.

    bench/tools.py [arm64 | x86_64] [how many domains xl list is to find]
"""
import base64
import gzip
import pathlib
import re
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TOP / "scripts"), str(TOP / "tests/system")]

from dom0 import Dom0  # noqa: E402
from guests import SLEEPS  # noqa: E402
from machine import X86_CPU  # noqa: E402

LISTED = 50
MEGABYTES = 16


def small(name, *lines):
    """A guest that sleeps."""
    return "config %s memory=8 \"kernel='/guest/sleeps'\" \"ramdisk=''\" %s" % (
        name, " ".join('"%s"' % line for line in lines))


def devices(dom0, timed):
    """TCP and a disk between dom0 and a guest: what MEGABYTES of each cost."""
    dom0.ok("dd if=/dev/zero of=/tmp/big bs=1M count=%d 2>/dev/null; config d memory=96 "
            "\"disk=['/tmp/big,raw,xvda,w']\" \"vif=['bridge=xenbr0']\"; xl create -q /tmp/d.cfg" % MEGABYTES, 120)
    dom0.ok("booted d 300", 300)
    dom0.ok("inside d 'ip addr add 10.0.0.2/24 dev eth0; ip link set eth0 up; ping -c 3 10.0.0.1' 120", 300)

    def inside(command):
        return int(dom0.ok("inside d '/bin/probe time \"%s\"' 120" % command, 300).split()[-1])

    for _ in range(2):              # the first makes rings' pages and neighbours known
        # What listens must not see the end of its own input, or it ends.
        dom0.ok("inside d '(sleep 9999 | nc -l -p 5000 | wc -c >/tmp/n &); sleep 1'", 60)
        sent = timed("dd if=/dev/zero bs=64k count=%d 2>/dev/null | nc 10.0.0.2 5000" % (16 * MEGABYTES))
        assert dom0.ok("inside d 'sleep 1; cat /tmp/n'", 60).split()[-1] == str(MEGABYTES << 20)
    yield "TCP from dom0 to a guest, %d MiB" % MEGABYTES, sent
    yield "disk read by a guest (loop, blkback), %d MiB" % MEGABYTES, inside("dd if=/dev/xvda of=/dev/null bs=1M")
    yield "disk write by a guest, %d MiB" % MEGABYTES, inside(
        "dd if=/dev/zero of=/dev/xvda bs=1M count=%d conv=fsync" % MEGABYTES)
    dom0.ok("xl destroy d")


def rows(dom0, arch, listed):
    """(what, figure) one after the other."""
    def timed(command):
        return int(dom0.ok("xc time '%s'" % command, 120).split()[-1])

    dom0.ok("echo %s | base64 -d | gunzip >/guest/sleeps" % base64.b64encode(gzip.compress(SLEEPS[arch])).decode())
    yield "null hypercall from dom0's user space", int(dom0.ok("xc null"))
    dom0.ok("%s; xl create -q /tmp/s.cfg; xl destroy s" % small("s"), 120)     # what is made only once
    yield "xl create, 8 MiB, a kernel of one page", timed("xl create -q /tmp/s.cfg")
    yield "xl list, dom0 and one more", timed("xl list >/dev/null")
    yield "xl destroy", timed("xl destroy s")
    dom0.ok("config a memory=96")
    yield "xl create, 96 MiB, Debian's kernel of 26 MiB", timed("xl create -q /tmp/a.cfg")
    dom0.ok("booted a 300", 300)
    dom0.ok("inside a 'modprobe xen-gntalloc; modprobe xen-evtchn; (/bin/probe serve >/dev/hvc0 2>&1 &)'; "
            "until_true 60 printed a 'SERVES port='", 120)
    found = re.search(r"SERVES port=(\d+) ref=(\d+)\.", dom0.ok("cat $(log_of a)"))
    domid = dom0.ok("xl domid a").strip()
    yield "event round trip, dom0 to a guest and back", int(
        dom0.ok("xc roundtrip %s %s" % (domid, found.group(1)), 120))
    yield "grant map and unmap by gntdev", int(dom0.ok("xc grant %s %s" % (domid, found.group(2)), 120))
    dom0.ok("inside a 'killall -STOP probe'")
    yield "event send to a guest that has one", int(dom0.ok("xc send %s %s" % (domid, found.group(1)), 120))
    dom0.ok("xl destroy a")
    yield from devices(dom0, timed)
    for n in range(listed):
        dom0.ok("%s; xl create -q /tmp/l%d.cfg" % (small("l%d" % n), n), 120)
    yield "xl list, dom0 and %d more" % listed, timed("xl list >/dev/null")


def measure(hypervisor, arch="arm64", listed=LISTED):
    """{what: figure}."""
    # Without AVX: in Debian's Xen the x86 emulator now and then refuses dom0's programs such an instruction.
    cpu = {"cpu": X86_CPU + ",-avx,-avx2,-f16c,-fma"} if arch == "x86_64" else {}
    with Dom0(hypervisor, "bench-tools-%s-%s" % (arch, hypervisor), arch=arch, cpus=1, icount=True, **cpu) as dom0:
        return dict(rows(dom0, arch, listed))


if __name__ == "__main__":
    arch = (sys.argv[1:] or ["arm64"])[0]
    listed = int((sys.argv[2:] or [LISTED])[0])
    results = {h: measure(h, arch, listed) for h in ("xen", "krypton")}
    for what, xen in results["xen"].items():
        krypton = results["krypton"].get(what, 0)
        print("%-50s %14d %14d %8.3f" % (what, xen, krypton, krypton / xen))
