# SPDX-License-Identifier: Apache-2.0
"""Measures what bench/budgets limits; ends non-zero when a limit is passed."""
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "scripts"))

import boots  # noqa: E402
import paths  # noqa: E402
import paths_x86  # noqa: E402
from machine import BUILD, CACHE  # noqa: E402

KRYPTON = BUILD / "krypton-arm64"
XEN = CACHE / "arm64/xen"


def limits():
    text = (pathlib.Path(__file__).resolve().parent / "budgets").read_text()
    found = [re.split(r"\s{2,}", line.strip()) for line in text.splitlines()
             if line.strip() and not line.startswith("#")]
    return {what: float(limit) for what, limit in found}


def shares():
    """Krypton's boot as a share of Xen's: to dom0's entry, and what is added to bare Linux's."""
    user = {}
    entry = {}
    for name, image, options in (("bare", None, ""), ("xen", XEN, "console=dtuart dtuart=/pl011@9000000"),
                                 ("krypton", KRYPTON, "")):
        options += " dom0_mem=512M"
        user[name] = boots.instructions_to_user(image, options, "cloud")
        if image:
            entry[name] = boots.instructions_to_entry(image, options, "cloud")
    return (entry["krypton"] / entry["xen"],
            (user["krypton"] - user["bare"]) / (user["xen"] - user["bare"]))


def main():
    figures = {"%s image, bytes" % arch: (BUILD / ("krypton-" + arch)).stat().st_size
               for arch in ("arm64", "x86_64")}
    for what in limits():
        if what in paths.PATHS:
            figures[what] = paths.measure(KRYPTON, what)[0]
        elif what in paths_x86.PATHS:
            figures[what] = paths_x86.measure(what)[0]
    figures["x86_64 entry to dom0, unpacked kernel"] = boots.instructions_to_entry(
        BUILD / "krypton-x86_64", "console=com1 dom0_mem=512M", "vmlinux", "x86_64")
    figures["entry to dom0, share of Xen's"], figures["added until dom0's user space, share"] = shares()
    passed = True
    for what, limit in limits().items():
        ok = figures[what] <= limit
        passed &= ok
        print("%-42s %12.6g of %-10.6g %s" % (what, figures[what], limit, "ok" if ok else "OVER"))
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
