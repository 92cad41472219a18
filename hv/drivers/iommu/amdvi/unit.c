/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One AMD IOMMU: its three memory areas, commands, events. Commands go into a ring in memory and are waited for by a completion that
 * the unit stores into u->done; the wait ends, or the machine does: without a working unit nothing keeps devices
 * out of memory that was given to somebody else. Lock: u->unit.lock (IOMMU).
 */
#include "amdvi.h"

#include <arch/cpu.h>
#include <arch/timer.h>
#include <hv/assert.h>
#include <hv/atomic.h>
#include <hv/log.h>
#include <hv/string.h>

/* Registers (3.4). */
#define REG_TABLE           0x0000
#define REG_COMMANDS        0x0008
#define REG_EVENTS          0x0010
#define REG_CONTROL         0x0018
#define REG_FEATURES        0x0030
#define REG_COMMAND_HEAD    0x2000
#define REG_COMMAND_TAIL    0x2008
#define REG_EVENT_HEAD      0x2010
#define REG_EVENT_TAIL      0x2018
#define REG_STATUS          0x2020

#define CONTROL_ON          BIT(0)
#define CONTROL_HT_TUNNEL   BIT(1)
#define CONTROL_EVENTS      BIT(2)
#define CONTROL_EVENT_IRQ   BIT(3)
#define CONTROL_TIMEOUT     (3ull << 5) /* of invalidations in devices: 100 ms */
#define CONTROL_PASS_PW     BIT(8)
#define CONTROL_RESPASS_PW  BIT(9)
#define CONTROL_COHERENT    BIT(10)
#define CONTROL_ISOC        BIT(11)
#define CONTROL_COMMANDS    BIT(12)

#define STATUS_OVERFLOW     BIT(0)
#define STATUS_EVENT_IRQ    BIT(1)
#define STATUS_EVENTS_RUN   BIT(3)

#define FEATURE_FLUSH_ALL   BIT(6)

#define RING_BYTES          PAGE_SIZE
#define RING_LENGTH         (8ull << 56)      /* 2^8 entries of 16 bytes */
#define RING_POINTER        (RING_BYTES - 1u) /* a head or tail in its register */

/* Commands (2.4): the code is in the upper four bits of the first half. */
#define CMD_WAIT            (1ull << 60)
#define CMD_WAIT_STORE      BIT(0)
#define CMD_DEVICE          (2ull << 60)
#define CMD_PAGES           (3ull << 60)
#define CMD_PAGES_TAG_SHIFT 32
#define CMD_PAGES_SIZE      BIT(0) /* the address says how many */
#define CMD_PAGES_TABLES    BIT(1) /* what is kept of tables, too */
#define CMD_PAGES_ALL       0x7ffffffffffff000ull
#define CMD_IRQS            (5ull << 60)
#define CMD_ALL             (8ull << 60)

#define PATIENCE_NS         1000000000ull
#define BATCH               64u /* commands between two waits while booting */

/* ---- commands -------------------------------------------------------------------------------- */

static uint32_t next_in_ring(uint32_t at)
{
	return (at + 16) & RING_POINTER;
}

NORETURN static void lost(const struct amdvi *u)
{
	panic("AMD-Vi %u stopped executing commands (status %llx, head %llx, tail %x): devices can "
	      "no longer be confined",
	      u->unit.number, (unsigned long long)amdvi_reg_read(u, REG_STATUS),
	      (unsigned long long)amdvi_reg_read(u, REG_COMMAND_HEAD), u->tail);
}

static void put(struct amdvi *u, uint64_t low, uint64_t high) HOLDS(u->unit.lock)
{
	uint64_t *slot = (uint64_t *)((uint8_t *)frame_va(u->commands) + u->tail);
	uint64_t until = arch_time_ns() + PATIENCE_NS;

	while (next_in_ring(u->tail) == (amdvi_reg_read(u, REG_COMMAND_HEAD) & RING_POINTER)) {
		if (arch_time_ns() > until)
			lost(u);
		arch_cpu_relax();
	}
	write_once(&slot[0], low);
	write_once(&slot[1], high);
	u->tail = next_in_ring(u->tail);
}

/* Let the unit see what was put, and wait until it is done: the store is ordered behind all before it (2.4.1). */
static bool try_wait(struct amdvi *u) HOLDS(u->unit.lock)
{
	uint64_t where = mfn_to_paddr(frame_from_va(&u->done)).a +
			 ((uintptr_t)&u->done & (PAGE_SIZE - 1));
	uint64_t until = arch_time_ns() + PATIENCE_NS;

	put(u, CMD_WAIT | CMD_WAIT_STORE | where, ++u->fence);
	atomic_fence();
	amdvi_reg_write(u, REG_COMMAND_TAIL, u->tail);
	while (load_acquire(&u->done) != u->fence) {
		if (arch_time_ns() > until)
			return false;
		arch_cpu_relax();
	}
	return true;
}

static void wait_done(struct amdvi *u) HOLDS(u->unit.lock)
{
	if (!try_wait(u))
		lost(u);
}

/* A range as 2.4.3 encodes it: a block aligned to its size, whose size is the place of the lowest zero from bit 12 on. */
static uint64_t range_address(gfn_t g, uint64_t n)
{
	uint64_t last = g.n + n - 1, order = 0;

	if (n == 0 || last < g.n)
		return CMD_PAGES_ALL | CMD_PAGES_SIZE;
	while (g.n >> order != last >> order)
		order++;
	if (order == 0)
		return g.n << PAGE_SHIFT;
	if (order > 50)
		return CMD_PAGES_ALL | CMD_PAGES_SIZE;
	return (ROUND_DOWN(g.n, BIT(order)) | (BIT(order - 1) - 1)) << PAGE_SHIFT | CMD_PAGES_SIZE;
}

static void put_flush(struct amdvi *u, uint16_t tag, gfn_t g, uint64_t n) HOLDS(u->unit.lock)
{
	put(u, CMD_PAGES | (uint64_t)tag << CMD_PAGES_TAG_SHIFT,
	    range_address(g, n) | CMD_PAGES_TABLES);
}

void amdvi_unit_flush(struct amdvi *u, uint16_t tag, gfn_t g, uint64_t n)
{
	lock_take(&u->unit.lock);
	put_flush(u, tag, g, n);
	wait_done(u);
	lock_release(&u->unit.lock);
}

void amdvi_unit_flush_irqs(struct amdvi *u, uint32_t id)
{
	lock_take(&u->unit.lock);
	put(u, CMD_IRQS | id, 0);
	wait_done(u);
	lock_release(&u->unit.lock);
}

static void write_dte(struct amdvi_dte *to, const struct amdvi_dte *e)
{
	write_once(&to->word[3], e->word[3]);
	write_once(&to->word[2], e->word[2]);
	write_once(&to->word[1], e->word[1]);
	store_release(&to->word[0], e->word[0]);
}

/* By way of a blocked entry, for a unit reads the four words at four moments. */
void amdvi_unit_set_device(struct amdvi *u, uint32_t id, const struct amdvi_dte *e, uint16_t old_tag)
{
	struct amdvi_dte none;

	amdvi_dte_block(&none);
	lock_take(&u->unit.lock);
	for (unsigned i = 0; i < 2; i++) {
		struct amdvi_dte *to = amdvi_dte(u, id);

		if (i == 0)
			store_release(&to->word[0], none.word[0]);
		else
			write_dte(to, e);
		put(u, CMD_DEVICE | id, 0);
		put(u, CMD_IRQS | id, 0);
		put_flush(u, old_tag, gfn(0), 0);
		wait_done(u);
	}
	lock_release(&u->unit.lock);
}

/* ---- events (2.5) ---------------------------------------------------------------------------- */
/* QEMU 7.2 never writes one: only the model in tests/unit/amdvi_test.c runs this. */

#define EVENT_ILLEGAL_DTE      1
#define EVENT_PAGE_FAULT       2
#define EVENT_DTE_HARDWARE     3
#define EVENT_PAGE_HARDWARE    4
#define EVENT_BAD_COMMAND      5
#define EVENT_COMMAND_HARDWARE 6
#define EVENT_TIMEOUT          7
#define EVENT_BAD_REQUEST      8

/* Flags of a page fault, from bit 48 of the first half. */
#define FAULT_INTERRUPT        BIT(51)
#define FAULT_PRESENT          BIT(52)
#define FAULT_WRITE            BIT(53)
#define FAULT_DENIED           BIT(54)
#define FAULT_RESERVED         BIT(55)

#define MOST_REPORTS           16u /* of one device, before it is left silent until it is moved */

static enum iommu_fault_kind page_fault_kind(uint64_t low)
{
	if (low & FAULT_INTERRUPT)
		return IOMMU_FAULT_IRQ;
	if (low & FAULT_RESERVED)
		return IOMMU_FAULT_TABLE;
	if (!(low >> 32 & 0xffff)) /* quarantine's tag */
		return IOMMU_FAULT_BLOCKED;
	return low & FAULT_PRESENT && low & FAULT_DENIED ? IOMMU_FAULT_ACCESS
							 : IOMMU_FAULT_UNMAPPED;
}

static enum iommu_fault_kind kind_of(uint64_t low)
{
	switch (low >> 60) {
	case EVENT_PAGE_FAULT: return page_fault_kind(low);
	case EVENT_ILLEGAL_DTE:
	case EVENT_BAD_COMMAND: return IOMMU_FAULT_TABLE;
	case EVENT_BAD_REQUEST: return IOMMU_FAULT_BLOCKED;
	default: return IOMMU_FAULT_HARDWARE;
	}
}

static void report(struct amdvi *u, uint64_t low, uint64_t high)
{
	bool page_fault = low >> 60 == EVENT_PAGE_FAULT;
	bool command = low >> 60 == EVENT_BAD_COMMAND || low >> 60 == EVENT_COMMAND_HARDWARE;
	struct iommu_fault f = {
		.kind = kind_of(low),
		.device = command ? u->id.n & 0xffff : low & 0xffff, /* a command is the unit's */
		.address = high,
		.tag = page_fault ? (uint16_t)(low >> 32) : 0,
		.write = low & FAULT_WRITE,
	};

	/* Its entry says: one report (DTE1_ONCE). Reading the entry again lets it have another. */
	if (iommu_fault(&u->unit, &f) < MOST_REPORTS && page_fault && f.device < u->nr_ids) {
		lock_take(&u->unit.lock);
		put(u, CMD_DEVICE | f.device, 0);
		wait_done(u);
		lock_release(&u->unit.lock);
	}
}

/* The log was full and reports were lost: it has to be switched off and on again (2.5.3). */
static void restart_log(struct amdvi *u)
{
	uint64_t control = amdvi_reg_read(u, REG_CONTROL), until = arch_time_ns() + PATIENCE_NS;

	log_warning("AMD-Vi %u: more faults than can be reported", u->unit.number);
	amdvi_reg_write(u, REG_CONTROL, control & ~CONTROL_EVENTS);
	while (amdvi_reg_read(u, REG_STATUS) & STATUS_EVENTS_RUN && arch_time_ns() < until)
		arch_cpu_relax();
	amdvi_reg_write(u, REG_STATUS, STATUS_OVERFLOW);
	amdvi_reg_write(u, REG_EVENT_HEAD, 0);
	amdvi_reg_write(u, REG_EVENT_TAIL, 0);
	u->head = 0;
	amdvi_reg_write(u, REG_CONTROL, control);
}

/* At most as many as there were when we looked, which is a ring at most. Only the CPU that the interrupt goes to. */
uint32_t amdvi_unit_events(struct amdvi *u)
{
	uint64_t status = amdvi_reg_read(u, REG_STATUS);
	uint32_t tail, n = 0;

	/* First, so that an event that comes meanwhile interrupts again. */
	amdvi_reg_write(u, REG_STATUS, STATUS_EVENT_IRQ);
	tail = (uint32_t)amdvi_reg_read(u, REG_EVENT_TAIL) & RING_POINTER;
	while (u->head != tail) {
		const uint64_t *e = (const uint64_t *)((const uint8_t *)frame_va(u->events) +
						       u->head);

		report(u, read_once(&e[0]), read_once(&e[1]));
		u->head = next_in_ring(u->head);
		n++;
	}
	amdvi_reg_write(u, REG_EVENT_HEAD, u->head);
	if (status & STATUS_OVERFLOW)
		restart_log(u);
	return n;
}

/*
 * After an interrupt the unit is asked by a timer, and may interrupt again when it had nothing to say: whatever devices do, reports
 * cost one ring of them in a pause.
 */
#define PAUSE_NS 20000000ull

static void switch_interrupt(struct amdvi *u, bool on)
{
	uint64_t control = amdvi_reg_read(u, REG_CONTROL) & ~CONTROL_EVENT_IRQ;

	amdvi_reg_write(u, REG_CONTROL, control | (on ? CONTROL_EVENT_IRQ : 0));
}

static void pause_over(struct timer *t)
{
	struct amdvi *u = container_of(t, struct amdvi, pause);

	if (!amdvi_unit_events(u)) {
		switch_interrupt(u, true);
		/* One that came in between has not interrupted. */
		if (!amdvi_unit_events(u))
			return;
		switch_interrupt(u, false);
	}
	timer_set(t, arch_time_ns() + PAUSE_NS);
}

static void event_interrupt(struct irq *irq, void *arg)
{
	struct amdvi *u = arg;

	switch_interrupt(u, false);
	(void)amdvi_unit_events(u);
	timer_set(&u->pause, arch_time_ns() + PAUSE_NS);
}

/* Its own message goes out as it is: nothing remaps an IOMMU's interrupts (2.2.5). */
static bool enable_interrupt(struct amdvi *u)
{
	unsigned cap = pci_find_cap(u->id, PCI_CAP_MSI), data;
	struct msi_message m;
	uint32_t control;

	if (!cap || arch_msi_request(&u->irq, event_interrupt, u, "iommu", &m))
		return false;
	control = pci_read(u->id, cap + 2, 2);
	pci_write(u->id, cap + 4, 4, (uint32_t)m.address);
	if (control & BIT(7)) /* 64-bit addresses */
		pci_write(u->id, cap + 8, 4, (uint32_t)(m.address >> 32));
	data = cap + (control & BIT(7) ? 12 : 8);
	pci_write(u->id, data, 2, m.data);
	pci_write(u->id, cap + 2, 2, (control & ~0x70u) | 1); /* one message, on */
	pci_write(u->id, PCI_COMMAND, 2, pci_read(u->id, PCI_COMMAND, 2) | PCI_COMMAND_MASTER);
	return true;
}

/* ---- starting -------------------------------------------------------------------------------- */

static bool make_tables(struct amdvi *u, uint32_t nr_ids)
{
	unsigned order = 0;

	while (PAGE_SIZE / sizeof(struct amdvi_dte) << order < nr_ids)
		order++;
	u->table = frame_alloc(order, ALLOC_ANY_NODE, 0);
	u->commands = frame_alloc(ORDER_4K, ALLOC_ANY_NODE, 0);
	u->events = frame_alloc(ORDER_4K, ALLOC_ANY_NODE, 0);
	if (!mfn_valid(u->table) || !mfn_valid(u->commands) || !mfn_valid(u->events))
		return false;
	u->nr_ids = PAGE_SIZE / sizeof(struct amdvi_dte) << order;
	for (uint32_t i = 0; i < u->nr_ids; i++)
		amdvi_dte_block(amdvi_dte(u, i));
	return true;
}

/* What firmware found out about the HyperTransport side (5.2.2.1). */
static uint64_t control_of(const struct amdvi *u)
{
	uint8_t f = u->found->flags;

	return CONTROL_COMMANDS | CONTROL_EVENTS | CONTROL_COHERENT | CONTROL_TIMEOUT |
	       (f & BIT(0) ? CONTROL_HT_TUNNEL : 0) | (f & BIT(1) ? CONTROL_PASS_PW : 0) |
	       (f & BIT(2) ? CONTROL_RESPASS_PW : 0) | (f & BIT(3) ? CONTROL_ISOC : 0);
}

/* Whatever firmware or a loader left in it. */
static bool forget_all(struct amdvi *u) HOLDS(u->unit.lock)
{
	if (u->features & FEATURE_FLUSH_ALL) {
		put(u, CMD_ALL, 0);
		return try_wait(u);
	}
	for (uint32_t id = 0; id < u->nr_ids; id++) {
		put(u, CMD_DEVICE | id, 0);
		put(u, CMD_IRQS | id, 0);
		if (id % BATCH == BATCH - 1 && !try_wait(u))
			return false;
	}
	for (uint32_t tag = 0; tag <= UINT16_MAX; tag++) {
		put_flush(u, (uint16_t)tag, gfn(0), 0);
		if (tag % BATCH == BATCH - 1 && !try_wait(u))
			return false;
	}
	return try_wait(u);
}

bool amdvi_unit_start(struct amdvi *u, uint32_t nr_ids,
		      void (*except)(struct amdvi *u, unsigned number), unsigned number)
{
	uint64_t control = control_of(u);
	bool works;

	u->unit.ops = &amdvi_ops;
	lock_init(&u->unit.lock, RANK_IOMMU);
	lock_init(&u->irq.lock, RANK_IRQ);
	timer_init(&u->pause, pause_over, this_cpu());
	if (!make_tables(u, nr_ids)) {
		log_error("AMD-Vi: no memory for tables of %u devices", nr_ids);
		return false;
	}
	except(u, number);
	amdvi_reg_write(u, REG_CONTROL, 0);
	u->features = amdvi_reg_read(u, REG_FEATURES);
	/* The length counts 4 KiB, less one. Writing a ring's base sets its pointers to 0 (3.4.2). */
	amdvi_reg_write(u, REG_TABLE,
			mfn_to_paddr(u->table).a |
			    (u->nr_ids * sizeof(struct amdvi_dte) / PAGE_SIZE - 1));
	amdvi_reg_write(u, REG_COMMANDS, mfn_to_paddr(u->commands).a | RING_LENGTH);
	amdvi_reg_write(u, REG_EVENTS, mfn_to_paddr(u->events).a | RING_LENGTH);
	amdvi_reg_write(u, REG_COMMAND_HEAD, 0);
	amdvi_reg_write(u, REG_COMMAND_TAIL, 0);
	amdvi_reg_write(u, REG_EVENT_HEAD, 0);
	amdvi_reg_write(u, REG_EVENT_TAIL, 0);
	amdvi_reg_write(u, REG_STATUS, STATUS_OVERFLOW | STATUS_EVENT_IRQ);
	amdvi_reg_write(u, REG_CONTROL, control);
	amdvi_reg_write(u, REG_CONTROL, control | CONTROL_ON);
	lock_take(&u->unit.lock);
	works = forget_all(u);
	lock_release(&u->unit.lock);
	if (!works) {
		amdvi_reg_write(u, REG_CONTROL, 0);
		log_error("AMD-Vi: the unit at %llx does not execute commands",
			  (unsigned long long)u->found->base);
		return false;
	}
	if (enable_interrupt(u))
		amdvi_reg_write(u, REG_CONTROL, control | CONTROL_ON | CONTROL_EVENT_IRQ);
	else
		log_warning("AMD-Vi: unit " PCI_ID_FORMAT
			    " has no interrupt: what it blocks is not reported",
			    PCI_ID_ARGS(u->id));
	return true;
}
