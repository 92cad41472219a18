# SPDX-License-Identifier: Apache-2.0
# What the boot loader says and kernels are read the same way on the host, by tests.
host-src += hv/arch/x86_64/boot/loader.c hv/arch/x86_64/boot/elf.c
cflags-hv/arch/x86_64/boot/loader.c := -idirafter hv/arch/x86_64/include
unit-tests += tests/unit/loader_test.c
