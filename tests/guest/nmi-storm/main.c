/* SPDX-License-Identifier: Apache-2.0 */
/* NMIs as fast as they can be sent, by the APIC and by VCPUOP_send_nmi: they arrive, and nobody else is held up. */
#include "machine.h"

#include <xen/vcpu.h>

static volatile bool up, stop;

static void target(unsigned cpu)
{
	apic_on();
	up = true;
	while (!stop)
		pause();
}

void guest_test(void)
{
	uint32_t before;

	apic_on();
	before = interrupts[VEC_NMI];
	CHECK(HYPERCALL(vcpu_op, VCPUOP_send_nmi, 0, 0), 0, "to oneself");
	CHECK_TRUE(WAIT_FOR(interrupts[VEC_NMI] == before + 1), "it comes, interrupts on or off");
	apic_send(0, 0x4400);
	CHECK_TRUE(WAIT_FOR(interrupts[VEC_NMI] == before + 2), "by the APIC too");
	CHECK(cpu_start(1, target), 0, "started");
	CHECK_TRUE(WAIT_FOR(up), "it runs");
	for (unsigned i = 0; i < 100; i++) {
		before = interrupts[VEC_NMI];
		apic_send(1, 0x4400);
		CHECK_TRUE(WAIT_FOR(interrupts[VEC_NMI] != before), "each comes");
	}
	for (unsigned i = 0; i < 5000; i++) {
		apic_send(1, 0x4400);
		HYPERCALL(vcpu_op, VCPUOP_send_nmi, i & 1, 0);
	}
	stop = true;
	CHECK_TRUE(HYPERCALL(vcpu_op, VCPUOP_send_nmi, 77, 0) < 0, "to nobody");
}
