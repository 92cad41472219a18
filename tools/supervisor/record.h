/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known of a guest that somebody follows: one JSON file, RECORD_FOLDER/UUID.json, replaced as a whole. kr create begins it before the domain
 * exists; from then on whoever finds it can say what is to be done next (record_next()), whatever was killed meanwhile:
 *
 *	(kr create) -> making -> running -+-> preserved		its domain goes away: forgotten
 *			  ^		  +-> ending		destroyed, cleared, forgotten
 *			  +---------------+-> restarting	destroyed, cleared, made again
 *
 * With a core file (coredump-...), "dumping, ending" or "dumping, restarting" comes before the latter two, until it is written or could not be.
 */
#ifndef TOOLS_SUPERVISOR_RECORD_H
#define TOOLS_SUPERVISOR_RECORD_H

#include "domain/config.h"
#include "lib/fault.h"
#include "lib/hcall/hcall.h"
#include "lib/uuid.h"
#include <jansson.h>

#define RECORD_FOLDER  "/run/krypton/domains"
#define RECORD_HISTORY 5
#define RECORD_SOON    60 /* so many seconds for RECORD_HISTORY restarts are too few */
#define EVENTS_FOLDER  "/var/log/krypton"
#define EVENTS_FILE    EVENTS_FOLDER "/events"

enum stage {
	STAGE_MAKING,
	STAGE_RUNNING,
	STAGE_ENDING,
	STAGE_RESTARTING,
	STAGE_PRESERVED,
	STAGE_DUMP_ENDING,
	STAGE_DUMP_RESTARTING,
	NR_STAGES
};
enum ending { END_POWEROFF, END_REBOOT, END_CRASH, END_WATCHDOG, END_SOFT_RESET, NR_ENDINGS };

struct record {
	char uuid[UUID_TEXT];
	char name[CONFIG_NAME_MAX + 1];
	int domid; /* -1: none yet */
	enum stage stage;
	bool again; /* making: it was there before */
	enum config_action on[NR_ENDINGS];
	char *file, *folder, *config,
	    *overrides; /* how kr create was called: file's name and text, its working folder, KEY=VALUEs */
	int64_t restarted[RECORD_HISTORY]; /* when, the latest first; 0: not */
};

extern const char *record_folder; /* RECORD_FOLDER; tests have their own */

/* Make the folder and those above it. */
void record_prepare(void);
/* `o` becomes the file `path`, whole, which lies in that folder; or the old one stays. */
MUST_USE bool record_put(const char *path, const json_t *o, struct fault *f);
/* Make the file, or replace it: afterwards the old one or the new one is there whole. Folders above it are made. */
MUST_USE bool record_write(const struct record *r, struct fault *f);
/* False: there is none, or it is not sound. record_free() is due only after true. */
MUST_USE bool record_read(const char *uuid, struct record *r);
void record_free(struct record *r);
void record_remove(const char *uuid);

enum step {
	STEP_NONE,    /* all is as it should be */
	STEP_WAIT,    /* somebody else is at work: look again soon */
	STEP_FOLLOW,  /* it was made completely: it is running from now on */
	STEP_ENDED,   /* record_end() is due */
	STEP_DUMP,    /* write its core; record_dumped() is due then */
	STEP_DESTROY, /* its domain is to go */
	STEP_CLEAR,   /* its domain has gone, not all that belonged to it */
	STEP_CREATE,  /* make it again */
	STEP_FORGET,
};

/*
 * What is due next. `d` is the domain with the record's UUID, or NULL. `making`: a kr create may be at work (it holds its lock); `left`: the store still has
 * a home of domain r->domid.
 */
enum step record_next(const struct record *r, const struct hcall_domain *d, bool making, bool left);

/* Its domain has shut down by itself with `code` at `now`: the stage changes as the guest's on_... says. What is done, for people. */
const char *record_end(struct record *r, unsigned code, int64_t now, enum config_action *action);
/* Its core is written, or could not be: what comes after that. */
void record_dumped(struct record *r);
/* "poweroff", "reboot", "crash" (a code that nobody knows too), "watchdog", "soft reset"; NULL: it has not ended, it is suspended. */
const char *record_ending(unsigned code);

/* Append to EVENTS_FILE what `from` ("kr", "supervisor") has seen or done (`why` and `action` may be NULL). */
void event_append(const char *from, int domid, const char *name, const char *what, const char *why,
		  const char *action);

#endif
