# SPDX-License-Identifier: Apache-2.0
"""`make bench`: Krypton beside Debian's Xen in the same QEMU. Ratios mean something, seconds do not.

Every figure of one table comes from one run of this program. The table also goes to
$O/bench/table.txt, with the versions of what was compared.
"""
import itertools
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "scripts"))

import boots  # noqa: E402
import memory  # noqa: E402
import paths  # noqa: E402
import paths_x86  # noqa: E402
import tools  # noqa: E402
from machine import BUILD, CACHE  # noqa: E402

KRYPTON = (BUILD / "krypton-arm64", "")
XEN = (CACHE / "arm64/xen", paths.XEN_OPTIONS)


def rows():
    """(what, Xen's figure, Krypton's), as they are measured."""
    yield "image, bytes", XEN[0].stat().st_size, KRYPTON[0].stat().st_size
    for path in paths.PATHS:
        yield (path + ", instructions", paths.measure(XEN[0], path, XEN[1])[0],
               paths.measure(KRYPTON[0], path, KRYPTON[1])[0])
    xen, krypton = memory.measure(*XEN), memory.measure(*KRYPTON)
    yield "hypervisor's memory with dom0 and one domain, KiB", xen[0], krypton[0]
    yield "for each further domain, KiB", xen[1], krypton[1]
    xen, krypton = tools.measure("xen"), tools.measure("krypton")
    for what in xen:
        yield what + ", instructions", xen[what], krypton[what]
    for kernel in ("cloud", "kernel"):
        of = boots.measure({"bare": (None, ""), "xen": (XEN[0], XEN[1] + " dom0_mem=512M"),
                            "krypton": (KRYPTON[0], KRYPTON[1] + " dom0_mem=512M")}, kernel)
        if kernel == "cloud":
            yield "entry to dom0, instructions", of["xen"]["entry"], of["krypton"]["entry"]
            yield "entry to dom0, s", of["xen"]["entry seconds"], of["krypton"]["entry seconds"]
        for what, unit in (("user", "instructions"), ("seconds", "s")):
            label = "%s: power-on to user space, " % kernel
            yield label + unit, of["xen"][what], of["krypton"][what]
            yield ("%s: added to bare Linux's %.6g, %s" % (kernel, of["bare"][what], unit),
                   of["xen"][what] - of["bare"][what], of["krypton"][what] - of["bare"][what])


def rows_x86():
    """Exits of a PVH dom0, which is the guest itself: Xen has no boot-time domains on x86."""
    yield "x86_64 image, bytes", paths_x86.XEN.stat().st_size, (BUILD / "krypton-x86_64").stat().st_size
    for path in paths_x86.PATHS:
        yield (path + ", instructions", paths_x86.measure(path, paths_x86.XEN, paths_x86.XEN_OPTIONS, True)[0],
               paths_x86.measure(path, dom0=True)[0])
    (xen, xen_promised), (krypton, krypton_promised) = map(memory.measure_x86, ("xen", "krypton"))
    for at, what in enumerate(("hypervisor's memory with PVH dom0 and one domain", "for each further domain")):
        yield "x86_64 %s, KiB" % what, xen[at], krypton[at]
        yield "x86_64 the same with what is promised, KiB", xen_promised[at], krypton_promised[at]
    xen, krypton = (tools.measure(h, "x86_64") for h in ("xen", "krypton"))
    for what in xen:
        yield "x86_64 %s, instructions" % what, xen[what], krypton[what]
    of = boots.measure_x86()
    for kernel, xen in itertools.product(("vmlinux", "kernel"), ("xen pvh", "xen pv")):
        label = "x86_64 %s, Xen's a %s dom0: " % (kernel, xen.split()[1].upper())
        yield label + "entry, instructions", of[xen, kernel]["entry"], of["krypton", kernel]["entry"]
        bare = of["bare", kernel]["user"]
        yield ("%sadded to bare Linux's %.6g until user space, instructions" % (label, bare),
               of[xen, kernel]["user"] - bare, of["krypton", kernel]["user"] - bare)


def main():
    lines = [line for arch in ("arm64", "x86_64") for line in (CACHE / arch / "MANIFEST").read_text().splitlines()]
    lines += ["", "%-66s %14s %14s %8s" % ("", "Xen", "Krypton", "ratio")]
    print("\n".join(lines))
    for what, xen, krypton in itertools.chain(rows(), rows_x86()):
        lines.append("%-66s %14.8g %14.8g %8s" % (what, xen, krypton, "%.3f" % (krypton / xen) if xen else "-"))
        print(lines[-1], flush=True)
    out = BUILD / "bench"
    out.mkdir(parents=True, exist_ok=True)
    (out / "table.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
