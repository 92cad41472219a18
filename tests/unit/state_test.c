/* SPDX-License-Identifier: Apache-2.0 */
/* State records (hv/state.h) on the simulated machine: round trips, and what must be refused whole. */
#include "sim.h"

#include <arch/state.h>
#include <arch/timer.h>
#include <hv/state.h>
#include <public/state.h>
#include <xen/hvm/save.h>

static uint64_t space[512], copy[512]; /* aligned */
static size_t used;

static int save_into(struct domain *d, void *buf, size_t size)
{
	struct state_save s;
	int err = state_save_begin(&s, d, buf, size);

	while (!err || err == -ERR_RESTART) {
		err = state_save_step(&s);
		if (!err) {
			used = s.used;
			return 0;
		}
	}
	return err;
}

static int save(struct domain *d)
{
	return save_into(d, space, sizeof(space));
}

static int load(struct domain *d, const void *buf, size_t size)
{
	struct state_load s;
	int err = state_load_begin(&s, d, buf, size);

	if (err)
		return err;
	do
		err = state_load_step(&s);
	while (err == -ERR_RESTART);
	return err;
}

static enum reason reason(void)
{
	return (enum reason)reason_last()->id;
}

/* A domain of three vCPUs whose state is all different; paused since it was created. */
static struct domain *some_domain(uint64_t seed)
{
	struct domain *d = sim_domain(3, 8);
	struct vcpu *v;

	for (unsigned i = 0; i < 256; i++)
		((uint8_t *)d->arch.frame)[i] = (uint8_t)(i * 7 + seed);
	domain_for_each_vcpu(v, d)
	{
		v->arch.nr = seed * 100 + v->id;
		for (unsigned i = 0; i < 6; i++)
			v->arch.arg[i] = seed * 1000 + v->id * 10 + i;
	}
	return d;
}

/* The place of a record in `buf`; what = 0: the end. */
static struct hvm_save_descriptor *find(void *buf, uint16_t what, uint16_t instance)
{
	struct hvm_save_descriptor *desc = buf;

	while (desc->typecode && (desc->typecode != what || desc->instance != instance))
		desc = (void *)((char *)(desc + 1) + desc->length);
	assert_int_equal(desc->typecode, what);
	return desc;
}

/* ---- round trips ------------------------------------------------------------------------------- */

static void a_state_has_the_size_that_was_announced(void **state)
{
	struct domain *d;

	sim_boot(2, 64 << 20, 1);
	d = some_domain(1);
	assert_int_equal(save(d), 0);
	assert_int_equal(used, state_size(d));
	assert_int_equal(used, 8 * 9 + 16 + 264 + 3 * (32 + 64));
	assert_int_equal(save_into(d, copy, used), 0);
	assert_memory_equal(space, copy, used);
	assert_int_equal(save_into(d, copy, used - 1), reason_err(R_STATE_BUFFER));
	sim_end(d);
	sim_shutdown();
}

static void what_was_saved_comes_back_in_another_domain(void **state)
{
	struct domain *from, *to;
	struct vcpu *v;

	sim_boot(2, 64 << 20, 1);
	from = some_domain(1);
	to = some_domain(2);
	from->vcpu[0]->initialised = from->vcpu[1]->initialised = true;
	(void)vcpu_transition(from->vcpu[1], VCPU_UP);
	from->vcpu[1]->arch.upcall = 1;
	to->vcpu[2]->initialised = true;
	(void)vcpu_transition(to->vcpu[2], VCPU_UP);
	assert_int_equal(save(from), 0);
	assert_int_equal(load(to, space, used), 0);
	domain_for_each_vcpu(v, from)
	{
		struct vcpu *w = to->vcpu[v->id];

		assert_int_equal(vcpu_state(w), vcpu_state(v));
		assert_int_equal(w->initialised, v->initialised);
		assert_int_equal(w->arch.upcall, v->arch.upcall);
		assert_int_equal(w->arch.nr, v->arch.nr);
		assert_memory_equal(w->arch.arg, v->arch.arg, sizeof(v->arch.arg));
	}
	assert_memory_equal(from->arch.frame, to->arch.frame, 256);
	assert_int_equal(vcpu_state(to->vcpu[1]), VCPU_READY);
	assert_int_equal(vcpu_state(to->vcpu[2]), VCPU_OFFLINE);
	/* And again: the same bytes. */
	assert_int_equal(save_into(to, copy, sizeof(copy)), 0);
	assert_memory_equal(space, copy, used);
	sim_end(from);
	sim_end(to);
	sim_shutdown();
}

static void timers_keep_their_distance(void **state)
{
	struct krypton_state_vcpu *r;
	struct domain *d;
	struct vcpu *v;

	sim_boot_config(&(struct sim_config){ .cpus = 1, .clock_stands = true });
	d = some_domain(1);
	v = d->vcpu[0];
	v->period = 5000000;
	timer_set(&v->periodic, arch_time_ns() + 3000000);
	timer_set(&v->singleshot, arch_time_ns() + 9000000);
	assert_int_equal(save(d), 0);
	r = (void *)(find(space, KRYPTON_STATE_VCPU, 0) + 1);
	assert_int_equal(r->periodic, 3000000);
	assert_int_equal(r->singleshot, 9000000);
	assert_int_equal(r->period, 5000000);
	timer_stop(&v->periodic);
	timer_stop(&v->singleshot);
	v->period = 0;
	sim_advance(1000000000);
	assert_int_equal(load(d, space, used), 0);
	assert_true(timer_armed(&v->periodic) && timer_armed(&v->singleshot));
	assert_int_equal(v->periodic.expires, arch_time_ns() + 3000000);
	assert_int_equal(v->singleshot.expires, arch_time_ns() + 9000000);
	assert_int_equal(v->period, 5000000);
	/* One that was not armed is not, afterwards. */
	assert_int_equal(save(d), 0);
	r = (void *)(find(space, KRYPTON_STATE_VCPU, 1) + 1);
	assert_true(r->periodic == KRYPTON_NEVER && r->singleshot == KRYPTON_NEVER && !r->period);
	timer_set(&d->vcpu[1]->singleshot, arch_time_ns() + 1);
	assert_int_equal(load(d, space, used), 0);
	assert_false(timer_armed(&d->vcpu[1]->singleshot));
	sim_end(d);
	sim_shutdown();
}

/* Guests that work and wait while somebody saves them and loads them again and again. */
struct counting {
	unsigned rounds, upcalls;
	evtchn_port_t port;
};

static bool counts(struct vcpu *v, void *arg)
{
	struct counting *c = arg;
	struct evtchn_send send = { .port = c->port };
	unsigned seen = c->upcalls;

	if (!sim_next_event(v))
		sim_guest_pause(v);
	sim_check_equal(sim_evtchn(v, EVTCHNOP_send, &send), 0);
	sim_wait_change(v, &c->upcalls, seen);
	c->rounds++;
	return true;
}

static void counted(struct vcpu *v, void *arg)
{
	struct counting *c = arg;

	while (sim_next_event(v))
		write_once(&c->upcalls, c->upcalls + 1);
}

static bool stopped(void *arg)
{
	struct domain *d = arg;
	struct vcpu *v;

	domain_for_each_vcpu(v, d) if (!vcpu_off_cpu(v)) return false;
	return true;
}

static bool past(void *arg)
{
	return ((struct counting *)arg)->rounds >= 20;
}

static void a_running_domain_goes_on_from_its_own_state(void **state)
{
	for (uint64_t seed = sim_first_seed(); seed <= sim_last_seed(10); seed++) {
		struct counting c = { 0 };
		struct evtchn_bind_ipi ipi = { 0 };
		struct domain *d;
		unsigned before;

		sim_boot(2, 64 << 20, seed);
		d = sim_domain(1, 8);
		sim_map_shared_info(d->vcpu[0]);
		sim_check_equal(sim_evtchn(d->vcpu[0], EVTCHNOP_bind_ipi, &ipi), 0);
		c.port = ipi.port;
		sim_guest_set(d->vcpu[0], counts, counted, &c);
		sim_start(d);
		for (unsigned i = 0; i < 10; i++) {
			sim_run_for(sim_random(20000));
			domain_pause(d);
			assert_true(sim_run(stopped, d));
			assert_int_equal(save(d), 0);
			assert_int_equal(load(d, space, used), 0);
			domain_unpause(d);
		}
		before = c.rounds;
		c.rounds = 0;
		assert_true(sim_run(past, &c));
		assert_true(before + c.rounds >= 20);
		sim_end(d);
		sim_shutdown();
	}
}

/* ---- refusals ----------------------------------------------------------------------------------- */

static bool spins(struct vcpu *v, void *arg)
{
	sim_guest_pause(v);
	return true;
}

static bool on_cpu(void *arg)
{
	return !stopped(arg);
}

static void a_domain_must_stand_still(void **state)
{
	struct domain *d;

	sim_boot(2, 64 << 20, 1);
	d = sim_domain(1, 8);
	assert_int_equal(save(d), 0); /* paused since it was made */
	sim_guest_set(d->vcpu[0], spins, NULL, NULL);
	sim_start(d);
	assert_true(save(d) < 0);
	assert_int_equal(reason(), R_STATE_RUNNING);
	assert_true(load(d, space, used) < 0);
	assert_int_equal(reason(), R_STATE_RUNNING);
	assert_true(sim_run(on_cpu, d));
	domain_pause(d); /* it has not left its CPU yet */
	assert_true(save(d) < 0);
	assert_int_equal(reason(), R_STATE_RUNNING);
	assert_true(sim_run(stopped, d));
	assert_int_equal(save(d), 0);
	assert_int_equal(load(d, space, used), 0);
	domain_unpause(d);
	sim_end(d);
	sim_shutdown();
}

/* A domain to spoil states for: any load that succeeds or leaves a trace is found. */
static struct domain *target;
static uint64_t before[512];
static size_t before_used;

static void expect_refused_sized(size_t size, enum reason why)
{
	int err = load(target, copy, size);

	assert_true(err < 0);
	assert_int_equal(reason(), why);
	assert_int_equal(err, reason_err(why));
	/* Nothing was half loaded. */
	assert_int_equal(save_into(target, copy, sizeof(copy)), 0);
	assert_int_equal(used, before_used);
	assert_memory_equal(copy, before, used);
	memcpy(copy, space, sizeof(copy));
}

static size_t good;

static void expect_refused(enum reason why)
{
	expect_refused_sized(good, why);
}

static struct hvm_save_descriptor *bad(uint16_t code, uint16_t instance)
{
	return find(copy, code, instance);
}

static void *bad_record(uint16_t code, uint16_t instance)
{
	return bad(code, instance) + 1;
}

/* Take a record out of the copy, or put one there twice. */
static size_t without(uint16_t code, uint16_t instance)
{
	struct hvm_save_descriptor *desc = bad(code, instance);
	size_t n = sizeof(*desc) + desc->length, at = (size_t)((char *)desc - (char *)copy);

	memmove(desc, (char *)desc + n, good - at - n);
	return good - n;
}

static size_t doubled(uint16_t code, uint16_t instance)
{
	struct hvm_save_descriptor *desc = bad(code, instance);
	size_t n = sizeof(*desc) + desc->length, at = (size_t)((char *)desc - (char *)copy);

	memmove((char *)desc + n, desc, good - at);
	return good + n;
}

static struct domain *source;

static void begin_refusals(void)
{
	sim_boot_config(&(struct sim_config){ .cpus = 2, .clock_stands = true });
	source = some_domain(1);
	target = some_domain(2);
	assert_int_equal(save_into(target, before, sizeof(before)), 0);
	before_used = used;
	assert_int_equal(save(source), 0);
	good = used;
	memcpy(copy, space, sizeof(copy));
}

static void end_refusals(void)
{
	/* The good one would have been taken. */
	assert_int_equal(load(target, copy, good), 0);
	sim_end(source);
	sim_end(target);
	sim_shutdown();
}

static void short_states_are_refused_at_any_length(void **state)
{
	begin_refusals();
	for (size_t n = 0; n < good; n++)
		expect_refused_sized(n, R_STATE_SHORT);
	bad(KRYPTON_STATE_SIM_VCPU, 2)->length = 0xfffffff8;
	expect_refused(R_STATE_SHORT);
	bad(KRYPTON_STATE_SIM_VCPU, 2)->length += 8; /* to the end's own descriptor, and past it */
	expect_refused(R_STATE_LENGTH);
	expect_refused_sized(good + 8, R_STATE_TRAILING);
	end_refusals();
}

static void records_are_all_there_once_and_in_order(void **state)
{
	begin_refusals();
	expect_refused_sized(without(KRYPTON_STATE_HEADER, 0), R_STATE_MISSING);
	expect_refused_sized(without(KRYPTON_STATE_VCPU, 1), R_STATE_MISSING);
	expect_refused_sized(without(KRYPTON_STATE_SIM_VCPU, 2), R_STATE_MISSING);
	expect_refused_sized(doubled(KRYPTON_STATE_HEADER, 0), R_STATE_ORDER);
	expect_refused_sized(doubled(KRYPTON_STATE_VCPU, 2), R_STATE_ORDER);
	expect_refused_sized(doubled(KRYPTON_STATE_SIM_DEVICE, 0), R_STATE_ORDER);
	expect_refused_sized(doubled(KRYPTON_STATE_SIM_VCPU, 2), R_STATE_ORDER);
	bad(KRYPTON_STATE_VCPU, 0)->instance = 1;
	expect_refused(R_STATE_MISSING);
	bad(KRYPTON_STATE_VCPU, 1)->instance = 0;
	expect_refused(R_STATE_ORDER);
	bad(KRYPTON_STATE_VCPU, 2)->instance = 3;
	expect_refused(R_STATE_INSTANCE);
	bad(KRYPTON_STATE_VCPU, 2)->instance = 0xffff;
	expect_refused(R_STATE_INSTANCE);
	bad(KRYPTON_STATE_HEADER, 0)->instance = 1;
	expect_refused(R_STATE_INSTANCE);
	bad(KRYPTON_STATE_SIM_DEVICE, 0)->typecode = KRYPTON_STATE_ARM_GICD;
	expect_refused(R_STATE_UNKNOWN);
	bad(KRYPTON_STATE_SIM_VCPU, 0)->typecode = 2; /* Xen's CPU */
	expect_refused(R_STATE_UNKNOWN);
	bad(0, 0)->instance = 1;
	expect_refused(R_STATE_LENGTH);
	end_refusals();
}

static void records_are_what_they_should_be(void **state)
{
	struct krypton_state_vcpu *v;

	begin_refusals();
	*(uint32_t *)bad_record(KRYPTON_STATE_SIM_VCPU, 1) = 2;
	expect_refused(R_STATE_VERSION);
	*(uint32_t *)bad_record(KRYPTON_STATE_HEADER, 0) = 0;
	expect_refused(R_STATE_VERSION);
	((struct krypton_state_header *)bad_record(KRYPTON_STATE_HEADER, 0))->magic++;
	expect_refused(R_STATE_FIELD);
	((struct krypton_state_header *)bad_record(KRYPTON_STATE_HEADER, 0))->machine = 183;
	expect_refused(R_STATE_MACHINE);
	((struct krypton_state_header *)bad_record(KRYPTON_STATE_HEADER, 0))->max_vcpus = 4;
	expect_refused(R_STATE_VCPUS);
	((struct krypton_state_header *)bad_record(KRYPTON_STATE_HEADER, 0))->reserved = 1;
	expect_refused(R_STATE_FIELD);
	v = bad_record(KRYPTON_STATE_VCPU, 2);
	v->flags = 4;
	expect_refused(R_STATE_FIELD);
	v->flags = KRYPTON_VCPU_UP; /* without a context */
	expect_refused(R_STATE_FIELD);
	v->period = 1000000;
	expect_refused(R_STATE_FIELD);
	v->periodic = 5;
	expect_refused(R_STATE_FIELD);
	v->periodic = v->period = 5;
	expect_refused(R_STATE_FIELD);
	/* The last record of all: by then everything else has been looked at. */
	((struct krypton_state_sim_vcpu *)bad_record(KRYPTON_STATE_SIM_VCPU, 2))->upcall = 2;
	expect_refused(R_STATE_FIELD);
	end_refusals();
}

static void optional_records_may_be_missing(void **state)
{
	size_t n;

	begin_refusals();
	n = without(KRYPTON_STATE_SIM_DEVICE, 0);
	assert_int_equal(load(target, copy, n), 0);
	assert_int_equal(target->vcpu[2]->arch.nr, 102);
	assert_int_equal(((uint8_t *)target->arch.frame)[1], 7 + 2); /* as it was */
	memcpy(copy, space, sizeof(copy));
	end_refusals();
}

/* Whatever a bit becomes: refused whole, or loaded whole, which saving, loading and saving again shows. */
static void any_bit_may_be_wrong(void **state)
{
	unsigned refused = 0;

	begin_refusals();
	assert_int_equal(load(target, space, good), 0);
	for (size_t i = 0; i < 8 * good; i++) {
		((uint8_t *)copy)[i / 8] ^= (uint8_t)(1u << i % 8);
		if (load(target, copy, good) != 0) {
			refused++;
			assert_int_equal(save_into(target, copy, sizeof(copy)), 0);
			assert_memory_equal(copy, space, good);
		} else {
			assert_int_equal(save_into(target, copy, sizeof(copy)), 0);
			assert_int_equal(load(target, copy, good), 0);
			assert_int_equal(save_into(target, before, sizeof(before)), 0);
			assert_memory_equal(copy, before, good);
			assert_int_equal(load(target, space, good), 0);
		}
		memcpy(copy, space, sizeof(copy));
	}
	/* Framing, versions, and what has few values; the rest is data. */
	assert_true(refused > 8 * (9 * 8 + 8 * 4));
	end_refusals();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_state_has_the_size_that_was_announced),
		cmocka_unit_test(what_was_saved_comes_back_in_another_domain),
		cmocka_unit_test(timers_keep_their_distance),
		cmocka_unit_test(a_running_domain_goes_on_from_its_own_state),
		cmocka_unit_test(a_domain_must_stand_still),
		cmocka_unit_test(short_states_are_refused_at_any_length),
		cmocka_unit_test(records_are_all_there_once_and_in_order),
		cmocka_unit_test(records_are_what_they_should_be),
		cmocka_unit_test(optional_records_may_be_missing),
		cmocka_unit_test(any_bit_may_be_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
