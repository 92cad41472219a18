# SPDX-License-Identifier: Apache-2.0
"""Rules about the sources that a program can check. Each rule has a sample that breaks it."""
import pathlib
import re
import shutil
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]


def sources(*folders, suffixes=(".c", ".h", ".S", ".def")):
    return sorted(p for f in folders for p in (TOP / f).rglob("*") if p.suffix in suffixes)


def without_comments(text):
    """C text with comments and strings blanked, its lines still where they were."""
    pattern = r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"'
    return re.sub(pattern, lambda m: re.sub(r"[^\n]", " ", m.group(0)), text, flags=re.S)


def hits(pattern, text):
    return ["%d: %s" % (text.count("\n", 0, m.start()) + 1, m.group(0).strip())
            for m in re.finditer(pattern, text)]


def report(checker, paths):
    found = ["%s:%s" % (p.relative_to(TOP), h) for p in paths for h in checker(p.read_text())]
    assert not found, "\n".join([""] + found)


# ---- errors are reasons -----------------------------------------------------------------------

def literal_errors(text):
    """Places that make up an error number; comparing one is allowed."""
    return hits(r"(?<![=!]=)(?<![=!]= )(?<!case )-\s*(?:XEN_)?E[A-Z][A-Z0-9]+\b(?!_)",
                without_comments(text))


@pytest.mark.parametrize("bad", ["return -EINVAL;", "err = -ENOMEM;", "x ? -XEN_EPERM : 0",
                                 "return - ESRCH;"])
def test_literal_errors_are_found(bad):
    assert literal_errors("int f(void)\n{\n\t" + bad + "\n}\n")


@pytest.mark.parametrize("good", ["if (err == -ENOSPC)", "case -EAGAIN:", "/* -EINVAL */",
                                  "return refuse(R_X, 0, 0, 0);", "n -END_OF_TABLE"])
def test_comparisons_are_not_literal_errors(good):
    assert not literal_errors(good)


def test_core_and_abi_refuse_with_a_reason():
    report(literal_errors, sources("hv/core", "hv/abi"))


# ---- nothing of a guest's configuration is silently ignored ------------------------------------

def idle_fields(keys, others):
    """Fields of struct config that keys.c fills and nobody reads."""
    filled = set(re.findall(r'(?m)^\t[A-Z]+\("\w+", (\w+)', keys))
    filled -= set(re.findall(r"config_take_\w+", keys))
    return sorted(f for f in filled if not re.search(r"(?:->|\.)%s\b" % f, others))


def test_idle_fields_are_found():
    keys = '\tNUMBER("vcpus", vcpus, 1, 2),\n\tNUMBER("spare", spare, 0, 1),\n\tOTHER("name", config_take_name),\n'
    assert idle_fields(keys, "x = c->vcpus;") == ["spare"]


def test_every_key_has_an_effect():
    keys = TOP / "tools/domain/keys.c"
    others = "".join(without_comments(p.read_text()) for p in sources("tools") if p != keys)
    fields = re.findall(r'(?m)^\t(?:TEXT|PATH|NUMBER|MBYTES|ACTION)\("\w+", (\w+)', keys.read_text())
    assert len(fields) > 15
    assert not idle_fields("".join('\tTEXT("key", %s)\n' % f for f in fields), others)


# ---- layers ---------------------------------------------------------------------------------------

def foreign_includes(text):
    """What core and abi may not include: an architecture's own files, the C library."""
    allowed = (r"<(hv|arch|xen|public|generated)/[^>]+>|<(stdbool|stddef|stdint|stdarg|limits)\.h>"
               r'|"\w+\.h"')     # the last: a header of the object itself, beside it
    return [h for h in hits(r"#\s*include[^\n]*", text) if not re.search(allowed, h)]


def test_foreign_includes_are_found():
    assert foreign_includes("#include <arch/cpu.h>\n#include <asm/cpu.h>\n") == ["2: #include <asm/cpu.h>"]
    assert foreign_includes('#include "../arch/arm/gic.h"') and foreign_includes("#include <stdlib.h>")


def test_core_and_abi_know_no_architecture():
    report(foreign_includes, sources("hv/core", "hv/abi"))


def test_no_public_header_is_restated():
    """The ABI's structures come from libxen-dev; a file of ours does not define one again."""
    public = pathlib.Path("/usr/include/xen")
    if not public.exists():
        pytest.fail("libxen-dev is not installed")
    names = set()
    for header in public.rglob("*.h"):
        names |= set(re.findall(r"^struct (xen_\w+|evtchn_\w+|gnttab_\w+|vcpu_\w+info\w*|sched_\w+"
                                r"|shared_info|start_info) \{", header.read_text(), re.M))
    assert len(names) > 50

    def restated(text):
        return [h for h in hits(r"(?m)^struct \w+ \{", text) if h.split()[2] in names]

    assert restated("struct evtchn_send {\n")
    report(restated, sources("hv"))


# ---- licence, formatting of files ---------------------------------------------------------------

def tracked():
    out = subprocess.run(["git", "ls-files", "-z"], cwd=TOP, check=True, stdout=subprocess.PIPE)
    return [TOP / name for name in out.stdout.decode().split("\0") if name]


def test_every_source_names_its_licence():
    missing = []
    for path in tracked():
        is_script = path.suffix in (".py", ".sh", ".mk") or path.name in (
            "Makefile", "run", "check", "debs", "packages", "initrd", "rc", "shell", "dom0", "agent", "toolstack", "functions")
        if not path.exists() or not (is_script or path.suffix in (".c", ".h", ".S", ".def")):
            continue
        head = path.read_text().split("\n", 3)[:2]
        if not any("SPDX-License-Identifier: Apache-2.0" in line for line in head):
            missing.append(str(path.relative_to(TOP)))
    assert not missing, missing


def test_first_comment_says_what_the_file_is():
    missing = []
    for path in sources("hv", "tools", suffixes=(".c", ".h")):
        lines = path.read_text().split("\n", 2)
        if len(lines) < 3 or not lines[1].startswith("/*"):
            missing.append(str(path.relative_to(TOP)))
    assert not missing, missing


# ---- documents --------------------------------------------------------------------------------------

LINK = re.compile(r"\b((?:hv|tools|tests|scripts|images|bench|docs)/[\w./-]+\.\w+):([A-Za-z_]\w*)\b")
PATH = re.compile(r"`((?:hv|tools|tests|scripts|images|bench|docs)/[\w./-]*[\w/])`")


def functions(path):
    """Names that are defined in a file."""
    if path.suffix == ".S":
        return {a or b for a, b in re.findall(r"^(?:\w+[( ](\w+)\)?$|(\w+):)", path.read_text(), re.M)}
    if path.suffix == ".py":
        return set(re.findall(r"^\s*(?:def|class) (\w+)", path.read_text(), re.M))
    out = subprocess.run(["ctags", "-x", "--kinds-C=*", "-f", "-", str(path)], check=True,
                         stdout=subprocess.PIPE)
    return {line.split()[0] for line in out.stdout.decode().splitlines() if line}


def dead_links(text):
    dead = []
    for name, symbol in LINK.findall(text):
        path = TOP / name
        if not path.exists():
            dead.append("%s does not exist" % name)
        elif symbol not in functions(path):
            dead.append("%s has no %s" % (name, symbol))
    # Not in capitals (a place-holder); <hv/x.h> is in hv/include.
    dead += ["%s does not exist" % n for n in PATH.findall(text)
             if not re.search(r"[A-Z]{4}", n.replace("README", ""))
             and not (TOP / n).exists() and not (TOP / "hv/include" / n).exists()]
    return dead


def test_dead_links_are_found():
    assert shutil.which("ctags"), "universal-ctags is not installed"
    assert dead_links("see hv/lib/ksym.c:no_such_function") == ["hv/lib/ksym.c has no no_such_function"]
    assert dead_links("in `hv/no/such.c`") and not dead_links("hv/lib/ksym.c:ksym_lookup")


def documents():
    return [TOP / "README.md"] + sorted((TOP / "docs").rglob("*.md"))


@pytest.mark.parametrize("path", documents(), ids=lambda p: p.name)
def test_links_of_documents_exist(path):
    dead = dead_links(path.read_text())
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text()):
        if not (path.parent / target).exists():
            dead.append("%s does not exist" % target)
    assert not dead, "\n".join([""] + dead)


def test_locks_are_described_in_the_order_of_their_ranks():
    enum = re.search(r"enum lock_rank \{(.*?)NR_RANKS", (TOP / "hv/include/hv/lock.h").read_text(), re.S).group(1)
    ranks = re.findall(r"RANK_(\w+)", without_comments(enum))
    rows = re.findall(r"^\| ([A-Z_0-9]+) \|", (TOP / "docs/locking.md").read_text(), re.M)
    assert ["NONE"] + rows == ranks and len(rows) > 20


def test_the_tour_has_links():
    tour = TOP / "docs/tour.md"
    assert tour.exists() and len(LINK.findall(tour.read_text())) >= 10


# ---- every operation of the control interfaces is in docs/abi.md -------------------------------------

def operations(header, prefix, decoys=()):
    """Names of the operations that a public header numbers."""
    text = (pathlib.Path("/usr/include/xen") / header).read_text()
    text = text[text.index("struct xen_%s {" % header[:-2]):] if prefix != "XENPF" else text
    found = re.findall(r"^ *#define %s_(\w+)\s+\d+\b" % prefix, text, re.M)
    return [n for n in found if n not in decoys and not n.isupper()]


@pytest.mark.parametrize("header,prefix,section,least", [
    ("domctl.h", "XEN_DOMCTL", "domctl", 70), ("sysctl.h", "XEN_SYSCTL", "sysctl", 25),
    ("platform.h", "XENPF", "platform_op", 20)])
def test_every_control_operation_is_listed(header, prefix, section, least):
    text = (TOP / "docs/abi.md").read_text().split("### %s\n" % section)[1].split("\n### ")[0]
    rows = [w for row in re.findall(r"^\| ([^|]+) \|", text, re.M) for w in re.split(r",\s*", row)]
    names = operations(header, prefix, decoys=("soft_reset_cont",))
    assert len(names) >= least
    assert not [n for n in names if n not in rows]
    assert not [w for w in rows if w not in names + ["operations"] and not w.startswith("-")]
    assert len(rows) == len(set(rows)), "listed twice"
