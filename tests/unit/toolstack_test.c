/* SPDX-License-Identifier: Apache-2.0 */
/* The toolstack over libhvcore.a: a configuration becomes a domain, which runs and ends (toolstack.h). */
#include "toolstack.h"

#include <xen/hvm/params.h>

/* What the jobs work on. */
static struct made made;
static struct fault fault;
static bool ok;
static struct xen_domctl_getdomaininfo info;
static int result;

static void make(void)
{
	ok = domain_make(&tools, &config, &plan, &made, &fault);
}

static void unpause(void)
{
	result = hcall_info(&hcall, made.domid, &info);
	if (!result)
		result = hcall_simple(&hcall, made.domid, XEN_DOMCTL_unpausedomain);
}

static void unmake(void)
{
	result = domain_unmake(&hcall, made.domid);
}

static bool has_ended(void *arg)
{
	struct domain *d = domain_find(made.domid);

	return !d || d->state == DOMAIN_SHUTDOWN;
}

/* Nobody but dom0 is there. */
static bool is_gone(void *arg)
{
	return !domain_next(d0);
}

static void start_dom0(uint64_t seed, const char *more)
{
	boot(seed, more);
	made = (struct made){ .uuid = { 1, 2, 3 } };
	fault = (struct fault){ 0 };
	sim_guest_set(inproc_vcpu, dom0_guest, NULL, NULL);
	sim_start(d0);
}

static void a_domain_is_created_runs_and_is_destroyed(void **state)
{
	for (uint64_t seed = sim_first_seed(); seed <= sim_last_seed(5); seed++) {
		start_dom0(seed, NULL);
		inproc_xen = seed % 2 == 0; /* the builder's other way */
		in_dom0(make);
		inproc_xen = false;
		if (!ok)
			fail_msg("%s", fault.text);
		assert_true(made.store_port && made.console_port &&
			    made.store_port != made.console_port);
		assert_int_equal(domain_find(made.domid)->hvm_param[HVM_PARAM_STORE_PFN],
				 made.store_gfn);
		assert_false(seen.ran);

		in_dom0(unpause);
		assert_int_equal(result, 0);
		assert_int_equal(info.tot_pages, (16 << 20 >> PAGE_SHIFT) + 2);
		assert_int_equal(info.max_vcpu_id, 1);
		assert_memory_equal(info.handle, made.uuid, 16);
		assert_true(sim_run(has_ended, NULL));
		assert_true(seen.ran);
		assert_memory_equal(seen.kernel, kernel, sizeof(seen.kernel));
		assert_memory_equal(seen.tree, "\xd0\x0d\xfe\xed", 4);

		in_dom0(unmake);
		assert_int_equal(result, 0);
		assert_true(sim_run(is_gone, NULL));
		end();
	}
}

static void more_memory_than_there_is_leaves_nothing(void **state)
{
	start_dom0(1, "memory=512");
	in_dom0(make);
	assert_false(ok);
	assert_int_equal(fault.id, F_HYPERVISOR);
	assert_non_null(strstr(fault.text, "not enough free memory"));
	assert_true(sim_run(is_gone, NULL));
	end();
}

/* Each allocation of the hypervisor fails once: creation says so and leaves nothing, until none is left to fail. */
static void a_creation_that_fails_anywhere_leaves_nothing(void **state)
{
	unsigned n = 1, failures = 0;

	for (bool all = false; !all; n += n < 8 ? 1 : 7) {
		uint64_t before;

		assert_true(n < 1000);
		start_dom0(n, NULL);
		before = sim_failures(FAULT_ALLOC);
		sim_fail_alloc(n);
		in_dom0(make);
		all = sim_failures(FAULT_ALLOC) == before; /* there were fewer */
		sim_fail_alloc(0);
		if (!ok) {
			assert_int_equal(fault.id, F_HYPERVISOR);
			assert_true(strlen(fault.text) > 10);
			failures++;
		} else {
			in_dom0(unmake);
			assert_int_equal(result, 0);
		}
		assert_true(sim_run(is_gone, NULL));
		end();
	}
	assert_true(failures > 0);
}

/* Who watches stops it when asked for the n-th time. */
static unsigned asked, stop_at, memory_steps;

static bool stop_at_some_step(const char *what, uint64_t done, uint64_t total, struct fault *f)
{
	sim_check(done <= total);
	memory_steps += strcmp(what, "memory") == 0;
	return ++asked != stop_at || fault_set(f, F_INTERRUPTED, "stopped while %s", what);
}

static void a_creation_that_is_stopped_at_any_step_leaves_nothing(void **state)
{
	static const struct watch watch = { stop_at_some_step };

	tools.watch = &watch;
	for (stop_at = 1; asked + 1 >= stop_at; stop_at++) {
		start_dom0(stop_at, NULL);
		asked = memory_steps = 0;
		in_dom0(make);
		if (ok)
			break;
		assert_int_equal(fault.id, F_INTERRUPTED);
		assert_int_equal(asked, stop_at);
		assert_true(sim_run(is_gone, NULL));
		end();
	}
	/* Then nobody stopped it. All of its memory came in one batch, for 16 MiB are 8 large extents. */
	assert_true(ok);
	assert_int_equal(memory_steps, 1);
	assert_int_equal(asked, memory_steps + plan.nr_pieces);
	in_dom0(unmake);
	assert_true(sim_run(is_gone, NULL));
	end();
	tools.watch = NULL;
}

/* ---- channels and grants between dom0's tools and a guest -------------------------------------------------- */

#define GRANTED_GFN 5u

static struct events events = { &sim_events_ops };
static struct grants grants = { &sim_grants_ops };

static struct domain *peer;
static uint16_t peer_id;
static unsigned heard; /* events that the guest got */
static uint32_t our_port, peer_port, ref;
static uint8_t *frame;

/* Binds to the port that it is offered, says so, and counts what it hears; its memory says hello. */
static bool talk(struct vcpu *v, void *arg)
{
	static const char hello[] = "hello";
	uint32_t port;

	if (!peer_port) {
		struct evtchn_bind_interdomain op = { .remote_dom = d0->id,
						      .remote_port = our_port };
		struct evtchn_send send;

		sim_map_shared_info(v);
		sim_check_equal(sim_add_to_physmap(v, XENMAPSPACE_grant_table, 0, SIM_GRANTS_GFN),
				0);
		sim_guest_write(v, gva((uint64_t)GRANTED_GFN << PAGE_SHIFT), hello, sizeof(hello));
		sim_grant(v, 8, d0->id, GRANTED_GFN, false);
		sim_grant(v, 9, d0->id, GRANTED_GFN, true);
		sim_check_equal(sim_evtchn(v, EVTCHNOP_bind_interdomain, &op), 0);
		peer_port = op.local_port;
		send.port = peer_port;
		sim_check_equal(sim_evtchn(v, EVTCHNOP_send, &send), 0);
	}
	while ((port = sim_next_event(v)) != 0)
		heard += port == peer_port;
	sim_guest_wait(v);
	return true;
}

static void offer(void)
{
	sim_map_shared_info(inproc_vcpu);
	result = events_alloc(&events, peer->id, &our_port);
}

static void hear(void)
{
	uint32_t port;

	result = events_pending(&events, &port);
	if (result == 1 && port != our_port)
		result = -1;
}

static void tell(void)
{
	result = events_notify(&events, our_port);
}

static void unmask(void)
{
	result = events_unmask(&events, our_port);
}

static void leave(void)
{
	result = events_unbind(&events, our_port);
}

static void bind_nothing(void)
{
	uint32_t port;

	result = events_bind(&events, peer->id, 77, &port);
}

static void map_ref(void)
{
	frame = grants_map(&grants, peer->id, &ref, 1, true);
	result = frame ? 0 : -errno;
}

static void write_ref(void)
{
	memcpy(frame, "olleh", 5);
	grants_unmap(&grants, frame, 1);
}

static void ask_joined(void)
{
	result = hcall_joined(&hcall, our_port, peer_id, peer_port);
}

static void ask_joined_to_another_port(void)
{
	result = hcall_joined(&hcall, our_port, peer_id, peer_port + 1);
}

static void unmake_peer(void)
{
	result = domain_unmake(&hcall, peer_id);
}

static bool has_bound(void *arg)
{
	return peer_port != 0;
}

static bool has_heard(void *arg)
{
	return heard > *(unsigned *)arg;
}

static void with_peer(uint64_t seed)
{
	start_dom0(seed, NULL);
	peer_port = heard = 0;
	peer = sim_domain(1, 16);
	peer_id = peer->id;
	in_dom0(offer);
	assert_int_equal(result, 0);
	sim_guest_set(peer->vcpu[0], talk, NULL, NULL);
	sim_start(peer);
	assert_true(sim_run(has_bound, NULL));
}

static void events_go_both_ways(void **state)
{
	for (uint64_t seed = sim_first_seed(); seed <= sim_last_seed(5); seed++) {
		unsigned before;

		with_peer(seed);
		/* Joining makes the side that joined pending, sending makes ours. */
		do
			in_dom0(hear);
		while (result == 0);
		assert_int_equal(result, 1);
		/* It is masked until it is let again. */
		in_dom0(hear);
		assert_int_equal(result, 0);
		in_dom0(unmask);
		assert_int_equal(result, 0);
		before = heard;
		in_dom0(tell);
		assert_int_equal(result, 0);
		assert_true(sim_run(has_heard, &before));
		in_dom0(bind_nothing);
		assert_int_equal(result, -EINVAL);
		in_dom0(leave);
		assert_int_equal(result, 0);
		in_dom0(leave);
		assert_int_equal(result, -EINVAL);
		end();
	}
}

/* By which a daemon knows that the domain it serves is still the same one. */
static void a_channel_ends_with_the_domain_at_its_other_end(void **state)
{
	with_peer(1);
	in_dom0(ask_joined);
	assert_int_equal(result, 1);
	in_dom0(ask_joined_to_another_port);
	assert_int_equal(result, 0);
	in_dom0(unmake_peer);
	assert_int_equal(result, 0);
	in_dom0(ask_joined);
	assert_int_equal(result, 0);
	in_dom0(leave);
	assert_int_equal(result, 0);
	in_dom0(ask_joined);
	assert_int_equal(result, 0);
	end();
}

static void a_grant_is_mapped_as_it_allows(void **state)
{
	char text[8] = "";

	with_peer(1);
	ref = 9; /* may not be written */
	in_dom0(map_ref);
	assert_int_equal(result, -EINVAL);
	ref = 8;
	in_dom0(map_ref);
	assert_int_equal(result, 0);
	assert_string_equal((char *)frame, "hello");
	in_dom0(write_ref);
	assert_true(sim_peek(peer->vcpu[0], gva((uint64_t)GRANTED_GFN << PAGE_SHIFT), text, 6));
	assert_string_equal(text, "olleh");
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_domain_is_created_runs_and_is_destroyed),
		cmocka_unit_test(more_memory_than_there_is_leaves_nothing),
		cmocka_unit_test(a_creation_that_fails_anywhere_leaves_nothing),
		cmocka_unit_test(a_creation_that_is_stopped_at_any_step_leaves_nothing),
		cmocka_unit_test(events_go_both_ways),
		cmocka_unit_test(a_channel_ends_with_the_domain_at_its_other_end),
		cmocka_unit_test(a_grant_is_mapped_as_it_allows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
