# SPDX-License-Identifier: Apache-2.0
tools-src += tools/build/acpi.c tools/build/arm64.c tools/build/bzimage.c tools/build/device_tree.c tools/build/elf.c \
	     tools/build/file.c tools/build/fill.c tools/build/layout_arm64.c tools/build/layout_x86.c tools/build/partial_tree.c \
	     tools/build/plan.c tools/build/start_info.c tools/build/unpack.c
tools-tests += tests/unit/build_test.c
tools-fuzz += tests/fuzz/build.c
