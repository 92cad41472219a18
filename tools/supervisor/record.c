/* SPDX-License-Identifier: Apache-2.0 */
/* See record.h. */
#include "record.h"
#include "lib/folder.h"
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <xen/sched.h>

#define PATH_LEN 256

const char *record_folder = RECORD_FOLDER;

static const char *const stage_names[NR_STAGES] = { "making",
						    "running",
						    "ending",
						    "restarting",
						    "preserved",
						    "dumping, ending",
						    "dumping, restarting" };
static const char *const on_names[NR_ENDINGS] = { "on_poweroff", "on_reboot", "on_crash",
						  "on_watchdog", "on_soft_reset" };
static const char *const ending_names[NR_ENDINGS] = { "poweroff", "reboot", "crash", "watchdog",
						      "soft reset" };

/* ---- files ------------------------------------------------------------------------------------------- */

void record_prepare(void)
{
	folder_make(record_folder, 0700);
}

static json_t *to_json(const struct record *r)
{
	json_t *o = json_pack("{s:s, s:s, s:i, s:s, s:b, s:s*, s:s*, s:s*, s:s*}", "uuid", r->uuid,
			      "name", r->name, "domid", r->domid, "stage", stage_names[r->stage],
			      "again", (int)r->again, "file", r->file, "folder", r->folder,
			      "config", r->config, "overrides", r->overrides);
	json_t *times = json_array();

	for (unsigned i = 0; i < NR_ENDINGS; i++)
		json_object_set_new(o, on_names[i], json_string(config_action_name(r->on[i])));
	for (unsigned i = 0; i < RECORD_HISTORY && r->restarted[i]; i++)
		json_array_append_new(times, json_integer((json_int_t)r->restarted[i]));
	json_object_set_new(o, "restarted", times);
	return o;
}

/* All of it on the disk before it gets its name. */
static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	size_t n = strlen(text);
	bool ok = fd >= 0;

	while (ok && n) {
		ssize_t done = write(fd, text, n);

		ok = done > 0 || (done < 0 && errno == EINTR);
		text += done > 0 ? done : 0;
		n -= done > 0 ? (size_t)done : 0;
	}
	ok = ok && fsync(fd) == 0;
	if (fd >= 0)
		close(fd);
	return ok;
}

bool record_put(const char *path, const json_t *o, struct fault *f)
{
	char *text = o ? json_dumps(o, JSON_INDENT(2)) : NULL;
	const char *slash = strrchr(path, '/');
	char new[PATH_LEN];
	bool ok;

	if (!text)
		return fault_set(f, F_NO_MEMORY, "%s: it cannot be written", path);
	record_prepare();
	snprintf(new, sizeof(new), "%.*s/.%s.%d", (int)(slash - path), path, slash + 1,
		 (int)getpid());
	ok = write_file(new, text) && rename(new, path) == 0;
	if (!ok) {
		fault_fill(f, F_FILE_ACCESS, "%s: %s", path, strerror(errno));
		unlink(new);
	}
	free(text);
	return ok;
}

bool record_write(const struct record *r, struct fault *f)
{
	char path[PATH_LEN];
	json_t *o = to_json(r);
	bool ok;

	if (!o) /* a file in another coding than UTF-8, say */
		return fault_set(f, F_CONFIG_SYNTAX,
				 "%s: the configuration is not written in UTF-8", r->name);
	snprintf(path, sizeof(path), "%s/%s.json", record_folder, r->uuid);
	ok = record_put(path, o, f);
	json_decref(o);
	return ok;
}

static char *copy_of(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? strdup(text) : NULL;
}

static bool index_of(const json_t *o, const char *key, const char *const *names, int n, int *index)
{
	const char *text = json_string_value(json_object_get(o, key));

	for (*index = 0; text && *index < n; ++*index)
		if (strcmp(names[*index], text) == 0)
			return true;
	return false;
}

static bool from_json(const json_t *o, struct record *r)
{
	const char *actions[NR_ACTIONS];
	const char *uuid = json_string_value(json_object_get(o, "uuid"));
	const char *name = json_string_value(json_object_get(o, "name"));
	const json_t *times = json_object_get(o, "restarted");
	int n;

	if (!uuid || !name || strlen(uuid) >= sizeof(r->uuid) || strlen(name) >= sizeof(r->name) ||
	    !index_of(o, "stage", stage_names, NR_STAGES, &n))
		return false;
	r->stage = (enum stage)n;
	for (int i = 0; i < NR_ACTIONS; i++)
		actions[i] = config_action_name((enum config_action)i);
	for (int i = 0; i < NR_ENDINGS; i++) {
		/* Records of before there was on_soft_reset have none: n is 0 then, destroy. */
		if (!index_of(o, on_names[i], actions, NR_ACTIONS, &n) &&
		    (i != END_SOFT_RESET || json_object_get(o, on_names[i])))
			return false;
		r->on[i] = (enum config_action)n;
	}
	strcpy(r->uuid, uuid);
	strcpy(r->name, name);
	r->domid = (int)json_integer_value(json_object_get(o, "domid"));
	r->again = json_is_true(json_object_get(o, "again"));
	for (unsigned i = 0; i < RECORD_HISTORY; i++)
		r->restarted[i] = json_integer_value(json_array_get(times, i));
	r->file = copy_of(o, "file");
	r->folder = copy_of(o, "folder");
	r->config = copy_of(o, "config");
	r->overrides = copy_of(o, "overrides");
	return true;
}

bool record_read(const char *uuid, struct record *r)
{
	char path[PATH_LEN];
	json_t *o;
	bool ok;

	*r = (struct record){ .domid = -1 };
	snprintf(path, sizeof(path), "%s/%.36s.json", record_folder, uuid);
	o = json_load_file(path, 0, NULL);
	ok = o && from_json(o, r) && strcmp(r->uuid, uuid) == 0;
	json_decref(o);
	if (!ok)
		record_free(r);
	return ok;
}

void record_free(struct record *r)
{
	free(r->file);
	free(r->folder);
	free(r->config);
	free(r->overrides);
	*r = (struct record){ .domid = -1 };
}

void record_remove(const char *uuid)
{
	char path[PATH_LEN];

	snprintf(path, sizeof(path), "%s/%.36s.json", record_folder, uuid);
	unlink(path);
}

/* ---- what is due ------------------------------------------------------------------------------------- */

static int ending_of(unsigned code)
{
	switch (code) {
	case SHUTDOWN_poweroff: return END_POWEROFF;
	case SHUTDOWN_reboot: return END_REBOOT;
	case SHUTDOWN_suspend: return -1;
	case SHUTDOWN_watchdog: return END_WATCHDOG;
	case SHUTDOWN_soft_reset: return END_SOFT_RESET;
	default: return END_CRASH;
	}
}

const char *record_ending(unsigned code)
{
	int n = ending_of(code);

	return n < 0 ? NULL : ending_names[n];
}

/* First the domain goes, then what belonged to it, then `at_last`. */
static enum step take_away(const struct hcall_domain *d, bool left, enum step at_last)
{
	if (d)
		return d->dying ? STEP_WAIT : STEP_DESTROY;
	return left ? STEP_CLEAR : at_last;
}

enum step record_next(const struct record *r, const struct hcall_domain *d, bool making, bool left)
{
	switch (r->stage) {
	case STAGE_MAKING:
		if (making)
			return STEP_WAIT;
		/* Its maker was killed, and maybe only before it said that all is done. */
		if (d && !d->paused && !d->dying)
			return STEP_FOLLOW;
		return take_away(d, left, r->again ? STEP_CREATE : STEP_FORGET);
	case STAGE_RUNNING:
		if (d && !d->dying)
			return d->shutdown && ending_of(d->shutdown_code) >= 0 ? STEP_ENDED
									       : STEP_NONE;
		return take_away(d, left, STEP_FORGET);
	case STAGE_PRESERVED: return d && !d->dying ? STEP_NONE : take_away(d, left, STEP_FORGET);
	case STAGE_DUMP_ENDING:
	case STAGE_DUMP_RESTARTING:
		return d && !d->dying
			   ? STEP_DUMP
			   : take_away(d, left,
				       r->stage == STAGE_DUMP_ENDING ? STEP_FORGET : STEP_CREATE);
	case STAGE_ENDING: return take_away(d, left, STEP_FORGET);
	default: return take_away(d, left, STEP_CREATE);
	}
}

/* As many restarts as are remembered, all of them lately: it would go on like that. */
static bool too_often(const struct record *r, int64_t now)
{
	int64_t first = r->restarted[RECORD_HISTORY - 1];

	return first && now - first < RECORD_SOON;
}

static bool restarts(enum config_action a)
{
	return a == ACTION_RESTART || a == ACTION_RENAME_RESTART || a == ACTION_COREDUMP_RESTART;
}

static enum stage stage_after(enum config_action a)
{
	switch (a) {
	case ACTION_DESTROY: return STAGE_ENDING;
	case ACTION_RESTART: return STAGE_RESTARTING;
	case ACTION_COREDUMP_DESTROY: return STAGE_DUMP_ENDING;
	case ACTION_COREDUMP_RESTART: return STAGE_DUMP_RESTARTING;
	default: return STAGE_PRESERVED;
	}
}

/* Instead of another restart. */
static const char *give_up(enum config_action *action)
{
	if (*action == ACTION_COREDUMP_RESTART) {
		*action = ACTION_COREDUMP_DESTROY;
		return "coredump-destroy: it was restarted too often";
	}
	*action = ACTION_DESTROY;
	return "destroy: it was restarted too often";
}

const char *record_end(struct record *r, unsigned code, int64_t now, enum config_action *action)
{
	const char *what;

	*action = r->on[ending_of(code)];
	what = config_action_name(*action);
	if (restarts(*action)) {
		if (too_often(r, now)) {
			what = give_up(action);
		} else {
			memmove(r->restarted + 1, r->restarted,
				(RECORD_HISTORY - 1) * sizeof(r->restarted[0]));
			r->restarted[0] = now;
		}
	}
	r->stage = stage_after(*action);
	return what;
}

void record_dumped(struct record *r)
{
	if (r->stage == STAGE_DUMP_ENDING)
		r->stage = STAGE_ENDING;
	else if (r->stage == STAGE_DUMP_RESTARTING)
		r->stage = STAGE_RESTARTING;
}

/* ---- events ------------------------------------------------------------------------------------------ */

void event_append(const char *from, int domid, const char *name, const char *what, const char *why,
		  const char *action)
{
	json_t *o = json_pack("{s:I, s:s, s:i, s:s, s:s, s:s*, s:s*}", "time",
			      (json_int_t)time(NULL), "from", from, "domid", domid, "name", name,
			      "what", what, "why", why, "action", action);
	char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;
	FILE *file;

	folder_make(EVENTS_FOLDER, 0750);
	file = text ? fopen(EVENTS_FILE, "ae") : NULL;
	if (file) {
		fprintf(file, "%s\n", text);
		fclose(file);
	}
	free(text);
	json_decref(o);
}
