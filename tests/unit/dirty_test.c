/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of the log of writes (core/mem/dirty.c), through XEN_DOMCTL_shadow_op: no write is missed, whoever makes it, and what was not written is not said. */
#include "sim.h"

#include <arch/memory.h>
#include <hv/control.h>
#include <hv/guest.h>
#include <hv/hypercall.h>
#include <hv/p2m.h>
#include <xen/domctl.h>
#include <xen/version.h>

#define FRAMES   1100u /* of the guest: more than two chunks of the log */
#define MAP_PAGE 8u    /* of the toolstack: where it takes the map */
#define MAP_AT   ((uint64_t)MAP_PAGE << PAGE_SHIFT)

#ifdef HV_TSAN
#define SEEDS 2u
#else
#define SEEDS 12u
#endif

static struct domain *d0, *guest;
static struct vcpu *v0;

static int64_t shadow_by(struct vcpu *v, struct xen_domctl *op, uint32_t what, uint64_t pages)
{
	*op = (struct xen_domctl){
		.cmd = XEN_DOMCTL_shadow_op,
		.interface_version = XEN_DOMCTL_INTERFACE_VERSION,
		.domain = guest->id,
		.u.shadow_op = { .op = what, .pages = pages },
	};
	if (pages)
		set_xen_guest_handle(op->u.shadow_op.dirty_bitmap, (uint8_t *)(uintptr_t)MAP_AT);
	if (!sim_poke(v, sim_arg(v), op, sizeof(*op)))
		sim_fail("no argument page");
	int64_t result = sim_hypercall(v, __HYPERVISOR_domctl, sim_arg(v).a);

	if (!sim_peek(v, sim_arg(v), op, sizeof(*op)))
		sim_fail("no argument page");
	return result;
}

static int64_t shadow(uint32_t what, uint64_t pages)
{
	struct xen_domctl op;

	return shadow_by(v0, &op, what, pages);
}

/* How many bits of the first FRAMES a call with `what` gives; bit `g` in *has. */
static unsigned dirty(uint32_t what, uint64_t g, bool *has)
{
	uint8_t map[(FRAMES + 7) / 8];
	struct xen_domctl op;
	unsigned n = 0;

	assert_int_equal(shadow_by(v0, &op, what, FRAMES), 0);
	assert_int_equal(op.u.shadow_op.pages, FRAMES);
	assert_true(sim_peek(v0, gva(MAP_AT), map, sizeof(map)));
	for (unsigned i = 0; i < FRAMES; i++)
		n += map[i / 8] >> i % 8 & 1;
	assert_int_equal(op.u.shadow_op.stats.dirty_count, n);
	if (has)
		*has = map[g / 8] >> g % 8 & 1;
	return n;
}

static void boot(unsigned cpus, uint64_t seed)
{
	sim_boot(cpus, 64ull << 20, seed);
	d0 = sim_caller(ROLE_CONTROL | ROLE_HARDWARE);
	v0 = d0->vcpu[0];
	guest = sim_domain(2, FRAMES);
}

static void end(void)
{
	sim_end(guest);
	sim_end(d0);
	sim_shutdown();
}

#define ENABLE XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY
#define CLEAN  XEN_DOMCTL_SHADOW_OP_CLEAN
#define PEEK   XEN_DOMCTL_SHADOW_OP_PEEK
#define OFF    XEN_DOMCTL_SHADOW_OP_OFF

/* ---- one by one ------------------------------------------------------------------------------------------ */

static void nothing_is_dirty_at_first(void **state)
{
	boot(1, 1);
	assert_int_equal(shadow(ENABLE, 0), 0);
	assert_int_equal(dirty(PEEK, 0, NULL), 0);
	end();
}

static void a_write_is_logged_until_it_is_cleaned(void **state)
{
	bool has;

	for (uint64_t seed = 1; seed <= 4; seed++) { /* small pages and superpages */
		boot(1, seed);
		assert_int_equal(shadow(ENABLE, 0), 0);
		assert_int_equal(guest_phys_write(guest, gpa(700ull << PAGE_SHIFT), "x", 1), 0);
		assert_int_equal(dirty(PEEK, 700, &has), 1);
		assert_true(has);
		assert_int_equal(dirty(CLEAN, 700, &has), 1);
		assert_true(has);
		assert_int_equal(dirty(CLEAN, 700, &has), 0);
		end();
	}
}

static void what_a_toolstack_fills_is_logged(void **state)
{
	bool has;

	for (uint64_t seed = 1; seed <= 4; seed++) {
		boot(1, seed);
		assert_int_equal(shadow(ENABLE, 0), 0);
		for (unsigned twice = 0; twice < 2; twice++) {
			assert_int_equal(sim_hypercall(v0, HYPERCALL_FILL, guest->id,
						       (700ull << PAGE_SHIFT) - 1,
						       9ull << PAGE_SHIFT, 2),
					 2);
			assert_int_equal(dirty(CLEAN, 700, &has), 2);
			assert_true(has);
		}
		end();
	}
}

static void a_fault_makes_one_page_writable(void **state)
{
	bool has;

	for (uint64_t seed = 1; seed <= 4; seed++) {
		boot(1, seed);
		assert_int_equal(shadow(ENABLE, 0), 0);
		assert_int_equal(p2m_lookup(guest, gfn(600)).type, P2M_LOGDIRTY);
		p2m_log_fault(guest, gfn(600));
		assert_int_equal(p2m_lookup(guest, gfn(600)).type, P2M_RAM_RW);
		assert_int_equal(p2m_lookup(guest, gfn(601)).type, P2M_LOGDIRTY);
		/* Somebody else's fault was first; nothing is there. */
		p2m_log_fault(guest, gfn(600));
		assert_int_equal(p2m_lookup(guest, gfn(600)).type, P2M_RAM_RW);
		p2m_log_fault(guest, gfn(FRAMES));
		assert_int_equal(dirty(CLEAN, 600, &has), 1);
		assert_true(has);
		assert_int_equal(p2m_lookup(guest, gfn(600)).type, P2M_LOGDIRTY);
		end();
	}
}

static void a_superpage_that_cannot_be_split_is_dirty_whole(void **state)
{
	uint32_t ceiling;
	unsigned order;

	for (uint64_t seed = 1; seed <= 8; seed++) {
		boot(1, seed);
		assert_int_equal(shadow(ENABLE, 0), 0);
		order = p2m_lookup(guest, gfn(512)).order;
		ceiling = guest->pool.ceiling;
		guest->pool.ceiling = guest->pool.used;
		p2m_log_fault(guest, gfn(600));
		guest->pool.ceiling = ceiling;
		assert_int_equal(dirty(CLEAN, 0, NULL), 1u << order);
		assert_int_equal(p2m_lookup(guest, gfn(700)).type, P2M_LOGDIRTY);
		end();
	}
}

static void what_others_hold_stays_dirty(void **state)
{
	bool has;
	mfn_t m;

	boot(1, 1);
	assert_int_equal(p2m_get_frame(guest, gfn(5), true, &m), 0);
	assert_int_equal(shadow(ENABLE, 0), 0);
	assert_int_equal(dirty(CLEAN, 5, &has), 1);
	assert_true(has);
	assert_int_equal(dirty(CLEAN, 5, &has), 1);
	frame_put(m);
	assert_int_equal(dirty(CLEAN, 5, &has), 1);
	assert_int_equal(dirty(CLEAN, 5, &has), 0);
	end();
}

static void memory_that_comes_is_dirty(void **state)
{
	gfn_t g = gfn(FRAMES);
	uint64_t bits[P2M_LOG_CHUNK / 64];

	boot(1, 1);
	assert_int_equal(shadow(ENABLE, 0), 0);
	assert_int_equal(domain_populate(guest, &g, 0, 0), 0);
	assert_int_equal(dirty(CLEAN, 0, NULL), 0); /* below it */
	assert_int_equal(p2m_log_take(guest, gfn(1024), P2M_LOG_CHUNK, false, bits), 0);
	assert_int_equal(bits[(FRAMES - 1024) / 64], 1ull << FRAMES % 64);
	end();
}

static void off_gives_everything_back(void **state)
{
	uint32_t used;

	boot(1, 1);
	used = guest->pool.used;
	assert_int_equal(shadow(ENABLE, 0), 0);
	assert_true(guest->pool.used > used);
	p2m_log_fault(guest, gfn(5));
	assert_int_equal(shadow(OFF, 0), 0);
	sim_run(NULL, NULL);
	assert_int_equal(p2m_lookup(guest, gfn(6)).type, P2M_RAM_RW);
	assert_null(guest->p2m.log);
	assert_in_range(guest->pool.used, used, used + 1); /* a superpage may have been split */
	assert_int_equal(shadow(OFF, 0), 0);
	assert_int_equal(shadow(ENABLE, 0), 0);
	end();
}

/* Xen 4.17 was asked, as for the modes below. */
static void where_nothing_is_logged_nothing_was_written(void **state)
{
	static const uint8_t ones[64] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	struct xen_domctl op;

	boot(1, 1);
	assert_int_equal(guest_phys_write(guest, gpa(0), "x", 1), 0);
	assert_true(sim_poke(v0, gva(MAP_AT), ones, sizeof(ones)));
	assert_int_equal(dirty(CLEAN, 0, NULL), 0); /* writes the whole map */
	assert_int_equal(dirty(PEEK, 0, NULL), 0);
	assert_int_equal(shadow(OFF, 0), 0);
	assert_int_equal(shadow(ENABLE, 0), 0);
	assert_int_equal(guest_phys_write(guest, gpa(0), "x", 1), 0);
	assert_int_equal(dirty(PEEK, 0, NULL), 1);
	assert_int_equal(shadow(OFF, 0), 0);
	assert_int_equal(shadow(OFF, 0), 0);
	assert_int_equal(dirty(CLEAN, 0, NULL), 0);
	assert_int_equal(shadow_by(v0, &op, CLEAN, 0), 0);
	assert_int_equal(op.u.shadow_op.pages, 0);
	end();
}

static int64_t with_mode(uint32_t what, uint32_t mode)
{
	struct xen_domctl op = { .cmd = XEN_DOMCTL_shadow_op,
				 .interface_version = XEN_DOMCTL_INTERFACE_VERSION,
				 .domain = guest->id,
				 .u.shadow_op = {
				     .op = what, .mode = mode, .pages = (1u << 20) + 64 } };
	int64_t result;

	assert_true(sim_poke(v0, sim_arg(v0), &op, sizeof(op)));
	result = sim_hypercall(v0, __HYPERVISOR_domctl, sim_arg(v0).a);
	assert_true(sim_peek(v0, sim_arg(v0), &op, sizeof(op)));
	assert_int_equal(op.u.shadow_op.pages, (1u << 20) + 64);
	assert_int_equal(op.u.shadow_op.stats.fault_count, 0);
	return result;
}

static void modes_are_those_of_xen(void **state)
{
	static const struct {
		uint32_t what, mode;
		int64_t result;
	} row[] = {
		{ XEN_DOMCTL_SHADOW_OP_ENABLE_TEST, 0, -EINVAL },
		{ XEN_DOMCTL_SHADOW_OP_ENABLE, 0, -EINVAL },
		{ XEN_DOMCTL_SHADOW_OP_ENABLE, XEN_DOMCTL_SHADOW_ENABLE_REFCOUNT, -EINVAL },
		{ XEN_DOMCTL_SHADOW_OP_ENABLE, XEN_DOMCTL_SHADOW_ENABLE_TRANSLATE, -EINVAL },
		{ XEN_DOMCTL_SHADOW_OP_ENABLE, XEN_DOMCTL_SHADOW_ENABLE_EXTERNAL, -EINVAL },
		{ XEN_DOMCTL_SHADOW_OP_ENABLE, XEN_DOMCTL_SHADOW_ENABLE_LOG_DIRTY, 0 },
		{ PEEK, XEN_DOMCTL_SHADOW_LOGDIRTY_FINAL, 0 },
		{ PEEK, 2, -EINVAL },
		{ PEEK, 3, -EINVAL },
		{ CLEAN, ~0u, -EINVAL },
		{ CLEAN, 0, 0 }, /* beyond the domain's end too */
		{ OFF, 9, 0 },
		{ XEN_DOMCTL_SHADOW_OP_ENABLE, ~0u, 0 },
		{ OFF, 0, 0 },
	};

	boot(1, 1);
	for (unsigned i = 0; i < ARRAY_SIZE(row); i++)
		assert_int_equal(with_mode(row[i].what, row[i].mode), row[i].result);
	end();
}

static void refusals(void **state)
{
	struct xen_domctl op;

	boot(1, 1);
	assert_int_equal(shadow(ENABLE, 0), 0);
	assert_int_equal(shadow(ENABLE, 0), -EINVAL);
	assert_int_equal(shadow(99, 0), -EINVAL);
	op = (struct xen_domctl){ .cmd = XEN_DOMCTL_shadow_op,
				  .interface_version = XEN_DOMCTL_INTERFACE_VERSION,
				  .domain = d0->id,
				  .u.shadow_op.op = ENABLE };
	assert_true(sim_poke(v0, sim_arg(v0), &op, sizeof(op)));
	assert_int_equal(sim_hypercall(v0, __HYPERVISOR_domctl, sim_arg(v0).a), -EINVAL);
	/* A map that cannot be written takes nothing from the log. */
	assert_int_equal(guest_phys_write(guest, gpa(0), "x", 1), 0);
	op.domain = guest->id;
	op.u.shadow_op.op = CLEAN;
	op.u.shadow_op.pages = 64;
	set_xen_guest_handle(op.u.shadow_op.dirty_bitmap, (uint8_t *)0xffff800000000000ul);
	assert_true(sim_poke(v0, sim_arg(v0), &op, sizeof(op)));
	assert_int_equal(sim_hypercall(v0, __HYPERVISOR_domctl, sim_arg(v0).a), -EFAULT);
	assert_int_equal(dirty(CLEAN, 0, NULL), 1);
	end();
}

static void a_pool_that_is_full_refuses_to_log(void **state)
{
	uint32_t ceiling;

	boot(1, 1);
	ceiling = guest->pool.ceiling;
	guest->pool.ceiling = guest->pool.used + 1;
	assert_int_equal(shadow(ENABLE, 0), -ENOMEM);
	guest->pool.ceiling = ceiling;
	assert_int_equal(guest_phys_write(guest, gpa(0), "x", 1), 0);
	assert_int_equal(shadow(CLEAN, FRAMES), -EINVAL);
	assert_int_equal(shadow(ENABLE, 0), 0);
	end();
}

/* ---- a copy of a running guest -------------------------------------------------------------------------------- */

static uint8_t copy[FRAMES][PAGE_SIZE];
static bool finished; /* [a] */

/* Writes all over its memory, itself and by what the hypervisor answers. */
static bool writer(struct vcpu *v, void *arg)
{
	while (!read_once(&finished)) {
		uint64_t page = 2 + sim_random(FRAMES - 2), word = sim_random(1u << 30);
		gva_t at = gva((page << PAGE_SHIFT) + 8 * sim_random(512));

		if (sim_random(4))
			sim_check_equal(sim_guest_write(v, at, &word, sizeof(word)), true);
		else
			sim_check_equal(sim_hypercall(v, __HYPERVISOR_xen_version,
						      XENVER_extraversion, at.a & ~0x3full),
					0);
	}
	return false;
}

static void copy_page(uint64_t g)
{
	const uint8_t *from = arch_frame_map(p2m_lookup(guest, gfn(g)).mfn);

	for (unsigned i = 0; i < PAGE_SIZE; i++)
		copy[g][i] = read_once(&from[i]);
}

static void copy_round(struct vcpu *v)
{
	uint8_t map[(FRAMES + 7) / 8];
	struct xen_domctl op;

	sim_check_equal(shadow_by(v, &op, CLEAN, FRAMES), 0);
	sim_check_equal(sim_guest_read(v, gva(MAP_AT), map, sizeof(map)), true);
	for (unsigned g = 0; g < FRAMES; g++)
		if (map[g / 8] >> g % 8 & 1)
			copy_page(g);
}

static bool copier(struct vcpu *v, void *arg)
{
	struct xen_domctl op;

	sim_check_equal(shadow_by(v, &op, ENABLE, 0), 0);
	for (unsigned g = 0; g < FRAMES; g++) {
		copy_page(g);
		if (g % 64 == 0)
			sim_guest_pause(v);
	}
	for (unsigned i = 0; i < 4; i++)
		copy_round(v);
	op = (struct xen_domctl){ .cmd = XEN_DOMCTL_pausedomain,
				  .interface_version = XEN_DOMCTL_INTERFACE_VERSION,
				  .domain = guest->id };
	sim_check_equal(sim_guest_write(v, sim_arg(v), &op, sizeof(op)), true);
	sim_check_equal(sim_hypercall(v, __HYPERVISOR_domctl, sim_arg(v).a), 0);
	copy_round(v);
	for (unsigned g = 0; g < FRAMES; g++)
		if (memcmp(arch_frame_map(p2m_lookup(guest, gfn(g)).mfn), copy[g], PAGE_SIZE))
			sim_fail("page %u of the copy is not what the guest has", g);
	write_once(&finished, true);
	return false;
}

static bool is_finished(void *arg)
{
	return read_once(&finished);
}

static void a_copy_made_by_the_log_is_the_guest(void **state)
{
	for (uint64_t s = sim_first_seed(); s <= sim_last_seed(SEEDS); s++) {
		boot(1 + (unsigned)(s % 4), s);
		finished = false;
		sim_guest_set(guest->vcpu[0], writer, NULL, NULL);
		sim_guest_set(guest->vcpu[1], writer, NULL, NULL);
		sim_guest_set(v0, copier, NULL, NULL);
		sim_start(guest);
		sim_start_vcpus(d0, false);
		assert_true(sim_run(is_finished, NULL));
		end();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_dirty_at_first),
		cmocka_unit_test(a_write_is_logged_until_it_is_cleaned),
		cmocka_unit_test(what_a_toolstack_fills_is_logged),
		cmocka_unit_test(a_fault_makes_one_page_writable),
		cmocka_unit_test(a_superpage_that_cannot_be_split_is_dirty_whole),
		cmocka_unit_test(what_others_hold_stays_dirty),
		cmocka_unit_test(memory_that_comes_is_dirty),
		cmocka_unit_test(off_gives_everything_back),
		cmocka_unit_test(where_nothing_is_logged_nothing_was_written),
		cmocka_unit_test(modes_are_those_of_xen),
		cmocka_unit_test(refusals),
		cmocka_unit_test(a_pool_that_is_full_refuses_to_log),
		cmocka_unit_test(a_copy_made_by_the_log_is_the_guest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
