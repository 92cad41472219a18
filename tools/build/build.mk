# SPDX-License-Identifier: Apache-2.0
tools-src += tools/build/arm64.c tools/build/bzimage.c tools/build/device_tree.c tools/build/elf.c \
	     tools/build/file.c tools/build/fill.c tools/build/layout_arm64.c tools/build/layout_x86.c tools/build/packed.c tools/build/partial_tree.c \
	     tools/build/plan.c tools/build/start_info.c tools/build/unpack.c
# A PVH guest's ACPI tables: the hypervisor writes the same for those that it makes itself.
tools-src += hv/arch/x86_64/boot/acpi_domu.c hv/arch/x86_64/boot/acpi_write.c
tools-tests += tests/unit/build_test.c
tools-fuzz += tests/fuzz/build.c
