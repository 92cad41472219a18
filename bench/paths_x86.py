# SPDX-License-Identifier: Apache-2.0
"""The same as paths.py on x86-64: instructions of the hypervisor, from #VMEXIT to VMRUN, for one operation of a PVH guest.

The guest is a boot-time domain of Krypton's; to compare, it is dom0 of either hypervisor, as Xen has no such domains on x86.
"""
import bisect
import pathlib
import re
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "scripts"))

from machine import BUILD, CACHE, TOP, Domain, Kernel, Machine  # noqa: E402
from paths import Trace, summary, text_of  # noqa: E402

# What it is: OP of bench/guest/x86_64/guest.c, and the guest's vCPUs. The machine has one CPU.
PATHS = {
    "x86_64 null hypercall": (1, 1),
    "x86_64 CPUID": (2, 1),
    "x86_64 read of an MSR": (3, 1),
    "x86_64 read of the local APIC": (4, 1),
    "x86_64 PV timer set": (12, 1),
    "x86_64 PV timer interrupt": (5, 1),
    "x86_64 local APIC timer interrupt": (6, 1),
    "x86_64 IPI to itself": (7, 1),
    "x86_64 IPI round trip, same CPU": (8, 2),
    "x86_64 event to itself": (9, 1),
    "x86_64 page fault": (10, 1),
    "x86_64 nested page fault": (13, 1),
    "x86_64 HLT until a PV timer": (11, 1),
}
XEN = CACHE / "x86_64/xen"
XEN_OPTIONS = "console=com1 dom0=pvh"


def guest(op):
    """(the guest's ELF file, the addresses of its marker and of its marker's end)."""
    out = BUILD / "bench"
    out.mkdir(parents=True, exist_ok=True)
    elf = out / ("x86_64-guest%d.elf" % op)
    common = TOP / "tests/guest/common"
    subprocess.run(["make", "-s", "-C", str(TOP), "O=%s" % BUILD.resolve(),
                    str(BUILD.resolve() / "include/public")], check=True)
    include = subprocess.run(["gcc", "-print-file-name=include"], check=True,
                             stdout=subprocess.PIPE).stdout.decode().strip()
    flags = ["-DOP=%d" % op, "-std=gnu11", "-O2", "-ffreestanding", "-nostdlib", "-nostdinc", "-isystem", include,
             "-isystem", str(BUILD / "include/public"), "-D__XEN_TOOLS__", "-mgeneral-regs-only", "-mno-red-zone",
             "-mcmodel=kernel", "-fcf-protection=none", "-fno-pic", "-no-pie", "-static", "-fno-stack-protector",
             "-I", str(common), "-I", str(common / "x86_64")]
    subprocess.run(["gcc"] + flags + [
        "-Wl,--build-id=none,--no-warn-rwx-segments", "-T", str(common / "x86_64/guest.lds"),
        str(common / "x86_64/start.S"), str(common / "x86_64/machine.c"), str(common / "guest.c"),
        str(TOP / "bench/guest/x86_64/guest.c"), "-o", str(elf)], check=True)
    symbols = subprocess.run(["nm", str(elf)], check=True, stdout=subprocess.PIPE).stdout.decode()
    return elf, *(int(re.search(r"^([0-9a-f]+) T %s$" % name, symbols, re.M).group(1), 16) for name in ("marker", "marker_end"))


def text_of_xen():
    return 0xffff82d040000000, 0xffff82d080000000   # XEN_VIRT_START of 4.17, and all of its GiB


def machine(elf, markers, hypervisor, options, vcpus, dom0):
    start, end = text_of_xen() if hypervisor == XEN else text_of(hypervisor)
    what = {"dom0": Kernel(elf)} if dom0 else {"domains": [Domain("bench", elf, memory=32, cpus=vcpus)]}
    if dom0:
        options += " dom0_mem=64M dom0_max_vcpus=%d" % vcpus
    return Machine(hypervisor, arch="x86_64", options=options, cpus=1, memory=1024, icount=True,
                   qemu_args=["-dfilter", "%#x..%#x,%#x+1,%#x+1" % (start, end - 1, *markers)], **what)


def operations(name, hypervisor=None, options="console=com1", dom0=False, samples=60):
    """The instructions, by their addresses, of each of some operations."""
    op, vcpus = PATHS[name]
    elf, marker, marker_end = guest(op)
    hypervisor = hypervisor or BUILD / "krypton-x86_64"
    directory = BUILD / "logs" / ("bench-" + re.sub(r"\W+", "-", name))
    directory.mkdir(parents=True, exist_ok=True)
    log = directory / "trace"
    log.unlink(missing_ok=True)
    trace = Trace(log)
    with machine(elf, (marker, marker_end), hypervisor, options, vcpus, dom0).boot("bench", directory) as run:
        run.expect("READY", 120)
        run.monitor("singlestep on")
        run.monitor("logfile %s" % log)
        # In pieces: the log grows faster than it is read. What a gap lies in is one of many.
        while len(trace.operations({marker}, {marker_end})) < samples:
            run.monitor("log exec,nochain")
            time.sleep(0.3)
            run.monitor("log none")
            trace.follow()
            if run.seconds() > 300:
                raise AssertionError("%s: no iterations in %s" % (name, log))
    log.unlink()
    return trace.operations({marker}, {marker_end})


def measure(name, hypervisor=None, options="console=com1", dom0=False, samples=60):
    """(median, smallest, largest) instructions of an operation."""
    return summary(operations(name, hypervisor, options, dom0, samples))


def by_function(operation, hypervisor):
    """Of one operation: [(function, instructions)] in the order in which they were first entered."""
    symbols = sorted((int(at, 16), name) for at, _, name in
                     map(str.split, pathlib.Path(str(hypervisor) + ".sym").read_text().splitlines()))
    starts = [at for at, _ in symbols]
    counts = {}
    for address in operation:
        name = symbols[bisect.bisect_right(starts, address) - 1][1]
        counts[name] = counts.get(name, 0) + 1
    return list(counts.items())


if __name__ == "__main__":
    # NAME OF A PATH [xen | dom0 | where]: of a boot-time domain, or of dom0 on either; where: of a domain, by function.
    which = {"xen": (XEN, XEN_OPTIONS, True), "dom0": (None, "console=com1", True), "domain": (None, "console=com1", False)}
    for path in PATHS:
        if sys.argv[2:] == ["where"] and sys.argv[1] in path:
            middle = sorted(operations(path), key=len)
            middle = middle[(len(middle) - 1) // 2]
            print(path, len(middle))
            for function, count in by_function(middle, BUILD / "krypton-x86_64"):
                print("%6d  %s" % (count, function))
        elif len(sys.argv) < 2 or sys.argv[1] in path:
            print("%-40s %6d (%d to %d)" % ((path,) + measure(path, *which[sys.argv[2] if sys.argv[2:] else "domain"])),
                  flush=True)
