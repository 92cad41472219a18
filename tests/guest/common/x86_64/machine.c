/* SPDX-License-Identifier: Apache-2.0 */
#include "machine.h"

#include <xen/hvm/hvm_op.h>
#include <xen/hvm/hvm_vcpu.h>
#include <xen/hvm/params.h>
#include <xen/sched.h>
#include <xen/vcpu.h>

volatile struct trap trap;
volatile uint64_t trap_resume, trap_stack, trap_label;
volatile bool trap_missed;
bool (*on_exception)(struct regs *r);
volatile uint32_t interrupts[256];
void (*on_interrupt)(unsigned vector);

static void (*volatile start_fn[MAX_GUEST_CPUS])(unsigned cpu);
extern char secondary[], tables[], vectors[];
extern uint64_t idt[512];

void guest_start(void);
void guest_secondary(unsigned cpu);
void guest_vector(struct regs *r);

void machine_stop(void)
{
	/* It waits for nothing; the domain stays, so that its last output is read before it goes. */
	struct sched_poll nothing = { .nr_ports = 0 };

	irq_off();
	for (;;)
		HYPERCALL(sched_op, SCHEDOP_poll, &nothing);
}

static void fill_idt(void)
{
	for (unsigned i = 0; i < 256; i++) {
		uint64_t at = (uint64_t)vectors + 16 * i;

		idt[2 * i] = (at & 0xffff) | 8ul << 16 | 0x8eul << 40 | (at >> 16 & 0xffff) << 48;
		idt[2 * i + 1] = at >> 32;
	}
}

void guest_start(void)
{
	fill_idt();
	guest_test();
	print("GUEST-TEST PASS\n");
	machine_stop();
}

void guest_secondary(unsigned cpu)
{
	start_fn[cpu](cpu);
	HYPERCALL(vcpu_op, VCPUOP_down, cpu, 0);
	fail("VCPUOP_down does not return", cpu, 0);
}

long cpu_start(unsigned cpu, void (*fn)(unsigned cpu))
{
	struct vcpu_hvm_context c = {
		.mode = VCPU_HVM_MODE_64B,
		.cpu_regs.x86_64 = {
			.rdi = cpu,
			.rip = (uint64_t)secondary,
			.rsp = (uint64_t)secondary, /* for two words; it takes its own then */
			.rflags = 2,
			.cr0 = CR_READ(0),
			.cr3 = (uint64_t)tables,
			.cr4 = CR_READ(4),
			.efer = rdmsr(0xc0000080),
		},
	};
	static uint64_t entry_stack[16];
	long err;

	c.cpu_regs.x86_64.rsp = (uint64_t)&entry_stack[16];
	start_fn[cpu] = fn;
	err = HYPERCALL(vcpu_op, VCPUOP_initialise, cpu, &c);
	return err ? err : HYPERCALL(vcpu_op, VCPUOP_up, cpu, 0);
}

static bool expected(struct regs *r)
{
	if (trap_label) {
		r->rip = trap_label;
		trap_label = 0;
		return true;
	}
	if (trap_resume) {
		r->rip = trap_resume;
		r->rsp = trap_stack;
		trap_resume = 0;
		return true;
	}
	return false;
}

static void exception(struct regs *r)
{
	trap.vector = r->vector;
	trap.error = r->error;
	trap.cr2 = CR_READ(2);
	trap.rip = r->rip;
	if (expected(r))
		return;
	print("exception at ");
	print_hex(r->rip);
	print(" error ");
	print_hex(r->error);
	print(" cr2 ");
	print_hex(trap.cr2);
	print("\n");
	fail("no unexpected exception", r->vector, 0);
}

void guest_vector(struct regs *r)
{
	if (on_exception && r->vector < 32 && on_exception(r))
		return;
	if (r->vector < 32 && r->vector != VEC_NMI) {
		exception(r);
		return;
	}
	__atomic_add_fetch(&interrupts[r->vector], 1, __ATOMIC_SEQ_CST);
	if (on_interrupt)
		on_interrupt((unsigned)r->vector);
	if (r->vector >= 32 && r->vector != UPCALL)
		mmio_write32(APIC + APIC_EOI, 0);
}

bool try_rdmsr(uint32_t msr, uint64_t *v)
{
	uint32_t lo = 0, hi = 0;
	bool trapped = TRAPS_ASM("rdmsr", OUT("+a"(lo), "=d"(hi)), "c"(msr));

	*v = (uint64_t)hi << 32 | lo;
	return trapped;
}

bool try_wrmsr(uint32_t msr, uint64_t v)
{
	return TRAPS_ASM("wrmsr", OUT(), "c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)));
}

void apic_on(void)
{
	mmio_write32(APIC + APIC_SVR, 0x1ff);
}

void apic_send(unsigned cpu, uint32_t low)
{
	mmio_write32(APIC + APIC_ICR2, cpu * 2 << 24);
	mmio_write32(APIC + APIC_ICR, low);
}

void upcall_on(void)
{
	struct xen_hvm_param p = {
		.domid = DOMID_SELF,
		.index = HVM_PARAM_CALLBACK_IRQ,
		.value = (uint64_t)HVM_PARAM_CALLBACK_TYPE_VECTOR << 56 | UPCALL,
	};

	CHECK(HYPERCALL(hvm_op, HVMOP_set_param, &p), 0, "the upcall's vector");
}

uint64_t ticks(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (uint64_t)hi << 32 | lo;
}

uint64_t ticks_per_second(void)
{
	return cpuid(0x40000003, 0).ecx * 1000ul;
}
