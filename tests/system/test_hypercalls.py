# SPDX-License-Identifier: Apache-2.0
"""What Debian's kernels ask of the hypervisor, kept as a list: a kernel that asks for more is noticed."""
import pathlib
import re

import pytest

from machine import Domain, Kernel

KEPT = pathlib.Path(__file__).with_name("hypercalls-arm64.txt")


def kept():
    lines = (line.split("#")[0].split() for line in KEPT.read_text().splitlines())
    return {tuple(words) for words in lines if words}


def called(log):
    """{("dom0" or "domU", number, operation)}; platform_op's argument is an address."""
    who = {"d0": "dom0", "d1": "domU"}
    return {(who[d], nr, "-" if nr == "7" else op)
            for d, nr, op in re.findall(r"\(KR\).* (d[01]) hypercall (\d+) op (\d+)", log)}


@pytest.mark.parametrize("kernel", ["cloud", "kernel"])
def test_kernels_call_what_is_kept(boot, kernel):
    """Every operation that a kernel uses is in the list, and the list has nothing that none uses."""
    run = boot(options="dom0_mem=384M hypercall_trace", dom0=Kernel(kernel),
               domains=[Domain("one", kernel, memory=192, cpus=2)])
    run.expect_guests("dom0", "one", timeout=180)
    run.shell("true")
    seen = called(run.log.read_text(errors="replace"))
    assert seen - kept() == set(), "new: say in docs/abi.md how each is answered, then add it"
    assert kept() - seen == set(), "no longer used"
