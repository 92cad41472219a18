# SPDX-License-Identifier: Apache-2.0
fuzz-tests += tests/fuzz/hypercall.c tests/fuzz/evtchn.c tests/fuzz/gnttab.c tests/fuzz/memory_op.c \
	      tests/fuzz/description.c tests/fuzz/payload.c tests/fuzz/emul.c tests/fuzz/elf.c \
	      tests/fuzz/loader.c tests/fuzz/acpi.c tests/fuzz/vpci.c
fuzz-tests += tests/fuzz/control.c
