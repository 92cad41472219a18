/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of the domains' control interface, through hypercall(): a toolstack's way from create to destroy, and what it may get wrong. */
#include "sim.h"

#include <arch/timer.h>
#include <hv/control.h>
#include <hv/gnttab.h>
#include <hv/option.h>
#include <hv/softirq.h>
#include <xen/domctl.h>
#include <xen/event_channel.h>
#include <xen/hvm/save.h>

#define MEMORY (64ull << 20)
#define WILD   0xffff800000000000ull
#define GUEST  16u /* frames of RAM of the domains made here */

static struct domain *d0; /* the toolstack */
static struct vcpu *v0;

static void boot(void)
{
	sim_boot(2, MEMORY, 1);
	options_parse(""); /* the limits are those of the command line */
	d0 = sim_caller(ROLE_CONTROL | ROLE_HARDWARE | ROLE_CONSOLE | ROLE_STORE);
	v0 = d0->vcpu[0];
}

static struct xen_domctl op_of(uint32_t cmd, domid_t id)
{
	return (struct xen_domctl){
		.cmd = cmd,
		.interface_version = XEN_DOMCTL_INTERFACE_VERSION,
		.domain = id,
	};
}

/* One domctl by `v`; a call that is to be entered again is, after the machine has gone on. */
static int64_t domctl_by(struct vcpu *v, struct xen_domctl *op)
{
	int64_t result = 0;

	if (!sim_poke(v, sim_arg(v), op, sizeof(*op)))
		sim_fail("no argument page");
	result = sim_hypercall(v, __HYPERVISOR_domctl, sim_arg(v).a);
	if (!sim_peek(v, sim_arg(v), op, sizeof(*op)))
		sim_fail("no argument page");
	return result;
}

static int64_t domctl(struct xen_domctl *op)
{
	return domctl_by(v0, op);
}

static int64_t simple(uint32_t cmd, domid_t id)
{
	struct xen_domctl op = op_of(cmd, id);

	return domctl(&op);
}

static struct xen_domctl creation(uint32_t vcpus)
{
	struct xen_domctl op = op_of(XEN_DOMCTL_createdomain, 0);

	op.u.createdomain.flags = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap;
	op.u.createdomain.max_vcpus = vcpus;
	op.u.createdomain.max_evtchn_port = 127;
	op.u.createdomain.max_grant_frames = 4;
	op.u.createdomain.max_maptrack_frames = 1;
	return op;
}

static domid_t create(uint32_t vcpus)
{
	struct xen_domctl op = creation(vcpus);

	assert_int_equal(domctl(&op), 0);
	assert_true(op.domain > 0 && op.domain < DOMID_FIRST_RESERVED);
	return op.domain;
}

static domid_t boot_and_create(uint32_t vcpus)
{
	boot();
	return create(vcpus);
}

static void make_vcpus(domid_t id, uint32_t n)
{
	struct xen_domctl op = op_of(XEN_DOMCTL_max_vcpus, id);

	op.u.max_vcpus.max = n;
	assert_int_equal(domctl(&op), 0);
}

static void max_mem(domid_t id, uint64_t frames)
{
	struct xen_domctl op = op_of(XEN_DOMCTL_max_mem, id);

	op.u.max_mem.max_memkb = frames << (PAGE_SHIFT - 10);
	assert_int_equal(domctl(&op), 0);
}

/* Frames from `first` on come or go. */
static int64_t reservation(unsigned cmd, domid_t id, unsigned first, unsigned n)
{
	struct {
		struct xen_memory_reservation r;
		xen_pfn_t list[64];
	} a = { .r = { .nr_extents = n, .domid = id } };

	for (unsigned i = 0; i < n; i++)
		a.list[i] = first + i;
	set_xen_guest_handle(
	    a.r.extent_start,
	    (xen_pfn_t *)(uintptr_t)(sim_arg(v0).a + offsetof(__typeof__(a), list)));
	return sim_memory(v0, cmd, &a);
}

static int64_t populate(domid_t id, unsigned n)
{
	return reservation(XENMEM_populate_physmap, id, 0, n);
}

static int64_t set_context(domid_t id, uint32_t vcpu, uint32_t flags)
{
	struct {
		struct xen_domctl op;
		vcpu_guest_context_t context;
	} a = { .op = op_of(XEN_DOMCTL_setvcpucontext, id) };
	gva_t at = sim_arg(v0);

	a.context.flags = flags;
	a.op.u.vcpucontext.vcpu = vcpu;
	a.op.u.vcpucontext.ctxt.p = (void *)(uintptr_t)(at.a + offsetof(__typeof__(a), context));
	_Static_assert(sizeof(a) <= 2 * PAGE_SIZE, "two argument pages");
	assert_true(sim_poke(v0, at, &a, sizeof(a)));
	return sim_hypercall(v0, __HYPERVISOR_domctl, at.a);
}

static struct xen_domctl_getdomaininfo info_of(domid_t id)
{
	struct xen_domctl op = op_of(XEN_DOMCTL_getdomaininfo, id);

	assert_int_equal(domctl(&op), 0);
	assert_int_equal(op.domain, id);
	return op.u.getdomaininfo;
}

static uint64_t free_memory(void)
{
	struct mem_stats s;

	frame_stats(&s);
	return s.free + s.never - s.claimed;
}

/*
 * Destruction waits for others, so a guest has to ask for it: the toolstack's vCPU 1. Its calls are entered again as on
 * hardware, with everything else going on in between.
 */
static domid_t victim;
static int64_t destroy_result;

static bool destroyer(struct vcpu *v, void *arg)
{
	if (read_once(&victim) != DOMID_INVALID) {
		struct xen_domctl op = op_of(XEN_DOMCTL_destroydomain, victim);

		destroy_result = domctl_by(v, &op);
		write_once(&victim, (domid_t)DOMID_INVALID);
	}
	sim_guest_pause(v);
	return true;
}

static bool nothing(struct vcpu *v, void *arg)
{
	return false;
}

static bool destroyed(void *arg)
{
	return read_once(&victim) == DOMID_INVALID;
}

static void destroy(domid_t id)
{
	if (d0->state == DOMAIN_BUILDING) {
		sim_guest_set(d0->vcpu[0], nothing, NULL, NULL);
		sim_guest_set(d0->vcpu[1], destroyer, NULL, NULL);
		victim = DOMID_INVALID;
		sim_start(d0);
	}
	write_once(&victim, id);
	assert_true(sim_run(destroyed, NULL));
	assert_int_equal(destroy_result, 0);
	assert_null(domain_find(id));
}

static bool later(void *arg)
{
	return arch_time_ns() >= *(uint64_t *)arg;
}

/* The structure goes after a grace period, in the background. */
static bool all_is_back(uint64_t before)
{
	uint64_t deadline = arch_time_ns() + 50000000;

	return sim_run(later, &deadline) && free_memory() == before;
}

/* ---- permission and form -------------------------------------------------------------------------- */

static void only_a_controlling_domain_may(void **state)
{
	struct domain *other, *store;

	boot();
	other = sim_caller(0);
	store = sim_caller(ROLE_STORE);
	for (uint32_t cmd = 1; cmd <= XEN_DOMCTL_set_paging_mempool_size; cmd++) {
		struct xen_domctl op = op_of(cmd, other->id);

		assert_int_equal(domctl_by(other->vcpu[0], &op), -EPERM);
		op = op_of(cmd, d0->id);
		assert_int_equal(domctl_by(other->vcpu[0], &op), -EPERM);
		op = op_of(cmd, other->id);
		if (cmd != XEN_DOMCTL_getdomaininfo)
			assert_int_equal(domctl_by(store->vcpu[0], &op), -EPERM);
	}
	/* Who serves the store looks after the ends of domains. */
	{
		struct xen_domctl op = op_of(XEN_DOMCTL_getdomaininfo, other->id);

		assert_int_equal(domctl_by(store->vcpu[0], &op), 0);
	}
	sim_end_machine();
}

static void form_comes_before_everything(void **state)
{
	struct xen_domctl op;

	boot();
	assert_int_equal(sim_hypercall(v0, __HYPERVISOR_domctl, WILD), -EFAULT);
	op = op_of(XEN_DOMCTL_pausedomain, 99);
	op.interface_version--;
	assert_int_equal(domctl(&op), -EACCES);
	assert_int_equal(v0->refusal.id, R_BAD_CONTROL_VERSION);
	assert_int_equal(simple(XEN_DOMCTL_pausedomain, 99), -ESRCH);
	assert_int_equal(simple(XEN_DOMCTL_pausedomain, DOMID_SELF), -ESRCH);
	assert_int_equal(simple(2000, d0->id), -ENOSYS);
	assert_int_equal(simple(0, d0->id), -ENOSYS);
	/* What would stop the caller itself. */
	assert_int_equal(simple(XEN_DOMCTL_pausedomain, d0->id), -EINVAL);
	assert_int_equal(simple(XEN_DOMCTL_destroydomain, d0->id), -EINVAL);
	assert_int_equal(simple(XEN_DOMCTL_gethvmcontext, d0->id), -EINVAL);
	sim_end_machine();
}

static void creation_is_judged_field_by_field(void **state)
{
	struct xen_domctl op;

	boot();
	op = creation(0);
	assert_int_equal(domctl(&op), -EINVAL);
	op = creation(MAX_VCPUS + 1);
	assert_int_equal(domctl(&op), -EINVAL);
	op = creation(1);
	op.u.createdomain.flags |= 1u << 31;
	assert_int_equal(domctl(&op), -EINVAL);
	op = creation(1);
	op.u.createdomain.flags = 0;
	assert_int_equal(domctl(&op), -EINVAL);
	op = creation(1);
	op.u.createdomain.iommu_opts = 1;
	assert_int_equal(domctl(&op), -EINVAL);
	op = creation(1);
	op.u.createdomain.grant_opts = 0x10;
	assert_int_equal(domctl(&op), -EINVAL);
	op = creation(1);
	op.u.createdomain.vmtrace_size = 4096;
	assert_int_equal(domctl(&op), -EINVAL);
	op = creation(1);
	op.u.createdomain.cpupool_id = 1;
	assert_int_equal(domctl(&op), -ENOENT);
	op = creation(1);
	op.domain = d0->id;
	assert_int_equal(domctl(&op), d0->id ? -EEXIST : 0);
	/* Tables without frames, or with more than the command line gives. */
	for (unsigned i = 0; i < 5; i++) {
		static const int32_t bad[] = { 0, 65, GNTTAB_MAX_FRAMES, 100000, INT32_MAX };

		op = creation(1);
		op.u.createdomain.max_grant_frames = bad[i];
		assert_int_equal(domctl(&op), -EINVAL);
	}
	op = creation(1);
	op.u.createdomain.max_maptrack_frames = 1025;
	assert_int_equal(domctl(&op), -EINVAL);
	op = creation(1);
	op.u.createdomain.max_grant_frames = 64;
	op.u.createdomain.max_maptrack_frames = 0;
	assert_int_equal(domctl(&op), 0);
	/* Limits that nobody could reach become what there is. */
	op = creation(1);
	op.domain = 0;
	op.u.createdomain.max_evtchn_port = ~0u;
	op.u.createdomain.max_grant_frames = -1;
	op.u.createdomain.max_maptrack_frames = -1;
	assert_int_equal(domctl(&op), 0);
	sim_end_machine();
}

static void numbers_are_not_given_again_at_once(void **state)
{
	domid_t first, second;

	boot();
	first = create(1);
	destroy(first);
	second = create(1);
	assert_true(second != first);
	sim_end_machine();
}

/* ---- a whole life ------------------------------------------------------------------------------------ */

static bool forever(struct vcpu *v, void *arg)
{
	(*(unsigned *)arg)++;
	sim_guest_wait(v);
	return true;
}

static bool has_run(void *arg)
{
	return *(unsigned *)arg > 0;
}

static void a_toolstack_makes_and_ends_a_domain(void **state)
{
	struct xen_domctl_getdomaininfo info;
	unsigned rounds = 0;
	uint64_t before;
	domid_t id;

	boot();
	before = free_memory();
	id = create(2);
	info = info_of(id);
	assert_true(info.flags & XEN_DOMINF_paused);
	assert_int_equal(info.max_vcpu_id, XEN_INVALID_MAX_VCPU_ID);
	assert_int_equal(info.tot_pages, 0);

	make_vcpus(id, 2);
	max_mem(id, GUEST);
	assert_int_equal(populate(id, GUEST), GUEST);
	assert_int_equal(populate(id, 1), 0); /* one more than it may have */
	assert_int_equal(v0->refusal.id, R_MEM_LIMIT);
	info = info_of(id);
	assert_int_equal(info.tot_pages, GUEST);
	assert_int_equal(info.max_pages, GUEST);
	assert_int_equal(info.nr_online_vcpus, 0);
	assert_int_equal(info.max_vcpu_id, 1);

	sim_guest_set(domain_find(id)->vcpu[0], forever, NULL, &rounds);
	assert_int_equal(set_context(id, 0, VGCF_online), 0);
	assert_int_equal(set_context(id, 2, VGCF_online), -EINVAL);
	info = info_of(id);
	assert_int_equal(info.nr_online_vcpus, 1);
	assert_int_equal(rounds, 0);

	assert_int_equal(simple(XEN_DOMCTL_unpausedomain, id), 0);
	assert_true(sim_run(has_run, &rounds));
	assert_false(info_of(id).flags & XEN_DOMINF_paused);
	/* There is nothing more to take away. */
	assert_int_equal(simple(XEN_DOMCTL_unpausedomain, id), -EINVAL);

	destroy(id);
	assert_true(all_is_back(before));
	sim_end_machine();
}

static void pauses_count(void **state)
{
	domid_t id;

	id = boot_and_create(1);
	make_vcpus(id, 1);
	/* Nothing of it is on a CPU: no call has to be entered again. */
	for (unsigned i = 1; i < 255; i++)
		assert_int_equal(simple(XEN_DOMCTL_pausedomain, id), 0);
	assert_int_equal(simple(XEN_DOMCTL_pausedomain, id), -EOVERFLOW);
	for (unsigned i = 0; i < 255; i++)
		assert_int_equal(simple(XEN_DOMCTL_unpausedomain, id), 0);
	assert_int_equal(simple(XEN_DOMCTL_unpausedomain, id), -EINVAL);
	assert_int_equal(domain_find(id)->pause_count, 0);
	sim_end_machine();
}

/* At each point at which a toolstack may die, destroying what it has left gives everything back. */
static void whatever_was_made_can_be_destroyed(void **state)
{
	uint64_t before;

	boot();
	before = free_memory();
	for (unsigned stage = 0; stage < 6; stage++) {
		domid_t id = create(2);

		if (stage > 0)
			make_vcpus(id, 2);
		if (stage > 1)
			max_mem(id, GUEST);
		if (stage > 2)
			assert_int_equal(populate(id, GUEST / stage), GUEST / stage);
		if (stage > 3)
			assert_int_equal(set_context(id, 0, VGCF_online), 0);
		if (stage > 4)
			assert_int_equal(simple(XEN_DOMCTL_pausedomain, id), 0);
		destroy(id);
		assert_true(all_is_back(before));
	}
	sim_end_machine();
}

static void a_domain_can_vanish_under_a_toolstack(void **state)
{
	static const uint32_t cmds[] = {
		XEN_DOMCTL_pausedomain,    XEN_DOMCTL_max_vcpus,   XEN_DOMCTL_setvcpucontext,
		XEN_DOMCTL_getvcpucontext, XEN_DOMCTL_getvcpuinfo, XEN_DOMCTL_destroydomain,
	};
	domid_t id;

	id = boot_and_create(1);
	destroy(id);
	for (unsigned i = 0; i < ARRAY_SIZE(cmds); i++)
		assert_int_equal(simple(cmds[i], id), -ESRCH);
	sim_end_machine();
}

/* ---- vCPUs -------------------------------------------------------------------------------------------- */

static void vcpus_are_made_once_in_the_number_asked(void **state)
{
	struct xen_domctl op;
	domid_t id;

	id = boot_and_create(3);
	op = op_of(XEN_DOMCTL_max_vcpus, id);
	op.u.max_vcpus.max = 2;
	assert_int_equal(domctl(&op), -EINVAL);
	make_vcpus(id, 3);
	make_vcpus(id, 3);
	op = op_of(XEN_DOMCTL_getvcpuinfo, id);
	op.u.getvcpuinfo.vcpu = 2;
	assert_int_equal(domctl(&op), 0);
	assert_int_equal(op.u.getvcpuinfo.online, 0);
	op.u.getvcpuinfo.vcpu = 3;
	assert_int_equal(domctl(&op), -EINVAL);
	sim_end_machine();
}

static int64_t affinity(uint32_t cmd, domid_t id, uint32_t flags, uint8_t *hard, uint32_t bits)
{
	struct {
		struct xen_domctl op;
		uint8_t map[64];
	} a = { .op = op_of(cmd, id) };
	gva_t at = sim_arg(v0);
	int64_t err;

	a.map[0] = *hard;
	a.op.u.vcpuaffinity.flags = flags;
	a.op.u.vcpuaffinity.cpumap_hard.nr_bits = bits;
	a.op.u.vcpuaffinity.cpumap_hard.bitmap.p = (void *)(uintptr_t)(at.a +
								       offsetof(__typeof__(a), map));
	assert_true(sim_poke(v0, at, &a, sizeof(a)));
	err = sim_hypercall(v0, __HYPERVISOR_domctl, at.a);
	assert_true(sim_peek(v0, at, &a, sizeof(a)));
	*hard = a.map[0];
	return err;
}

static void affinity_is_what_was_set(void **state)
{
	uint8_t map = 0xfe;
	domid_t id;

	id = boot_and_create(1);
	make_vcpus(id, 1);
	assert_int_equal(affinity(XEN_DOMCTL_setvcpuaffinity, id, 0, &map, 8), -EINVAL);
	/* Asked for CPUs 1 to 7: the machine has 0 and 1. */
	assert_int_equal(affinity(XEN_DOMCTL_setvcpuaffinity, id, XEN_VCPUAFFINITY_HARD, &map, 8),
			 0);
	assert_int_equal(map, 0x02);
	assert_int_equal(affinity(XEN_DOMCTL_getvcpuaffinity, id, XEN_VCPUAFFINITY_HARD, &map, 8),
			 0);
	assert_int_equal(map, 0xfe);
	map = 0xf0;
	assert_int_equal(affinity(XEN_DOMCTL_setvcpuaffinity, id, XEN_VCPUAFFINITY_HARD, &map, 8),
			 -EINVAL);
	assert_int_equal(affinity(XEN_DOMCTL_setvcpuaffinity, id, XEN_VCPUAFFINITY_HARD, &map, ~0u),
			 -EINVAL);
	assert_int_equal(v0->refusal.id, R_BITMAP_SIZE);
	sim_end_machine();
}

static void weights_are_set_for_the_policy_in_use(void **state)
{
	struct xen_domctl op;
	domid_t id;

	id = boot_and_create(1);
	make_vcpus(id, 1);
	op = op_of(XEN_DOMCTL_scheduler_op, id);
	op.u.scheduler_op.sched_id = XEN_SCHEDULER_CREDIT;
	op.u.scheduler_op.cmd = XEN_DOMCTL_SCHEDOP_getinfo;
	assert_int_equal(domctl(&op), -EINVAL);
	op.u.scheduler_op.sched_id = XEN_SCHEDULER_CREDIT2;
	assert_int_equal(domctl(&op), 0);
	assert_int_equal(op.u.scheduler_op.u.credit2.weight, SCHED_WEIGHT_DEFAULT);
	op.u.scheduler_op.cmd = XEN_DOMCTL_SCHEDOP_putinfo;
	op.u.scheduler_op.u.credit2.weight = 512;
	assert_int_equal(domctl(&op), 0);
	op.u.scheduler_op.u.credit2.cap = 50;
	assert_int_equal(domctl(&op), -ENOSYS);
	op.u.scheduler_op.cmd = XEN_DOMCTL_SCHEDOP_getinfo;
	assert_int_equal(domctl(&op), 0);
	assert_int_equal(op.u.scheduler_op.u.credit2.weight, 512);
	op.u.scheduler_op.cmd = 77;
	assert_int_equal(domctl(&op), -EINVAL);
	sim_end_machine();
}

/* ---- memory ------------------------------------------------------------------------------------------- */

static void paging_memory_comes_on_top_of_the_rest(void **state)
{
	struct xen_domctl op;
	uint32_t base;
	domid_t id;

	id = boot_and_create(1);
	base = domain_find(id)->pool.ceiling;
	op = op_of(XEN_DOMCTL_set_paging_mempool_size, id);
	op.u.paging_mempool.size = 16 * PAGE_SIZE;
	assert_int_equal(domctl(&op), 0);
	assert_int_equal(domain_find(id)->pool.ceiling, base + 16);
	op.u.paging_mempool.size = 100;
	assert_int_equal(domctl(&op), -EINVAL);
	op.u.paging_mempool.size = ~PAGE_MASK ^ ~0ull; /* wraps in pages */
	assert_int_equal(domctl(&op), -EINVAL);
	op.u.paging_mempool.size = MEMORY * 2;
	assert_int_equal(domctl(&op), -ENOMEM);
	op = op_of(XEN_DOMCTL_get_paging_mempool_size, id);
	assert_int_equal(domctl(&op), 0);
	assert_int_equal(op.u.paging_mempool.size, 16 * PAGE_SIZE);
	op = op_of(XEN_DOMCTL_set_paging_mempool_size, id);
	assert_int_equal(domctl(&op), 0);
	assert_int_equal(domain_find(id)->pool.ceiling, base);
	sim_end_machine();
}

static void ranges_that_wrap_are_refused(void **state)
{
	struct xen_domctl op;
	domid_t id;

	id = boot_and_create(1);
	op = op_of(XEN_DOMCTL_cacheflush, id);
	op.u.cacheflush.start_pfn = ~0ull;
	op.u.cacheflush.nr_pfns = 2;
	assert_int_equal(domctl(&op), -EINVAL);
	op.u.cacheflush.start_pfn = 0;
	op.u.cacheflush.nr_pfns = ~0ull;
	assert_int_equal(domctl(&op), -EINVAL);
	op.u.cacheflush.nr_pfns = 0;
	assert_int_equal(domctl(&op), 0);
	op = op_of(XEN_DOMCTL_iomem_permission, id);
	op.u.iomem_permission.first_mfn = ~0ull;
	op.u.iomem_permission.nr_mfns = 2;
	assert_int_equal(domctl(&op), -EINVAL);
	op = op_of(XEN_DOMCTL_memory_mapping, id);
	op.u.memory_mapping.first_gfn = ~0ull;
	op.u.memory_mapping.nr_mfns = 2;
	assert_int_equal(domctl(&op), -EINVAL);
	op.u.memory_mapping.first_gfn = 0;
	op.u.memory_mapping.nr_mfns = 1000;
	assert_int_equal(domctl(&op), -E2BIG);
	op = op_of(XEN_DOMCTL_getpageframeinfo3, id);
	op.u.getpageframeinfo3.num = 1025;
	assert_int_equal(domctl(&op), -E2BIG);
	op = op_of(XEN_DOMCTL_sethvmcontext, id);
	op.u.hvmcontext.size = ~0u;
	assert_int_equal(domctl(&op), -ENOMEM);
	assert_false(domain_find(id)->control_held);
	sim_end_machine();
}

/* ---- what is where ------------------------------------------------------------------------------------ */

static bool holds_frame(uint64_t g)
{
	return g < GUEST && g != 5;
}

/* One frame that was ballooned out of the first of them; all the rest is empty, up to where nothing can be mapped. */
static void frames_are_told_from_holes(void **state)
{
	static const uint64_t far[] = { 1ull << 9,  1ull << 18, (1ull << 18) + 1,
					1ull << 27, 1ull << 40, ~0ull >> 12,
					~0ull,      0,          5,
					1ull << 18, 6,          1ull << 9 };
	const unsigned nr = 1024 - ARRAY_SIZE(far);
	xen_pfn_t list[1024];
	struct xen_domctl op;
	domid_t id;

	id = boot_and_create(1);
	max_mem(id, GUEST);
	assert_int_equal(populate(id, GUEST), GUEST);
	assert_int_equal(reservation(XENMEM_decrease_reservation, id, 5, 1), 1);
	for (unsigned i = 0; i < nr; i++)
		list[i] = i;
	memcpy(list + nr, far, sizeof(far));
	sim_check(sim_poke(v0, gva(sim_arg(v0).a + PAGE_SIZE), list, sizeof(list)));
	op = op_of(XEN_DOMCTL_getpageframeinfo3, id);
	op.u.getpageframeinfo3.num = 1024;
	set_xen_guest_handle(op.u.getpageframeinfo3.array,
			     (xen_pfn_t *)(uintptr_t)(sim_arg(v0).a + PAGE_SIZE));
	assert_int_equal(domctl(&op), 0);
	sim_check(sim_peek(v0, gva(sim_arg(v0).a + PAGE_SIZE), list, sizeof(list)));
	for (unsigned i = 0; i < 1024; i++)
		if (list[i] != (holds_frame(i < nr ? i : far[i - nr]) ? XEN_DOMCTL_PFINFO_NOTAB
								      : XEN_DOMCTL_PFINFO_XTAB))
			fail_msg("frame %u of the list: %#lx", i, (unsigned long)list[i]);
	sim_end_machine();
}

/* ---- two toolstacks ---------------------------------------------------------------------------------- */

/* While one reads or writes a domain's state, others wait: to do the same, and to destroy it. */
static void a_domain_is_held_by_one_at_a_time(void **state)
{
	struct domain *d;
	uint32_t pauses;
	domid_t id;

	id = boot_and_create(1);
	d = domain_find(id);
	pauses = d->pause_count;
	assert_int_equal(control_hold(d0, d), 0);
	assert_int_equal(d->pause_count, pauses + 1);
	assert_int_equal(control_hold(d0, d), -ERR_RESTART);
	assert_int_equal(control_destroy(d), -ERR_RESTART);
	assert_false(d->dying);
	control_release(d);
	assert_int_equal(d->pause_count, pauses);
	assert_int_equal(control_destroy(d), -ERR_RESTART);
	assert_true(d->dying);
	assert_int_equal(control_hold(d0, d), -EINVAL);
	assert_int_equal(reason_last()->id, R_DOMAIN_DYING);
	sim_end_machine();
}

/* Who destroys a domain leaves its CPU when there is nothing to do but wait. */
static void waiting_for_a_grace_period_is_said(void **state)
{
	struct domain *d;
	domid_t id;

	id = boot_and_create(1);
	d = domain_find(id);
	while (!domain_destroy_waits(d))
		assert_int_equal(control_destroy(d), -ERR_RESTART);
	assert_int_equal(control_destroy(d), -ERR_RESTART);
	assert_true(domain_destroy_waits(d));
	/* Its tables have a grace period of their own. */
	sim_run_for(1000000);
	while (control_destroy(d) == -ERR_RESTART && !domain_destroy_waits(d))
		;
	assert_true(domain_destroy_waits(d));
	assert_true(d->p2m.busy);
	sim_end(d);
	sim_end_machine();
}

#define STATE_AT (8ull << PAGE_SHIFT) /* of the toolstack: where records go, and are */

static int64_t state_call(uint32_t cmd, domid_t id, uint32_t *size)
{
	struct xen_domctl op = op_of(cmd, id);
	int64_t result;

	op.u.hvmcontext.size = *size;
	if (*size)
		set_xen_guest_handle(op.u.hvmcontext.buffer, (uint8_t *)(uintptr_t)STATE_AT);
	result = domctl(&op);
	*size = op.u.hvmcontext.size;
	return result;
}

static domid_t with_vcpus(uint32_t n)
{
	domid_t id = create(n);

	max_mem(id, 32);
	make_vcpus(id, n);
	return id;
}

/* What a toolstack reads of a domain's state can be loaded again; one record alone is what it is among all. */
static void state_goes_out_and_in(void **state)
{
	struct xen_domctl op;
	uint8_t all[4096], one[4096];
	uint32_t size = 0, had;
	uint64_t free;
	domid_t id;

	boot();
	id = with_vcpus(4);
	free = free_memory();
	assert_int_equal(state_call(XEN_DOMCTL_gethvmcontext, id, &size), 0);
	assert_in_range(size, 1, sizeof(all));
	had = size - 1;
	assert_int_equal(state_call(XEN_DOMCTL_gethvmcontext, id, &had), -ENOSPC);
	had = size;
	assert_int_equal(state_call(XEN_DOMCTL_gethvmcontext, id, &had), 0);
	assert_true(sim_peek(v0, gva(STATE_AT), all, had));
	op = op_of(XEN_DOMCTL_gethvmcontext_partial, id);
	op.u.hvmcontext_partial.type = ((struct hvm_save_descriptor *)all)->typecode;
	op.u.hvmcontext_partial.bufsz = sizeof(one);
	set_xen_guest_handle(op.u.hvmcontext_partial.buffer,
			     (uint8_t *)(uintptr_t)(STATE_AT + 8192));
	assert_int_equal(domctl(&op), 0);
	assert_int_equal(op.u.hvmcontext_partial.bufsz, ((struct hvm_save_descriptor *)all)->length);
	assert_true(sim_peek(v0, gva(STATE_AT + 8192), one, op.u.hvmcontext_partial.bufsz));
	assert_memory_equal(one, all + sizeof(struct hvm_save_descriptor),
			    op.u.hvmcontext_partial.bufsz);
	op.u.hvmcontext_partial.instance = 77;
	assert_int_equal(domctl(&op), -ENOENT);
	assert_int_equal(state_call(XEN_DOMCTL_sethvmcontext, id, &had), 0);
	had -= 8;
	assert_true(state_call(XEN_DOMCTL_sethvmcontext, id, &had) < 0);
	assert_false(domain_find(id)->control_held);
	assert_int_equal(free_memory(), free);
	sim_end_machine();
}

static int64_t state_once(struct vcpu *v, domid_t id, uint64_t a[6])
{
	struct xen_domctl op = op_of(XEN_DOMCTL_gethvmcontext, id);

	op.u.hvmcontext.size = 3 * PAGE_SIZE;
	set_xen_guest_handle(op.u.hvmcontext.buffer, (uint8_t *)(uintptr_t)STATE_AT);
	assert_true(sim_poke(v, sim_arg(v), &op, sizeof(op)));
	a[0] = sim_arg(v).a;
	sim_as(v);
	softirq_raise(this_cpu(), SOFTIRQ_TIMER); /* something wants the CPU after each step */
	int64_t result = hypercall(v, __HYPERVISOR_domctl, a);

	sim_as(NULL);
	return result;
}

/* A call about a domain's state stops between its steps; others wait for it, and take over from one that does not come back. */
static void state_is_moved_in_steps(void **state)
{
	uint64_t a[6] = { 0 }, b[6] = { 0 };
	struct vcpu *v1 = NULL;
	struct domain *d;
	uint64_t free;
	unsigned n = 0;
	domid_t id;

	boot();
	v1 = d0->vcpu[1];
	id = with_vcpus(4);
	d = domain_find(id);
	free = free_memory();
	assert_int_equal(state_once(v0, id, a), -ERR_RESTART);
	assert_true(d->control_held);
	assert_false(d->control_busy);
	assert_int_equal(state_once(v1, id, b), -ERR_RESTART);
	for (int64_t r = -ERR_RESTART; r == -ERR_RESTART; n++) {
		r = state_once(v0, id, a);
		assert_true(r == 0 || r == -ERR_RESTART);
	}
	assert_true(n > 4); /* a record or a page a step */
	assert_false(d->control_held);
	/* Begun and not ended. */
	memset(a, 0, sizeof(a));
	assert_int_equal(state_once(v0, id, a), -ERR_RESTART);
	sim_advance(2000000000);
	while (state_once(v1, id, b) == -ERR_RESTART)
		;
	assert_false(d->control_held);
	assert_null(d->state_work);
	assert_int_equal(free_memory(), free);
	/* A domain that ends meanwhile gives the buffer back. */
	memset(a, 0, sizeof(a));
	assert_int_equal(state_once(v0, id, a), -ERR_RESTART);
	sim_end(d);
	sim_end_machine();
}

/* A toolstack's domain that ends while it holds another does not leave that one paused. */
static void a_domain_is_let_go_when_its_holder_ends(void **state)
{
	struct domain *d, *other;
	uint32_t pauses;
	domid_t id;

	id = boot_and_create(1);
	d = domain_find(id);
	pauses = d->pause_count;
	other = sim_caller(ROLE_CONTROL);
	assert_int_equal(control_hold(other, d), 0);
	/* It is gone before it lets go, in the middle of waiting. */
	store_release(&d->control_busy, false);
	assert_int_equal(d->pause_count, pauses + 1);
	sim_end(other);
	assert_int_equal(d->pause_count, pauses);
	assert_false(d->control_held);
	/* Whoever held it meanwhile keeps it. */
	other = sim_caller(ROLE_CONTROL);
	assert_int_equal(control_hold(d0, d), 0);
	store_release(&d->control_busy, false);
	sim_end(other);
	assert_int_equal(d->pause_count, pauses + 1);
	assert_int_equal(control_hold(d0, d), 0);
	control_release(d);
	assert_int_equal(d->pause_count, pauses);
	sim_end_machine();
}

/* ---- targets --------------------------------------------------------------------------------------------- */

static void a_device_model_serves_one_domain_for_good(void **state)
{
	struct xen_domctl op;
	domid_t stub, one;

	boot();
	stub = create(1);
	one = create(1);
	op = op_of(XEN_DOMCTL_set_target, stub);
	op.u.set_target.target = stub;
	assert_int_equal(domctl(&op), -EINVAL);
	op.u.set_target.target = 999;
	assert_int_equal(domctl(&op), -ESRCH);
	op.u.set_target.target = one;
	assert_int_equal(domctl(&op), 0);
	assert_int_equal(domctl(&op), -EEXIST);
	sim_end_machine();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_a_controlling_domain_may),
		cmocka_unit_test(form_comes_before_everything),
		cmocka_unit_test(creation_is_judged_field_by_field),
		cmocka_unit_test(numbers_are_not_given_again_at_once),
		cmocka_unit_test(a_toolstack_makes_and_ends_a_domain),
		cmocka_unit_test(pauses_count),
		cmocka_unit_test(whatever_was_made_can_be_destroyed),
		cmocka_unit_test(a_domain_can_vanish_under_a_toolstack),
		cmocka_unit_test(vcpus_are_made_once_in_the_number_asked),
		cmocka_unit_test(affinity_is_what_was_set),
		cmocka_unit_test(weights_are_set_for_the_policy_in_use),
		cmocka_unit_test(paging_memory_comes_on_top_of_the_rest),
		cmocka_unit_test(ranges_that_wrap_are_refused),
		cmocka_unit_test(frames_are_told_from_holes),
		cmocka_unit_test(a_domain_is_held_by_one_at_a_time),
		cmocka_unit_test(waiting_for_a_grace_period_is_said),
		cmocka_unit_test(state_goes_out_and_in),
		cmocka_unit_test(state_is_moved_in_steps),
		cmocka_unit_test(a_domain_is_let_go_when_its_holder_ends),
		cmocka_unit_test(a_device_model_serves_one_domain_for_good),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
