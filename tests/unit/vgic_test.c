/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtual GIC's list registers and queues (hv/arch/arm/vgic/lr.c, the shipped file) over a model of what the
 * hardware does with list registers (IHI 0069, 12.4) and of what vCPUs do: take, end, block, move between CPUs. Everything happens in
 * an order that a seed chooses. No interrupt that was raised and is enabled may stay untaken while its vCPU
 * sleeps; after all is quiet none may be left.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* sim/sim.h wants the whole of hv/domain.h, for which vgic/hv/domain.h stands here. */
void sim_boot_bare(uint64_t memory, uint64_t seed);
void sim_shutdown(void);
uint64_t sim_random(uint64_t n);

#include "../../hv/arch/arm/vgic/lr.c"

#define CPUS     2u
#define LRS      4u
#define SPIS     32u
#define IDS      (VGIC_PRIVATE + SPIS)
#define LINE_PPI 20u /* of each vCPU: a level that its handler lowers, or not at once */
#define LINE_SPI 40u
#define TIMER    VIRQ_PPI_VTIMER
#define NO_INTID (~0u)
#define STEPS    4000u
/* Steps after which everything that was raised has been seen, if it ever is. */
#define SETTLE   20000u

struct gic_info gic = { .ppi_virt_timer = TIMER };
struct cpu *model_cpu;

static struct model_regs regs[CPUS];
static struct cpu cpus[CPUS];
static bool host_active[CPUS]; /* the host's timer interrupt: acknowledged and not deactivated */

static struct domain dom;
static struct vcpu vcpus[MODEL_VCPUS];
static struct virq spis[SPIS];

static struct guest {
	unsigned on; /* the CPU it is loaded on, CPUS: none */
	bool blocked;
	uint32_t running[LRS]; /* the interrupts that it handles, the last one at the moment */
	unsigned limit[LRS];   /* and how urgent they were */
	unsigned depth;
	bool timer;              /* its virtual timer's line is up */
	bool line;               /* LINE_PPI is up */
	bool want[VGIC_PRIVATE]; /* raised, and not taken since */
} guests[MODEL_VCPUS];
static bool want_spi[SPIS], spi_line;
static unsigned lrs; /* list registers that there are */
static bool raising; /* new interrupts come */
static unsigned taken;

/* ---- the hardware ---------------------------------------------------------------------------------- */

struct model_regs *model_regs(void)
{
	unsigned c = (unsigned)(model_cpu - cpus);
	struct model_regs *r = &regs[c];

	r->ich_elrsr_el2 = r->ich_eisr_el2 = 0;
	for (unsigned i = 0; i < lrs; i++) {
		if (r->lr[i] & LR_STATE)
			continue;
		if ((r->lr[i] & (ICH_LR_EOI | ICH_LR_HW)) == ICH_LR_EOI)
			r->ich_eisr_el2 |= BIT(i);
		else
			r->ich_elrsr_el2 |= BIT(i);
	}
	if (r->icc_dir_el1) { /* written since */
		assert_int_equal(r->icc_dir_el1, TIMER);
		host_active[c] = false;
		r->icc_dir_el1 = 0;
	}
	return r;
}

void gic_set_active(uint32_t intid, bool active)
{
	assert_int_equal(intid, TIMER);
	host_active[model_cpu - cpus] = active;
}

static bool pending_here(void)
{
	const struct model_regs *r = model_regs();

	for (unsigned i = 0; i < lrs; i++)
		if (r->lr[i] & ICH_LR_PENDING)
			return true;
	return false;
}

static bool maintenance(const struct model_regs *r)
{
	unsigned valid = 0;

	for (unsigned i = 0; i < lrs; i++)
		valid += (r->lr[i] & LR_STATE) != 0;
	return r->ich_eisr_el2 || ((r->ich_hcr_el2 & ICH_HCR_NPIE) && !pending_here()) ||
	       ((r->ich_hcr_el2 & ICH_HCR_UIE) && valid <= 1);
}

/* ---- the vCPUs --------------------------------------------------------------------------------------- */

static struct guest *guest_of(const struct vcpu *v)
{
	return &guests[v->id];
}

void model_kick(struct vcpu *v)
{
	guest_of(v)->blocked = false; /* running, it looks at `work` before its next instruction */
}

static bool timer_wakes(const struct vcpu *v)
{
	return guest_of(v)->timer && (v->arch.vgic.private[TIMER].flags & VIRQ_ENABLED);
}

static void load(struct vcpu *v, unsigned c)
{
	guest_of(v)->on = c;
	v->cpu = &cpus[c];
	vgic_load(v);
}

static void unload(struct vcpu *v)
{
	vgic_save(v);
	guest_of(v)->on = CPUS;
	for (unsigned i = 0; i < lrs; i++)
		assert_int_equal(model_regs()->lr[i] & LR_STATE, 0);
	assert_false(host_active[model_cpu - cpus]);
}

/* Interrupts that the hypervisor takes before the guest goes on, and its way out. */
static void exits(struct vcpu *v)
{
	unsigned c = guest_of(v)->on;

	for (unsigned turn = 0;; turn++) {
		assert_in_range(turn, 0, 50); /* else the guest never gets to its next instruction */
		if (guest_of(v)->timer && !host_active[c]) {
			host_active[c] = true;
			vgic_inject_vtimer(v);
		} else if (maintenance(model_regs())) {
			vgic_maintenance(v);
		}
		if (!v->arch.work)
			break;
		vgic_flush(v);
	}
	/* What waits will be looked at, without an event from outside. */
	if (v->arch.vgic.waiting)
		assert_true(pending_here() || (model_regs()->ich_hcr_el2 & ICH_HCR_UIE));
}

static unsigned priority_of(uint64_t lr)
{
	return lr >> 48 & 0xff;
}

/* The guest takes its most urgent interrupt, if that is more urgent than what it handles. */
static bool take(struct vcpu *v)
{
	struct model_regs *r = model_regs();
	struct guest *g = guest_of(v);
	unsigned best = lrs, limit = g->depth ? g->limit[g->depth - 1] : 0x100;
	uint32_t intid;

	for (unsigned i = 0; i < lrs; i++)
		if ((r->lr[i] & LR_STATE) == ICH_LR_PENDING &&
		    (best == lrs || priority_of(r->lr[i]) < priority_of(r->lr[best])))
			best = i;
	if (best == lrs || priority_of(r->lr[best]) >= limit)
		return false;
	r->lr[best] ^= LR_STATE;
	intid = (uint32_t)r->lr[best];
	g->limit[g->depth] = priority_of(r->lr[best]);
	g->running[g->depth++] = intid;
	taken++;
	if (intid < VGIC_PRIVATE)
		g->want[intid] = false;
	else
		want_spi[intid - VGIC_PRIVATE] = false;
	return true;
}

static void set_line(struct vcpu *v, uint32_t intid, bool high)
{
	if (intid == LINE_PPI)
		guest_of(v)->line = high;
	else
		spi_line = high;
	vgic_set_line(&dom, v, intid, high);
}

static void end(struct vcpu *v)
{
	struct model_regs *r = model_regs();
	struct guest *g = guest_of(v);
	uint32_t intid;

	if (!g->depth)
		return;
	intid = g->running[--g->depth];
	if (intid == TIMER && sim_random(4))
		g->timer = false;
	if ((intid == LINE_PPI || intid == LINE_SPI) && sim_random(4))
		set_line(v, intid, false);
	for (unsigned i = 0; i < lrs; i++) {
		if ((uint32_t)r->lr[i] != intid || !(r->lr[i] & ICH_LR_ACTIVE))
			continue;
		r->lr[i] &= ~ICH_LR_ACTIVE;
		if (r->lr[i] & ICH_LR_HW)
			host_active[g->on] = false;
		return;
	}
	fail_msg("interrupt %u is active and in no list register", intid);
}

static void raise_one(struct vcpu *by);

/* Another CPU raises something at this moment. */
static void meanwhile(const struct vcpu *v)
{
	struct cpu *here = model_cpu;

	if (!raising || sim_random(2))
		return;
	model_cpu = &cpus[CPUS - 1 - (here - cpus)];
	raise_one(&vcpus[(v->id + 1) % MODEL_VCPUS]);
	model_cpu = here;
}

/* As vcpu_block() does it. */
static void block(struct vcpu *v)
{
	struct guest *g = guest_of(v);

	meanwhile(v);
	if (vgic_pending(v) || timer_wakes(v))
		return;
	meanwhile(v);
	g->blocked = true;
	meanwhile(v);
	if (vgic_pending(v) || timer_wakes(v))
		g->blocked = false;
}

/* ---- what the guest does to interrupts -------------------------------------------------------------- */

static void change(struct vcpu *v, uint32_t intid, unsigned what)
{
	struct virq *q = virq_of(&dom, v, intid);
	struct vcpu *home;
	bool kick;

	if (what == 0) {
		write_once(&q->priority, (uint8_t)(sim_random(32) * 8));
		return;
	}
	home = virq_lock(&dom, q);
	if (what == 1 && intid >= 16)
		q->flags ^= VIRQ_ENABLED;
	else if (intid >= VGIC_PRIVATE)
		q->route = (uint16_t)sim_random(MODEL_VCPUS);
	kick = virq_update(home, q, intid);
	virq_unlock(home);
	if (kick)
		vcpu_kick(home);
}

static void raise_one(struct vcpu *by)
{
	struct vcpu *to = &vcpus[sim_random(MODEL_VCPUS)];
	uint32_t intid = (uint32_t)sim_random(16);

	switch (sim_random(6)) {
	case 0: /* a shared one */
		intid = VGIC_PRIVATE + (uint32_t)sim_random(SPIS);
		if (intid == LINE_SPI) /* has a line */
			return;
		want_spi[intid - VGIC_PRIVATE] = true;
		vgic_inject(&dom, NULL, intid);
		return;
	case 1: set_line(to, sim_random(2) ? LINE_PPI : LINE_SPI, sim_random(3)); return;
	case 2:
		guest_of(to)->timer = true;
		if (guest_of(to)->blocked && timer_wakes(to)) /* the host's timer */
			vcpu_kick(to);
		return;
	case 3: /* everybody else */
		for (unsigned i = 0; i < MODEL_VCPUS; i++)
			if (&vcpus[i] != by)
				guests[i].want[intid] = true;
		vgic_send_sgi(by, BIT(40) | (uint64_t)intid << 24);
		return;
	default: break;
	}
	guest_of(to)->want[intid] = true;
	vgic_send_sgi(by, (uint64_t)intid << 24 | BIT(to->id));
}

/* ---- what must be true -------------------------------------------------------------------------------- */

static bool enabled(struct vcpu *v, uint32_t intid)
{
	return virq_of(&dom, v, intid)->flags & VIRQ_ENABLED;
}

static bool handles(const struct guest *g, uint32_t intid)
{
	for (unsigned i = 0; i < g->depth; i++)
		if (g->running[i] == intid)
			return true;
	return false;
}

static bool untaken(struct vcpu *v, uint32_t intid)
{
	struct guest *g = guest_of(v);

	if (!enabled(v, intid))
		return false;
	if (intid == LINE_PPI || intid == LINE_SPI ||
	    intid == TIMER) /* it comes again when it is ended */
		if (handles(g, intid))
			return false;
	if (intid >= VGIC_PRIVATE)
		return virq_of(&dom, v, intid)->home == v->id &&
		       (want_spi[intid - VGIC_PRIVATE] || (intid == LINE_SPI && spi_line));
	return g->want[intid] || (intid == LINE_PPI && g->line) || (intid == TIMER && g->timer);
}

static void check_sleepers(uint64_t seed, unsigned step)
{
	for (unsigned i = 0; i < MODEL_VCPUS; i++)
		for (uint32_t intid = 0; guests[i].blocked && intid < IDS; intid++)
			if (untaken(&vcpus[i], intid))
				fail_msg("seed %llu, step %u: vCPU %u sleeps over interrupt %u",
					 (unsigned long long)seed, step, i, intid);
}

static void check_queues(void)
{
	unsigned queued = 0, marked = 0;

	for (unsigned i = 0; i < MODEL_VCPUS; i++) {
		struct vgic_vcpu *g = &vcpus[i].arch.vgic;

		for (unsigned level = 0; level < VGIC_LEVELS; level++) {
			uint16_t at = g->queue[level].first, last = VIRQ_END;

			for (; (g->waiting & BIT(level)) && at != VIRQ_END; queued++) {
				struct virq *q = virq_of(&dom, &vcpus[i], at);

				assert_true(q->flags & VIRQ_QUEUED);
				assert_int_equal(q->level, level);
				assert_int_equal(q->home, i);
				last = at;
				at = q->next;
			}
			if (g->waiting & BIT(level))
				assert_int_equal(g->queue[level].last, last);
		}
		for (uint32_t intid = 0; intid < VGIC_PRIVATE; intid++)
			marked += (g->private[intid].flags & VIRQ_QUEUED) != 0;
		for (unsigned n = 0; n < lrs; n++)
			if (g->used & BIT(n))
				assert_int_equal(virq_of(&dom, &vcpus[i], (uint32_t)g->lr[n])->lr,
						 n + 1);
	}
	for (unsigned i = 0; i < SPIS; i++)
		marked += (spis[i].flags & VIRQ_QUEUED) != 0;
	assert_int_equal(queued, marked);
}

/* ---- runs ------------------------------------------------------------------------------------------------ */

static void start(uint64_t seed)
{
	sim_boot_bare(32 << 20, seed);
	memset(regs, 0, sizeof(regs));
	memset(host_active, 0, sizeof(host_active));
	memset(guests, 0, sizeof(guests));
	memset(vcpus, 0, sizeof(vcpus));
	memset(spis, 0, sizeof(spis));
	memset(want_spi, 0, sizeof(want_spi));
	spi_line = false;
	dom = (struct domain){ .arch.vgic = {
				   .ctlr = GICD_CTLR_GROUP1, .nr_spis = SPIS, .spi = { spis } } };
	nr_lrs = 0;
	lrs = 2 + (unsigned)(seed % (LRS - 1));
	for (unsigned c = 0; c < CPUS; c++) {
		model_cpu = &cpus[c];
		regs[c].ich_vtr_el2 = (lrs - 1) | 4u << 26 | 4ull << 29;
		vgic_cpu_init();
	}
	for (unsigned i = 0; i < MODEL_VCPUS; i++) {
		vcpus[i].domain = &dom;
		vcpus[i].id = i;
		vcpus[i].cpu = &cpus[0];
		dom.vcpu[i] = &vcpus[i];
		guests[i].on = CPUS;
		vgic_vcpu_init(&vcpus[i]);
		for (uint32_t intid = 0; intid < VGIC_PRIVATE; intid++)
			vcpus[i].arch.vgic.private[intid].flags |= VIRQ_ENABLED;
	}
	for (unsigned i = 0; i < SPIS; i++)
		spis[i] = (struct virq){ .next = VIRQ_END, .flags = VIRQ_ENABLED };
	spis[LINE_SPI - VGIC_PRIVATE].flags |= VIRQ_LEVEL;
}

/* CPU `c` does one thing. */
static void step(unsigned c)
{
	struct vcpu *v = NULL;

	model_cpu = &cpus[c];
	for (unsigned i = 0; i < MODEL_VCPUS; i++)
		if (guests[i].on == c)
			v = &vcpus[i];
	if (!v) {
		v = &vcpus[sim_random(MODEL_VCPUS)];
		if (guest_of(v)->on == CPUS && !guest_of(v)->blocked)
			load(v, c);
		return;
	}
	if (sim_random(8) == 0) { /* another one's turn; one that sleeps may also stay */
		unload(v);
		return;
	}
	if (guest_of(v)->blocked)
		return;
	exits(v);
	switch (sim_random(raising ? 9 : 5)) {
	case 0:
		if (raising || !guest_of(v)->depth)
			block(v);
		break;
	case 1:
	case 2: end(v); break;
	case 3:
	case 4: (void)take(v); break;
	case 5: change(v, (uint32_t)sim_random(IDS), (unsigned)sim_random(3)); break;
	default: raise_one(v); break;
	}
}

static bool quiet(void)
{
	for (unsigned i = 0; i < MODEL_VCPUS; i++)
		if (!guests[i].blocked || guests[i].depth)
			return false;
	return true;
}

static void no_interrupt_is_lost(void **state)
{
	const char *only = getenv("SIM_SEED"), *more = getenv("SIM_SEEDS");
	uint64_t first = only ? strtoull(only, NULL, 0) : 1;
	uint64_t last = only ? first : more ? strtoull(more, NULL, 0) : 200;

	for (uint64_t seed = first; seed <= last; seed++) {
		unsigned n;

		start(seed);
		raising = true;
		for (n = 0; n < STEPS; n++) {
			step((unsigned)sim_random(CPUS));
			check_sleepers(seed, n);
			check_queues();
		}
		raising = false;
		for (unsigned i = 0; i < MODEL_VCPUS; i++)
			vcpu_kick(&vcpus[i]); /* out of handlers that slept */
		/* All are enabled, nothing new comes: everybody comes to rest. */
		for (uint32_t intid = 0; intid < IDS; intid++)
			for (unsigned i = 0; i < (intid < VGIC_PRIVATE ? MODEL_VCPUS : 1); i++)
				if (!enabled(&vcpus[i], intid))
					change(&vcpus[i], intid, 1);
		for (n = 0; n < SETTLE && !quiet(); n++)
			step((unsigned)sim_random(CPUS));
		if (!quiet())
			fail_msg("seed %llu: the guest does not come to rest",
				 (unsigned long long)seed);
		check_sleepers(seed, STEPS);
		check_queues();
		for (unsigned i = 0; i < SPIS; i++)
			assert_false(want_spi[i]);
		sim_shutdown();
	}
	assert_true(taken > last - first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_interrupt_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
