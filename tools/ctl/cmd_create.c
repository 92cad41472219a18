/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kr create: the configuration and the files it names are read, judged and planned; with --dry-run that is all, and it is shown. Only then is anything
 * made. What is packed in a kernel, but for its headers, is judged when it comes out, in the guest that is filled with it.
 */
#include "build/build.h"
#include "build/fill.h"
#include "ctl.h"
#include "domain/device.h"
#include "domain/host.h"
#include "lib/hcall/domctl.h"
#include "lib/uuid.h"
#include "progress.h"
#include "supervisor/record.h"
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define MOST_CONFIG  (1024 * 1024u)
#define MOST_KERNEL  (256 * 1024 * 1024u)
#define MOST_RAMDISK (2048ull * 1024 * 1024)
#define MIB          (1024 * 1024ull)

#ifdef __aarch64__
static const enum build_arch own_arch = BUILD_ARM64;
#else
static const enum build_arch own_arch = BUILD_X86_64;
#endif

struct wishes {
	enum build_arch arch;
	bool dry, paused, console;
	const char *again; /* UUID of the record that it is made from; NULL: a file */
};

/* Everything that is read for one guest. */
struct input {
	struct blob file, kernel, ramdisk, tree;
	struct config config;
	struct build_plan plan;
	struct record record; /* what is kept for its supervisor */
	uint8_t again_uuid[16];
};

static const struct option long_options[] = {
	{ "console", no_argument, NULL, 'c' },     { "dry-run", no_argument, NULL, 'n' },
	{ "paused", no_argument, NULL, 'p' },      { "arch", required_argument, NULL, 'a' },
	{ "again", required_argument, NULL, 'A' }, { NULL, 0, NULL, 0 },
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

	if (!build_kernel_file(in->config.kernel, MOST_KERNEL, &in->kernel, &f))
		config_report(faults, &f);
	if (in->config.ramdisk &&
	    !build_file_map(in->config.ramdisk, "ramdisk", MOST_RAMDISK, &in->ramdisk, &f))
		config_report(faults, &f);
	if (!read_optional(in->config.device_tree, "device tree", MOST_CONFIG, &in->tree, &f))
		config_report(faults, &f);
	return faults->nr == before;
}

/* A packed kernel is unpacked when the guest is filled: of what is not to be made, it is judged here. */
static void make_plan(struct input *in, bool dry, struct config_faults *faults)
{
	const struct build_request r = {
		.arch = in->config.arch,
		.memory = in->config.memory * MIB,
		.vcpus = in->config.maxvcpus,
		.cmdline = in->config.cmdline,
		.kernel = in->kernel,
		.ramdisk = in->ramdisk,
		.partial_tree = in->tree,
	};
	struct fault f;

	if (!build_plan(&r, &in->plan, &f)) {
		config_report(faults, &f);
	} else if (dry && !build_unpack(&in->plan, NULL, NULL, &f)) {
		config_report(faults, &f);
		build_plan_free(&in->plan);
	}
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
		printf("  on        poweroff: %s, reboot: %s, crash: %s, watchdog: %s, soft reset: "
		       "%s\n",
		       config_action_name(g->on_poweroff), config_action_name(g->on_reboot),
		       config_action_name(g->on_crash), config_action_name(g->on_watchdog),
		       config_action_name(g->on_soft_reset));
	}
	show_disks(c, g);
	show_cards(c, g);
	show_plan(c, in);
}

/* ---- creating ---------------------------------------------------------------------------------------- */

static bool random_uuid(uint8_t *uuid, struct fault *f)
{
	if (getrandom(uuid, 16, 0) != 16)
		return fault_set(f, F_NO_MEMORY, "no random numbers: %s", strerror(errno));
	uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x40); /* RFC 4122, 4.4: version 4 */
	uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
	return true;
}

/* Between two steps: Ctrl-C and its like undo what there is of the guest. */
static bool go_on(const struct system *s, struct fault *f)
{
	return watch_step(s->watch, NULL, 0, 0, f);
}

static bool start(const struct system *s, uint16_t domid, struct fault *f)
{
	int err = hcall_simple(s->hcall, domid, XEN_DOMCTL_unpausedomain);

	return err == 0 || hypervisor_fault(s->hcall, err, "starting the guest", f);
}

/* ---- the record of it -------------------------------------------------------------------------------- */

static char *text_of(const struct blob *b)
{
	return strndup(b->data ? (const char *)b->data : "", b->size);
}

/* How it is to be made again, and what is to be done when it ends. */
static void fill_record(struct input *in, const char *path, const char *overrides)
{
	struct record *r = &in->record;

	snprintf(r->name, sizeof(r->name), "%s", in->config.name);
	r->on[END_POWEROFF] = in->config.on_poweroff;
	r->on[END_REBOOT] = in->config.on_reboot;
	r->on[END_CRASH] = in->config.on_crash;
	r->on[END_WATCHDOG] = in->config.on_watchdog;
	r->on[END_SOFT_RESET] = in->config.on_soft_reset;
	if (r->again)
		return;
	r->file = strdup(path);
	r->folder = getcwd(NULL, 0);
	r->config = text_of(&in->file);
	r->overrides = strdup(overrides ? overrides : "");
}

static bool keep(struct record *r, enum stage stage, int domid, struct fault *f)
{
	r->stage = stage;
	r->domid = domid;
	r->again &= stage != STAGE_RUNNING;
	return record_write(r, f);
}

/* Nothing came of it: forgotten, or still to be restarted. */
static void drop_record(struct record *r)
{
	struct fault ignored;

	if (!r->again || !keep(r, STAGE_RESTARTING, -1, &ignored))
		record_remove(r->uuid);
}

/* ---- making it --------------------------------------------------------------------------------------- */

/* The whole guest, running unless it is to be paused; false: nothing is left of it. */
static bool make(const struct system *s, int lock, const struct wishes *w, struct input *in,
		 struct made *made, struct fault *f)
{
	struct record *r = &in->record;

	if (!system_announce(lock, made->uuid, f))
		return false;
	/* Before there is a domain: whoever finds the record finds the domain by its UUID. */
	if (!keep(r, STAGE_MAKING, -1, f))
		return false;
	if (!domain_make(s, &in->config, &in->plan, made, f)) {
		drop_record(r);
		return false;
	}
	if (keep(r, STAGE_MAKING, made->domid, f) && go_on(s, f) &&
	    store_add(s, &in->config, made, f) && go_on(s, f) &&
	    devices_add(s, &in->config, made->domid, f) && go_on(s, f) &&
	    (w->paused || start(s, made->domid, f)) && keep(r, STAGE_RUNNING, made->domid, f))
		return true;
	if (domain_unmake(s->hcall, made->domid))
		fprintf(stderr, "kr: domain %u could not be taken away again: kr destroy %u\n",
			made->domid, made->domid);
	devices_remove(s, made->domid);
	store_remove(s, made->domid);
	drop_record(r);
	return false;
}

/* Of the system that is locked for it, so that what was free stays free. */
static int check_and_make(struct ctl *c, const struct system *s, int lock, const struct wishes *w,
			  struct input *in, struct made *made)
{
	const bool given = w->again || in->config.has_uuid;
	struct config_faults faults = { .nr = 0 };
	struct fault f;

	guest_check(s, &in->config, given ? made->uuid : NULL, &faults);
	if (faults.nr)
		return refuse_all(c, &faults);
	if (!given && !random_uuid(made->uuid, &f))
		return ctl_refuse(c, &f);
	uuid_text(made->uuid, in->record.uuid);
	return make(s, lock, w, in, made, &f) ? CTL_DONE : ctl_refuse(c, &f);
}

static int create(struct ctl *c, const struct wishes *w, const char *path, const char *overrides,
		  struct input *in)
{
	struct made made = { 0 };
	struct system s;
	struct fault f;
	int lock, status;

	if (!system_open(&s, SYSTEM_ALL, &f))
		return ctl_refuse(c, &f);
	s.watch = progress_begin(in->config.name);
	memcpy(made.uuid, w->again ? in->again_uuid : in->config.uuid, sizeof(made.uuid));
	lock = system_lock(&s, &f);
	fill_record(in, path, overrides);
	status = lock < 0 ? ctl_refuse(c, &f) : check_and_make(c, &s, lock, w, in, &made);
	system_unlock(lock);
	progress_end();
	if (status == CTL_DONE)
		event_append("kr", made.domid, in->config.name, w->again ? "made again" : "created",
			     w->again ? NULL : path, NULL);
	if (status == CTL_DONE && !c->json)
		printf("%s is domain %u%s\n", in->config.name, made.domid,
		       w->paused ? ", paused" : "");
	if (status == CTL_DONE)
		json_object_set_new(c->object, "domid", json_integer(made.domid));
	if (status == CTL_DONE && w->console && fflush(stdout) == 0) {
		system_let_signals();
		status = ctl_console(c, &s, made.domid);
	}
	system_close(&s);
	return status;
}

/* ---- the command ------------------------------------------------------------------------------------- */

/* For --dry-run: what the system would refuse now, where there is one. */
static void check_system(const struct config *g, struct config_faults *faults)
{
	struct system s;
	struct fault f;

	if (!system_open(&s, SYSTEM_STORE, &f))
		return;
	guest_check(&s, g, g->has_uuid ? g->uuid : NULL, faults);
	system_close(&s);
}

static int read_and_create(struct ctl *c, const struct wishes *w, const char *path,
			   const char *overrides, struct input *in)
{
	struct config_faults faults;
	struct fault f;

	if (!in->file.data && !build_file(path, "configuration", MOST_CONFIG, &in->file, &f))
		return ctl_refuse(c, &f);
	if (!config_read(&in->config, w->arch, path, (const char *)in->file.data, in->file.size,
			 overrides, &faults))
		return refuse_all(c, &faults);
	host_check(&in->config, HOST_NET, &faults);
	if (read_files(in, &faults))
		make_plan(in, w->dry, &faults);
	if (w->dry && w->arch == own_arch)
		check_system(&in->config, &faults);
	if (w->dry)
		show(c, in);
	if (w->dry || faults.nr)
		return refuse_all(c, &faults);
	return create(c, w, path, overrides, in);
}

/* As it was made the last time, under its present name and UUID. */
static int create_again(struct ctl *c, const struct wishes *w, struct input *in)
{
	struct record *r = &in->record;
	char *overrides = NULL, name[4 * CONFIG_NAME_MAX + 1] = "";
	struct fault f;
	int status;

	if (!record_read(w->again, r) || !r->config || r->stage != STAGE_RESTARTING ||
	    !uuid_read(r->uuid, in->again_uuid)) {
		fault_fill(&f, F_NO_SUCH_DOMAIN, "there is no guest %s to be made again", w->again);
		return ctl_refuse(c, &f);
	}
	r->again = true;
	in->file = (struct blob){ r->file, (const uint8_t *)r->config, strlen(r->config),
				  false }; /* the record's */
	if (r->folder && chdir(r->folder) < 0) {
		fault_fill(&f, F_FILE_MISSING, "%s: %s", r->folder, strerror(errno));
		return ctl_refuse(c, &f);
	}
	for (size_t i = 0; r->name[i]; i++) /* whatever is in it */
		snprintf(name + 4 * i, 5, "\\x%02x", (unsigned char)r->name[i]);
	if (asprintf(&overrides, "%s\nname='%s'\n", r->overrides ? r->overrides : "", name) < 0)
		return CTL_REFUSED;
	status = read_and_create(c, w, r->file ? r->file : "record", overrides, in);
	free(overrides);
	return status;
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

/* The options; CTL_DONE, or what the command returns. */
static int read_options(struct ctl *c, int argc, char **argv, struct wishes *w)
{
	int option;

	while ((option = ctl_option(c, argc, argv, "cnp", long_options)) != -1) {
		if (option == 'c')
			w->console = true;
		else if (option == 'n')
			w->dry = true;
		else if (option == 'p')
			w->paused = true;
		else if (option == 'A')
			w->again = optarg;
		else if (option == 'a' && !arch_of(optarg, &w->arch))
			return ctl_usage(c, "--arch %s: x86_64 or arm64", optarg);
		else if (option == '?')
			return CTL_USAGE;
	}
	if (optind == argc && !w->again)
		return ctl_usage(c, "which configuration file?");
	if (w->again && (optind < argc || w->dry))
		return ctl_usage(c, "--again UUID stands alone: the record has all the rest");
	if (w->console && (c->json || w->dry))
		return ctl_usage(c, "--console goes with neither --json nor --dry-run");
	if (w->arch != own_arch && !w->dry)
		return ctl_usage(c, "--arch is for --dry-run");
	return CTL_DONE;
}

int cmd_create(struct ctl *c, int argc, char **argv)
{
	struct wishes w = { .arch = own_arch };
	struct input in = { 0 };
	char *overrides;
	int status = read_options(c, argc, argv, &w);

	if (status)
		return status;
	overrides = w.again ? NULL : join_overrides(argc - optind - 1, argv + optind + 1);
	status = w.again ? create_again(c, &w, &in)
			 : read_and_create(c, &w, argv[optind], overrides, &in);
	build_plan_free(&in.plan);
	build_file_free(&in.tree);
	build_file_free(&in.ramdisk);
	build_file_free(&in.kernel);
	config_free(&in.config);
	if (!w.again)
		build_file_free(&in.file);
	record_free(&in.record);
	free(overrides);
	return status;
}
