# SPDX-License-Identifier: Apache-2.0
"""Memory that a hypervisor takes for itself after boot, and for each further domain.

What is neither free (its debug key `m` says how much is) nor the memory that a domain was given.
Boot modules have been given back by then.
"""
import pathlib
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "scripts"))

from machine import Domain, Kernel, Machine  # noqa: E402

RAM, DOM0, DOMU = 2048, 256, 64     # MiB


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
        text = run.text()
    krypton = re.findall(r"free (\d+), promised \d+, never used (\d+)", text)
    xen = re.findall(r"Dom heap: (\d+)kB free", text)
    free = sum(map(int, krypton[-1])) if krypton else int(xen[-1])
    return (RAM - DOM0 - count * DOMU) * 1024 - free


def measure(hypervisor, options):
    """(KiB after boot with dom0 and one domain, KiB more for each of two further ones)."""
    one, three = own_kib(hypervisor, options, 1), own_kib(hypervisor, options, 3)
    return one, (three - one) / 2


if __name__ == "__main__":
    from machine import BUILD, CACHE
    print("krypton", measure(BUILD / "krypton-arm64", ""))
    print("xen", measure(CACHE / "arm64/xen", "console=dtuart dtuart=/pl011@9000000"))
