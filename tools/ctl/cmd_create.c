/* SPDX-License-Identifier: Apache-2.0 */
/* kr create: the configuration and the files it names are read, judged and planned; with --dry-run that is all, and it is shown. */
#include "build/build.h"
#include "ctl.h"
#include "domain/host.h"
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_CONFIG  (1024 * 1024u)
#define MOST_KERNEL  (256 * 1024 * 1024u)
#define MOST_RAMDISK (2048ull * 1024 * 1024)
#define MIB          (1024 * 1024ull)

/* Everything that is read for one guest. */
struct input {
	struct blob file, kernel, ramdisk, tree;
	struct config config;
	struct build_plan plan;
};

static const struct option long_options[] = {
	{ "dry-run", no_argument, NULL, 'n' },
	{ "arch", required_argument, NULL, 'a' },
	{ NULL, 0, NULL, 0 },
};

/* ---- reading ---------------------------------------------------------------------------------------- */

static int refuse_all(struct ctl *c, const struct config_faults *faults)
{
	for (unsigned i = 0; i < faults->nr; i++)
		ctl_refuse(c, &faults->fault[i]);
	if (faults->unshown)
		fprintf(stderr, "kr: and %u more\n", faults->unshown);
	return faults->nr ? CTL_REFUSED : CTL_DONE;
}

/* KEY=VALUE operands, a line each; NULL: no memory. To be freed. */
static char *join_overrides(int n, char **operand)
{
	size_t room = 1;
	char *text;

	for (int i = 0; i < n; i++)
		room += strlen(operand[i]) + 1;
	text = calloc(1, room);
	for (int i = 0; text && i < n; i++) {
		strcat(text, operand[i]);
		strcat(text, "\n");
	}
	return text;
}

static bool read_optional(const char *path, const char *what, size_t limit, struct blob *b,
			  struct fault *f)
{
	return !path || build_file(path, what, limit, b, f);
}

/* The files that the configuration names; every fault is said. */
static bool read_files(struct input *in, struct config_faults *faults)
{
	unsigned before = faults->nr;
	struct fault f;

	if (!build_file(in->config.kernel, "kernel", MOST_KERNEL, &in->kernel, &f))
		config_report(faults, &f);
	if (!read_optional(in->config.ramdisk, "ramdisk", MOST_RAMDISK, &in->ramdisk, &f))
		config_report(faults, &f);
	if (!read_optional(in->config.device_tree, "device tree", MOST_CONFIG, &in->tree, &f))
		config_report(faults, &f);
	return faults->nr == before;
}

static void make_plan(struct input *in, struct config_faults *faults)
{
	const struct build_request r = {
		.arch = in->config.arch,
		.memory = in->config.maxmem * MIB,
		.vcpus = in->config.maxvcpus,
		.cmdline = in->config.cmdline,
		.kernel = in->kernel,
		.ramdisk = in->ramdisk,
		.partial_tree = in->tree,
	};
	struct fault f;

	if (!build_plan(&r, &in->plan, &f))
		config_report(faults, &f);
}

/* ---- showing ----------------------------------------------------------------------------------------- */

static const char *arch_name(enum build_arch a)
{
	return a == BUILD_ARM64 ? "arm64" : "x86_64";
}

static json_t *hex(uint64_t n)
{
	char text[32];

	snprintf(text, sizeof(text), "0x%" PRIx64, n);
	return json_string(text);
}

static void show_plan(struct ctl *c, const struct input *in)
{
	json_t *layout = json_array();
	char size[40];

	for (uint32_t i = 0; i < in->plan.nr_pieces; i++) {
		const struct build_piece *p = &in->plan.piece[i];

		json_array_append_new(layout,
				      json_pack("{s:s, s:o, s:I}", "what", p->what, "start",
						hex(p->at.start), "size", (json_int_t)p->at.size));
		if (!c->json)
			printf("  at %#-11" PRIx64 " %s, %s\n", p->at.start, p->what,
			       ctl_size(p->at.size, size, sizeof(size)));
	}
	if (!c->json && in->plan.nr_pieces)
		printf("  starts at %#" PRIx64 "\n", in->plan.entry);
	json_object_set_new(c->object, "layout", layout);
	json_object_set_new(c->object, "entry", hex(in->plan.entry));
	if (in->plan.kernel_kind)
		json_object_set_new(c->object, "kernel_format", json_string(in->plan.kernel_kind));
}

static void show_disks(struct ctl *c, const struct config *g)
{
	json_t *list = json_array();

	for (const struct config_disk *d = g->disks; d; d = d->next) {
		json_array_append_new(list, json_pack("{s:s, s:i, s:s*, s:b, s:b, s:s*}", "vdev",
						      d->vdev, "number", (int)d->number, "target",
						      d->target, "readonly", (int)d->readonly,
						      "cdrom", (int)d->cdrom, "script", d->script));
		if (!c->json)
			printf("  disk      %s: %s%s%s\n", d->vdev, d->target ? d->target : "empty",
			       d->readonly ? ", read-only" : "", d->cdrom ? ", CD" : "");
	}
	json_object_set_new(c->object, "disks", list);
}

static void show_cards(struct ctl *c, const struct config *g)
{
	json_t *list = json_array();
	char mac[24];

	for (const struct config_vif *v = g->vifs; v; v = v->next) {
		const char *bridge = v->bridge ? v->bridge : HOST_DEFAULT_BRIDGE;

		snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", v->mac[0], v->mac[1],
			 v->mac[2], v->mac[3], v->mac[4], v->mac[5]);
		json_array_append_new(list, json_pack("{s:i, s:s*, s:s*, s:s*}", "devid",
						      (int)v->devid, "mac", v->has_mac ? mac : NULL,
						      "bridge", v->gatewaydev ? NULL : bridge,
						      "gatewaydev", v->gatewaydev));
		if (!c->json)
			printf("  network   %u: %s, %s %s\n", v->devid,
			       v->has_mac ? mac : "an address of its own",
			       v->gatewaydev ? "routed through" : "on bridge",
			       v->gatewaydev ? v->gatewaydev : bridge);
	}
	json_object_set_new(c->object, "networks", list);
}

static void show(struct ctl *c, const struct input *in)
{
	const struct config *g = &in->config;

	json_object_update_new(
	    c->object, json_pack("{s:s, s:s, s:s, s:I, s:I, s:i, s:i, s:s, s:s*, s:s}", "name",
				 g->name, "type", "pvh", "arch", arch_name(g->arch), "memory_mib",
				 (json_int_t)g->memory, "maxmem_mib", (json_int_t)g->maxmem,
				 "vcpus", (int)g->vcpus, "maxvcpus", (int)g->maxvcpus, "kernel",
				 g->kernel, "ramdisk", g->ramdisk, "cmdline", g->cmdline));
	if (!c->json) {
		printf("%s: a PVH guest for %s\n", g->name, arch_name(g->arch));
		printf("  memory    %" PRIu64 " MiB, at most %" PRIu64 "\n", g->memory, g->maxmem);
		printf("  vCPUs     %u, at most %u\n", g->vcpus, g->maxvcpus);
		printf("  kernel    %s%s%s\n", g->kernel, in->plan.kernel_kind ? ", " : "",
		       in->plan.kernel_kind ? in->plan.kernel_kind : "");
		if (g->ramdisk)
			printf("  ramdisk   %s\n", g->ramdisk);
		printf("  command   %s\n", g->cmdline);
		printf("  on        poweroff: %s, reboot: %s, crash: %s, watchdog: %s\n",
		       config_action_name(g->on_poweroff), config_action_name(g->on_reboot),
		       config_action_name(g->on_crash), config_action_name(g->on_watchdog));
	}
	show_disks(c, g);
	show_cards(c, g);
	show_plan(c, in);
}

/* ---- the command ------------------------------------------------------------------------------------- */

static int dry_run(struct ctl *c, enum build_arch arch, const char *path, const char *overrides,
		   struct input *in)
{
	struct config_faults faults;
	struct fault f;

	if (!build_file(path, "configuration", MOST_CONFIG, &in->file, &f))
		return ctl_refuse(c, &f);
	if (!config_read(&in->config, arch, path, (const char *)in->file.data, in->file.size,
			 overrides, &faults))
		return refuse_all(c, &faults);
	host_check(&in->config, HOST_NET, &faults);
	if (read_files(in, &faults))
		make_plan(in, &faults);
	show(c, in);
	return refuse_all(c, &faults);
}

static bool arch_of(const char *name, enum build_arch *arch)
{
	if (strcmp(name, "arm64") == 0 || strcmp(name, "aarch64") == 0)
		*arch = BUILD_ARM64;
	else if (strcmp(name, "x86_64") == 0 || strcmp(name, "amd64") == 0)
		*arch = BUILD_X86_64;
	else
		return false;
	return true;
}

int cmd_create(struct ctl *c, int argc, char **argv)
{
#ifdef __aarch64__
	enum build_arch arch = BUILD_ARM64;
#else
	enum build_arch arch = BUILD_X86_64;
#endif
	struct input in = { 0 };
	bool dry = false;
	char *overrides;
	int option, status;

	while ((option = ctl_option(c, argc, argv, "n", long_options)) != -1) {
		if (option == 'n')
			dry = true;
		else if (option == 'a' && !arch_of(optarg, &arch))
			return ctl_usage(c, "--arch %s: x86_64 or arm64", optarg);
		else if (option == '?')
			return CTL_USAGE;
	}
	if (optind == argc)
		return ctl_usage(c, "which configuration file?");
	if (!dry)
		return ctl_usage(c, "only --dry-run is there yet");
	overrides = join_overrides(argc - optind - 1, argv + optind + 1);
	status = dry_run(c, arch, argv[optind], overrides, &in);
	build_plan_free(&in.plan);
	build_file_free(&in.tree);
	build_file_free(&in.ramdisk);
	build_file_free(&in.kernel);
	config_free(&in.config);
	build_file_free(&in.file);
	free(overrides);
	return status;
}
