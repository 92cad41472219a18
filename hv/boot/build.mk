# SPDX-License-Identifier: Apache-2.0
boot-src += hv/boot/fdt.c hv/boot/fdt_write.c
freestanding-src += hv/boot/libc.c
boot-src += hv/boot/options.c hv/boot/lz4.c hv/boot/zstd.c hv/boot/payload.c hv/boot/unpack.c
# What needs a library of the target's stays out of the host library.
freestanding-src += hv/boot/payload_gzip.c hv/boot/checksum.c
x86_64-src += hv/boot/payload_xz.c
cflags-hv/boot/payload_gzip.c := -DZ_SOLO
boot-src += hv/boot/description.c
boot-src += hv/boot/build.c hv/boot/fill.c hv/boot/main.c hv/boot/ram.c
unit-tests += tests/unit/lz4_test.c tests/unit/zstd_test.c tests/unit/payload_test.c
unit-tests += tests/unit/description_test.c tests/unit/fdt_test.c tests/unit/options_test.c
