/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kr's commands over libhvcore.a (toolstack.h) and a store of a list of nodes (fakestore.h): each is called as main() calls it, with --json and without,
 * and what it says is compared with what the hypervisor and the store have.
 */
#include "two_guests.h"

#include "ctl/ctl.h"
#include "domain/change.h"
#include "domain/store_write.h"
#include <getopt.h>
#include <hv/console.h>
#include <hv/log.h>
#include <hv/sched.h>
#include <signal.h>
#include <xen/grant_table.h>

#define MOST_WORDS 8

/* ---- one command --------------------------------------------------------------------------------------- */

static struct {
	char line[200];
	bool json;
	int status;
	json_t *object;
	char *text; /* its standard output */
} call;

static void run(void)
{
	char *words[MOST_WORDS + 1] = { NULL }, copy[sizeof(call.line)], *save;
	struct ctl c = { .json = call.json, .object = json_object() };
	FILE *before = stdout;
	size_t n;
	int argc = 0;

	snprintf(copy, sizeof(copy), "%s", call.line);
	for (char *w = strtok_r(copy, " ", &save); w && argc < MOST_WORDS;
	     w = strtok_r(NULL, " ", &save))
		words[argc++] = w;
	c.command = command_find(words[0]);
	sim_check(c.command != NULL);
	stdout = open_memstream(&call.text, &n);
	optind = 0;
	call.status = c.command->run(&c, argc, words);
	fclose(stdout);
	stdout = before;
	call.object = c.object;
}

static void forget_call(void)
{
	json_decref(call.object);
	free(call.text);
	call.object = NULL;
	call.text = NULL;
}

static void kr(int status, bool json, const char *line)
{
	forget_call();
	snprintf(call.line, sizeof(call.line), "%s", line);
	call.json = json;
	in_dom0(run);
	if (call.status != status)
		fail_msg("kr %s: status %d: %s", line, call.status,
			 json_dumps(call.object, JSON_INDENT(1)));
}

/* It is done; with a `word` to look for in its text, in both forms. The object is that of --json. */
static const json_t *done(const char *line, const char *word)
{
	if (word)
		kr(CTL_DONE, false, line);
	if (word && !strstr(call.text, word))
		fail_msg("kr %s prints no %s:\n%s", line, word, call.text);
	kr(CTL_DONE, true, line);
	assert_null(json_object_get(call.object, "faults"));
	return call.object;
}

/* It is refused for `reason`. */
static void refused(const char *line, const char *reason)
{
	const json_t *fault;

	kr(CTL_REFUSED, true, line);
	fault = json_array_get(json_object_get(call.object, "faults"), 0);
	assert_string_equal(json_string_value(json_object_get(fault, "reason")), reason);
	assert_true(strlen(json_string_value(json_object_get(fault, "message"))) > 10);
}

static const json_t *item(const json_t *object, const char *list, size_t i)
{
	return json_array_get(json_object_get(object, list), i);
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static long number_of(const json_t *object, const char *key)
{
	return (long)json_integer_value(json_object_get(object, key));
}

/* ---- two guests ------------------------------------------------------------------------------------------ */

static int no_guests(void **state)
{
	for (int i = 1; i <= 2; i++)
		if (domain_find((domid_t)i)) {
			char line[20];

			snprintf(line, sizeof(line), "destroy %d", i);
			kr(CTL_DONE, true, line);
		}
	forget_call();
	return end_without_guests();
}

/* ---- the commands ---------------------------------------------------------------------------------------- */

static void domains_are_listed_shortly_and_whole(void **state)
{
	const json_t *o = done("list", "guest"), *d;

	assert_int_equal(json_array_size(json_object_get(o, "domains")), 3);
	d = item(o, "domains", 1);
	assert_int_equal(number_of(d, "domid"), 1);
	assert_string_equal(text_of(d, "name"), "guest");
	assert_string_equal(text_of(d, "state"), "paused");
	assert_int_equal(number_of(d, "memory_kib"), (16 << 10) + 8);

	fakestore_set("/local/domain/0/backend/vbd/2/51712/state", "4");
	fakestore_set("/local/domain/0/backend/vbd/2/51712/dev", "xvda");
	d = item(done("list -l other", "xvda"), "domains", 0);
	assert_string_equal(text_of(d, "uuid"), "02000000-0000-0000-0000-000000000000");
	assert_int_equal(number_of(d, "vcpus"), 2);
	assert_string_equal(text_of(d, "kernel"), "k");
	assert_string_equal(text_of(item(d, "disks", 0), "state"), "connected");
	refused("list nobody", "NO_SUCH_DOMAIN");
	refused("list 77", "NO_SUCH_DOMAIN");
	kr(CTL_USAGE, true, "list guest other");
	kr(CTL_USAGE, true, "list -x");
}

static void devices_are_listed_with_their_state(void **state)
{
	const json_t *o;

	fakestore_set("/local/domain/0/backend/vif/1/0/state", "2");
	fakestore_set("/local/domain/0/backend/vif/1/0/mac", "00:16:3e:00:00:01");
	fakestore_set("/local/domain/0/backend/vif/1/0/bridge", "xenbr0");
	o = done("network-list guest", "00:16:3e:00:00:01");
	assert_string_equal(text_of(item(o, "devices", 0), "state"), "waiting");
	assert_string_equal(text_of(item(o, "devices", 0), "bridge"), "xenbr0");
	assert_null(item(done("block-list", NULL), "devices", 0));
	/* A state that there is not, which a guest may have written. */
	fakestore_set("/local/domain/0/backend/vif/1/0/state", "99");
	assert_string_equal(text_of(item(done("network-list", NULL), "devices", 0), "state"),
			    "unknown");
	kr(CTL_USAGE, true, "block-list guest other");
}

static void a_domain_is_renamed_to_what_nobody_has(void **state)
{
	done("rename guest web", NULL);
	assert_string_equal(fakestore_value("/local/domain/1/name"), "web");
	assert_string_equal(fakestore_value("/vm/01000000-0000-0000-0000-000000000000/name"),
			    "web");
	refused("rename web other", "NAME_TAKEN");
	refused("rename guest again", "NO_SUCH_DOMAIN");
	refused("rename web a/b", "CONFIG_VALUE");
	refused("rename web 17", "CONFIG_VALUE");
	assert_string_equal(fakestore_value("/local/domain/1/name"), "web");
	done("rename web web", NULL);
	done("rename web 1st", NULL); /* no number */
	done("list 1st", "1st");
	done("rename 1st web", NULL);
	kr(CTL_USAGE, true, "rename web");
	kr(CTL_USAGE, true, "rename web a b");
}

static void vcpus_are_listed_and_pinned(void **state)
{
	const json_t *o = done("vcpu-list guest", "all");
	struct cpuset hard;

	assert_int_equal(json_array_size(json_object_get(o, "vcpus")), 2);
	done("vcpu-pin guest 0 1", NULL);
	sched_get_affinity(domain_find(1)->vcpu[0], &hard, NULL);
	assert_true(cpuset_has(&hard, 1) && !cpuset_has(&hard, 0));
	o = done("vcpu-list guest", NULL);
	assert_string_equal(text_of(item(o, "vcpus", 0), "may_run_on"), "1");
	assert_string_equal(text_of(item(o, "vcpus", 1), "may_run_on"), "all");
	done("vcpu-pin guest all all,^0", NULL);
	o = done("vcpu-list guest", NULL);
	assert_string_equal(text_of(item(o, "vcpus", 1), "may_run_on"), "1");

	refused("vcpu-pin guest 2 0", "HYPERVISOR");  /* no such vCPU */
	refused("vcpu-pin guest 0 99", "HYPERVISOR"); /* no such CPU */
	refused("vcpu-pin guest 0 3-1", "CONFIG_VALUE");
	kr(CTL_USAGE, true, "vcpu-pin guest x 0");
	kr(CTL_USAGE, true, "vcpu-pin guest 0");
}

static void a_guest_is_asked_for_vcpus_that_it_can_have(void **state)
{
	done("vcpu-set guest 1", NULL);
	assert_string_equal(fakestore_value("/local/domain/1/cpu/0/availability"), "online");
	assert_string_equal(fakestore_value("/local/domain/1/cpu/1/availability"), "offline");
	done("vcpu-set guest 2", NULL);
	assert_string_equal(fakestore_value("/local/domain/1/cpu/1/availability"), "online");
	refused("vcpu-set guest 3", "VCPUS");
	kr(CTL_USAGE, true, "vcpu-set guest 0");
	kr(CTL_USAGE, true, "vcpu-set guest -1");
	kr(CTL_USAGE, true, "vcpu-set guest 1x");
	kr(CTL_USAGE, true, "vcpu-set guest");
}

static void memory_is_limited_and_asked_for(void **state)
{
	const struct domain *d = domain_find(1);

	done("mem-set guest 8", NULL);
	assert_string_equal(fakestore_value("/local/domain/1/memory/target"), "8192");
	assert_int_equal(d->mem.max, (8192 + 8) / 4);
	refused("mem-set guest 1g", "MEMORY_LARGE");
	assert_string_equal(fakestore_value("/local/domain/1/memory/target"), "8192");
	done("mem-max guest 20m", NULL);
	assert_string_equal(fakestore_value("/local/domain/1/memory/static-max"), "20480");
	done("mem-set guest 20480k", NULL);
	assert_int_equal(d->mem.max, (20480 + 8) / 4);
	kr(CTL_USAGE, true, "mem-set guest much");
	kr(CTL_USAGE, true, "mem-set guest 0");
	kr(CTL_USAGE, true, "mem-set guest 5x");
	kr(CTL_USAGE, true, "mem-max guest");
}

static void sizes_are_read_as_people_write_them(void **state)
{
	static const struct {
		const char *text;
		uint64_t kib; /* 0: none */
	} sizes[] = { { "512", 512 << 10 },
		      { "1.5g", 1536 << 10 },
		      { "2048 MiB", 2048 << 10 },
		      { "64K", 64 },
		      { "1T", 1 << 30 },
		      { "", 0 },
		      { "-1", 0 },
		      { ".5g", 0 },
		      { "1.5.2g", 0 },
		      { "1 q", 0 },
		      { "99999999999999999999", 0 },
		      { "1048577g", 0 } };
	uint64_t kib;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		kib = 0;
		if (size_read(sizes[i].text, &kib) != (sizes[i].kib != 0) ||
		    (sizes[i].kib && kib != sizes[i].kib))
			fail_msg("%s: %llu", sizes[i].text, (unsigned long long)kib);
	}
}

static void weights_and_pools_are_shown_and_set(void **state)
{
	const json_t *o = done("sched", "credit2");

	assert_int_equal(number_of(o, "ratelimit_us"), SCHED_RATELIMIT_US);
	assert_int_equal(number_of(item(o, "domains", 1), "weight"), 256);
	done("sched guest 512", NULL);
	o = done("sched guest", "512");
	assert_int_equal(json_array_size(json_object_get(o, "domains")), 1);
	assert_int_equal(number_of(item(o, "domains", 0), "weight"), 512);
	kr(CTL_USAGE, true, "sched guest 0");
	kr(CTL_USAGE, true, "sched guest 65536");
	kr(CTL_USAGE, true, "sched guest 1 2");
	refused("sched nobody 5", "NO_SUCH_DOMAIN");

	o = item(done("cpupool", "credit2"), "pools", 0);
	assert_string_equal(text_of(o, "cpus"), "0-1");
	assert_int_equal(number_of(o, "domains"), 3);
	kr(CTL_USAGE, true, "cpupool 1");
}

static void answer_key(void)
{
	log_info("key z is answered");
}

static void keys_are_pressed_and_their_answer_is_in_the_log(void **state)
{
	debug_key_register('z', "a test's", answer_key);
	done("debug-key hz", NULL);
	assert_non_null(
	    strstr(text_of(done("dmesg", "key 'z': a test's"), "text"), "key z is answered"));
	kr(CTL_USAGE, true, "debug-key");
	kr(CTL_USAGE, true, "debug-key 1234567890123456789012345678901234567890");
}

static void a_crash_is_an_event_with_its_cause(void **state)
{
	const json_t *o;
	bool found = false;

	done("unpause guest", NULL);
	domain_crash(domain_find(1), "it jumped to nowhere");
	o = done("events guest", "it jumped to nowhere");
	for (size_t i = 0; i < json_array_size(json_object_get(o, "events")); i++)
		found |= strstr(text_of(item(o, "events", i), "what"),
				"crashed: it jumped to nowhere") &&
			 number_of(item(o, "events", i), "domid") == 1;
	assert_true(found);
	assert_null(item(done("events other", NULL), "events", 0));
	o = done("list guest", "crashed");
	assert_string_equal(text_of(item(o, "domains", 0), "state"), "crashed");
}

/* What is in them: dump_test.c. */
static void a_core_is_written_once_or_not_at_all(void **state)
{
	char folder[] = "/tmp/commands-test-XXXXXX", line[100];
	const json_t *o;
	sigset_t held, before;
	int signal;

	assert_non_null(mkdtemp(folder));
	snprintf(line, sizeof(line), "dump-core guest %s/core", folder);
	/* Ctrl-C waits until the command has seen it. */
	sigemptyset(&held);
	sigaddset(&held, SIGINT);
	sigprocmask(SIG_BLOCK, &held, &before);
	raise(SIGINT);
	refused(line, "INTERRUPTED");
	sigwait(&held, &signal);
	sigprocmask(SIG_SETMASK, &before, NULL);
	o = done(line, NULL);
	assert_int_equal(number_of(o, "domid"), 1);
	assert_int_equal(number_of(o, "pages"), domain_find(1)->mem.used);
	assert_true(number_of(o, "stored_bytes") >= KERNEL_SIZE);
	refused(line, "FILE_EXISTS");
	snprintf(line, sizeof(line), "dump-core --force guest %s/core", folder);
	done(line, "16 MiB of memory");
	kr(CTL_USAGE, true, "dump-core guest");
	kr(CTL_USAGE, true, "dump-core -x guest /tmp/core");
	refused("dump-core nobody /tmp/core", "NO_SUCH_DOMAIN");
	refused("dump-core 0 /tmp/core", "DUMP_SELF");
	snprintf(line, sizeof(line), "%s/core", folder);
	assert_int_equal(unlink(line), 0);
	assert_int_equal(rmdir(folder), 0); /* nothing else was left */
}

static void use_is_shown_for_all_domains(void **state)
{
	const json_t *o = done("top -n 1 -d 0.1", "other");

	assert_int_equal(json_array_size(json_object_get(o, "domains")), 3);
	assert_int_equal(number_of(o, "cpus"), 2);
	kr(CTL_USAGE, true, "top -n 0");
	kr(CTL_USAGE, true, "top -d 0");
	kr(CTL_USAGE, true, "top -d nan");
	kr(CTL_USAGE, true, "top guest");
}

static void pausing_and_destroying(void **state)
{
	done("pause other", NULL); /* besides its creator's pause */
	done("unpause other", NULL);
	assert_string_equal(text_of(item(done("list other", NULL), "domains", 0), "state"),
			    "paused");
	done("shutdown other", NULL);
	assert_string_equal(fakestore_value("/local/domain/2/control/shutdown"), "poweroff");
	kr(CTL_DONE, true, "destroy other");
	assert_null(fakestore_value("/local/domain/2/name"));
	assert_int_equal(fakestore_released, 1);
	refused("pause other", "NO_SUCH_DOMAIN");
	for (unsigned i = 0; i < fakestore_nr; i++)
		assert_null(strstr(fakestore[i].path, "domain/2"));
}

/* ---- boot-time domains ---------------------------------------------------------------------------------- */

static struct {
	bool before, after, next; /* is it adopted? */
} adoption;

/* "other" becomes one that nobody knows; another one of its number has another grant table. */
static void adopt_other(void)
{
	grant_entry_v1_t *table;
	struct hcall_domain d;
	struct fault f;

	store_remove(&tools, 2);
	sim_check(hcall_domains(&hcall, 2, &d, 1) == 1);
	adoption.before = domain_is_adopted(&tools, 2);
	if (!domain_adopt(&tools, &d, "boot-2", &f))
		sim_fail("%s", f.text);
	adoption.after = domain_is_adopted(&tools, 2);
	table = fmem_grants(&fmem, 2);
	sim_check(table[GNTTAB_RESERVED_CONSOLE].flags == GTF_permit_access &&
		  table[GNTTAB_RESERVED_CONSOLE].frame ==
		      domain_find(2)->hvm_param[HVM_PARAM_CONSOLE_PFN]);
	table[GNTTAB_RESERVED_CONSOLE].flags = 0;
	fmem_unmap(&fmem, table, 1);
	adoption.next = domain_is_adopted(&tools, 2);
}

static void a_boot_time_domain_is_adopted_once_and_destroyed(void **state)
{
	char text[20];

	in_dom0(adopt_other);
	assert_false(adoption.before);
	assert_true(adoption.after);
	assert_false(adoption.next);
	snprintf(text, sizeof(text), "%u",
		 (unsigned)domain_find(2)->hvm_param[HVM_PARAM_CONSOLE_EVTCHN]);
	assert_string_equal(fakestore_value("/local/domain/2/console/port"), text);
	assert_string_equal(fakestore_value("/local/domain/2/console/type"), "xenconsoled");
	assert_non_null(fakestore_value("/local/domain/2/store/port"));
	assert_null(fakestore_value("/local/domain/2/vm"));
	assert_null(fakestore_value("/libxl/2/type"));
	done("list", "boot-2");
	kr(CTL_DONE, true, "destroy boot-2");
	assert_true(!domain_find(2) || domain_find(2)->dying);
	assert_null(fakestore_value("/local/domain/2/name"));
	assert_null(fakestore_value("/local/domain/0/backend/console/2/0/state"));
}

int main(void)
{
#define scene(f) cmocka_unit_test_setup_teardown(f, two_guests, no_guests)
	const struct CMUnitTest tests[] = {
		scene(domains_are_listed_shortly_and_whole),
		scene(devices_are_listed_with_their_state),
		scene(a_domain_is_renamed_to_what_nobody_has),
		scene(vcpus_are_listed_and_pinned),
		scene(a_guest_is_asked_for_vcpus_that_it_can_have),
		scene(memory_is_limited_and_asked_for),
		cmocka_unit_test(sizes_are_read_as_people_write_them),
		scene(weights_and_pools_are_shown_and_set),
		scene(keys_are_pressed_and_their_answer_is_in_the_log),
		scene(a_crash_is_an_event_with_its_cause),
		scene(a_core_is_written_once_or_not_at_all),
		scene(use_is_shown_for_all_domains),
		scene(pausing_and_destroying),
		scene(a_boot_time_domain_is_adopted_once_and_destroyed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
