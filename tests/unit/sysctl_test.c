/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of the machine's control interface, through hypercall(). */
#include "sim.h"

#include <hv/console.h>
#include <hv/log.h>
#include <xen/domctl.h>
#include <xen/sysctl.h>

#define MEMORY (64ull << 20)
#define WILD   0xffff800000000000ull
#define ROOM   2048u /* bytes behind the operation in the argument page */

static struct domain *d0;
static struct vcpu *v0;

/* An operation and what its handles point to. */
struct call {
	struct xen_sysctl op;
	char room[ROOM];
};

static void boot(void)
{
	sim_boot(2, MEMORY, 1);
	d0 = sim_caller(ROLE_CONTROL | ROLE_HARDWARE | ROLE_CONSOLE);
	v0 = d0->vcpu[0];
}

static struct call call_of(uint32_t cmd)
{
	struct call c = { .op = { .cmd = cmd, .interface_version = XEN_SYSCTL_INTERFACE_VERSION } };

	memset(c.room, 0x5a, sizeof(c.room));
	return c;
}

/* Where byte `at` of the room is for the guest. */
static void *room(uint32_t at)
{
	return (void *)(uintptr_t)(sim_arg(v0).a + offsetof(struct call, room) + at);
}

static int64_t sysctl_by(struct vcpu *v, struct call *c)
{
	int64_t result;

	_Static_assert(sizeof(*c) <= PAGE_SIZE, "one argument page");
	assert_true(sim_poke(v, sim_arg(v), c, sizeof(*c)));
	result = sim_hypercall(v, __HYPERVISOR_sysctl, sim_arg(v).a);
	assert_true(sim_peek(v, sim_arg(v), c, sizeof(*c)));
	return result;
}

static int64_t sysctl(struct call *c)
{
	return sysctl_by(v0, c);
}

static void only_a_controlling_domain_may(void **state)
{
	struct domain *other;

	boot();
	other = sim_caller(ROLE_HARDWARE | ROLE_STORE | ROLE_CONSOLE);
	for (uint32_t cmd = 0; cmd < 40; cmd++) {
		struct call c = call_of(cmd);

		assert_int_equal(sysctl_by(other->vcpu[0], &c), -EPERM);
	}
	sim_end_machine();
}

static void form_comes_before_everything(void **state)
{
	struct call c;

	boot();
	assert_int_equal(sim_hypercall(v0, __HYPERVISOR_sysctl, WILD), -EFAULT);
	c = call_of(XEN_SYSCTL_physinfo);
	c.op.interface_version++;
	assert_int_equal(sysctl(&c), -EACCES);
	c = call_of(0);
	assert_int_equal(sysctl(&c), -ENOSYS);
	c = call_of(~0u);
	assert_int_equal(sysctl(&c), -ENOSYS);
	sim_end_machine();
}

static void the_machine_is_described(void **state)
{
	struct xen_sysctl_cputopo topo[2];
	struct mem_stats s;
	struct call c;

	boot();
	frame_stats(&s);
	c = call_of(XEN_SYSCTL_physinfo);
	assert_int_equal(sysctl(&c), 0);
	assert_int_equal(c.op.u.physinfo.nr_cpus, 2);
	assert_int_equal(c.op.u.physinfo.max_cpu_id, 1);
	assert_int_equal(c.op.u.physinfo.total_pages, s.total);
	/* What domains were promised as they were made is not free, and not a toolstack's claim. */
	assert_true(s.claimed > 0);
	assert_int_equal(c.op.u.physinfo.free_pages, s.free + s.never - s.claimed);
	assert_int_equal(c.op.u.physinfo.outstanding_pages, 0);

	c = call_of(XEN_SYSCTL_cputopoinfo);
	assert_int_equal(sysctl(&c), 0); /* without a place: how many there are */
	assert_int_equal(c.op.u.cputopoinfo.num_cpus, 2);
	c = call_of(XEN_SYSCTL_cputopoinfo);
	c.op.u.cputopoinfo.num_cpus = 1;
	c.op.u.cputopoinfo.cputopo.p = room(0);
	assert_int_equal(sysctl(&c), 0);
	assert_int_equal(c.op.u.cputopoinfo.num_cpus, 2);
	memcpy(topo, c.room, sizeof(topo));
	assert_int_equal(topo[0].core, 0);
	assert_int_equal(topo[1].core, 0x5a5a5a5a); /* it had said that there was room for one */
	sim_end_machine();
}

static void domains_are_listed_as_far_as_there_is_room(void **state)
{
	struct xen_domctl_getdomaininfo info;
	struct domain *one;
	struct call c;

	boot();
	one = sim_caller(0);
	c = call_of(XEN_SYSCTL_getdomaininfolist);
	c.op.u.getdomaininfolist.max_domains = 5;
	c.op.u.getdomaininfolist.buffer.p = room(0);
	assert_int_equal(sysctl(&c), 0);
	assert_int_equal(c.op.u.getdomaininfolist.num_domains, 2);
	memcpy(&info, c.room, sizeof(info));
	assert_int_equal(info.domain, d0->id);
	memcpy(&info, c.room + sizeof(info), sizeof(info));
	assert_int_equal(info.domain, one->id);
	assert_int_equal(info.tot_pages, 16);

	c = call_of(XEN_SYSCTL_getdomaininfolist);
	c.op.u.getdomaininfolist.first_domain = one->id;
	c.op.u.getdomaininfolist.max_domains = 1;
	c.op.u.getdomaininfolist.buffer.p = room(0);
	assert_int_equal(sysctl(&c), 0);
	assert_int_equal(c.op.u.getdomaininfolist.num_domains, 1);
	c.op.u.getdomaininfolist.max_domains = ~0u;
	c.op.u.getdomaininfolist.buffer.p = (void *)(uintptr_t)WILD;
	assert_int_equal(sysctl(&c), -EFAULT);
	c = call_of(XEN_SYSCTL_getdomaininfolist);
	c.op.u.getdomaininfolist.first_domain = 0xffff;
	c.op.u.getdomaininfolist.max_domains = 1;
	assert_int_equal(sysctl(&c), 0);
	assert_int_equal(c.op.u.getdomaininfolist.num_domains, 0);
	sim_end_machine();
}

/* A guest can write anything where a call keeps its progress. */
static void forged_progress_does_no_harm(void **state)
{
	struct call c;
	uint64_t a[6];

	boot();
	c = call_of(XEN_SYSCTL_getdomaininfolist);
	c.op.u.getdomaininfolist.max_domains = 1;
	c.op.u.getdomaininfolist.buffer.p = room(0);
	assert_true(sim_poke(v0, sim_arg(v0), &c, sizeof(c)));
	memcpy(a, (uint64_t[6]){ sim_arg(v0).a, 0x4b7279707430316eull, ~0ull, ~0ull, 0, 0 },
	       sizeof(a));
	assert_int_equal(sim_hypercall6(v0, __HYPERVISOR_sysctl, a), 0);
	assert_true(sim_peek(v0, sim_arg(v0), &c, sizeof(c)));
	assert_int_equal(c.op.u.getdomaininfolist.num_domains,
			 1); /* as it said; nothing was written */
	assert_int_equal(c.room[0], 0x5a);
	sim_end_machine();
}

static void the_console_ring_is_read_in_parts(void **state)
{
	struct call c;

	boot();
	log_info("a line to be found again");
	c = call_of(XEN_SYSCTL_readconsole);
	c.op.u.readconsole.buffer.p = room(0);
	c.op.u.readconsole.count = ROOM;
	assert_int_equal(sysctl(&c), 0);
	assert_in_range(c.op.u.readconsole.count, 10, ROOM);
	c.room[c.op.u.readconsole.count - 1] = '\0';
	assert_non_null(strstr(c.room, "a line to be found again"));
	/* From where it ended, nothing is left. */
	{
		uint32_t index = c.op.u.readconsole.index;

		c = call_of(XEN_SYSCTL_readconsole);
		c.op.u.readconsole.incremental = 1;
		c.op.u.readconsole.index = index;
		c.op.u.readconsole.buffer.p = room(0);
		c.op.u.readconsole.count = ROOM;
		assert_int_equal(sysctl(&c), 0);
		assert_int_equal(c.op.u.readconsole.count, 0);
	}
	c.op.u.readconsole.buffer.p = (void *)(uintptr_t)WILD;
	c.op.u.readconsole.count = ~0u;
	assert_int_equal(sysctl(&c), -EFAULT);
	sim_end_machine();
}

static void there_is_one_pool(void **state)
{
	struct call c;

	boot();
	c = call_of(XEN_SYSCTL_cpupool_op);
	c.op.u.cpupool_op.op = XEN_SYSCTL_CPUPOOL_OP_INFO;
	c.op.u.cpupool_op.cpumap.bitmap.p = room(0);
	c.op.u.cpupool_op.cpumap.nr_bits = 16;
	assert_int_equal(sysctl(&c), 0);
	assert_int_equal(c.op.u.cpupool_op.n_dom, 1);
	assert_int_equal(c.room[0], 3);
	assert_int_equal(c.room[1], 0);
	assert_int_equal(c.room[2], 0x5a);
	c.op.u.cpupool_op.cpupool_id = 1;
	assert_int_equal(sysctl(&c), -ENOENT);
	c.op.u.cpupool_op.op = XEN_SYSCTL_CPUPOOL_OP_CREATE;
	assert_int_equal(sysctl(&c), -EOPNOTSUPP);
	c.op.u.cpupool_op.op = XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN;
	c.op.u.cpupool_op.cpupool_id = 0;
	c.op.u.cpupool_op.domid = 999;
	assert_int_equal(sysctl(&c), -EINVAL);
	c.op.u.cpupool_op.domid = d0->id;
	assert_int_equal(sysctl(&c), 0);
	sim_end_machine();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_a_controlling_domain_may),
		cmocka_unit_test(form_comes_before_everything),
		cmocka_unit_test(the_machine_is_described),
		cmocka_unit_test(domains_are_listed_as_far_as_there_is_room),
		cmocka_unit_test(forged_progress_does_no_harm),
		cmocka_unit_test(the_console_ring_is_read_in_parts),
		cmocka_unit_test(there_is_one_pool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
