# SPDX-License-Identifier: Apache-2.0
boot-src += hv/boot/fdt.c
freestanding-src += hv/boot/libc.c
boot-src += hv/boot/options.c hv/boot/lz4.c
x86_64-src += hv/boot/payload.c
cflags-hv/boot/payload.c := -isystem $(CACHE)/x86_64/include
boot-src += hv/boot/description.c
boot-src += hv/boot/build.c hv/boot/fill.c hv/boot/main.c hv/boot/ram.c
unit-tests += tests/unit/lz4_test.c
unit-tests += tests/unit/description_test.c tests/unit/fdt_test.c tests/unit/options_test.c
