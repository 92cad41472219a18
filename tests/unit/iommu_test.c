/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IOMMU contexts over a driver of the test's own, which remembers what is attached and flushed: devices reach what their domain's
 * CPUs reach, of the sizes that they have there, and nothing when it is gone or they are nobody's.
 */
#include "plain_format.h"
#include "sim.h"

#include <hv/iommu.h>
#include <xen/domctl.h>

#define HOLE 0x100000u

/* ---- a driver ------------------------------------------------------------------------------------ */

static struct {
	struct iommu_unit unit;
	unsigned flushes;
	int attached;
	gfn_t flushed;
	uint64_t flushed_n;
	bool refuse;
	uint8_t vector[8];
} fake;

static int context_init(struct iommu_context *c)
{
	c->levels = 4;
	return 0;
}

static int attach(struct iommu_device *dev, struct iommu_context *c)
{
	if (fake.refuse && c->domain)
		return refuse(R_POOL_EXHAUSTED, 0, 0, 0);
	fake.attached += c->domain ? 1 : -1;
	return 0;
}

static void flush(struct iommu_unit *u, struct iommu_context *c, gfn_t g, uint64_t n)
{
	fake.flushes++;
	fake.flushed = g;
	fake.flushed_n = n;
}

static int irq_set(struct iommu_device *dev, uint32_t index, const struct iommu_irq_target *to)
{
	fake.vector[index] = to ? to->vector : 0;
	return 0;
}

static const struct iommu_ops ops = {
	.name = "test",
	.format = &plain_format,
	.context_init = context_init,
	.attach = attach,
	.flush = flush,
	.max_irqs = 8,
	.irq_set = irq_set,
};

static void add_unit(void)
{
	memset(&fake, 0, sizeof(fake));
	fake.unit.ops = &ops;
	lock_init(&fake.unit.lock, RANK_IOMMU);
	assert_true(iommu_unit_add(&fake.unit));
}

/* ---- domains --------------------------------------------------------------------------------------- */

static const struct domain_config config = {
	SIM_POOLED,
	.flags = XEN_DOMCTL_CDF_iommu,
};

static struct domain *boot(uint64_t seed, struct iommu_device *dev)
{
	struct domain *d;

	sim_boot(2, 64 << 20, seed);
	add_unit();
	iommu_device_init(dev, &fake.unit, 0x10);
	d = sim_domain_cfg(&config, 1);
	assert_int_equal(iommu_assign(dev, d), 0);
	return d;
}

static void end(struct domain *d)
{
	domain_mem_check(d);
	sim_end(d);
	sim_shutdown();
}

static void expect(struct domain *d, uint64_t g, unsigned access, uint64_t m, unsigned level)
{
	unsigned l;
	mfn_t at;

	assert_int_equal(iommu_lookup(d->iommu, gfn(g), &at, &l), access);
	if (access) {
		assert_int_equal(at.n, m);
		assert_int_equal(l, level);
	}
}

static mfn_t populate(struct domain *d, uint64_t g, unsigned order)
{
	gfn_t at = gfn(g);

	assert_int_equal(domain_populate(d, &at, order, 0), 0);
	return p2m_lookup(d, at).mfn;
}

#define RW (IOMMU_READ | IOMMU_WRITE)

/* ---- rules ----------------------------------------------------------------------------------------- */

static void tables_follow_with_the_same_sizes(void **state)
{
	struct iommu_device dev;
	struct domain *d = boot(1, &dev);
	mfn_t small = populate(d, 5, ORDER_4K), large = populate(d, 512, ORDER_2M);

	expect(d, 5, RW, small.n, 0);
	expect(d, 512, RW, large.n, 1);
	expect(d, 512 + 77, RW, large.n + 77, 1);
	expect(d, 6, 0, 0, 0);
	assert_int_equal(p2m_change(d, gfn(HOLE << 6), mfn(1u << 18), ORDER_1G, P2M_MMIO_DIRECT), 0);
	expect(d, (HOLE << 6) + 5, RW, (1u << 18) + 5, 2);
	assert_int_equal(fake.flushes, 0); /* nothing was taken away */
	end(d);
}

static void what_is_taken_away_is_flushed(void **state)
{
	struct iommu_device dev;
	struct domain *d = boot(1, &dev);
	mfn_t m = populate(d, 512, ORDER_2M);

	assert_int_equal(domain_depopulate(d, gfn(512 + 3), ORDER_4K), 0);
	assert_int_equal(fake.flushes, 1);
	/* All of the large page: a unit may have kept that one. */
	assert_true(fake.flushed.n <= 512 && fake.flushed.n + fake.flushed_n >= 1024);
	expect(d, 512 + 3, 0, 0, 0);
	expect(d, 512 + 4, RW, m.n + 4, 0);
	assert_int_equal(domain_depopulate(d, gfn(512), ORDER_4K), 0);
	assert_int_equal(fake.flushes, 2);
	assert_int_equal(fake.flushed.n, 512);
	assert_int_equal(fake.flushed_n, 1);
	end(d);
}

static void a_large_page_over_small_ones_frees_their_table(void **state)
{
	struct iommu_device dev;
	struct domain *d = boot(1, &dev);
	uint32_t used;
	mfn_t m;

	(void)populate(d, HOLE, ORDER_2M);
	used = d->pool.used;
	for (unsigned i = 0; i < 512; i++)
		assert_int_equal(domain_depopulate(d, gfn(HOLE + i), ORDER_4K), 0);
	m = populate(d, HOLE, ORDER_2M);
	expect(d, HOLE + 9, RW, m.n + 9, 1);
	assert_false(mfn_valid(d->iommu->retired));
	sim_run(NULL, NULL); /* the second stage's table goes after a grace period */
	assert_int_equal(d->pool.used, used);
	end(d);
}

static void types_decide_what_devices_may(void **state)
{
	struct iommu_device dev;
	struct domain *d = boot(1, &dev);
	mfn_t ours = frame_alloc(0, ALLOC_ANY_NODE, 0);
	domid_t id;

	assert_true(frame_get_any(ours, &id));
	assert_int_equal(p2m_change(d, gfn(HOLE), ours, 0, P2M_GRANT_RO), 0);
	expect(d, HOLE, IOMMU_READ, ours.n, 0);
	assert_true(frame_get_any(ours, &id));
	assert_int_equal(p2m_change(d, gfn(HOLE), ours, 0, P2M_GRANT_RW), 0);
	expect(d, HOLE, RW, ours.n, 0);
	assert_true(frame_get_any(ours, &id));
	assert_int_equal(p2m_change(d, gfn(HOLE), ours, 0, P2M_SHARED), 0);
	expect(d, HOLE, 0, 0, 0);
	assert_true(p2m_remove_exact(d, gfn(HOLE), ours, P2M_SHARED));
	frame_free(ours, 0);
	end(d);
}

/* Back ends: a disk reads into the page that a guest granted. */
static void a_granted_page_is_the_devices_too(void **state)
{
	struct iommu_device dev;
	struct domain *d = boot(1, &dev), *owner = sim_domain(1, 16);
	struct gnttab_map_grant_ref map = { .host_addr = (uint64_t)HOLE << PAGE_SHIFT,
					    .dom = owner->id };
	struct gnttab_unmap_grant_ref unmap = { .host_addr = map.host_addr };
	mfn_t page = p2m_lookup(owner, gfn(5)).mfn;

	assert_int_equal(gnttab_grow(owner, 1), 0);
	owner->gnttab.dir[0][0].shared[9] = (struct grant_entry_v1){ .flags = GTF_permit_access,
								     .domid = d->id,
								     .frame = 5 };
	map.ref = 9;
	map.flags = GNTMAP_host_map;
	assert_int_equal(sim_gnttab(d->vcpu[0], GNTTABOP_map_grant_ref, &map), 0);
	assert_int_equal(map.status, GNTST_okay);
	expect(d, HOLE, RW, page.n, 0);
	unmap.handle = map.handle;
	fake.flushes = 0;
	assert_int_equal(sim_gnttab(d->vcpu[0], GNTTABOP_unmap_grant_ref, &unmap), 0);
	assert_int_equal(unmap.status, GNTST_okay);
	expect(d, HOLE, 0, 0, 0);
	assert_int_equal(fake.flushes, 1); /* before the owner has it to itself again */
	sim_end(owner);
	end(d);
}

/* Whatever happens in whatever order: each gfn is for devices what it is for CPUs. */
static void random_changes_agree(void **state)
{
	for (uint64_t seed = sim_first_seed(); seed <= sim_last_seed(10); seed++) {
		struct iommu_device dev;
		struct domain *d = boot(seed, &dev);

		for (unsigned i = 0; i < 200; i++) {
			unsigned order = sim_random(4) ? ORDER_4K : ORDER_2M;
			gfn_t g = gfn(512 * (1 + sim_random(3)) + (order ? 0 : sim_random(512)));

			if (!sim_random(20))
				sim_fail_pool(1 + sim_random(4));
			if (sim_random(2)) {
				int err = domain_populate(d, &g, order, 0);
				(void)err; /* no room in the pool is one of the cases */
			} else {
				int err = domain_depopulate(d, g, order);
				(void)err;
			}
			for (unsigned k = 0; k < 50; k++) {
				uint64_t at = 512 + sim_random(3 * 512);
				struct p2m_entry e = p2m_lookup(d, gfn(at));

				expect(d, at, e.type == P2M_RAM_RW ? RW : 0, e.mfn.n, e.order / 9);
			}
		}
		end(d);
	}
}

static void devices_move_between_quarantine_and_one_domain(void **state)
{
	struct iommu_device dev, unseen;
	struct domain *d = boot(1, &dev), *other = sim_domain(1, 1);

	iommu_device_init(&unseen, NULL, 0x20);
	assert_ptr_equal(iommu_owner(&dev), d);
	assert_int_equal(iommu_assign(&dev, d), reason_err(R_DEVICE_IN_USE));
	assert_int_equal(iommu_assign(&unseen, d), reason_err(R_DEVICE_NOT_ISOLATED));
	assert_int_equal(iommu_return(&dev), 0);
	assert_null(iommu_owner(&dev));
	assert_int_equal(iommu_return(&dev), 0);
	assert_int_equal(iommu_assign(&dev, other), reason_err(R_NO_IOMMU_CONTEXT));
	fake.refuse = true;
	assert_int_equal(iommu_assign(&dev, d), reason_err(R_POOL_EXHAUSTED));
	assert_null(iommu_owner(&dev));
	fake.refuse = false;
	assert_int_equal(iommu_assign(&dev, d), 0);
	sim_end(other);
	sim_end(d);
	/* A domain that ends leaves its devices blocked. */
	assert_null(iommu_owner(&dev));
	assert_ptr_equal(dev.context, &iommu_quarantine);
	sim_shutdown();
}

static void functions_with_one_id_stay_together(void **state)
{
	struct iommu_device one, two;
	struct domain *d = boot(1, &one), *other;

	iommu_device_init(&two, &fake.unit, one.id);
	other = sim_domain_cfg(&config, 1);
	assert_int_equal(iommu_assign(&two, other), reason_err(R_DEVICE_IN_USE));
	assert_int_equal(iommu_assign(&two, d), 0);
	assert_int_equal(fake.attached, 1);
	/* The id is blocked only when nobody uses it any more. */
	assert_int_equal(iommu_return(&one), 0);
	assert_int_equal(fake.attached, 1);
	assert_null(iommu_owner(&one));
	assert_int_equal(iommu_assign(&one, other), reason_err(R_DEVICE_IN_USE));
	assert_int_equal(iommu_return(&two), 0);
	assert_int_equal(fake.attached, 0);
	assert_int_equal(iommu_assign(&one, other), 0);
	sim_end(other);
	assert_int_equal(fake.attached, 0);
	end(d);
}

static void interrupts_are_given_before_they_are_used(void **state)
{
	struct iommu_irq_target to = { .cpu = 1, .vector = 0x41 };
	struct iommu_device dev;
	struct domain *d = boot(1, &dev);
	uint32_t first;

	assert_int_equal(iommu_irq_set(&dev, 0, &to), reason_err(R_IOMMU_IRQS));
	assert_int_equal(iommu_irq_alloc(&dev, 3, &first), 0);
	assert_int_equal(first, 0);
	assert_int_equal(iommu_irq_set(&dev, 2, &to), 0);
	assert_int_equal(fake.vector[2], 0x41);
	assert_int_equal(iommu_irq_alloc(&dev, 6, &first), reason_err(R_IOMMU_IRQS));
	assert_int_equal(iommu_irq_alloc(&dev, 5, &first), 0);
	assert_int_equal(first, 3);
	assert_int_equal(iommu_return(&dev), 0);
	assert_int_equal(iommu_irq_set(&dev, 2, &to), reason_err(R_IOMMU_IRQS));
	assert_int_equal(iommu_irq_alloc(&dev, 1, &first), reason_err(R_DEVICE_NOT_ISOLATED));
	end(d);
}

static void without_a_unit_no_domain_is_made_for_devices(void **state)
{
	struct domain *d;

	sim_boot(1, 64 << 20, 1);
	assert_false(iommu_works());
	assert_int_equal(domain_create(DOMID_INVALID, &config, &d), reason_err(R_NO_IOMMU));
	sim_shutdown();
}

static void faults_are_counted_with_their_device(void **state)
{
	struct iommu_fault f = { .kind = IOMMU_FAULT_UNMAPPED, .device = 0x10, .address = 0x1000 };
	struct iommu_device dev;
	struct domain *d = boot(1, &dev);

	iommu_fault(&fake.unit, &f);
	assert_int_equal(dev.faults, 1);
	f.device = 0x999; /* one that was never announced */
	iommu_fault(&fake.unit, &f);
	assert_int_equal(dev.faults, 1);
	end(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_follow_with_the_same_sizes),
		cmocka_unit_test(what_is_taken_away_is_flushed),
		cmocka_unit_test(a_large_page_over_small_ones_frees_their_table),
		cmocka_unit_test(types_decide_what_devices_may),
		cmocka_unit_test(a_granted_page_is_the_devices_too),
		cmocka_unit_test(random_changes_agree),
		cmocka_unit_test(devices_move_between_quarantine_and_one_domain),
		cmocka_unit_test(functions_with_one_id_stay_together),
		cmocka_unit_test(interrupts_are_given_before_they_are_used),
		cmocka_unit_test(without_a_unit_no_domain_is_made_for_devices),
		cmocka_unit_test(faults_are_counted_with_their_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
