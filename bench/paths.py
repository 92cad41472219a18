# SPDX-License-Identifier: Apache-2.0
"""Instructions that a hypervisor executes for one operation of a guest.

A bare guest (bench/guest) repeats the operation. QEMU single-steps and logs the address of each
instruction that lies in the hypervisor's text or is the guest's marker; an operation's cost is what
stands between two markers, over all CPUs: everything from the first instruction at a vector to
ERET, inclusive, seen from outside and in the same way for every hypervisor. The median of the
iterations is taken, so that a scheduler's tick among them does not count.
"""
import pathlib
import re
import statistics
import subprocess
import sys
import time

TOP = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOP / "scripts"))

from machine import BUILD, CACHE, Domain, Kernel, Machine  # noqa: E402

# What it is, OP of each domain's guest (bench/guest/guest.c), vCPUs of each, CPUs of the machine:
# one, because with -icount QEMU's CPUs take turns of a tenth of a second.
PATHS = {
    "null hypercall": ([1], 1, 1),
    "read of an emulated register": ([7], 1, 1),
    "virtual timer interrupt": ([2], 1, 1),
    "virtual IPI to itself": ([3], 1, 1),
    "virtual IPI round trip, same CPU": ([4], 2, 1),
    "event-channel round trip, same CPU": ([5, 6], 1, 1),
}
XEN_OPTIONS = "console=dtuart dtuart=/pl011@9000000"
MARKER = 0x804
# Where a guest's text may begin: the base of its memory and the usual offsets from it.
BASES = [0x40000000, 0x40080000, 0x40200000]


def guest(op):
    """The image of bench/guest for an operation."""
    out = BUILD / "bench"
    out.mkdir(parents=True, exist_ok=True)
    elf, image = out / ("guest%d.elf" % op), out / ("guest%d.img" % op)
    here = TOP / "bench/guest"
    subprocess.run(["make", "-s", "-C", str(TOP), "O=%s" % BUILD.resolve(),
                    str(BUILD.resolve() / "include/public")], check=True)
    include = subprocess.run(["aarch64-linux-gnu-gcc", "-print-file-name=include"], check=True,
                             stdout=subprocess.PIPE).stdout.decode().strip()
    subprocess.run(["aarch64-linux-gnu-gcc", "-DOP=%d" % op, "-std=gnu11", "-O2", "-Wall",
                    "-Wextra", "-Werror", "-ffreestanding", "-nostdlib", "-nostdinc", "-isystem",
                    include, "-isystem", str(BUILD / "include/public"), "-D__XEN_TOOLS__",
                    "-mgeneral-regs-only", "-mstrict-align", "-fno-pic", "-static",
                    "-fno-stack-protector", "-Wl,--build-id=none,--no-warn-rwx-segments", "-T", str(here / "guest.lds"),
                    str(here / "start.S"), str(here / "guest.c"), "-o", str(elf)], check=True)
    subprocess.run(["aarch64-linux-gnu-objcopy", "-O", "binary", str(elf), str(image)], check=True)
    return image


def text_of(hypervisor):
    """The range of virtual addresses of a hypervisor's text."""
    symbols = pathlib.Path(str(hypervisor) + ".sym")
    if symbols.exists():
        at = {f[2]: int(f[0], 16) for f in map(str.split, symbols.read_text().splitlines())}
        return at["_start"], at["_etext"]
    return 0x200000, 0x400000       # Xen 4.17 on arm64: XEN_VIRT_START


def machine(hypervisor, ops, vcpus, cpus, options=""):
    start, end = text_of(hypervisor)
    ranges = ["%#x..%#x" % (start, end - 1)]
    ranges += ["%#x+4" % (base + MARKER) for base in BASES]
    domains = [Domain("bench%d" % op, guest(op), memory=32, cpus=vcpus, vpl011=True)
               for op in ops]
    # Xen wants a dom0 beside domains with event channels: one that sleeps.
    return Machine(hypervisor, options="dom0_mem=128M dom0_max_vcpus=1 " + options, cpus=cpus,
                   memory=1024, dom0=Kernel(guest(0)), domains=domains, icount=True,
                   qemu_args=["-dfilter", ",".join(ranges)])


class Trace:
    """The program counters in QEMU's -d exec log, in order; the file may still grow."""

    pattern = re.compile(r"^Trace \d+: \S+ \[[0-9a-f]+/([0-9a-f]+)/")

    def __init__(self, log):
        self.log, self.addresses = log, []
        self._at, self._rest = 0, ""

    def follow(self):
        """Take in what was written since the last time."""
        if not self.log.exists():
            return
        with open(self.log, errors="replace") as file:
            file.seek(self._at)
            text = self._rest + file.read()
            self._at = file.tell()
        lines = text.split("\n")
        self._rest = lines.pop()    # half a line, perhaps
        self.addresses += [int(match.group(1), 16) for match in map(self.pattern.match, lines) if match]

    def operations(self, starts, ends=()):
        """What was executed from each start marker to the next, or to an end marker: lists of addresses."""
        found, current = [], None
        for address in self.addresses:
            if address in starts or address in ends:
                if current is not None:
                    found.append(current)
                current = [] if address in starts else None
            elif current is not None:
                current.append(address)
        return found


def summary(operations):
    """(median, smallest, largest) number of instructions."""
    counts = [len(operation) for operation in operations]
    return statistics.median_low(counts), min(counts), max(counts)


def measure(hypervisor, name, options="", samples=60):
    """(median, smallest, largest) instructions of an operation."""
    ops, vcpus, cpus = PATHS[name]
    directory = BUILD / "logs" / ("bench-" + re.sub(r"\W+", "-", name))
    directory.mkdir(parents=True, exist_ok=True)
    log = directory / "trace"
    log.unlink(missing_ok=True)
    if "event" in name and options == XEN_OPTIONS:
        # Debian builds Xen for Arm to keep domUs apart (SILO); these channels are between domUs.
        options += " xsm=dummy"
    markers = {base + MARKER for base in BASES}
    trace = Trace(log)
    with machine(hypervisor, ops, vcpus, cpus, options).boot("bench", directory) as run:
        run.expect("READY", 120)
        run.monitor("singlestep on")
        run.monitor("logfile %s" % log)
        run.monitor("log exec,nochain")
        while True:     # until there are enough
            time.sleep(0.3)
            trace.follow()
            if len(trace.operations(markers)) >= samples:
                break
            if run.seconds() > 300:
                raise AssertionError("%s: no iterations in %s" % (name, log))
        run.monitor("log none")
    trace.follow()
    log.unlink()
    return summary(trace.operations(markers))


if __name__ == "__main__":
    which = {"xen": (CACHE / "arm64/xen", XEN_OPTIONS),
             "krypton": (BUILD / "krypton-arm64", "")}[sys.argv[1]]
    for path in PATHS:
        if len(sys.argv) < 3 or sys.argv[2] in path:
            print("%-40s %6d (%d to %d)" % ((path,) + measure(which[0], path, which[1])), flush=True)
