# SPDX-License-Identifier: Apache-2.0
"""Memory that a hypervisor takes for itself after boot, and for each further domain.

What is neither free (its debug key `m` says how much is) nor the memory that a domain was given.
Boot modules have been given back by then. On arm64 domains are boot-time domains; on x86-64, where Xen
has none, Debian's xl creates them in a PVH dom0 of either.

    bench/memory.py [arm64 | x86_64]
"""
import pathlib
import re
import sys
import time

TOP = pathlib.Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TOP / "scripts"), str(TOP / "tests/system")]

from dom0 import Dom0  # noqa: E402
from machine import X86_CPU, Domain, Kernel, Machine  # noqa: E402

RAM, DOM0, DOMU = 2048, 256, 64     # MiB
DOM0_X86, DOMU_X86 = 512, 96        # the least in which xl and Debian's kernel have room


def free_kib(run):
    """KiB that nobody has, by what the debug key `m` printed last."""
    text = run.text()
    krypton = re.findall(r"free (\d+), promised \d+, never used (\d+)", text)
    xen = re.findall(r"Dom heap: (\d+)kB free", text)
    return sum(map(int, krypton[-1])) if krypton else int(xen[-1])


def own_kib(hypervisor, options, count):
    """KiB that are the hypervisor's with dom0 and `count` domains."""
    domains = [Domain("d%d" % n, args="quiet", memory=DOMU, vpl011=True, enhanced=None)
               for n in range(1, count + 1)]
    machine = Machine(hypervisor, options="dom0_mem=%dM %s" % (DOM0, options), memory=RAM,
                      dom0=Kernel("cloud"), domains=domains)
    with machine.boot("bench-memory") as run:
        run.expect_guests("dom0", *[d.name for d in domains])
        for _ in range(count + 2):
            run.send("\x01\x01\x01")
            to = run.expect(r"(?i)input to ([^\r\n]*)\r*\n", 20).group(1).decode()
            if re.search("Xen|Krypton|hypervisor", to):
                break
        time.sleep(3)   # what is cleared in the background
        run.send("m")
        run.expect(r"(?i)memory[^\n]*free.*\n|Dom heap: \d+kB free", 20)
        return (RAM - DOM0 - count * DOMU) * 1024 - free_kib(run)


def measure(hypervisor, options):
    """(KiB after boot with dom0 and one domain, KiB more for each of two further ones)."""
    one, three = own_kib(hypervisor, options, 1), own_kib(hypervisor, options, 3)
    return one, (three - one) / 2


def promised_kib(run):
    """KiB of what free_kib() counts that nobody else can have: what Krypton's domains may still take for page tables and the like."""
    return int((re.findall(r"promised (\d+)", run.text()) or [0])[-1])


def measure_x86(hypervisor):
    """
    (KiB after boot with dom0 and one domain, KiB more for each of two further ones), each as taken and with what is
    promised; "krypton" or "xen".
    """
    own, promised = {}, {}
    # Without AVX: in Debian's Xen this emulator now and then refuses dom0's programs such an instruction.
    with Dom0(hypervisor, "bench-memory-" + hypervisor, arch="x86_64", memory=DOM0_X86, cpus=1, icount=True,
              cpu=X86_CPU + ",-avx,-avx2,-f16c,-fma") as dom0:
        for count in range(1, 4):
            dom0.ok("config d%d memory=%d; xl create -q /tmp/d%d.cfg; booted d%d 300" %
                    (count, DOMU_X86, count, count), 400)
            dom0.ok("sleep 3; xl debug-keys m; sleep 1", 60)
            own[count] = (RAM - DOM0_X86 - count * DOMU_X86) * 1024 - free_kib(dom0.run_)
            promised[count] = own[count] + promised_kib(dom0.run_)
    return tuple((kib[1], (kib[3] - kib[1]) / 2) for kib in (own, promised))


if __name__ == "__main__":
    from machine import BUILD, CACHE
    if "arm64" in (sys.argv[1:] or ["arm64"]):
        print("krypton", measure(BUILD / "krypton-arm64", ""))
        print("xen", measure(CACHE / "arm64/xen", "console=dtuart dtuart=/pl011@9000000"))
    if "x86_64" in (sys.argv[1:] or ["x86_64"]):
        print("krypton", measure_x86("krypton"))
        print("xen", measure_x86("xen"))
