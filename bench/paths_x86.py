# SPDX-License-Identifier: Apache-2.0
"""The same as paths.py for exits of PVH guests on x86-64, which need no dom0: instructions from #VMEXIT to VMRUN."""
import pathlib
import re
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "scripts"))

from machine import BUILD, TOP, Domain, Machine  # noqa: E402
from paths import addresses, text_of  # noqa: E402

# What it is, and OP of bench/guest/x86_64/guest.c.
PATHS = {
    "x86_64 null hypercall": 1,
    "x86_64 CPUID": 2,
    "x86_64 read of an MSR": 3,
    "x86_64 read of the local APIC": 4,
}


def guest(op):
    """(the guest's ELF file, its marker's address)."""
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
    return elf, int(re.search(r"^([0-9a-f]+) T marker$", symbols, re.M).group(1), 16)


def measure(name, samples=60):
    """(median, smallest, largest) instructions of an operation."""
    elf, marker = guest(PATHS[name])
    hypervisor = BUILD / "krypton-x86_64"
    start, end = text_of(hypervisor)
    directory = BUILD / "logs" / ("bench-" + re.sub(r"\W+", "-", name))
    directory.mkdir(parents=True, exist_ok=True)
    log = directory / "trace"
    log.unlink(missing_ok=True)
    machine = Machine(hypervisor, arch="x86_64", options="console=com1", cpus=1, memory=1024, icount=True,
                      domains=[Domain("bench", elf, memory=32)],
                      qemu_args=["-dfilter", "%#x..%#x,%#x+1" % (start, end - 1, marker)])
    with machine.boot("bench", directory) as run:
        run.expect("READY", 120)
        run.monitor("singlestep on")
        run.monitor("logfile %s" % log)
        run.monitor("log exec,nochain")
        while not log.exists() or sum(a == marker for a in addresses(log)) <= samples:
            time.sleep(0.3)
            if run.seconds() > 300:
                raise AssertionError("%s: no iterations in %s" % (name, log))
        run.monitor("log none")
    counts, count = [], None
    for address in addresses(log):
        if address == marker:
            if count is not None:
                counts.append(count)
            count = 0
        elif count is not None:
            count += 1
    log.unlink()
    return statistics.median_low(counts), min(counts), max(counts)


if __name__ == "__main__":
    for path in PATHS:
        if len(sys.argv) < 2 or sys.argv[1] in path:
            print("%-40s %6d (%d to %d)" % ((path,) + measure(path)), flush=True)
