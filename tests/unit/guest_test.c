/* SPDX-License-Identifier: Apache-2.0 */
/* The door into guest memory, and pins. */
#include "sim.h"

#define HOLE 0x100000u

static struct domain *d;
static struct vcpu *v;

static void boot(uint64_t seed)
{
	sim_boot(2, 32 << 20, seed);
	d = sim_domain(1, 16);
	v = d->vcpu[0];
	sim_as(v);
}

static void end(void)
{
	sim_as(NULL);
	domain_mem_check(d);
	for (uint64_t g = 0; g < 16; g++) {
		struct p2m_entry e = p2m_lookup(d, gfn(g));

		/* The door lets go of what it held. */
		if (p2m_type_is_ram(e.type))
			assert_int_equal(frame_of(e.mfn)->refs, 1);
	}
	sim_end(d);
	sim_shutdown();
}

static gva_t at(uint64_t g, uint64_t offset)
{
	return gva((g << PAGE_SHIFT) + offset);
}

/* ---- reading and writing ------------------------------------------------------------------------- */

static void any_place_and_length_copies_exactly(void **state)
{
	static uint8_t model[16 * PAGE_SIZE], buf[3 * PAGE_SIZE];

	for (uint64_t seed = 1; seed <= 2; seed++) {
		boot(seed);
		for (unsigned i = 0; i < sizeof(model); i++)
			model[i] = (uint8_t)sim_random(256);
		assert_int_equal(guest_write(v, gva(0), model, sizeof(model)), 0);
		for (unsigned step = 0; step < 600; step++) {
			size_t align = (size_t)1 << sim_random(4);
			size_t len = sim_random(3) ? sim_random(200) : sim_random(sizeof(buf));
			uint64_t where = sim_random(sizeof(model) - len) & ~(align - 1);

			len &= ~(align - 1);
			if (sim_random(2)) {
				for (size_t i = 0; i < len; i++)
					buf[i] = (uint8_t)sim_random(256);
				assert_int_equal(guest_write(v, gva(where), buf, len), 0);
				memcpy(model + where, buf, len);
			} else {
				memset(buf, 0, sizeof(buf));
				assert_int_equal(guest_read(v, buf, gva(where), len), 0);
				assert_memory_equal(buf, model + where, len);
				assert_int_equal(buf[len], 0);
			}
		}
		assert_int_equal(guest_phys_read(d, buf, gpa(100), PAGE_SIZE * 2), 0);
		assert_memory_equal(buf, model + 100, PAGE_SIZE * 2);
		end();
	}
}

static void absent_page_is_refused_with_its_address(void **state)
{
	uint64_t x[4] = { 0 };

	boot(1);
	assert_int_equal(guest_read(v, x, at(16, 0), 8), -EFAULT);
	assert_int_equal(reason_last()->id, R_BAD_GUEST_ADDRESS);
	assert_int_equal(reason_last()->object, 16u << PAGE_SHIFT);
	assert_int_equal(guest_write(v, at(16, 8), x, 8), -EFAULT);
	assert_int_equal(guest_writable(v, at(16, 8), 8), -EFAULT);
	/* The second page of two. */
	assert_int_equal(guest_read(v, x, at(15, PAGE_SIZE - 8), 16), -EFAULT);
	assert_int_equal(reason_last()->object, 16u << PAGE_SHIFT);
	assert_int_equal(guest_writable(v, at(15, PAGE_SIZE - 8), 16), -EFAULT);
	assert_int_equal(guest_writable(v, at(15, PAGE_SIZE - 8), 8), 0);
	/* Addresses at the ends of the space. */
	assert_int_equal(guest_read(v, x, gva(~0ull), 1), -EFAULT);
	assert_int_equal(guest_read(v, x, gva(~0ull - 3), 32), -EFAULT);
	assert_int_equal(guest_read(v, x, gva(1ull << 63), 8), -EFAULT);
	end();
}

static void nothing_is_never_refused(void **state)
{
	boot(1);
	assert_int_equal(guest_read(v, NULL, at(99, 0), 0), 0);
	assert_int_equal(guest_write(v, at(99, 0), NULL, 0), 0);
	assert_int_equal(guest_writable(v, at(99, 0), 0), 0);
	assert_int_equal(guest_phys_read(d, NULL, gpa(~0ull), 0), 0);
	end();
}

static void read_only_memory_is_not_written(void **state)
{
	mfn_t m;
	uint32_t x = 5;

	boot(1);
	m = p2m_lookup(d, gfn(3)).mfn;
	assert_int_equal(p2m_change(d, gfn(3), m, 0, P2M_RAM_RO), 0);
	assert_int_equal(guest_read(v, &x, at(3, 0), 4), 0);
	assert_int_equal(guest_write(v, at(3, 0), &x, 4), -EFAULT);
	assert_int_equal(guest_writable(v, at(3, 0), 4), -EFAULT);
	assert_int_equal(guest_phys_write(d, gpa(3 << PAGE_SHIFT), &x, 4), -EFAULT);
	assert_int_equal(reason_last()->id, R_GFN_NOT_RAM);
	end();
}

/* A page of another domain or of ours that a guest maps is not its memory: it may lose it at any moment. */
static void only_own_memory_is_copied(void **state)
{
	struct domain *other;
	uint32_t x = 5;
	mfn_t m;

	boot(1);
	other = sim_domain(1, 4);
	assert_int_equal(p2m_get_frame(other, gfn(1), true, &m), 0);
	assert_int_equal(p2m_change(d, gfn(HOLE), m, 0, P2M_FOREIGN), 0);
	assert_int_equal(guest_read(v, &x, at(HOLE, 0), 4), -EFAULT);
	assert_int_equal(guest_write(v, at(HOLE, 0), &x, 4), -EFAULT);
	assert_int_equal(guest_phys_read(d, &x, gpa((uint64_t)HOLE << PAGE_SHIFT), 4), -EFAULT);
	assert_int_equal(p2m_change(d, gfn(HOLE + 1), mfn(9), 0, P2M_MMIO_DIRECT), 0);
	assert_int_equal(guest_read(v, &x, at(HOLE + 1, 0), 4), -EFAULT);
	assert_int_equal(frame_of(m)->refs, 2);
	sim_as(NULL);
	sim_end(other);
	sim_as(v);
	/* Its domain is gone; the page stays until the mapping goes. */
	assert_int_equal(frame_of(m)->refs, 1);
	assert_int_equal(p2m_remove(d, gfn(HOLE), 0), 0);
	end();
}

static bool no_page_5(struct vcpu *who, gva_t va, bool write, gpa_t *pa)
{
	*pa = gpa(va.a);
	return va.a >> PAGE_SHIFT != 5;
}

static void guests_own_tables_count(void **state)
{
	uint32_t x;

	boot(1);
	sim_guest_set_translate(v, no_page_5);
	assert_int_equal(guest_read(v, &x, at(5, 0), 4), -EFAULT);
	assert_int_equal(guest_read(v, &x, at(6, 0), 4), 0);
	assert_int_equal(guest_phys_read(d, &x, gpa(5 << PAGE_SHIFT), 4), 0);
	end();
}

static void injected_absence_is_refused(void **state)
{
	char buf[2 * PAGE_SIZE];

	boot(1);
	sim_fail_copy(2); /* the quick try is asked again by the careful one */
	assert_int_equal(guest_read(v, buf, at(2, 0), sizeof(buf)), -EFAULT);
	assert_int_equal(guest_read(v, buf, at(2, 0), sizeof(buf)), 0);
	end();
}

/* ---- pins ---------------------------------------------------------------------------------------- */

static void pinned_frame_stays_when_the_guest_lets_go(void **state)
{
	struct pin p = { 0 };
	uint64_t used;
	mfn_t m;

	boot(1);
	used = d->mem.used;
	m = p2m_lookup(d, gfn(7)).mfn;
	assert_int_equal(pin_get(&p, d, gfn(7)), 0);
	assert_true(pin_held(&p));
	assert_int_equal(p.mfn.n, m.n);
	assert_int_equal(frame_of(m)->gfn_pins & 0xffffff, 1);
	write_once((uint32_t *)p.va, 77u);
	assert_int_equal(domain_depopulate(d, gfn(7), 0), 0);
	assert_int_equal(read_once((uint32_t *)p.va), 77);
	assert_int_equal(FRAME_STATE(frame_of(m)->state_flags), FRAME_HELD);
	assert_int_equal(d->mem.used, used); /* it is still paid for */
	pin_put(&p);
	assert_false(pin_held(&p));
	assert_int_equal(d->mem.used, used - 1);
	pin_put(&p);
	end();
}

static void pins_want_writable_own_ram(void **state)
{
	struct pin p = { 0 };
	mfn_t m;

	boot(1);
	assert_int_equal(pin_get(&p, d, gfn(99)), -EFAULT);
	assert_false(pin_held(&p));
	m = p2m_lookup(d, gfn(3)).mfn;
	assert_int_equal(p2m_change(d, gfn(3), m, 0, P2M_RAM_RO), 0);
	assert_int_equal(pin_get(&p, d, gfn(3)), -EFAULT);
	assert_int_equal(pin_get_va(&p, v, at(3, 0)), -EFAULT);
	assert_int_equal(pin_get_va(&p, v, at(99, 0)), -EFAULT);
	assert_int_equal(pin_get_va(&p, v, at(4, 100)), 0);
	assert_int_equal(p.mfn.n, p2m_lookup(d, gfn(4)).mfn.n);
	pin_put(&p);
	end();
}

/* ---- several CPUs -------------------------------------------------------------------------------- */

static bool done_changing;

static void read_all_the_time(void *arg)
{
	uint32_t x;

	while (!read_once(&done_changing)) {
		sim_check(guest_read(v, &x, at(HOLE + 9, 40), 4) == 0);
		sim_check(x == 4711);
		sim_check(guest_writable(v, at(HOLE + 9, 40), 4) == 0);
		sim_switch_point();
	}
}

static void split(void *arg)
{
	sim_check(domain_depopulate(d, gfn(HOLE + 20), 0) == 0);
	sim_check(domain_depopulate(d, gfn(HOLE + 21), 0) == 0);
	write_once(&done_changing, true);
}

static void door_never_sees_a_break(void **state)
{
	const uint32_t x = 4711;
	gfn_t g = gfn(HOLE);
	struct domain_config cfg = {
		.max_vcpus = 1,
		.max_frames = 1024,
		.max_evtchn = 64,
		.max_grant_frames = 1,
		.max_maptrack_frames = 1,
		.node = ALLOC_ANY_NODE,
	};

	for (uint64_t seed = 1; seed <= 20; seed++) {
		sim_boot(2, 32 << 20, seed);
		d = sim_domain_cfg(&cfg, 1);
		v = d->vcpu[0];
		assert_int_equal(domain_populate(d, &g, ORDER_2M, 0), 0);
		assert_int_equal(guest_phys_write(d, gpa(at(HOLE + 9, 40).a), &x, 4), 0);
		done_changing = false;
		sim_on_cpu(0, split, NULL);
		sim_on_cpu(1, read_all_the_time, NULL);
		sim_run(NULL, NULL);
		end();
	}
}

/* A page is taken away while it is copied: the copy goes to that page or is refused, never to a new owner. */
static void write_all_the_time(void *arg)
{
	uint64_t x = 0x1111111111111111;

	while (!read_once(&done_changing)) {
		int err = guest_write(v, at(9, 0), &x, sizeof(x));

		sim_check(err == 0 || err == -EFAULT);
		sim_switch_point();
	}
}

static void take_away(void *arg)
{
	for (unsigned i = 0; i < 20; i++) {
		gfn_t g = gfn(9);
		mfn_t m;

		sim_check(domain_depopulate(d, g, 0) == 0);
		m = frame_alloc(0, ALLOC_ANY_NODE, 0);
		sim_check(mfn_valid(m));
		for (unsigned k = 0; k < 5; k++) {
			sim_check(*(uint64_t *)frame_va(m) == 0);
			sim_switch_point();
		}
		frame_free(m, 0);
		sim_check(domain_populate(d, &g, 0, 0) == 0);
	}
	write_once(&done_changing, true);
}

static void copy_never_reaches_a_frame_of_others(void **state)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		boot(seed);
		sim_as(NULL);
		done_changing = false;
		sim_on_cpu(0, take_away, NULL);
		sim_on_cpu(1, write_all_the_time, NULL);
		sim_run(NULL, NULL);
		end();
	}
}

/* ---- from one domain to another ------------------------------------------------------------------------ */

/* The same as above by guest_fill(), whose guess of a frame is put to the test by the page before it. */
static void fill_all_the_time(void *arg)
{
	const uint64_t x[2] = { 0x1111111111111111, 0x1111111111111111 };

	sim_check(guest_write(v, at(3, PAGE_SIZE - 8), x, sizeof(x)) == 0);
	while (!read_once(&done_changing)) {
		int64_t n = guest_fill(v, d, gpa(at(8, PAGE_SIZE - 8).a), at(3, PAGE_SIZE - 8), 16);

		sim_check(n == 8 || n == 16);
		sim_switch_point();
	}
}

static void fill_never_reaches_a_frame_of_others(void **state)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		boot(seed);
		sim_as(NULL);
		done_changing = false;
		sim_on_cpu(0, take_away, NULL);
		sim_on_cpu(1, fill_all_the_time, NULL);
		sim_run(NULL, NULL);
		end();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_place_and_length_copies_exactly),
		cmocka_unit_test(absent_page_is_refused_with_its_address),
		cmocka_unit_test(nothing_is_never_refused),
		cmocka_unit_test(read_only_memory_is_not_written),
		cmocka_unit_test(only_own_memory_is_copied),
		cmocka_unit_test(guests_own_tables_count),
		cmocka_unit_test(injected_absence_is_refused),
		cmocka_unit_test(pinned_frame_stays_when_the_guest_lets_go),
		cmocka_unit_test(pins_want_writable_own_ram),
		cmocka_unit_test(door_never_sees_a_break),
		cmocka_unit_test(copy_never_reaches_a_frame_of_others),
		cmocka_unit_test(fill_never_reaches_a_frame_of_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
