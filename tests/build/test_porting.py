# SPDX-License-Identifier: Apache-2.0
"""docs/porting.md says what a third architecture must write: exactly what hv/include/arch declares."""
import re

from test_tree import TOP, sources, without_comments


def declared(text):
    """Names of the functions and objects of an interface header."""
    return set(re.findall(r"\b(arch_\w+)\s*(?=\(|;)", re.sub(r"\bstruct\s+arch_\w+\s*;", "", without_comments(text))))


def listed(text):
    return set(re.findall(r"`(arch_\w+)`", text))


def test_declarations_are_found():
    assert declared("/* arch_no(); */\nMUST_USE int arch_a(struct arch_b *b);\nextern const struct arch_s arch_o;\n"
                    "struct arch_x;\n") == {"arch_a", "arch_o"}


def test_every_function_is_listed():
    names = set()
    for path in sources("hv/include/arch"):
        names |= declared(path.read_text())
    assert len(names) > 40
    page = listed((TOP / "docs/porting.md").read_text())
    assert not names - page, "docs/porting.md does not list: %s" % sorted(names - page)
    assert not page - names, "docs/porting.md lists what hv/include/arch does not have: %s" % sorted(page - names)
