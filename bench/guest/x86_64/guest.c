/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Repeats one operation, chosen by OP, between markers that bench/paths_x86.py looks for; on the start of the one-page guests of tests/guest. It runs
 * as a boot-time domain of Krypton's, and as the PVH dom0 of Krypton and of Xen: only what they all have is used.
 */
#include "machine.h"

#include <xen/event_channel.h>
#include <xen/vcpu.h>
#include <xen/version.h>

#define OP_HYPERCALL  1 /* xen_version(XENVER_version), which looks at nothing */
#define OP_CPUID      2
#define OP_RDMSR      3 /* the local APIC's base */
#define OP_APIC_READ  4 /* a register of the local APIC, memory-mapped */
#define OP_TIMER      5 /* the event of a PV timer, while the guest runs */
#define OP_APIC_TIMER 6 /* the local APIC's timer interrupt and its end, while the guest runs */
#define OP_SELF_IPI   7 /* an interrupt command to itself, and the end of the interrupt */
#define OP_IPI        8 /* an IPI event to another vCPU on the same CPU, and one back; each waits in HLT */
#define OP_EVENT      9  /* an event over a channel to itself */
#define OP_PAGE_FAULT 10 /* the guest's own page fault, and return from it */
#define OP_HALT       11 /* HLT until the event of a PV timer */
#define OP_SET_TIMER  12 /* VCPUOP_set_singleshot_timer */
#define OP_NESTED \
	13 /* a nested page fault: a write where the guest has no memory and nothing else is */
#define NO_MEMORY   0x10000000ul /* dom0 has 64 MiB, the machine 1 GiB */

#define APIC_VECTOR 0x40
#define DELAY_NS    60000

void marker(void);
void marker_end(void);

/* Its address is looked up; nothing of it may be inlined. */
__attribute__((noinline)) void marker(void)
{
	__asm__ volatile("" ::: "memory");
}

/* From here to the next marker() nothing counts. */
__attribute__((noinline)) void marker_end(void)
{
	__asm__ volatile("" ::: "memory");
}

static evtchn_port_t port[2];
static volatile bool other_runs;

static bool events(void)
{
	return OP == OP_TIMER || OP == OP_SET_TIMER || OP == OP_IPI || OP == OP_EVENT ||
	       OP == OP_HALT;
}

/* Wait for the next of this vector, running or in HLT. Interrupts are off before and after. */
static void wait_for(unsigned vector, uint32_t old, bool sleep)
{
	if (!sleep)
		irq_on();
	while (interrupts[vector] == old)
		if (sleep)
			wait_interrupt();
	irq_off();
}

static void set_timer(void)
{
	/* The PV clock (xen/xen.h, struct vcpu_time_info): all of it constant but the TSC. */
	static uint32_t mul;
	static int8_t shift;
	volatile struct vcpu_time_info *t = &shared_info.vcpu_info[0].time;
	struct vcpu_set_singleshot_timer op = { 0 };
	uint64_t delta;

	if (!mul) {
		mul = t->tsc_to_system_mul;
		shift = t->tsc_shift;
	}
	delta = ticks() - t->tsc_timestamp;
	delta = shift < 0 ? delta >> -shift : delta << shift;
	op.timeout_abs_ns = t->system_time + (uint64_t)((unsigned __int128)delta * mul >> 32) +
			    DELAY_NS;
	HYPERCALL(vcpu_op, VCPUOP_set_singleshot_timer, 0, &op);
}

static void send(evtchn_port_t to)
{
	struct evtchn_send op = { .port = to };

	HYPERCALL(event_channel_op, EVTCHNOP_send, &op);
}

/* An upcall: every event there is, as the only one that matters is counted by its vector. */
static void upcall(unsigned vector)
{
	unsigned cpu = OP == OP_IPI ? cpuid(0x40000004, 0).ebx : 0;

	if (vector != UPCALL)
		return;
	shared_info.vcpu_info[cpu].evtchn_upcall_pending = 0;
	shared_info.vcpu_info[cpu].evtchn_pending_sel = 0;
	__atomic_store_n(&shared_info.evtchn_pending[0], 0, __ATOMIC_SEQ_CST);
	if (cpu) {
		interrupts[UPCALL]--; /* vCPU 0 counts */
		send(port[0]);
	}
}

static void other(unsigned cpu)
{
	(void)cpu;
	for (other_runs = true;;)
		wait_interrupt();
}

static evtchn_port_t bind_ipi(unsigned cpu)
{
	struct evtchn_bind_ipi op = { .vcpu = cpu };

	CHECK(HYPERCALL(event_channel_op, EVTCHNOP_bind_ipi, &op), 0, "an IPI is bound");
	return op.port;
}

static void bind(void)
{
	struct evtchn_bind_virq virq = { .virq = VIRQ_TIMER };
	struct evtchn_alloc_unbound a = { .dom = DOMID_SELF, .remote_dom = DOMID_SELF };
	struct evtchn_bind_interdomain b = { .remote_dom = DOMID_SELF };

	if (OP == OP_TIMER || OP == OP_HALT)
		CHECK(HYPERCALL(event_channel_op, EVTCHNOP_bind_virq, &virq), 0,
		      "the timer is bound");
	if (OP == OP_IPI) {
		port[0] = bind_ipi(0);
		port[1] = bind_ipi(1);
		CHECK(cpu_start(1, other), 0, "the other vCPU starts");
		while (!other_runs)
			HYPERCALL(sched_op, 0, 0); /* yield */
	}
	if (OP == OP_EVENT) {
		CHECK(HYPERCALL(event_channel_op, EVTCHNOP_alloc_unbound, &a), 0, "a port");
		b.remote_port = a.port;
		CHECK(HYPERCALL(event_channel_op, EVTCHNOP_bind_interdomain, &b), 0, "is bound");
		port[0] = b.local_port;
	}
}

/* The entry of start.S's directory for RAM_FAR, which is switched off and, by the fault, on again. */
static uint64_t *far_entry(void)
{
	extern uint64_t directory[];

	return &directory[RAM_FAR >> 21];
}

static bool page_fault(struct regs *r)
{
	if (r->vector != VEC_PF)
		return false;
	*far_entry() |= 1;
	return true;
}

static void take_page_fault(void)
{
	*far_entry() &= ~1ul;
	__asm__ volatile("invlpg (%0)" ::"r"(RAM_FAR) : "memory");
	(void)mmio_read32(RAM_FAR);
}

/* What is prepared first does not count. */
static bool has_own_markers(void)
{
	return OP == OP_TIMER || OP == OP_APIC_TIMER || OP == OP_HALT;
}

static void operation(void)
{
	uint32_t seen = interrupts[UPCALL], apic = interrupts[APIC_VECTOR];

	switch (OP) {
	case OP_HYPERCALL: HYPERCALL(xen_version, XENVER_version, 0); break;
	case OP_CPUID: (void)cpuid(1, 0); break;
	case OP_RDMSR: (void)rdmsr(0x1b); break;
	case OP_APIC_READ: (void)mmio_read32(APIC + APIC_ID); break;
	case OP_SET_TIMER: set_timer(); break;
	case OP_TIMER:
	case OP_HALT:
		marker_end();
		set_timer();
		marker();
		wait_for(UPCALL, seen, OP == OP_HALT);
		break;
	case OP_APIC_TIMER:
		marker_end();
		mmio_write32(APIC + APIC_INITIAL, DELAY_NS);
		marker();
		wait_for(APIC_VECTOR, apic, false);
		break;
	case OP_SELF_IPI:
		mmio_write32(APIC + APIC_ICR, 1u << 18 | APIC_VECTOR);
		wait_for(APIC_VECTOR, apic, false);
		break;
	case OP_IPI:
		send(port[1]);
		wait_for(UPCALL, seen, true);
		break;
	case OP_EVENT:
		send(port[0]);
		wait_for(UPCALL, seen, false);
		break;
	case OP_PAGE_FAULT: take_page_fault(); break;
	case OP_NESTED: mmio_write32(NO_MEMORY, 0); break;
	}
}

void guest_test(void)
{
	on_exception = page_fault;
	on_interrupt = upcall;
	if (OP == OP_APIC_TIMER || OP == OP_SELF_IPI) {
		apic_on();
		mmio_write32(APIC + APIC_TIMER, APIC_VECTOR);
		mmio_write32(APIC + APIC_DIVIDE, 0xb);
	}
	if (events()) {
		map_shared_info();
		upcall_on();
		bind();
		irq_on();
		irq_off();
	}
	print("READY\n");
	for (;;) {
		if (!has_own_markers())
			marker();
		operation();
	}
}
