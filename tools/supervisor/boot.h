/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Domains that the hypervisor made when it booted. They have no UUID, nobody who named them and no kr create: they get a name, so that tools can speak of them, a way
 * to the store, and their console is dom0's (domain_adopt()). When one ends, the hypervisor takes it away and may make it again under the same number, which it tells
 * nobody: we look.
 *
 * Who has been adopted is kept in record_folder, one file boot-NUMBER.json each, so that an end is reported although the supervisor was not there when it came. A file goes after
 * its end was reported: a supervisor that is killed between the two reports it twice, never not at all.
 */
#ifndef TOOLS_SUPERVISOR_BOOT_H
#define TOOLS_SUPERVISOR_BOOT_H

#include "domain/create.h"
#include <stdbool.h>
#include <stdint.h>

#define BOOT_DOMAINS 64 /* the hypervisor makes no more */

struct boot_domain {
	uint16_t domid; /* 0: free */
	bool seen;      /* in the present round */
	bool taken;     /* in the present round: the number is another domain's now */
	bool gone;      /* it comes again */
	bool partial; /* it was found while the hypervisor built it: its console was not there yet */
	bool silent;  /* it has no ring to the store, so nobody announces its end */
	char name[32];
};

/* Zero to begin with: the first look reads the files. */
struct boot_watch {
	bool read;
	struct boot_domain domain[BOOT_DOMAINS];
	/* Told what happened to whom, and what is done about it (NULL: nothing). */
	void (*report)(int domid, const char *name, const char *what, const char *action);
	/* Told what went wrong. */
	void (*complain)(const char *text);
};

/* One look at all domains. True: look again soon, although no event may come. */
bool boot_look(struct boot_watch *w, const struct system *s);

#endif
