/* SPDX-License-Identifier: Apache-2.0 */
/* ACPI tables of the domain that owns the machine (acpi_dom0.c). Also built and tested on the host. */
#ifndef X86_BOOT_ACPI_DOM0_H
#define X86_BOOT_ACPI_DOM0_H

#include "../include/asm/machine.h"
#include <hv/boot.h>

struct acpi_dom0 {
	const struct machine *machine;
	const struct boot_region *ram; /* of the machine */
	uint32_t nr_ram, cpus;
};

/*
 * Write a root, an XSDT that leads to the host's own tables but for those that are hidden, a MADT and perhaps a STAO into `buf` of `room` bytes at guest
 * address `pa`; *rsdp: the root's. The domain sees the host's tables at their machine addresses. False: no room.
 */
MUST_USE bool acpi_dom0(const struct acpi_dom0 *in, uint8_t *buf, uint32_t room, uint64_t pa,
			uint64_t *rsdp);

#endif
