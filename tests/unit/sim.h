/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Domains and guests for tests on the simulated machine (sim/sim.h), in a line each.
 *
 *	sim_boot(2, 64 << 20, 1);
 *	struct domain *d = sim_domain(1, 64);		 1 vCPU, 64 frames of RAM at gfn 0
 *	sim_guest_set(d->vcpu[0], my_guest, NULL, NULL);
 *	sim_start(d);
 *	sim_run(my_condition, NULL);
 *	sim_end(d);					 destroyed, and waited for
 *	sim_shutdown();					 checks that nothing is lost
 *
 * Frame i of a domain is the argument page of its vCPU i: sim_call() passes structures of hypercalls
 * through it, in a guest as well as from the test. Other frames are the test's.
 */
#ifndef TESTS_UNIT_SIM_H
#define TESTS_UNIT_SIM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <hv/domain.h>
#include <hv/err.h>
#include <hv/hypercall.h>
#include <sim/sim.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/memory.h>
#include <xen/sched.h>

#define SIM_SHARED_INFO_GFN 0x20000u /* where sim_map_shared_info() puts it */
#define SIM_GRANTS_GFN      0x20010u /* first grant frame */

/*
 * Seeds 1 to n for a loop; SIM_SEEDS=m in the environment makes it m, and SIM_SEED=s one round with that one.
 */
UNUSED static uint64_t sim_first_seed(void)
{
	const char *s = getenv("SIM_SEED");

	return s ? strtoull(s, NULL, 0) : 1;
}

UNUSED static uint64_t sim_last_seed(uint64_t n)
{
	const char *s = getenv("SIM_SEED"), *more = getenv("SIM_SEEDS");

	return s ? strtoull(s, NULL, 0) : more ? strtoull(more, NULL, 0) : n;
}

/* Runs of a race; on real threads the order is the host's anyway. */
#ifdef HV_TSAN
#define RACE_SEEDS 5u
#else
#define RACE_SEEDS 40u
#endif

/* What main() returns: of two groups of tests, the second is for real threads too (ThreadSanitizer), and there it is alone. */
#ifdef HV_TSAN
#define sim_run_tests(alone, on_threads_too) \
	((void)(alone), cmocka_run_group_tests(on_threads_too, NULL, NULL))
#else
#define sim_run_tests(alone, on_threads_too)         \
	(cmocka_run_group_tests(alone, NULL, NULL) + \
	 cmocka_run_group_tests(on_threads_too, NULL, NULL))
#endif

/* A domain with memory as `cfg` says; `frames` of it populated at gfn 0, page by page or in 2 MiB blocks. */
UNUSED static struct domain *sim_domain_as(domid_t id, const struct domain_config *cfg,
					   uint64_t frames)
{
	struct domain *d;
	struct vcpu *v;
	int err;

	err = domain_create(id, cfg, &d);
	if (err)
		sim_fail("domain_create: %d", err);
	lock_take(&d->lock);
	for (unsigned i = 0; i < cfg->max_vcpus && !err; i++)
		err = vcpu_create(d, i, &v);
	lock_release(&d->lock);
	if (err)
		sim_fail("vcpu_create: %d", err);
	for (uint64_t g = 0; g < frames;) {
		unsigned order = g % 512 == 0 && frames - g >= 512 && sim_random(2) ? ORDER_2M
										    : ORDER_4K;
		gfn_t at = gfn(g);

		err = domain_populate(d, &at, order, 0);
		if (err)
			sim_fail("domain_populate(%llx, %u): %d", (unsigned long long)g, order, err);
		g += 1ull << order;
	}
	return d;
}

UNUSED static struct domain *sim_domain_cfg(const struct domain_config *cfg, uint64_t frames)
{
	return sim_domain_as(DOMID_INVALID, cfg, frames);
}

/* The usual one: room for twice its memory, default limits except few grant frames. */
UNUSED static struct domain *sim_domain(unsigned vcpus, uint64_t frames)
{
	struct domain_config cfg = {
		.max_vcpus = vcpus,
		.max_frames = 2 * frames,
		.max_evtchn = 1024,
		.max_grant_frames = 4,
		.max_maptrack_frames = 4,
		.node = ALLOC_ANY_NODE,
	};

	return sim_domain_cfg(&cfg, frames);
}

/* Two vCPUs and little of everything. */
UNUSED static const struct domain_config sim_small = {
	.max_vcpus = 2,
	.max_frames = 64,
	.max_evtchn = 1024,
	.max_grant_frames = 2,
	.max_maptrack_frames = 1,
	.node = ALLOC_ANY_NODE,
};

/* One vCPU, and much room for second-stage tables. */
#define SIM_POOLED                                                                   \
	.max_vcpus = 1, .max_frames = 4096, .max_evtchn = 64, .max_grant_frames = 4, \
	.max_maptrack_frames = 4, .pool_frames = 200, .node = ALLOC_ANY_NODE

/* A caller of the interfaces: sim_small with 16 frames of RAM, an argument page (sim_arg), and these roles. */
UNUSED static struct domain *sim_caller(uint32_t roles)
{
	struct domain_config cfg = sim_small;

	cfg.roles = roles;
	return sim_domain_cfg(&cfg, 16);
}

/* Let its vCPU 0 run; with `all`, the others too. Guests are set. */
UNUSED static void sim_start_vcpus(struct domain *d, bool all)
{
	struct vcpu *v;

	d->vcpu[0]->initialised = true;
	if (domain_start(d))
		sim_fail("d%u does not start", d->id);
	if (all)
		domain_for_each_vcpu(v, d) if (v->id) sim_guest_start(v);
}

UNUSED static void sim_start(struct domain *d)
{
	sim_start_vcpus(d, true);
}

UNUSED static bool sim_domain_gone(void *arg)
{
	return domain_find(*(domid_t *)arg) == NULL;
}

/* Destroy in the background and wait until the id is free. */
UNUSED static void sim_end(struct domain *d)
{
	domid_t id = d->id;

	domain_destroy(d);
	if (!sim_run(sim_domain_gone, &id))
		sim_fail("d%u does not end", id);
}

/* Destroy every domain there is. */
UNUSED static void sim_end_all(void)
{
	struct domain *d;

	while ((d = domain_first()) != NULL)
		sim_end(d);
}

UNUSED static void sim_end_machine(void)
{
	sim_end_all();
	sim_shutdown();
}

UNUSED static void sim_check_domains(void)
{
	for (struct domain *d = domain_first(); d; d = domain_next(d))
		domain_check_invariants(d);
}

/* The end of a test, as cmocka calls it: every domain is sound, and nothing is lost. */
UNUSED static int sim_teardown(void **state)
{
	sim_check_domains();
	sim_end_machine();
	return 0;
}

/* The argument page of `v`. */
UNUSED static gva_t sim_arg(const struct vcpu *v)
{
	return gva((uint64_t)v->id << PAGE_SHIFT);
}

UNUSED static bool sim_poke(struct vcpu *v, gva_t at, const void *p, size_t n)
{
	if (sim_in_guest())
		return sim_guest_write(v, at, p, n);
	return guest_phys_write(v->domain, gpa(at.a), p, n) == 0;
}

UNUSED static bool sim_peek(struct vcpu *v, gva_t at, void *p, size_t n)
{
	if (sim_in_guest())
		return sim_guest_read(v, at, p, n);
	return guest_phys_read(v->domain, p, gpa(at.a), n) == 0;
}

/* A call of the form (command, pointer to structure), as most families are; the structure comes back. */
UNUSED static int64_t sim_call_n(struct vcpu *v, uint64_t nr, uint64_t cmd, void *arg, size_t n,
				 uint64_t count)
{
	int64_t result;

	if (!sim_poke(v, sim_arg(v), arg, n))
		sim_fail("d%uv%u has no argument page", v->domain->id, v->id);
	result = sim_hypercall(v, nr, cmd, sim_arg(v).a, count);
	if (!sim_peek(v, sim_arg(v), arg, n))
		sim_fail("d%uv%u has lost its argument page", v->domain->id, v->id);
	return result;
}
#define sim_call(v, nr, cmd, obj) sim_call_n((v), (nr), (cmd), (obj), sizeof(*(obj)), 0)
#define sim_evtchn(v, cmd, obj)   sim_call((v), __HYPERVISOR_event_channel_op, (cmd), (obj))
#define sim_memory(v, cmd, obj)   sim_call((v), __HYPERVISOR_memory_op, (cmd), (obj))
/* Grant operations take the command, the pointer, and how many. */
#define sim_gnttab(v, cmd, obj) \
	sim_call_n((v), __HYPERVISOR_grant_table_op, (cmd), (obj), sizeof(*(obj)), 1)

/* Show a page of ours to the guest at `g`: XENMEM_add_to_physmap. */
UNUSED static int64_t sim_add_to_physmap(struct vcpu *v, unsigned space, uint64_t idx, uint64_t g)
{
	struct xen_add_to_physmap x = {
		.domid = DOMID_SELF,
		.space = space,
		.idx = idx,
		.gpfn = g,
	};

	return sim_memory(v, XENMEM_add_to_physmap, &x);
}

UNUSED static void sim_map_shared_info(struct vcpu *v)
{
	int64_t err = sim_add_to_physmap(v, XENMAPSPACE_shared_info, 0, SIM_SHARED_INFO_GFN);

	if (err)
		sim_fail("shared_info: %lld", (long long)err);
}

/* Grant reference `ref` of v's domain: frame `g` for `to`. The grant frame 0 is mapped at SIM_GRANTS_GFN. */
UNUSED static void sim_grant(struct vcpu *v, uint32_t ref, domid_t to, uint64_t g, bool readonly)
{
	grant_entry_v1_t e = {
		.flags = (uint16_t)(GTF_permit_access | (readonly ? GTF_readonly : 0)),
		.domid = to,
		.frame = (uint32_t)g,
	};
	gva_t at = gva(((uint64_t)SIM_GRANTS_GFN << PAGE_SHIFT) + ref * sizeof(e));

	/* The flags last: they make the entry valid. */
	if (!sim_guest_write(v, gva_add(at, 2), (char *)&e + 2, sizeof(e) - 2) ||
	    !sim_guest_write(v, at, &e, 2))
		sim_fail("d%uv%u has no grant frame", v->domain->id, v->id);
}

/*
 * Take one pending event port of `v` (2-level layout, through the mapped shared_info), clearing it; 0: none. The
 * way a kernel does: upcall_pending, then the selector, then the word.
 */
UNUSED static uint32_t sim_next_event(struct vcpu *v)
{
	const uint64_t base = (uint64_t)SIM_SHARED_INFO_GFN << PAGE_SHIFT;
	const uint64_t info = base + v->id * sizeof(struct vcpu_info);
	const unsigned bits = 8 * sizeof(unsigned long);
	unsigned long sel = 0, word;
	uint8_t no = 0;

	if (!sim_guest_write(v, gva(info + offsetof(struct vcpu_info, evtchn_upcall_pending)), &no,
			     1) ||
	    !sim_guest_xchg(v, gva(info + offsetof(struct vcpu_info, evtchn_pending_sel)), &sel))
		return 0;
	for (unsigned i = 0; i < bits; i++) {
		uint64_t at = base + offsetof(struct shared_info, evtchn_pending) +
			      i * sizeof(unsigned long);

		if (!(sel >> i & 1))
			continue;
		word = 0;
		if (!sim_guest_xchg(v, gva(at), &word))
			return 0;
		for (unsigned b = 0; b < bits; b++)
			if (word >> b & 1) {
				unsigned long rest = word & ~(1ul << b);

				/* Put the others back, as a guest that handles one at a time does. */
				if (rest && !sim_guest_or(v, gva(at), rest))
					return 0;
				sel &= ~(rest ? 0ul : 1ul << i);
				if (sel && !sim_guest_or(v,
							 gva(info + offsetof(struct vcpu_info,
									     evtchn_pending_sel)),
							 sel))
					return 0;
				return i * bits + b;
			}
	}
	return 0;
}

/* In a guest: wait until *counter differs from `seen`. Interrupts are off between the look and the wait, as in a kernel. */
UNUSED static void sim_wait_change(struct vcpu *v, const unsigned *counter, unsigned seen)
{
	while (read_once(counter) == seen) {
		sim_guest_mask(v, true);
		if (read_once(counter) == seen)
			sim_guest_wait(v);
		sim_guest_mask(v, false);
	}
}

/* XENMEM_decrease_reservation, populate_physmap...: single frames from `g`, at most 64. Returns how many. */
UNUSED static int64_t sim_reservation(struct vcpu *v, unsigned cmd, const xen_pfn_t *g, unsigned n)
{
	struct {
		struct xen_memory_reservation r;
		xen_pfn_t list[64];
	} a = { .r = { .nr_extents = n, .domid = DOMID_SELF } };

	memcpy(a.list, g, n * sizeof(*g));
	set_xen_guest_handle(a.r.extent_start,
			     (xen_pfn_t *)(uintptr_t)(sim_arg(v).a + offsetof(__typeof__(a), list)));
	return sim_memory(v, cmd, &a);
}

#endif
