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
	sim_guest_set(v0, dom0_guest, NULL, NULL);
	sim_start(d0);
}

static void a_domain_is_created_runs_and_is_destroyed(void **state)
{
	for (uint64_t seed = sim_first_seed(); seed <= sim_last_seed(5); seed++) {
		start_dom0(seed, NULL);
		in_dom0(make);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_domain_is_created_runs_and_is_destroyed),
		cmocka_unit_test(more_memory_than_there_is_leaves_nothing),
		cmocka_unit_test(a_creation_that_fails_anywhere_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
