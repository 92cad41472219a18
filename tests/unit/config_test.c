/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration files. tests/config/bad holds wrong ones, each with one thing (or a few) wrong, and tests/config/bad.expected what is said to each;
 * sound ones are here.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "domain/config.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BAD_FOLDER "tests/config/bad"
#define MINIMUM    "name='a'; type='pvh'; kernel='/k'; memory=64\n"

static struct config config;
static struct config_faults faults;

static bool read_text(enum build_arch arch, const char *text)
{
	return config_read(&config, arch, "test.cfg", text, strlen(text), NULL, &faults);
}

static void sound(const char *text)
{
	if (!read_text(BUILD_X86_64, text))
		fail_msg("%s", faults.fault[0].text);
}

/* ---- wrong files ------------------------------------------------------------------------------------ */

static int is_config(const struct dirent *e)
{
	size_t n = strlen(e->d_name);

	return n > 4 && strcmp(e->d_name + n - 4, ".cfg") == 0;
}

/* What is said to one file, a line for each fault. */
static void judge(const char *name, FILE *out)
{
	char path[512];
	struct fault f;
	struct blob b;
	bool arm, ok;

	snprintf(path, sizeof(path), BAD_FOLDER "/%s", name);
	if (!build_file(path, "configuration", 1 << 20, &b, &f))
		fail_msg("%s", f.text);
	arm = memmem(b.data, b.size, "# arch arm64", 12) != NULL;
	ok = config_read(&config, arm ? BUILD_ARM64 : BUILD_X86_64, name, (const char *)b.data,
			 b.size, NULL, &faults);
	if (ok)
		fprintf(out, "%s is accepted\n", name);
	for (unsigned i = 0; i < faults.nr; i++)
		fprintf(out, "%s %s\n", fault_name(faults.fault[i].id), faults.fault[i].text);
	config_free(&config);
	build_file_free(&b);
}

static void each_wrong_file_gets_its_own_message(void **state)
{
	struct dirent **list;
	struct fault f;
	struct blob expected;
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	int n = scandir(BAD_FOLDER, &list, is_config, alphasort);

	assert_true(n >= 100);
	for (int i = 0; i < n; i++) {
		judge(list[i]->d_name, out);
		free(list[i]);
	}
	free(list);
	fclose(out);
	if (!build_file(BAD_FOLDER ".expected", "list", 1 << 20, &expected, &f))
		fail_msg("%s", f.text);
	for (size_t i = 0, line = 0; i < size; i++) {
		if (i >= expected.size || text[i] != (char)expected.data[i])
			fail_msg("differs from " BAD_FOLDER ".expected in: %.300s", text + line);
		if (text[i] == '\n')
			line = i + 1;
	}
	assert_int_equal(size, expected.size);
	build_file_free(&expected);
	free(text);
}

static void no_documented_key_is_unknown(void **state)
{
	FILE *list = fopen("tests/config/documented-keys", "r");
	char key[100], text[200];
	unsigned n = 0;

	assert_non_null(list);
	while (fscanf(list, "%99s", key) == 1) {
		snprintf(text, sizeof(text), "%s = 0\n", key);
		assert_false(read_text(BUILD_ARM64, text));
		for (unsigned i = 0; i < faults.nr; i++)
			if (faults.fault[i].id == F_CONFIG_UNKNOWN)
				fail_msg("%s", faults.fault[i].text);
		config_free(&config);
		n++;
	}
	fclose(list);
	assert_int_equal(n, 148);
}

/* Is something said about `key` at its place, the first line? */
static bool is_refused_by_name(const char *key, const char *value)
{
	char text[200];
	bool found = false;

	snprintf(text, sizeof(text), "%s = %s\n", key, value);
	(void)!read_text(BUILD_X86_64, text);
	for (unsigned i = 0; i < faults.nr; i++)
		found |= strncmp(faults.fault[i].text, "test.cfg:1:", 11) == 0 &&
			 strstr(faults.fault[i].text, key) != NULL;
	config_free(&config);
	return found;
}

/* None is read and thrown away: for each there is a value that it cannot have. And whoever misspells it hears its name. */
static void every_documented_key_is_looked_at(void **state)
{
	static const char *const values[] = { "0", "1", "77777777777", "'no such thing'",
					      "[ [ 'no such thing' ] ]" };
	FILE *list = fopen("tests/config/documented-keys", "r");
	char key[100], text[400];

	assert_non_null(list);
	while (fscanf(list, "%99s", key) == 1) {
		bool found = false;

		for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
			found |= is_refused_by_name(key, values[i]);
		if (!found)
			fail_msg("%s can be anything", key);
		snprintf(text, sizeof(text), "%s_ = 0\n", key);
		assert_false(read_text(BUILD_X86_64, text));
		snprintf(text, sizeof(text), "test.cfg:1:1: there is no key %s_: did you mean %s?",
			 key, key);
		if (strcmp(faults.fault[0].text, text) != 0)
			fail_msg("%s", faults.fault[0].text);
		config_free(&config);
	}
	fclose(list);
}

static void faults_beyond_the_room_are_counted(void **state)
{
	char text[2000] = "";

	for (unsigned i = 0; i < CONFIG_MAX_FAULTS + 5; i++)
		sprintf(text + strlen(text), "unheard_of_%u = 1\n", i);
	assert_false(read_text(BUILD_ARM64, text));
	assert_int_equal(faults.nr, CONFIG_MAX_FAULTS);
	assert_int_equal(faults.unshown, 5 + 3); /* and no name, kernel, memory */
	config_free(&config);
}

/* ---- sound files ------------------------------------------------------------------------------------- */

static void a_whole_file_is_read(void **state)
{
	sound(
	    "# a guest\n"
	    "name = \"debian\"   # its name\n"
	    "type = 'pvh'; vcpus = 2\r\n"
	    "maxvcpus = 0x4\n"
	    "memory = \"512\"\n"
	    "maxmem = 1024\n"
	    "kernel = \"/boot/vmlinuz\"\n"
	    "ramdisk = \"/boot/initrd.img\"\n"
	    "root = \"/dev/xvda\"\n"
	    "extra = \"ro quiet\"\n"
	    "uuid = \"00112233-4455-6677-8899-AABBccddeeff\"\n"
	    "cpus = [ \"0-3,^1\", 'all,^7' ]\n"
	    "cpu_weight = 0777\n"
	    "on_crash = \"preserve\"\n"
	    "max_grant_frames = 64\n"
	    "disk = [ '/dev/vg/a,raw,xvda,rw',\n"
	    "         # the second\n"
	    "         'vg/b,,xvdb,r', ]\n"
	    "disk += [ 'format=raw, vdev=hdc, devtype=cdrom, access=ro, target=/srv/a,b.iso' ]\n"
	    "vif = [ '', 'mac=00:16:3E:00:00:01, bridge=br0,rate=1MB/s@20ms,mtu=9000,untrusted' ]\n"
	    "vnc = 0; hap = 1; pci = [ ]; tsc_mode = 'default'\n");
	assert_string_equal(config.name, "debian");
	assert_int_equal(config.vcpus, 2);
	assert_int_equal(config.maxvcpus, 4);
	assert_int_equal(config.memory, 512);
	assert_int_equal(config.maxmem, 1024);
	assert_string_equal(config.cmdline, "root=/dev/xvda ro quiet");
	assert_int_equal(config.uuid[15], 0xff);
	assert_int_equal(config.cpu_weight, 0777);
	assert_int_equal(config.on_crash, ACTION_PRESERVE);
	assert_int_equal(config.on_reboot, ACTION_RESTART);
	assert_int_equal(config.max_grant_frames, 64);
	assert_int_equal(config.max_maptrack_frames, UINT32_MAX);
	assert_int_equal(config.nr_cpus, 2);
	assert_int_equal(config.cpus[0].bit[0], 0xd);
	assert_true(config.cpus[1].all);
	assert_int_equal(config.cpus[1].bit[0], 0x80);
	config_free(&config);
}

static void disks_are_read(void **state)
{
	const struct config_disk *d;

	sound(MINIMUM
	      "disk = [ '/dev/vg/a,raw,xvda,rw', 'vg/b,,xvdb,r',\n"
	      "'format=raw, vdev=hdc, devtype=cdrom, access=ro, target=/srv/a,b.iso ',\n"
	      "',,hdd,cdrom', '/x,no-discard,,sda,untrusted', 'any,,xvdc,script=block-mine' ]");
	d = config.disks;
	assert_string_equal(d->target, "/dev/vg/a");
	assert_int_equal(d->number, 202 << 8);
	assert_false(d->readonly || d->cdrom);
	d = d->next;
	assert_string_equal(d->target, "/dev/vg/b");
	assert_true(d->readonly);
	d = d->next;
	assert_string_equal(d->target, "/srv/a,b.iso ");
	assert_true(d->readonly && d->cdrom);
	assert_int_equal(d->number, 22 << 8);
	d = d->next;
	assert_null(d->target);
	d = d->next;
	assert_true(d->no_discard && d->untrusted);
	d = d->next;
	assert_string_equal(d->script, "block-mine");
	assert_string_equal(d->target, "any");
	assert_null(d->next);
	config_free(&config);
}

static void cards_are_read(void **state)
{
	static const uint8_t mac[] = { 0, 0x16, 0x3e, 0, 0, 1 };
	const struct config_vif *v;

	sound(MINIMUM
	      "vif = [ '', 'mac=00:16:3E:00:00:01, bridge=br0,rate=1MB/s@20ms,mtu=9000,untrusted',"
	      "'devid=7,type=vif,script=/etc/mine,ip=10.0.0.2,netdev=eth0,rate=10Mb/s', '' ]");
	v = config.vifs;
	assert_int_equal(v->devid, 0);
	assert_false(v->has_mac);
	v = v->next;
	assert_int_equal(v->devid, 1);
	assert_memory_equal(v->mac, mac, 6);
	assert_string_equal(v->bridge, "br0");
	assert_int_equal(v->rate_bytes, 20000);
	assert_int_equal(v->rate_interval, 20000);
	assert_int_equal(v->mtu, 9000);
	assert_true(v->untrusted);
	v = v->next;
	assert_int_equal(v->devid, 7);
	assert_string_equal(v->gatewaydev, "eth0");
	assert_int_equal(v->rate_bytes, 62500); /* 10 Mb/s for 50 ms */
	v = v->next;
	assert_int_equal(v->devid, 2);
	config_free(&config);
}

static void strings_know_escapes_and_both_quotes(void **state)
{
	sound(MINIMUM "extra = 'a\"b\\'c\\\\d\\x41\\101\\te'\n");
	assert_string_equal(config.cmdline, "a\"b'c\\dAA\te");
	config_free(&config);
	sound(MINIMUM "extra = \"a'b\"\nextra += ' c'\n");
	assert_string_equal(config.cmdline, "a'b c");
	config_free(&config);
}

static void the_command_line_replaces_keys(void **state)
{
	const char *file = MINIMUM "vcpus = 1\n";

	assert_true(config_read(&config, BUILD_X86_64, "test.cfg", file, strlen(file),
				"vcpus=3;memory=99", &faults));
	assert_int_equal(config.vcpus, 3);
	assert_int_equal(config.memory, 99);
	config_free(&config);
	assert_false(
	    config_read(&config, BUILD_X86_64, "test.cfg", file, strlen(file), "vcpus=x", &faults));
	assert_non_null(strstr(faults.fault[0].text, "command line:1:7: x where a value"));
	config_free(&config);
}

static void defaults_follow_the_manual(void **state)
{
	sound("name='a'; type='pvh'; kernel='/k'; maxmem=64; maxvcpus=3");
	assert_int_equal(config.memory, 64);
	assert_int_equal(config.vcpus, 3);
	assert_int_equal(config.on_poweroff, ACTION_DESTROY);
	assert_int_equal(config.cpu_weight, 256);
	assert_string_equal(config.cmdline, "");
	assert_null(config.cpus);
	config_free(&config);
	/* On Arm, a guest is PVH if nothing else is said. */
	assert_true(read_text(BUILD_ARM64, "name='a'; kernel='/k'; memory=64; gic_version='v3'"));
	config_free(&config);
}

static void a_file_with_a_zero_byte_is_no_configuration(void **state)
{
	static const char text[] = "name = 'a\0b'";

	assert_false(config_read(&config, BUILD_X86_64, "t", text, sizeof(text) - 1, NULL, &faults));
	assert_non_null(strstr(faults.fault[0].text, "t:1:10: a zero byte"));
	config_free(&config);
}

/* ---- small parts -------------------------------------------------------------------------------------- */

static void virtual_disks_have_the_published_numbers(void **state)
{
	static const struct {
		const char *name;
		uint32_t number;
	} row[] = { { "xvda", 202 << 8 },
		    { "xvdb2", 202 << 8 | 1 << 4 | 2 },
		    { "d1p2", 202 << 8 | 1 << 4 | 2 },
		    { "d0", 202 << 8 },
		    { "d0p0", 202 << 8 },
		    { "xvdp15", 202 << 8 | 15 << 4 | 15 },
		    { "xvdq", 1 << 28 | 16 << 8 },
		    { "xvda16", 1 << 28 | 16 },
		    { "xvdtq37", 1 << 28 | 536 << 8 | 37 },
		    { "d536p37", 1 << 28 | 536 << 8 | 37 },
		    { "sdb3", 8 << 8 | 1 << 4 | 3 },
		    { "hda", 3 << 8 },
		    { "hdb63", 3 << 8 | 1 << 6 | 63 },
		    { "hdc2", 22 << 8 | 2 },
		    { "51712", 51712 },
		    { "0xca00", 51712 } };
	static const char *const none[] = {
		"xvd",   "xvda256",  "xvda01",      "sdq",       "hde", "vda",
		"d",     "d1p",      "d01",         "XVDA",      "",    "xvda-",
		"sda16", "d1048576", "xvdzzzzzzzz", "0x20000000"
	};
	uint32_t n;

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		assert_true(vdev_number(row[i].name, &n));
		assert_int_equal(n, row[i].number);
	}
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		if (vdev_number(none[i], &n))
			fail_msg("%s is taken for %x", none[i], n);
}

static void a_cpu_list_adds_and_removes(void **state)
{
	static const struct {
		const char *text;
		bool all;
		uint64_t bits;
	} row[] = { { "0", false, 1 },
		    { "0-3,5,^1", false, 0x2d },
		    { "all", true, 0 },
		    { "all,^7", true, 0x80 },
		    { "1, 3 ,63", false, 1ull << 63 | 0xa },
		    { "^3,0-3", false, 0xf },
		    { "all,^1-2,2", true, 2 } };
	struct place at = { "t", 1, 1 };
	struct config_cpus cpus;
	struct fault f;

	for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		if (!cpulist_read(&at, row[i].text, &cpus, &f))
			fail_msg("%s", f.text);
		assert_int_equal(cpus.all, row[i].all);
		assert_int_equal(cpus.bit[0], row[i].bits);
	}
}

static void the_nearest_name_is_near(void **state)
{
	static const char *const list[] = { "memory", "maxmem", "vif", "name", NULL };

	assert_string_equal(nearest("memroy", list), "memory");
	assert_string_equal(nearest("mxmem", list), "maxmem");
	assert_string_equal(nearest("vfi", list), "vif");
	assert_null(nearest("kernel", list));
	assert_null(nearest("an_extremely_long_name_that_no_key_will_ever_have_in_this_file", list));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_wrong_file_gets_its_own_message),
		cmocka_unit_test(no_documented_key_is_unknown),
		cmocka_unit_test(every_documented_key_is_looked_at),
		cmocka_unit_test(faults_beyond_the_room_are_counted),
		cmocka_unit_test(a_whole_file_is_read),
		cmocka_unit_test(disks_are_read),
		cmocka_unit_test(cards_are_read),
		cmocka_unit_test(strings_know_escapes_and_both_quotes),
		cmocka_unit_test(the_command_line_replaces_keys),
		cmocka_unit_test(defaults_follow_the_manual),
		cmocka_unit_test(a_file_with_a_zero_byte_is_no_configuration),
		cmocka_unit_test(virtual_disks_have_the_published_numbers),
		cmocka_unit_test(a_cpu_list_adds_and_removes),
		cmocka_unit_test(the_nearest_name_is_near),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
