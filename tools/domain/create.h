/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making a domain of a configuration and a plan, and ending domains. Two halves: what the hypervisor keeps (make.c) and what the store
 * keeps (store.c). A domain that could not be made completely is taken away again, with all that was written about it.
 */
#ifndef TOOLS_DOMAIN_CREATE_H
#define TOOLS_DOMAIN_CREATE_H

#include "build/build.h"
#include "config.h"
#include "lib/fmem/fmem.h"
#include "lib/hcall/hcall.h"
#include "lib/store/client.h"
#include "lib/watch.h"
#include <sys/types.h>

/* What there is to manage domains with: all four, or none (F_NO_HYPERVISOR, F_PRIVILEGE, F_NO_STORE). */
struct system {
	struct hcall *hcall;
	struct fmem *fmem;
	struct store_client *store;
	const struct watch
	    *watch; /* who looks on at what takes long; NULL: nobody, as system_open() leaves it */
};

enum system_parts { SYSTEM_CALLS, SYSTEM_STORE, SYSTEM_ALL }; /* each with those before it */
MUST_USE bool system_open(struct system *s, enum system_parts parts, struct fault *f);
void system_close(struct system *s);
/*
 * Who makes, changes or ends domains or devices holds this lock meanwhile: a descriptor for system_unlock(); -1: *f (F_PRIVILEGE). If the
 * one who held it before was killed, what it left half done is taken away first (recover.c). From here on SIGINT, SIGTERM and SIGHUP are held
 * back, beyond system_unlock(): whoever works asks s->watch, and stops between two steps. system_let_signals() ends that.
 */
#define SYSTEM_LOCK "/run/kr.lock"
MUST_USE int system_lock(const struct system *s, struct fault *f);
void system_unlock(int lock);
/* The same without the lock, for what takes long and changes no domain. */
void system_hold_signals(void);
/* Signals that came meanwhile arrive now, and may end the process. */
void system_let_signals(void);
/* The holder is about to make a domain with this UUID: if it is killed, the domain goes too, unless it has run. */
MUST_USE bool system_announce(int lock, const uint8_t *uuid, struct fault *f);
/* The same for one device of a domain that exists, "vbd" or "vif". */
MUST_USE bool system_announce_device(int lock, const char *type, uint16_t domid, uint32_t id,
				     struct fault *f);

struct made {
	uint16_t domid;
	uint8_t uuid[16];
	uint32_t store_port, console_port;
	uint64_t store_gfn, console_gfn;
};

/*
 * make.c: a domain that is complete for the hypervisor, paused, as `c` and `plan` say, with the UUID that *made brings. False: *f filled, nothing is left.
 */
MUST_USE bool domain_make(const struct system *s, const struct config *c, struct build_plan *plan,
			  struct made *made, struct fault *f);
/* Let it go: destroy, in as many steps as it takes. 0 or a negative errno value. */
MUST_USE int domain_unmake(struct hcall *h, uint16_t domid);

/* store.c: names and numbers. Digits alone are a domain's number: names are other than that. */
bool store_is_number(const char *who);
/* *domid of the domain `who`, a name or a number. */
MUST_USE bool store_find(const struct system *s, const char *who, uint16_t *domid, struct fault *f);
/* The name of a domain into `buf`; "" if it has none. */
const char *store_name(const struct system *s, uint16_t domid, char *buf, size_t room);
/* Nobody has this name? */
MUST_USE bool store_name_free(const struct system *s, const char *name, struct fault *f);
/*
 * check.c: add to *faults what of this system does not go with a new guest: a name or UUID (NULL: a new one) that is taken, memory, disks and addresses in
 * use.
 */
void guest_check(const struct system *s, const struct config *c, const uint8_t *uuid,
		 struct config_faults *faults);
/*
 * adopt.c: a domain that the hypervisor made when it booted gets what a toolstack would have given it: a name, its folders and, if it asked for them, a ring to the store and
 * a place for its console, which the hypervisor serves until a daemon finds it there. False: *f; it may have its folders already.
 */
struct hcall_domain;
MUST_USE bool domain_adopt(const struct system *s, const struct hcall_domain *d, const char *name,
			   struct fault *f);
/* This very domain was adopted, not one that had its number before. */
MUST_USE bool domain_is_adopted(const struct system *s, uint16_t domid);
/* Everything that is kept about a new domain, and the daemon is told of it: without a console if it has no port, without a ring likewise. */
MUST_USE bool store_add(const struct system *s, const struct config *c, const struct made *made,
			struct fault *f);
/* Everything that is kept about a domain is removed, and the daemon told that it is gone. */
void store_remove(const struct system *s, uint16_t domid);
/* Ask the guest's kernel: "poweroff", "reboot". */
MUST_USE bool store_ask(const struct system *s, uint16_t domid, const char *what, struct fault *f);

#endif
