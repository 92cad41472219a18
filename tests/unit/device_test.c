/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The toolstack's devices over libhvcore.a (toolstack.h) and a store of a list of nodes (fakestore.h): addresses, hotplug scripts, who uses a disk, and what is
 * taken away after a tool was killed. Back ends are the kernel's: tests/system/test_kr_guest.py has them.
 */
#include "two_guests.h"

#include "domain/device_parts.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* ---- two guests ------------------------------------------------------------------------------------------ */

static void unmake(void)
{
	for (uint16_t i = 1; i <= 2; i++)
		if (domain_find(i))
			sim_check_equal(domain_unmake(&hcall, i), 0);
}

static int no_guests(void **state)
{
	in_dom0(unmake);
	return end_without_guests();
}

/* ---- addresses ------------------------------------------------------------------------------------------- */

static struct config_vif card;

static struct device card_of(uint16_t domid)
{
	return (struct device){ .s = &tools, .domid = domid, .type = "vif", .vif = &card };
}

static void an_address_follows_from_the_uuid(void **state)
{
	struct device a = card_of(1), again = card_of(1), b = card_of(2), second = card_of(1);
	struct fault f;

	card = (struct config_vif){ .devid = 0 };
	assert_true(mac_choose(&a, &f) && mac_choose(&again, &f) && mac_choose(&b, &f));
	assert_memory_equal(a.mac, again.mac, 6);
	assert_memory_not_equal(a.mac, b.mac, 6);
	second.id = 1;
	assert_true(mac_choose(&second, &f));
	assert_memory_not_equal(a.mac, second.mac, 6);
	assert_memory_equal(a.mac, ((uint8_t[]){ 0x00, 0x16, 0x3e }), 3);
	assert_int_equal(a.mac[3] & 0x80, 0);
}

static void no_two_cards_have_one_address(void **state)
{
	struct device a = card_of(1), b = card_of(1);
	char text[20];
	struct fault f;

	card = (struct config_vif){ .devid = 0 };
	assert_true(mac_choose(&a, &f));
	snprintf(text, sizeof(text), "%02X:%02x:%02x:%02x:%02x:%02X", a.mac[0], a.mac[1], a.mac[2],
		 a.mac[3], a.mac[4], a.mac[5]);
	fakestore_set("/local/domain/0/backend/vif/2/0/mac", text);
	assert_true(mac_choose(&b, &f));
	assert_memory_not_equal(a.mac, b.mac, 6);
	/* Asked for, it is refused. */
	card.has_mac = true;
	memcpy(card.mac, a.mac, 6);
	assert_false(mac_choose(&b, &f));
	assert_int_equal(f.id, F_MAC_TAKEN);
	assert_non_null(strstr(f.text, "domain 2"));
	/* What the guest itself writes about its card counts for nothing. */
	fakestore_set("/local/domain/0/backend/vif/2/0/mac", "00:16:3e:00:00:01");
	fakestore_set("/local/domain/2/device/vif/0/mac", text);
	assert_true(mac_choose(&b, &f));
}

/* ---- scripts --------------------------------------------------------------------------------------------- */

static char folder[] = "/tmp/device_test.XXXXXX", script[64];

static void write_script(const char *text)
{
	FILE *file = fopen(script, "w");

	assert_non_null(file);
	fprintf(file, "#!/bin/sh\n%s\n", text);
	fclose(file);
	assert_int_equal(chmod(script, 0700), 0);
}

static bool run_script(const char *type, const char *action, struct fault *f)
{
	return hotplug_run(&tools, script, action, type, 1, "7", f);
}

static void a_script_has_the_back_end_in_its_environment(void **state)
{
	struct fault f;

	write_script(
	    "[ \"$*\" = 'add' ] && [ $XENBUS_TYPE = vbd ] && [ $XENBUS_BASE_PATH = backend ] && "
	    "[ $XENBUS_PATH = /local/domain/0/backend/vbd/1/7 ] && [ \"$script\" = \"$0\" ]");
	assert_true(run_script("vbd", "add", &f));
	fakestore_set("/local/domain/0/backend/vif/1/7/gatewaydev", "eth0");
	write_script(
	    "[ \"$*\" = 'online type_if=vif' ] && [ $vif = vif1.7 ] && [ $netdev = eth0 ]");
	assert_true(run_script("vif", "online", &f));
	/* The back end waits for this word. */
	assert_string_equal(fakestore_value("/local/domain/0/backend/vif/1/7/hotplug-status"),
			    "connected");
}

static void why_a_script_failed_is_said(void **state)
{
	struct fault f;

	write_script("echo first; echo the cause >&2; exit 3");
	assert_false(run_script("vbd", "add", &f));
	assert_int_equal(f.id, F_HOTPLUG);
	assert_non_null(strstr(f.text, "failed with status 3: the cause"));
	fakestore_set("/local/domain/0/backend/vbd/1/7/hotplug-error", "by the store");
	assert_false(run_script("vbd", "add", &f));
	assert_non_null(strstr(f.text, "status 3: by the store"));
	write_script("kill -9 $$");
	assert_false(run_script("vbd", "add", &f));
	assert_non_null(strstr(f.text, "ended by signal 9"));
	/* Only the end of what it prints is kept. */
	fakestore_empty();
	write_script("i=0; while [ $i -lt 500 ]; do echo a line of many; i=$((i + 1)); done; echo "
		     "last; exit 1");
	assert_false(run_script("vbd", "add", &f));
	assert_non_null(strstr(f.text, "status 1: last"));
	unlink(script);
	assert_false(run_script("vbd", "add", &f));
	assert_non_null(strstr(f.text, "No such file"));
}

/* ---- disks ------------------------------------------------------------------------------------------------ */

static void a_block_device_has_one_writer(void **state)
{
	struct config_disk d = { .target = script, .vdev = "xvda" };
	struct fault f;

	unlink(script);
	if (mknod(script, S_IFBLK | 0600, makedev(240, 17)) < 0)
		skip(); /* only root makes devices */
	assert_true(disk_unused(&tools, &d, &f));
	fakestore_set("/local/domain/0/backend/vbd/1/51712/physical-device", "f0:11");
	fakestore_set("/local/domain/0/backend/vbd/1/51712/dev", "xvda");
	fakestore_set("/local/domain/0/backend/vbd/1/51712/mode", "r");
	assert_false(disk_unused(&tools, &d, &f));
	assert_int_equal(f.id, F_DISK_SHARED);
	assert_non_null(strstr(f.text, "this one would write"));
	d.readonly = true;
	assert_true(disk_unused(&tools, &d, &f));
	/* The second of two is looked at too. */
	fakestore_set("/local/domain/0/backend/vbd/2/51728/physical-device", "f0:11");
	fakestore_set("/local/domain/0/backend/vbd/2/51728/mode", "w");
	assert_false(disk_unused(&tools, &d, &f));
	assert_non_null(strstr(f.text, "domain 2 (other)"));
	unlink(script);
}

/* ---- before a guest is made ------------------------------------------------------------------------------------ */

static struct config wanted;
static struct config_faults faults;

static void check(void)
{
	faults = (struct config_faults){ .nr = 0 };
	guest_check(&tools, &wanted, wanted.has_uuid ? wanted.uuid : NULL, &faults);
}

static void all_that_the_system_has_against_a_guest_is_said(void **state)
{
	static const enum fault_id expected[] = { F_NAME_TAKEN, F_UUID_TAKEN, F_HOST_MEMORY,
						  F_MAC_TAKEN };

	wanted = (struct config){ .name = "third", .memory = 16 };
	in_dom0(check);
	assert_int_equal(faults.nr, 0);
	card = (struct config_vif){ .has_mac = true, .mac = { 0, 0x16, 0x3e, 0, 0, 1 } };
	fakestore_set("/local/domain/0/backend/vif/1/0/mac", "00:16:3e:00:00:01");
	wanted = (struct config){
		.name = "other", .has_uuid = true, .uuid = { 1 }, .memory = 1u << 20, .vifs = &card
	};
	in_dom0(check);
	assert_int_equal(faults.nr, sizeof(expected) / sizeof(expected[0]));
	for (unsigned i = 0; i < faults.nr; i++)
		assert_int_equal(faults.fault[i].id, expected[i]);
	assert_non_null(strstr(faults.fault[0].text, "domain 2"));
	assert_non_null(strstr(faults.fault[1].text, "domain 1"));
	/* Who holds the rest. */
	assert_non_null(strstr(faults.fault[2].text, "1048576 MiB wanted"));
	assert_non_null(strstr(faults.fault[2].text, "other has"));
}

/* ---- after a tool was killed ------------------------------------------------------------------------------- */

static struct unfinished unfinished;

static void clean(void)
{
	system_clean(&tools, &unfinished);
}

static void clean_after(struct unfinished u)
{
	unfinished = u;
	in_dom0(clean);
}

static void what_was_being_made_goes(void **state)
{
	clean_after((struct unfinished){ .uuid = { 2 } });
	assert_non_null(domain_find(1));
	assert_null(domain_find(2));
	assert_null(fakestore_value("/local/domain/2/name"));
	assert_string_equal(fakestore_value("/local/domain/1/name"), "guest");
}

static void nothing_goes_that_nobody_was_making(void **state)
{
	clean_after((struct unfinished){ .domid = 0 });
	assert_non_null(domain_find(1));
	assert_non_null(domain_find(2));
	assert_string_equal(fakestore_value("/local/domain/2/name"), "other");
}

static void folders_of_domains_that_are_gone_go(void **state)
{
	fakestore_set("/local/domain/9/name", "gone");
	fakestore_set("/local/domain/0/backend/vbd/8/51712/state", "4");
	fakestore_set("/local/domain/0/backend/vif/1/0/state", "4");
	clean_after((struct unfinished){ .domid = 0 });
	assert_null(fakestore_value("/local/domain/9/name"));
	assert_null(fakestore_value("/local/domain/0/backend/vbd/8/51712/state"));
	assert_string_equal(fakestore_value("/local/domain/0/backend/vif/1/0/state"), "4");
}

static void a_device_that_was_being_attached_goes(void **state)
{
	fakestore_set("/local/domain/0/backend/vbd/1/51728/online", "1");
	fakestore_set("/local/domain/0/backend/vbd/1/51712/online", "1");
	fakestore_set("/local/domain/1/device/vbd/51728/state", "1");
	clean_after((struct unfinished){ .domid = 1, .type = "vbd", .id = "51728" });
	assert_null(fakestore_value("/local/domain/0/backend/vbd/1/51728/online"));
	assert_null(fakestore_value("/local/domain/1/device/vbd/51728/state"));
	assert_string_equal(fakestore_value("/local/domain/0/backend/vbd/1/51712/online"), "1");
	assert_non_null(domain_find(1));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, two_guests, no_guests)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_address_follows_from_the_uuid),
		TEST(no_two_cards_have_one_address),
		TEST(a_script_has_the_back_end_in_its_environment),
		TEST(why_a_script_failed_is_said),
		TEST(a_block_device_has_one_writer),
		TEST(all_that_the_system_has_against_a_guest_is_said),
		TEST(what_was_being_made_goes),
		TEST(nothing_goes_that_nobody_was_making),
		TEST(folders_of_domains_that_are_gone_go),
		TEST(a_device_that_was_being_attached_goes),
	};
	int failed;

	if (!mkdtemp(folder))
		return 1;
	snprintf(script, sizeof(script), "%s/script", folder);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(script);
	rmdir(folder);
	return failed;
}
