# SPDX-License-Identifier: Apache-2.0
"""What dom0's tools and the ways between dom0 and a guest cost: instructions of the whole machine.

Debian's xl and the programs of images/xc.c run in dom0 under -icount on one CPU: a nanosecond of the
machine's clock is an instruction, or a moment in which nobody had anything to do.
"""
import base64
import pathlib
import re
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TOP / "scripts"), str(TOP / "tests/system")]

from dom0 import Dom0  # noqa: E402
from guests import SLEEPS  # noqa: E402

LISTED = 50


def small(name, *lines):
    """A guest that sleeps."""
    return "config %s memory=8 \"kernel='/guest/sleeps'\" \"ramdisk=''\" %s" % (
        name, " ".join('"%s"' % line for line in lines))


def rows(dom0, listed):
    """(what, figure) one after the other."""
    def timed(command):
        return int(dom0.ok("xc time '%s'" % command, 120).split()[-1])

    dom0.ok("echo %s | base64 -d >/guest/sleeps" % base64.b64encode(SLEEPS).decode())
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
    dom0.ok("xl destroy a")
    for n in range(listed):
        dom0.ok("%s; xl create -q /tmp/l%d.cfg" % (small("l%d" % n), n), 120)
    yield "xl list, dom0 and %d more" % listed, timed("xl list >/dev/null")


def measure(hypervisor, listed=LISTED):
    """{what: figure}."""
    with Dom0(hypervisor, "bench-tools-" + hypervisor, cpus=1, icount=True) as dom0:
        return dict(rows(dom0, listed))


if __name__ == "__main__":
    results = {h: measure(h, int(sys.argv[1]) if len(sys.argv) > 1 else LISTED) for h in ("xen", "krypton")}
    for what, xen in results["xen"].items():
        krypton = results["krypton"].get(what, 0)
        print("%-50s %14d %14d %8.3f" % (what, xen, krypton, krypton / xen))
