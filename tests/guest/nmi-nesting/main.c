/* SPDX-License-Identifier: Apache-2.0 */
/* An NMI that comes while one is handled waits for the handler's IRET; two that come meanwhile are one. */
#include "machine.h"

#include <xen/vcpu.h>

static unsigned depth, deepest, sends;

static void nmi(unsigned vector)
{
	if (vector != VEC_NMI)
		return;
	if (++depth > deepest)
		deepest = depth;
	/* Each exits, so each would be a place for the next. */
	for (; sends; sends--) {
		CHECK(HYPERCALL(vcpu_op, VCPUOP_send_nmi, 0, 0), 0, "to oneself");
		(void)cpuid(0, 0);
	}
	(void)cpuid(0, 0);
	depth--;
}

/* One NMI, and `more` from inside its handler; how many come in all. */
static unsigned storm(unsigned more)
{
	uint32_t before = interrupts[VEC_NMI];

	sends = more;
	CHECK(HYPERCALL(vcpu_op, VCPUOP_send_nmi, 0, 0), 0, "the first");
	CHECK_TRUE(WAIT_FOR(interrupts[VEC_NMI] > before), "it comes");
	for (unsigned i = 0; i < 10; i++)
		(void)cpuid(0, 0);
	CHECK(deepest, 1, "none inside the handler of another");
	return interrupts[VEC_NMI] - before;
}

void guest_test(void)
{
	apic_on();
	on_interrupt = nmi;
	for (unsigned i = 0; i < 50; i++) {
		CHECK(storm(0), 1, "alone, with interrupts off");
		CHECK(storm(1), 2, "one more after the first");
		CHECK(storm(2), 2, "two that wait are one");
		irq_on();
		CHECK(storm(0), 1, "alone, with interrupts on");
		CHECK(storm(1), 2, "one more");
		CHECK(storm(3), 2, "three are one");
		irq_off();
	}
	/* Where an IRET enables interrupts and nothing else exits, the second comes at once. */
	irq_on();
	uint32_t before = interrupts[VEC_NMI];
	sends = 1;
	apic_send(0, 0x4400);
	CHECK_TRUE(WAIT_FOR(interrupts[VEC_NMI] == before + 2), "without an exit");
	irq_off();
}
