# SPDX-License-Identifier: Apache-2.0
"""What the system tests share: the way to machines, and --full."""
import pathlib
import re
import sys

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TOP / "scripts"), str(TOP / "tests/system")]

import machine as machines  # noqa: E402


def pytest_addoption(parser):
    parser.addoption("--full", action="store_true", help="the long runs too")
    parser.addoption("--on", default="krypton", help="the hypervisor of test_xl*: krypton, or xen for Debian's")


def pytest_configure(config):
    config.addinivalue_line("markers", "full: only with --full")
    config.addinivalue_line("markers", "core: in the short list of test_xl")
    config.addinivalue_line("markers", "only: on those machines of test_xl")
    config.addinivalue_line("markers", "first: on those machines; on the others with --full")


def elsewhere(item):
    """Is the test for other machines of test_xl?"""
    limits = item.get_closest_marker("only")
    return limits and limits.args[0] not in item.callspec.params["dom0"]


def later(item):
    """Is the test left to --full?"""
    first = item.get_closest_marker("first")
    return item.get_closest_marker("full") or (first and first.args[0] not in item.callspec.params["dom0"])


@pytest.hookimpl(tryfirst=True)     # before the processes share them
def pytest_collection_modifyitems(config, items):
    """The long ones are left out, not skipped: a skip in the result always means something. What shares a
    machine within its file stays together when several processes share the tests."""
    for item in items:
        stem = item.path.stem
        alone = stem in ("test_boot", "test_guests", "test_hypercalls", "test_iommu", "test_state") or \
            (stem == "test_x86" and "bad_machine" not in item.fixturenames)
        if not alone and not item.get_closest_marker("xdist_group"):
            dom0 = getattr(item, "callspec", None) and item.callspec.params.get("dom0")
            item.add_marker(pytest.mark.xdist_group("%s-%s" % (stem, dom0) if dom0 else stem))
    # Those that stay together take longest: they go first, and single boots fill what is left of each process's time.
    items.sort(key=lambda item: not item.path.stem.startswith(("test_xl", "test_kr", "test_run", "test_stored")))
    full = config.getoption("--full")
    out = [i for i in items if (later(i) and not full) or elsewhere(i)]
    items[:] = [i for i in items if i not in out]
    config.hook.pytest_deselected(items=out)


@pytest.fixture(scope="session", autouse=True)
def built():
    machines.made(*(machines.BUILD / ("krypton-" + arch) for arch in ("arm64", "x86_64")))


@pytest.fixture
def boot(request):
    """boot(Machine arguments...) -> Run; named after the test, ended with it."""
    runs = []

    def start(hypervisor="krypton", **description):
        name = re.sub(r"\W+", "-", request.node.name).strip("-")
        name += "-%d" % len(runs) if runs else ""
        machine = machines.Machine(hypervisor, **description)
        if machine.hypervisor:
            assert pathlib.Path(machine.hypervisor).exists(), "%s: make first" % machine.hypervisor
        run = machine.boot(name)
        runs.append(run)
        return run

    yield start
    for run in runs:
        run.__exit__()
