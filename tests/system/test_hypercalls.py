# SPDX-License-Identifier: Apache-2.0
"""What Debian's kernels ask of the hypervisor, kept as a list: a kernel that asks for more is noticed."""
import pathlib
import re

import pytest

from machine import Domain, Kernel

def kept(arch):
    """What is always called, and what sometimes is."""
    lines = pathlib.Path(__file__).with_name("hypercalls-%s.txt" % arch).read_text().splitlines()
    split = [(tuple(line.split("#")[0].split()), "sometimes" in line) for line in lines]
    return ({words for words, sometimes in split if words and not sometimes},
            {words for words, sometimes in split if words and sometimes})


def called(log):
    """{("dom0" or "domU", number, operation)}; the first argument of platform_op and mca is an address."""
    who = {"d0": "dom0", "d1": "domU"}
    return {(who[d], nr, "-" if nr in ("7", "48") else op)
            for d, nr, op in re.findall(r"\(KR\).* (d[01]) hypercall (\d+) op (\d+)", log)}


@pytest.mark.parametrize("arch,kernel", [("arm64", "cloud"), ("arm64", "kernel"), ("x86_64", "vmlinux")])
def test_kernels_call_what_is_kept(boot, arch, kernel):
    """Every operation that a kernel uses is in the list, and the list has nothing that none uses."""
    run = boot(arch=arch, dom0=Kernel(kernel), domains=[Domain("one", kernel, memory=192, cpus=2)],
               options="dom0_mem=384M hypercall_trace" + " console=com1" * (arch == "x86_64"))
    run.expect_guests("dom0", "one", timeout=180)
    run.shell("true")
    seen = called(run.log.read_text(errors="replace"))
    always, sometimes = kept(arch)
    assert seen - always - sometimes == set(), "new: say in docs/abi.md how each is answered, then add it"
    assert always - seen == set(), "no longer used"
