/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One operation, over and over; which one is chosen by OP when it is compiled. bench.py counts what
 * the hypervisor executes between two calls of marker(). Only bare interfaces that every Xen guest
 * has are used, so the same image runs on Xen and on Krypton. The MMU stays off: QEMU has no
 * caches, and this is no example of how to do it elsewhere.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xen/xen.h>
#include <xen/event_channel.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/memory.h>
#include <xen/version.h>

#define OP_HYPERCALL 1 /* xen_version(XENVER_version), which looks at nothing */
#define OP_TIMER     2 /* a virtual timer interrupt while the guest runs */
#define OP_SELF_IPI  3 /* a virtual SGI to the vCPU itself */
#define OP_IPI \
 4 /* a virtual SGI to another vCPU on the same CPU, and one back; each waits in WFI */
#define OP_EVENT_A 5 /* an event to another domain that waits (WFI), and one back: this end ... */
#define OP_EVENT_B 6 /* ... and the end that counts */
#define OP_IDLE    0 /* nothing: a dom0 beside the others */
#define OP_MMIO    7 /* a read of an emulated device's register (the distributor's GICD_TYPER) */

extern char _start[], secondary[];
void marker(void);
long hypercall(unsigned long a0, unsigned long a1, unsigned long a2, unsigned long number);
long psci(unsigned long function, unsigned long a1, unsigned long a2, unsigned long a3);
void guest_main(unsigned long cpu);
void guest_irq(void);

static volatile uint32_t seen; /* interrupts */
static volatile bool other_runs;
static struct shared_info shared __attribute__((aligned(4096)));

#define read_reg(name)                       \
 (                                           \
     {                                       \
uint64_t v_;                                  \
__asm__ volatile("mrs %0, " name : "=r"(v_)); \
v_;                                           \
     })
#define write_reg(name, v) \
 __asm__ volatile("msr " name ", %0\n\tisb" ::"r"((uint64_t)(v)) : "memory")

static volatile uint32_t *reg(uint64_t address)
{
	return (volatile uint32_t *)address;
}

static void print(const char *s)
{
	for (; *s; s++)
		*reg(GUEST_PL011_BASE) = (uint8_t)*s;
}

/* GICv3: this vCPU's redistributor awake, every private interrupt enabled, priorities open. */
static void gic_init(unsigned long cpu)
{
	uint64_t rd = GUEST_GICV3_GICR0_BASE + cpu * 0x20000, sgi = rd + 0x10000;

	if (cpu == 0)
		*reg(GUEST_GICV3_GICD_BASE) = 0x12; /* ARE, group 1 */
	*reg(rd + 0x14) = 0;                        /* GICR_WAKER */
	while (*reg(rd + 0x14) & 4)
		;
	*reg(sgi + 0x80) = 0xffffffff; /* GICR_IGROUPR0 */
	for (unsigned i = 0; i < 32; i += 4)
		*reg(sgi + 0x400 + i) = 0xa0a0a0a0; /* GICR_IPRIORITYR */
	*reg(sgi + 0x100) = 0xffffffff;             /* GICR_ISENABLER0 */
	write_reg("S3_0_C12_C12_5", 7);             /* ICC_SRE_EL1 */
	write_reg("S3_0_C4_C6_0", 0xff);            /* ICC_PMR_EL1 */
	write_reg("S3_0_C12_C12_7", 1);             /* ICC_IGRPEN1_EL1 */
}

static void send_sgi(unsigned long cpu)
{
	write_reg("S3_0_C12_C11_5", (1ul << 24) | (1ul << cpu)); /* ICC_SGI1R_EL1: SGI 1 */
}

static void arm_timer(void)
{
	write_reg("cntv_cval_el0", read_reg("cntvct_el0") + 60000);
	write_reg("cntv_ctl_el0", 1);
}

void guest_irq(void)
{
	uint64_t irq = read_reg("S3_0_C12_C12_0"); /* ICC_IAR1_EL1 */

	if (irq == GUEST_TIMER_VIRT_PPI)
		arm_timer();
	if (irq == GUEST_EVTCHN_PPI) {
		shared.vcpu_info[0].evtchn_upcall_pending = 0;
		shared.vcpu_info[0].evtchn_pending_sel = 0;
		shared.evtchn_pending[0] = 0;
	}
	write_reg("S3_0_C12_C12_1", irq); /* ICC_EOIR1_EL1 */
	if (read_reg("mpidr_el1") & 0xff)
		send_sgi(0);
	else
		seen++;
}

/* Wait until `seen` has left `old`: running, or in WFI with no wake-up lost. */
static void wait(uint32_t old, bool sleep)
{
	while (seen == old) {
		if (!sleep)
			continue;
		__asm__ volatile("msr daifset, #2");
		if (seen == old)
			__asm__ volatile("wfi");
		__asm__ volatile("msr daifclr, #2\n\tisb");
	}
}

static evtchn_port_t event_init(void)
{
	struct xen_add_to_physmap map = { .domid = DOMID_SELF,
					  .space = XENMAPSPACE_shared_info,
					  .gpfn = (uintptr_t)&shared >> 12 };

	if (hypercall(XENMEM_add_to_physmap, (uintptr_t)&map, 0, __HYPERVISOR_memory_op))
		print("cannot map shared_info\n");
	if (OP == OP_EVENT_A) {
		struct evtchn_alloc_unbound op = { .dom = DOMID_SELF, .remote_dom = 2 };

		if (hypercall(EVTCHNOP_alloc_unbound, (uintptr_t)&op, 0,
			      __HYPERVISOR_event_channel_op))
			print("cannot allocate a port\n");
		return op.port;
	}
	for (evtchn_port_t port = 1;; port = port % 8 + 1) { /* whichever it got */
		struct evtchn_bind_interdomain op = { .remote_dom = 1, .remote_port = port };

		if (!hypercall(EVTCHNOP_bind_interdomain, (uintptr_t)&op, 0,
			       __HYPERVISOR_event_channel_op))
			return op.local_port;
	}
}

static void send_event(evtchn_port_t port)
{
	struct evtchn_send op = { .port = port };

	hypercall(EVTCHNOP_send, (uintptr_t)&op, 0, __HYPERVISOR_event_channel_op);
}

void guest_main(unsigned long cpu)
{
	evtchn_port_t port = 0;
	uint32_t old = seen;

	if (OP == OP_IDLE)
		return;
	gic_init(cpu);
	if (OP == OP_EVENT_A || OP == OP_EVENT_B)
		port = event_init();
	__asm__ volatile("msr daifclr, #2");
	if (OP == OP_IPI && cpu == 0)
		psci(0xc4000003, 1, (uintptr_t)secondary, 1); /* CPU_ON */
	if (OP == OP_IPI && cpu == 1)
		for (other_runs = true;;)
			__asm__ volatile("wfi");
	if (OP == OP_EVENT_A)
		for (;;) {
			wait(old, true);
			old = seen;
			send_event(port);
		}
	if (OP == OP_TIMER)
		arm_timer();
	while (OP == OP_IPI && !other_runs)
		__asm__ volatile("yield");
	print("READY\n");
	for (;;) {
		marker();
		old = seen;
		if (OP == OP_HYPERCALL)
			hypercall(XENVER_version, 0, 0, __HYPERVISOR_xen_version);
		else if (OP == OP_SELF_IPI)
			send_sgi(0);
		else if (OP == OP_IPI)
			send_sgi(1);
		else if (OP == OP_EVENT_B)
			send_event(port);
		else if (OP == OP_MMIO)
			(void)*reg(GUEST_GICV3_GICD_BASE + 4);
		if (OP != OP_HYPERCALL && OP != OP_MMIO)
			wait(old, OP == OP_EVENT_B || OP == OP_IPI);
	}
}
