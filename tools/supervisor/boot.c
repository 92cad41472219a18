/* SPDX-License-Identifier: Apache-2.0 */
/* See boot.h. */
#include "boot.h"
#include "domain/device.h"
#include "domain/log_line.h"
#include "domain/store_write.h"
#include "record.h"
#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <xen/xen.h>

#define LIST              64
#define ENDED_BY_WATCHDOG "was stopped by its watchdog"

/* ---- files ------------------------------------------------------------------------------------------- */

static void path_of(uint16_t domid, char *path, size_t room)
{
	snprintf(path, room, "%s/boot-%u.json", record_folder, domid);
}

static void keep(const struct boot_watch *w, const struct boot_domain *b)
{
	json_t *o = json_pack("{s:i, s:s, s:b, s:b}", "domid", b->domid, "name", b->name, "gone",
			      (int)b->gone, "silent", (int)b->silent);
	char path[200];
	struct fault f;

	path_of(b->domid, path, sizeof(path));
	if (!record_put(path, o, &f))
		w->complain(f.text);
	json_decref(o);
}

static void forget(struct boot_domain *b)
{
	char path[200];

	path_of(b->domid, path, sizeof(path));
	unlink(path);
	*b = (struct boot_domain){ 0 };
}

static struct boot_domain *find(struct boot_watch *w, uint16_t domid)
{
	for (unsigned i = 0; i < BOOT_DOMAINS; i++)
		if (w->domain[i].domid == domid)
			return &w->domain[i];
	return NULL;
}

static void read_one(struct boot_watch *w, const char *file)
{
	struct boot_domain *b = find(w, 0);
	json_int_t domid;
	char path[300];
	const char *name;
	json_t *o;

	snprintf(path, sizeof(path), "%s/%.64s", record_folder, file);
	o = json_load_file(path, 0, NULL);
	domid = json_integer_value(json_object_get(o, "domid"));
	name = json_string_value(json_object_get(o, "name"));
	if (b && name && domid > 0 && domid < DOMID_FIRST_RESERVED && !find(w, (uint16_t)domid)) {
		*b = (struct boot_domain){ .domid = (uint16_t)domid };
		b->gone = json_is_true(json_object_get(o, "gone"));
		b->silent = json_is_true(json_object_get(o, "silent"));
		snprintf(b->name, sizeof(b->name), "%s", name);
	}
	json_decref(o);
}

/* What the supervisor before us knew. */
static void read_all(struct boot_watch *w)
{
	DIR *folder = opendir(record_folder);
	struct dirent *e;

	while (folder && (e = readdir(folder)) != NULL) {
		size_t n = strlen(e->d_name);

		if (strncmp(e->d_name, "boot-", 5) == 0 && n > 5 &&
		    strcmp(e->d_name + n - 5, ".json") == 0)
			read_one(w, e->d_name);
	}
	if (folder)
		closedir(folder);
	w->read = true;
}

/* ---- ends -------------------------------------------------------------------------------------------- */

/* How it ended, which the hypervisor has said last of it: "d1: guest powered off". NULL: somebody destroyed it. */
static const char *ending_of(const struct system *s, uint16_t domid)
{
	static const char *const ends[] = { "powered off", "reboots", "crashed", ENDED_BY_WATCHDOG,
					    "asks for a soft reset" };
	char said[300];

	if (!log_last_said(s->hcall, domid, ": ", said, sizeof(said)))
		return NULL;
	for (unsigned i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		size_t n = strlen(said), m = strlen(ends[i]);

		if (n > m && strcmp(said + n - m, ends[i]) == 0)
			return ends[i];
	}
	return NULL;
}

static bool is_left(const struct system *s, uint16_t domid)
{
	char text[STORE_PATH_MAX];

	return store_get(s, text, sizeof(text), "/local/domain/%d/name", domid);
}

/* Its devices, its folders and its file go, unless it comes again. `how`: see ending_of(). */
static void has_ended(struct boot_watch *w, const struct system *s, struct boot_domain *b,
		      const char *how)
{
	char name[STORE_PATH_MAX];

	snprintf(name, sizeof(name), "%s", b->name);
	if (!b->taken && is_left(s, b->domid)) {
		store_name(s, b->domid, name, sizeof(name)); /* somebody may have renamed it */
		devices_remove(s, b->domid);
		store_remove(s, b->domid);
	}
	b->gone = !b->taken && how &&
		  (strcmp(how, "reboots") == 0 || strcmp(how, ENDED_BY_WATCHDOG) == 0);
	w->report(b->domid, name, how ? how : "destroyed",
		  b->gone ? "the hypervisor makes it again" : NULL);
	b->partial = false;
	if (b->gone)
		keep(w, b);
	else
		forget(b);
}

/* ---- one that is there --------------------------------------------------------------------------------- */

static void adopt(struct boot_watch *w, const struct system *s, const struct hcall_domain *d,
		  const char *report)
{
	struct boot_domain *b = find(w, d->id);
	char port[STORE_PATH_MAX];
	struct boot_domain now = { .domid = d->id, .seen = true };
	struct fault f;

	snprintf(now.name, sizeof(now.name), "boot-%u", d->id);
	if (!domain_adopt(s, d, now.name, &f))
		w->complain(f.text);
	now.silent = !store_get(s, port, sizeof(port), "/local/domain/%u/store/port", d->id);
	now.partial = !store_get(s, port, sizeof(port), "/local/domain/%u/console/port", d->id);
	if (report)
		w->report(d->id, now.name, report, "adopted");
	if (!b)
		b = find(w, 0);
	if (!b)
		return;
	*b = now;
	keep(w, b);
}

static void look_at(struct boot_watch *w, const struct system *s, const struct hcall_domain *d)
{
	struct boot_domain *b = find(w, d->id);

	if (!domain_is_adopted(s, d->id)) {
		const char *report = !b           ? "found running since boot"
				     : b->partial ? NULL /* the same one, now with its console */
						  : "made again";

		/* It ended and was made again between two looks. */
		if (b && !b->gone && !b->partial)
			has_ended(w, s, b, "ended");
		adopt(w, s, d, report);
		return;
	}
	if (b) {
		b->seen = true;
		b->gone = false;
		return;
	}
	/* Adopted by one that could not write it down any more. */
	b = find(w, 0);
	if (!b)
		return;
	*b = (struct boot_domain){ .domid = d->id, .seen = true };
	store_name(s, d->id, b->name, sizeof(b->name));
	keep(w, b);
}

/* All domains in turn; false: they could not be listed. */
static bool look_at_all(struct boot_watch *w, const struct system *s, bool *soon)
{
	static const uint8_t none[16];
	struct hcall_domain d[LIST];
	unsigned next = 1;
	int n;

	while ((n = hcall_domains(s->hcall, next, d, LIST)) > 0) {
		for (int i = 0; i < n; i++) {
			struct boot_domain *b = find(w, d[i].id);

			if (memcmp(d[i].uuid, none, sizeof(none)) != 0) {
				if (b)
					b->taken = true;
				continue;
			}
			/* On its way out: what comes next need not be announced. */
			*soon |= d[i].dying || d[i].shutdown;
			if (!d[i].dying)
				look_at(w, s, &d[i]);
		}
		next = d[n - 1].id + 1u;
	}
	return n == 0;
}

bool boot_look(struct boot_watch *w, const struct system *s)
{
	bool soon = false, all;

	if (!w->read)
		read_all(w);
	for (unsigned i = 0; i < BOOT_DOMAINS; i++)
		w->domain[i].seen = w->domain[i].taken = false;
	all = look_at_all(w, s, &soon);
	for (unsigned i = 0; i < BOOT_DOMAINS && all; i++) {
		struct boot_domain *b = &w->domain[i];

		if (b->domid && !b->seen && (!b->gone || b->taken))
			has_ended(w, s, b, ending_of(s, b->domid));
		soon |= b->domid && (b->gone || b->silent);
	}
	return soon || !all;
}
