# SPDX-License-Identifier: Apache-2.0
"""kr with its daemons on Krypton beside Debian's xl with its own on Debian's Xen: instructions of the whole machine.

    bench/kr.py [ARCH...]

One CPU, -icount: a nanosecond of the machine's clock is an instruction, or a moment in which nobody had anything to do, from
the start of a command to its end. Guests are created paused, for what they do would be counted too: unpausing them, after which
a guest's first instruction comes, is one hypercall. Each figure is the median of ROUNDS.
"""
import base64
import pathlib
import statistics
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TOP / "scripts"), str(TOP / "tests/system")]

from dom0 import Dom0  # noqa: E402
from guests import SLEEPS  # noqa: E402

ROUNDS = 5     # -icount: most repeats alike, but now and then dom0's kernel has something else to do meanwhile
LISTED = 5

# (hypervisor, its tool, store daemon, console daemon)
SIDES = [("xen", "xl", "", "xenconsoled"),
         ("krypton", "kr", "kr-stored --pid-file=/run/xenstored.pid", "kr-consoled")]
CREATE = {"xl": "xl create -q -p", "kr": "kr create -p"}

SMALL = ["memory=8", "kernel='/guest/sleeps'"]
LINUX = ["memory=96", "kernel='/guest/vmlinuz'", "ramdisk='/guest/initrd'", "extra='console=hvc0 quiet'"]
# (what, its configuration): the disk and the card make their own way through Linux's back ends.
GUESTS = [("8 MiB, a kernel of one page", SMALL), ("96 MiB, Debian's kernel and initrd", LINUX),
          ("the same with a disk and a card",
           LINUX + ["disk=['/guest/disk.img,raw,xvda,w']", "vif=['bridge=xenbr0']"])]


def measure(arch, hypervisor, tool, store, console):
    """{what: figure}."""
    figures = {}

    def timed(dom0, what, command):
        took = int(dom0.ok("xc time '%s >/dev/null'" % command, 120).split()[-1])
        figures.setdefault(what, []).append(took)

    def written(name, lines):
        lines = ["name='%s'" % name, "type='pvh'", "vcpus=1"] + lines
        return "cat >/tmp/%s.cfg <<'.'\n%s\n.\n" % (name, "\n".join(lines))

    with Dom0(hypervisor, "bench-kr-%s-%s" % (arch, tool), arch=arch, store=store, console=console, cpus=1,
              icount=True) as dom0:
        dom0.ok("echo %s | base64 -d >/guest/sleeps" % base64.b64encode(SLEEPS[arch]).decode())
        for what, lines in GUESTS:
            # What is made only once.
            dom0.ok("%s%s /tmp/s.cfg; %s destroy s" % (written("s", lines), CREATE[tool], tool), 120)
            for _ in range(ROUNDS):
                timed(dom0, "create, " + what, CREATE[tool] + " /tmp/s.cfg")
                timed(dom0, "destroy, " + what, tool + " destroy s")
        for listed in (0, LISTED):
            for n in range(listed):
                dom0.ok("%s%s /tmp/l%d.cfg" % (written("l%d" % n, SMALL), CREATE[tool], n), 120)
            for _ in range(ROUNDS):
                timed(dom0, "list, dom0 and %d more" % listed, tool + " list")
    return {what: statistics.median(took) for what, took in figures.items()}


def rows(arch):
    """(what, xl's figure, kr's)."""
    xl, kr = (measure(arch, *side) for side in SIDES)
    for what in xl:
        yield "%s: %s" % (arch, what), xl[what], kr[what]


if __name__ == "__main__":
    for architecture in sys.argv[1:] or ("arm64", "x86_64"):
        for row in rows(architecture):
            print("%-60s %14d %14d %8.3f" % (*row, row[2] / row[1]), flush=True)
