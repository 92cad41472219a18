/* SPDX-License-Identifier: Apache-2.0 */
/* Boot-time domains under kr-supervisor (supervisor/boot.h), which may be killed and started again at any moment: each end is reported. */
#include "toolstack.h"

#include "fakestore.h"
#include "supervisor/boot.h"
#include "supervisor/record.h"
#include <stdlib.h>

static struct made made;
static struct fault fault;
static bool ok, soon;

/* ---- what is reported ------------------------------------------------------------------------------------ */

static char reports[1000];

static void hear(int domid, const char *name, const char *what, const char *action)
{
	size_t n = strlen(reports);

	snprintf(reports + n, sizeof(reports) - n, "%d %s %s%s%s\n", domid, name, what,
		 action ? " -> " : "", action ? action : "");
}

static void fail_with(const char *text)
{
	fail_msg("%s", text);
}

static struct boot_watch watch;

/* kill -9, and another one. */
static void new_supervisor(void)
{
	watch = (struct boot_watch){ .report = hear, .complain = fail_with };
}

static void do_look(void)
{
	soon = boot_look(&watch, &tools);
}

/* What is reported by one look. */
static const char *reported(void)
{
	reports[0] = 0;
	in_dom0(do_look);
	return reports;
}

/* ---- scenes ---------------------------------------------------------------------------------------------- */

static char folder[] = "/tmp/boot-test-XXXXXX";

static void make(void)
{
	ok = domain_make(&tools, &config, &plan, &made, &fault);
}

static void unmake(void)
{
	ok = domain_unmake(&hcall, made.domid) == 0;
}

static void run(void)
{
	ok = hcall_simple(&hcall, made.domid, XEN_DOMCTL_unpausedomain) == 0;
}

static bool has_ended(void *arg)
{
	return domain_find(made.domid)->state == DOMAIN_SHUTDOWN;
}

/* A domain without UUID and name, as the hypervisor makes them; and a kr-supervisor. */
static int start(void **state)
{
	strcpy(folder + sizeof(folder) - 7, "XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	record_folder = folder;
	tools.store = fakestore_open();
	boot(1, NULL);
	sim_guest_set(inproc_vcpu, dom0_guest, NULL, NULL);
	sim_start(d0);
	made = (struct made){ 0 };
	in_dom0(make);
	new_supervisor();
	return !ok;
}

static int finish(void **state)
{
	char command[100];

	end();
	fakestore_empty();
	client_close(tools.store);
	tools.store = NULL;
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command); /* NOLINT(cert-env33-c): a folder of our own */
}

static bool is_known(void)
{
	char path[100];

	snprintf(path, sizeof(path), "%s/boot-%u.json", folder, made.domid);
	return access(path, F_OK) == 0;
}

/* ---- tests ----------------------------------------------------------------------------------------------- */

static void it_is_adopted_once_whoever_looks(void **state)
{
	assert_string_equal(reported(), "1 boot-1 found running since boot -> adopted\n");
	assert_string_equal(fakestore_value("/local/domain/1/name"), "boot-1");
	assert_int_equal(fakestore_introduced, 1);
	assert_true(is_known());
	assert_string_equal(reported(), "");
	assert_false(soon);
	new_supervisor();
	assert_string_equal(reported(), "");
	assert_int_equal(fakestore_introduced, 1);
}

static void its_end_is_reported(void **state)
{
	reported();
	in_dom0(unmake);
	assert_string_equal(reported(), "1 boot-1 destroyed\n");
	assert_null(fakestore_value("/local/domain/1/name"));
	assert_false(is_known());
	assert_string_equal(reported(), "");
}

static void its_end_is_reported_by_the_next_supervisor(void **state)
{
	reported();
	new_supervisor();
	in_dom0(unmake);
	assert_string_equal(reported(), "1 boot-1 destroyed\n");
	assert_false(is_known());
	new_supervisor();
	assert_string_equal(reported(), "");
}

/* kr destroy takes away what the store has of it, too. */
static void its_end_is_reported_when_the_store_has_forgotten_it(void **state)
{
	reported();
	new_supervisor();
	in_dom0(unmake);
	fakestore_empty();
	assert_string_equal(reported(), "1 boot-1 destroyed\n");
}

/* It was called by another name, which is the one that people know. */
static void its_last_name_is_reported(void **state)
{
	reported();
	fakestore_set("/local/domain/1/name", "router");
	new_supervisor();
	in_dom0(unmake);
	assert_string_equal(reported(), "1 router destroyed\n");
}

static void how_it_ended_is_what_the_hypervisor_said(void **state)
{
	reported();
	in_dom0(run);
	sim_check(sim_run(has_ended, NULL));
	/* Shut down, but there: what comes next may come without an event. */
	assert_string_equal(reported(), "");
	assert_true(soon);
	new_supervisor();
	log_info("d%u: guest powered off",
		 made.domid); /* as boot_domain_ended() of the hypervisor */
	in_dom0(unmake);
	assert_string_equal(reported(), "1 boot-1 powered off\n");
}

/* Built again between two looks: what was adopted was another one. */
static void one_that_was_built_again_unseen_is_reported(void **state)
{
	reported();
	fakestore_remove("/local/domain/1/name");
	assert_string_equal(reported(), "1 boot-1 ended\n1 boot-1 made again -> adopted\n");
	assert_string_equal(reported(), "");
}

/* The hypervisor had not finished it: it is the same one, of which nothing is said twice. */
static void one_that_was_found_half_built_is_completed(void **state)
{
	reported();
	assert_false(watch.domain[0].partial);
	watch.domain[0].partial = true;
	fakestore_remove("/local/domain/1/name");
	assert_string_equal(reported(), "");
	assert_string_equal(fakestore_value("/local/domain/1/name"), "boot-1");
	assert_false(watch.domain[0].partial);
}

/* A guest of kr's got its number meanwhile: nothing of that one is touched. */
static void another_guest_with_its_number_keeps_what_it_has(void **state)
{
	struct boot_domain was;

	reported();
	was = watch.domain[0];
	in_dom0(unmake);
	assert_string_equal(reported(), "1 boot-1 destroyed\n");
	made = (struct made){ .uuid = { 1, 2, 3 } };
	in_dom0(make);
	assert_true(ok);
	fakestore_set("/local/domain/2/name", "guest");
	assert_int_equal(made.domid, 2);
	was.domid = 2;
	watch.domain[0] = was;
	assert_string_equal(reported(), "2 boot-1 destroyed\n");
	assert_string_equal(fakestore_value("/local/domain/2/name"), "guest");
}

int main(void)
{
#define in_scene(f) cmocka_unit_test_setup_teardown(f, start, finish)
	const struct CMUnitTest tests[] = {
		in_scene(it_is_adopted_once_whoever_looks),
		in_scene(its_end_is_reported),
		in_scene(its_end_is_reported_by_the_next_supervisor),
		in_scene(its_end_is_reported_when_the_store_has_forgotten_it),
		in_scene(its_last_name_is_reported),
		in_scene(how_it_ended_is_what_the_hypervisor_said),
		in_scene(one_that_was_built_again_unseen_is_reported),
		in_scene(one_that_was_found_half_built_is_completed),
		in_scene(another_guest_with_its_number_keeps_what_it_has),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
