/* SPDX-License-Identifier: Apache-2.0 */
/* Repeats one operation, chosen by OP, between markers that bench/paths_x86.py looks for; on the start of the one-page guests of tests/guest. */
#include "machine.h"

#include <xen/version.h>

void marker(void);

/* Its address is looked up; nothing of it may be inlined. */
__attribute__((noinline)) void marker(void)
{
	__asm__ volatile("" ::: "memory");
}

static void operation(void)
{
#if OP == 1
	HYPERCALL(xen_version, XENVER_version, 0);
#elif OP == 2
	(void)cpuid(1, 0);
#elif OP == 3
	(void)rdmsr(0x1b); /* the local APIC's base */
#elif OP == 4
	(void)mmio_read32(APIC + APIC_ID);
#endif
}

void guest_test(void)
{
	print("READY\n");
	for (;;) {
		marker();
		operation();
	}
}
