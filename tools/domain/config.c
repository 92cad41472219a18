/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a configuration: the pairs of a file (parse.c), each taken as its row in keys.c says, then what concerns several keys. A fault of one key
 * does not hide those of others; only a file that cannot be parsed ends at its first.
 */
#include "config.h"
#include "host.h"
#include "keys.h"
#include "lib/uuid.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NR_KEYS_MOST 256u

static const char *const action_names[] = { "destroy",  "restart",          "rename-restart",
					    "preserve", "coredump-destroy", "coredump-restart",
					    NULL };

const char *config_action_name(enum config_action a)
{
	return action_names[a];
}

/* ---- values --------------------------------------------------------------------------------------- */

const char *config_text(const struct pair *p, const struct value *v, struct fault *f)
{
	if (v->kind != VALUE_LIST)
		return v->text;
	fault_fill(f, F_CONFIG_TYPE, "%s:%u:%u: %s: a list where one value is expected", v->at.file,
		   v->at.line, v->at.column, p->key);
	return NULL;
}

bool config_number(const struct pair *p, const struct value *v, uint64_t low, uint64_t high,
		   uint64_t *n, struct fault *f)
{
	const char *text = config_text(p, v, f);
	char *end;

	if (!text)
		return false;
	errno = 0;
	*n = strtoull(text, &end, 0); /* 0 and 0x in front as in xl.cfg(5) */
	if (!isdigit((unsigned char)text[0]) && !(text[0] == '-' && isdigit((unsigned char)text[1])))
		end = NULL;
	if (!end || *end)
		return fault_at(f, F_CONFIG_TYPE, &v->at, "%s: \"%s\" is not a number", p->key,
				text);
	if (text[0] == '-' || errno || *n < low || *n > high)
		return fault_at(f, F_CONFIG_VALUE, &v->at,
				"%s: %s is not possible: %llu to %llu are", p->key, text,
				(unsigned long long)low, (unsigned long long)high);
	return true;
}

/* The words of a row: "a|b", and behind their zero why no other is possible. */
static bool one_of(const char *words, const char *text)
{
	size_t n = strlen(text);

	for (const char *w = words; n && (w = strstr(w, text)); w++)
		if ((w == words || w[-1] == '|') && (w[n] == 0 || w[n] == '|'))
			return true;
	return false;
}

static bool take_word(const struct pair *p, const struct key *k, struct fault *f)
{
	const char *text = config_text(p, p->value, f);

	if (!text)
		return false;
	return one_of(k->text, text) ||
	       fault_at(f, F_CONFIG_UNSUPPORTED, &p->value->at, "%s=\"%s\": %s (possible: %s)",
			p->key, text, k->text + strlen(k->text) + 1, k->text);
}

static bool take_action(struct config *c, const struct pair *p, const struct key *k, struct fault *f)
{
	const char *text = config_text(p, p->value, f);
	char hint[100];

	if (!text)
		return false;
	for (unsigned i = 0; i < NR_ACTIONS; i++) {
		if (strcmp(text, action_names[i]) == 0) {
			*(enum config_action *)((char *)c + k->offset) = (enum config_action)i;
			return true;
		}
	}
	if (strcmp(text, "soft-reset") == 0)
		return fault_at(f, F_CONFIG_UNSUPPORTED, &p->value->at,
				"%s=\"%s\": guests cannot be reset yet; every other action can be",
				p->key, text);
	return fault_at(f, F_CONFIG_VALUE, &p->value->at, "%s: there is no action \"%s\"%s", p->key,
			text, nearest_hint(text, action_names, hint, sizeof(hint)));
}

/* A feature that is there always (`wanted` 1) or never (0). */
static bool must_be(const struct pair *p, const struct key *k, uint64_t wanted, struct fault *f)
{
	uint64_t n;

	if (!config_number(p, p->value, 0, UINT32_MAX, &n, f))
		return false;
	return (n != 0) == (wanted != 0) ||
	       fault_at(f, F_CONFIG_UNSUPPORTED, &p->value->at, "%s=%llu: %s", p->key,
			(unsigned long long)n, k->text);
}

static bool empty(const struct value *v)
{
	if (v->kind == VALUE_LIST)
		return !v->first;
	return v->text[0] == 0;
}

static bool take(struct config *c, const struct pair *p, const struct key *k, struct fault *f)
{
	void *to = (char *)c + k->offset;
	uint64_t n;

	switch (k->kind) {
	case KEY_PATH:
	case KEY_TEXT: {
		const char *text = config_text(p, p->value, f);

		if (text && k->kind == KEY_PATH && !*text)
			return fault_at(f, F_CONFIG_VALUE, &p->value->at, "%s: an empty path",
					p->key);
		*(const char **)to = text;
		return text != NULL;
	}
	case KEY_NUMBER:
		if (!config_number(p, p->value, k->low, k->high, &n, f))
			return false;
		*(uint32_t *)to = (uint32_t)n;
		return true;
	case KEY_NUMBER64: return config_number(p, p->value, k->low, k->high, to, f);
	case KEY_EITHER: return config_number(p, p->value, 0, UINT32_MAX, &n, f);
	case KEY_ACTION: return take_action(c, p, k, f);
	case KEY_WORD: return take_word(p, k, f);
	case KEY_MUST_BE_0: return must_be(p, k, 0, f);
	case KEY_MUST_BE_1: return must_be(p, k, 1, f);
	case KEY_EMPTY_LIST:
		return empty(p->value) ||
		       fault_at(f, F_CONFIG_UNSUPPORTED, &p->at, "%s: %s", p->key, k->text);
	case KEY_OTHER: return k->take(c, p, f);
	case KEY_REFUSED: break;
	}
	return fault_at(f, F_CONFIG_UNSUPPORTED, &p->at, "%s: %s", p->key, k->text);
}

/* ---- single keys ---------------------------------------------------------------------------------- */

bool config_take_type(struct config *c, const struct pair *p, struct fault *f)
{
	static const char *const types[] = { "pvh", "pv", "hvm", NULL };
	const char *text = config_text(p, p->value, f);
	char hint[100];

	if (!text)
		return false;
	if (strcmp(text, "pvh") == 0)
		return true;
	if (strcmp(text, "pv") == 0 || strcmp(text, "hvm") == 0)
		return fault_at(f, F_CONFIG_UNSUPPORTED, &p->value->at,
				"type=\"%s\": only PVH guests exist yet: write type=\"pvh\", if "
				"the kernel can do it",
				text);
	return fault_at(f, F_CONFIG_VALUE, &p->value->at, "type: there is no type \"%s\"%s", text,
			nearest_hint(text, types, hint, sizeof(hint)));
}

/* Before there was type=: "generic" is what a file without either means. */
bool config_take_builder(struct config *c, const struct pair *p, struct fault *f)
{
	const char *text = config_text(p, p->value, f);

	if (!text)
		return false;
	if (strcmp(text, "generic") == 0 && c->arch == BUILD_ARM64)
		return true;
	return fault_at(f, F_CONFIG_UNSUPPORTED, &p->value->at,
			"builder=\"%s\": only PVH guests exist yet: write type=\"pvh\" instead",
			text);
}

bool config_take_name(struct config *c, const struct pair *p, struct fault *f)
{
	const char *text = config_text(p, p->value, f);
	size_t n = text ? strlen(text) : 0;

	if (!text)
		return false;
	if (n == 0 || n > CONFIG_NAME_MAX)
		return fault_at(f, F_CONFIG_VALUE, &p->value->at,
				"name: %zu bytes: a name has 1 to %u", n, CONFIG_NAME_MAX);
	if (strspn(text, "0123456789") == n)
		return fault_at(f, F_CONFIG_VALUE, &p->value->at,
				"name: \"%s\" could be taken for a domain's number", text);
	for (size_t i = 0; i < n; i++)
		if (text[i] == '/' || (unsigned char)text[i] <= ' ' || text[i] == 127)
			return fault_at(
			    f, F_CONFIG_VALUE, &p->value->at,
			    "name: \"%s\": byte %zu is a blank, a control character or a /", text,
			    i + 1);
	c->name = text;
	return true;
}

bool config_take_uuid(struct config *c, const struct pair *p, struct fault *f)
{
	const char *text = config_text(p, p->value, f);

	if (!text)
		return false;
	c->has_uuid = uuid_read(text, c->uuid);
	return c->has_uuid ||
	       fault_at(f, F_CONFIG_VALUE, &p->value->at,
			"uuid: \"%s\" is not written as 01234567-89ab-cdef-0123-456789abcdef", text);
}

bool config_take_cpus(struct config *c, const struct pair *p, struct fault *f)
{
	const struct value *first = p->value, *v;
	struct config_cpus *cpus;

	if (first->kind == VALUE_LIST)
		first = first->first;
	for (v = first, c->nr_cpus = 0; v; v = v->next)
		c->nr_cpus++;
	if (c->nr_cpus == 0 || c->nr_cpus > CONFIG_MAX_VCPUS)
		return fault_at(f, F_CONFIG_VALUE, &p->value->at,
				"%s: a list of %u: one entry for each vCPU, 1 to %u", p->key,
				c->nr_cpus, CONFIG_MAX_VCPUS);
	c->cpus = arena_take(&c->arena, c->nr_cpus * sizeof(*c->cpus));
	for (cpus = c->cpus, v = first; v; v = v->next) {
		const char *text = config_text(p, v, f);

		if (!text || !cpulist_read(&v->at, text, cpus++, f))
			return false;
	}
	return true;
}

static bool must_be_list(const struct pair *p, const char *example, struct fault *f)
{
	return p->value->kind == VALUE_LIST ||
	       fault_at(f, F_CONFIG_TYPE, &p->value->at,
			"%s: one value where a list is expected: %s=[ '%s' ]", p->key, p->key,
			example);
}

bool config_take_disk(struct config *c, const struct pair *p, struct fault *f)
{
	struct config_disk **link = &c->disks;

	if (!must_be_list(p, "/dev/vg/disk,raw,xvda,rw", f))
		return false;
	for (const struct value *v = p->value->first; v; v = v->next) {
		const char *text = config_text(p, v, f);
		struct config_disk *d = arena_take(&c->arena, sizeof(*d));

		if (!text || !disk_read(&c->arena, &v->at, text, d, f))
			return false;
		for (const struct config_disk *o = c->disks; o; o = o->next)
			if (o->number == d->number)
				return fault_at(f, F_CONFIG_TWICE, &v->at,
						"disk: %s is already the device of \"%s\"", d->vdev,
						o->target ? o->target : "an empty drive");
		*link = d;
		link = &d->next;
	}
	return true;
}

/* The lowest number that no card has asked for or got. */
static uint32_t free_devid(const struct config *c)
{
	for (uint32_t id = 0;; id++) {
		const struct config_vif *v = c->vifs;

		while (v && v->devid != id)
			v = v->next;
		if (!v)
			return id;
	}
}

static bool check_vif(const struct config *c, const struct config_vif *v, struct fault *f)
{
	for (const struct config_vif *o = c->vifs; o; o = o->next) {
		if (o->devid == v->devid)
			return fault_at(f, F_CONFIG_TWICE, &v->at, "vif: devid %u is used already",
					v->devid);
		if (o->has_mac && v->has_mac && memcmp(o->mac, v->mac, 6) == 0)
			return fault_at(
			    f, F_CONFIG_TWICE, &v->at,
			    "vif: the address %02x:%02x:%02x:%02x:%02x:%02x is used already",
			    v->mac[0], v->mac[1], v->mac[2], v->mac[3], v->mac[4], v->mac[5]);
	}
	return true;
}

bool config_take_vif(struct config *c, const struct pair *p, struct fault *f)
{
	struct config_vif **link = &c->vifs;

	if (!must_be_list(p, "bridge=xenbr0", f))
		return false;
	for (const struct value *v = p->value->first; v; v = v->next) {
		const char *text = config_text(p, v, f);
		struct config_vif *card = arena_take(&c->arena, sizeof(*card));

		card->devid = free_devid(c);
		if (!text || !vif_read(&c->arena, &v->at, text, card, f) || !check_vif(c, card, f))
			return false;
		*link = card;
		link = &card->next;
	}
	return true;
}

bool config_take_device_tree(struct config *c, const struct pair *p, struct fault *f)
{
	const char *text = config_text(p, p->value, f);

	if (!text)
		return false;
	if (c->arch != BUILD_ARM64)
		return fault_at(f, F_CONFIG_UNSUPPORTED, &p->at,
				"device_tree: for Arm only: guests on x86 have ACPI tables");
	c->device_tree = text;
	return true;
}

bool config_take_gic(struct config *c, const struct pair *p, struct fault *f)
{
	const char *text = config_text(p, p->value, f);

	if (!text)
		return false;
	if (c->arch != BUILD_ARM64)
		return fault_at(f, F_CONFIG_UNSUPPORTED, &p->at, "gic_version: for Arm only");
	if (strcmp(text, "v3") == 0 || strcmp(text, "default") == 0)
		return true;
	return fault_at(f, strcmp(text, "v2") == 0 ? F_CONFIG_UNSUPPORTED : F_CONFIG_VALUE,
			&p->value->at,
			"gic_version=\"%s\": guests have a GICv3: \"v3\" or \"default\"", text);
}

/* ---- the whole ------------------------------------------------------------------------------------- */

void config_report(struct config_faults *to, const struct fault *f)
{
	if (to->nr == CONFIG_MAX_FAULTS)
		to->unshown++;
	else
		to->fault[to->nr++] = *f;
}

static const struct key *find_key(const char *name)
{
	const struct key *k = keys;

	while (k->name && strcmp(k->name, name) != 0)
		k++;
	return k->name ? k : NULL;
}

static bool unknown_key(const struct pair *p, struct fault *f)
{
	const char *names[NR_KEYS_MOST];
	char hint[100];
	size_t n = 0;

	for (const struct key *k = keys; k->name && n < NR_KEYS_MOST - 1; k++)
		names[n++] = k->name;
	names[n] = NULL;
	return fault_at(f, F_CONFIG_UNKNOWN, &p->at, "there is no key %s%s", p->key,
			nearest_hint(p->key, names, hint, sizeof(hint)));
}

static void take_all(struct config *c, struct config_faults *faults)
{
	for (const struct pair *p = c->pairs; p; p = p->next) {
		const struct key *k = find_key(p->key);
		struct fault f;

		if (!(k ? take(c, p, k, &f) : unknown_key(p, &f)))
			config_report(faults, &f);
	}
}

static const struct pair *pair_of(const struct config *c, const char *key)
{
	const struct pair *p = c->pairs;

	while (p && strcmp(p->key, key) != 0)
		p = p->next;
	return p;
}

/* root= and extra= count only without cmdline=, says xl.cfg(5); here both together are refused. */
static bool join_cmdline(struct config *c, struct fault *f)
{
	const struct pair *p = pair_of(c, c->root ? "root" : "extra");
	size_t room = 8;
	char *line;

	c->cmdline = c->given_cmdline ? c->given_cmdline : "";
	if (!p)
		return true;
	if (c->given_cmdline)
		return fault_at(f, F_CONFIG_CONFLICT, &p->at,
				"%s has no effect beside cmdline: put it into cmdline", p->key);
	room += (c->root ? strlen(c->root) : 0) + (c->extra ? strlen(c->extra) : 0);
	line = arena_take(&c->arena, room);
	snprintf(line, room, "%s%s%s%s", c->root ? "root=" : "", c->root ? c->root : "",
		 c->root && c->extra ? " " : "", c->extra ? c->extra : "");
	c->cmdline = line;
	return true;
}

static bool check_memory(struct config *c, struct fault *f)
{
	if (c->maxmem == 0)
		c->maxmem = c->memory;
	if (c->memory == 0)
		c->memory = c->maxmem;
	if (c->maxmem >= c->memory)
		return true;
	return fault_at(f, F_CONFIG_CONFLICT, &pair_of(c, "maxmem")->at,
			"maxmem=%llu is less than memory=%llu", (unsigned long long)c->maxmem,
			(unsigned long long)c->memory);
}

static bool check_vcpus(struct config *c, struct fault *f)
{
	if (c->vcpus == 0)
		c->vcpus = c->maxvcpus ? c->maxvcpus : 1;
	if (c->maxvcpus == 0)
		c->maxvcpus = c->vcpus;
	if (c->maxvcpus >= c->vcpus)
		return true;
	return fault_at(f, F_CONFIG_CONFLICT, &pair_of(c, "maxvcpus")->at,
			"maxvcpus=%u is less than vcpus=%u", c->maxvcpus, c->vcpus);
}

static bool missing(const char *file, const char *what, struct fault *f)
{
	return fault_set(f, F_CONFIG_MISSING, "%s: %s", file, what);
}

/* What a file without faults in its keys still lacks or contradicts. */
static void check_whole(struct config *c, const char *file, struct config_faults *faults)
{
	struct fault f;

	if (!pair_of(c, "name") && !missing(file, "no name=: every guest needs one", &f))
		config_report(faults, &f);
	if (!pair_of(c, "kernel") && !pair_of(c, "firmware") && !pair_of(c, "bootloader") &&
	    !missing(file, "no kernel=: the file that the guest boots", &f))
		config_report(faults, &f);
	if (!pair_of(c, "memory") && !pair_of(c, "maxmem") &&
	    !missing(file, "no memory=: how many MiB the guest gets", &f))
		config_report(faults, &f);
	if (c->arch == BUILD_X86_64 && !pair_of(c, "type") && !pair_of(c, "builder") &&
	    !missing(
		file,
		"no type=: that means PV on x86, and only PVH guests exist yet: write type=\"pvh\"",
		&f))
		config_report(faults, &f);
	if (!check_memory(c, &f))
		config_report(faults, &f);
	if (!check_vcpus(c, &f))
		config_report(faults, &f);
	if (!join_cmdline(c, &f))
		config_report(faults, &f);
}

bool config_read(struct config *c, enum build_arch arch, const char *file, const char *text,
		 size_t n, const char *overrides, struct config_faults *faults)
{
	struct fault f;

	*c = (struct config){
		.arch = arch,
		.cmdline = "",
		.cpu_weight = 256,
		.on_reboot = ACTION_RESTART,
		.max_grant_frames = UINT32_MAX,
		.max_maptrack_frames = UINT32_MAX,
		.max_grant_version = UINT32_MAX,
		.max_event_channels = UINT32_MAX,
	};
	*faults = (struct config_faults){ 0 };
	if (!parse_config(&c->arena, file, text, n, false, &c->pairs, &f) ||
	    (overrides && !parse_config(&c->arena, "command line", overrides, strlen(overrides),
					true, &c->pairs, &f))) {
		config_report(faults, &f);
		return false;
	}
	take_all(c, faults);
	check_whole(c, file, faults);
	return faults->nr == 0;
}

void config_free(struct config *c)
{
	arena_free(&c->arena);
	*c = (struct config){ 0 };
}
