/* SPDX-License-Identifier: Apache-2.0 */
/* A scene of toolstack.h with a store: "guest" is domain 1, "other" is domain 2; both are paused and have never run. */
#ifndef TESTS_UNIT_TWO_GUESTS_H
#define TESTS_UNIT_TWO_GUESTS_H

#include "toolstack.h"

#include "fakestore.h"

/* More of their configuration, where a test has none. */
#ifndef TWO_GUESTS_MORE
#define TWO_GUESTS_MORE NULL
#endif

static struct made guest;

static void make(void)
{
	struct fault f;

	if (!domain_make(&tools, &config, &plan, &guest, &f) ||
	    !store_add(&tools, &config, &guest, &f))
		sim_fail("%s", f.text);
}

static int two_guests(void **state)
{
	fakestore_empty();
	boot(1, TWO_GUESTS_MORE);
	tools.store = fakestore_open();
	fakestore_set("/local/domain/0/name", "Domain-0");
	sim_guest_set(inproc_vcpu, dom0_guest, NULL, NULL);
	sim_start(d0);
	guest = (struct made){ .uuid = { 1 } };
	in_dom0(make);
	config.name = "other";
	guest = (struct made){ .uuid = { 2 } };
	in_dom0(make);
	assert_int_equal(guest.domid, 2);
	return 0;
}

static bool both_gone(void *arg)
{
	return !domain_find(1) && !domain_find(2);
}

/* Its end, when somebody has destroyed what was left of them. */
static int end_without_guests(void)
{
	sim_check(sim_run(both_gone, NULL));
	end();
	client_close(tools.store);
	fakestore_empty();
	return 0;
}

#endif
