# SPDX-License-Identifier: Apache-2.0
core-src += hv/lib/copy.c hv/lib/ksym.c hv/lib/lock.c hv/lib/parse.c hv/lib/print.c hv/lib/rbtree.c hv/lib/text.c
x86_64-src += hv/lib/page.c
host-src += hv/lib/page.c

# The C library's own on the host. The compiler must not turn memcpy's loop into a call of memcpy.
freestanding-src += hv/lib/string.c
cflags-hv/lib/string.c := -fno-builtin $(if $(filter gcc,$(TOOLCHAIN)),-fno-tree-loop-distribute-patterns)

# Words are accessed where they lie: this file runs with the MMU on.
cflags-x86_64-hv/lib/copy.c := $(cflags-hv/lib/string.c)
cflags-arm64-hv/lib/copy.c := $(cflags-hv/lib/string.c) $(if $(filter gcc,$(TOOLCHAIN)),-mno-strict-align,-munaligned-access)

unit-tests += tests/unit/string_test.c tests/unit/print_test.c tests/unit/parse_test.c
unit-tests += tests/unit/rbtree_test.c tests/unit/lock_test.c
tsan-tests += tests/unit/lock_test.c
