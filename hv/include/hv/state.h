/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Saving and loading what a domain's vCPUs and virtual devices are in the middle of (public/state.h): for
 * migration, clones, live replacement, and creation by a toolstack.
 *
 * Who may call: one caller at a time for a domain, who holds it paused (domain_pause) from before the first
 * call until after the last, with all its vCPUs off their CPUs (vcpu_off_cpu). No lock is held. Saving changes
 * nothing. Loading looks at all of the records first and changes something only when all of them are good;
 * from then on it cannot fail, and its caller must let it finish. Interrupts and events that arrive while a
 * domain is being loaded are added to what is loaded.
 *
 * Both work in steps of one record, so that a call can stop between two: step functions return -ERR_RESTART
 * until they are through. The buffer is the hypervisor's own memory, aligned to eight bytes: nobody may change
 * it between the look and the load.
 */
#ifndef HV_STATE_H
#define HV_STATE_H

#include <hv/compiler.h>
#include <hv/reason.h>

struct domain;
struct vcpu;

/*
 * One type of record. Types come in the order of their codes. `v` is NULL for what a domain has once.
 * Every record of ours begins with its version, which core writes and compares; the rest is the functions' own.
 */
struct state_type {
	uint16_t code;    /* KRYPTON_STATE_* */
	bool per_vcpu;    /* one for each vCPU that exists */
	bool optional;    /* may be missing: then what it is about stays as it is */
	bool moving;      /* time changes it, even while the domain is paused */
	uint32_t version; /* the only one that is understood; 0: the record has none, it is Xen's */
	uint32_t length;  /* multiple of 8 */
	/* Instead of `length`, where domains differ; 0: this one has none. */
	uint32_t (*length_of)(const struct domain *d);
	/* Has it anything to save now? NULL: yes. Only with `optional`, or where all of the architecture's are. */
	bool (*present)(const struct vcpu *v);
	/* Fill the record, which is zero but for the version. Refuses when there is something that cannot be saved. */
	MUST_USE int (*save)(struct domain *d, struct vcpu *v, void *record);
	/* Can `d` take this? Changes nothing, looks at every field. */
	MUST_USE int (*check)(const struct domain *d, const struct vcpu *v, const void *record);
	void (*load)(struct domain *d, struct vcpu *v, const void *record);
	/* Instead of `moving`: clear what differs in a later record of a paused vCPU with nothing wrong, so that the rest can be compared. For tests. */
	void (*still)(void *before, void *after);
};

/* A place in the order: which type, which instance of it. */
struct state_place {
	uint32_t type, instance;
};

struct state_save {
	struct domain *d;
	uint8_t *buf;
	size_t size, used; /* bytes: there are, are written */
	struct state_place next;
};

struct state_load {
	struct domain *d;
	const uint8_t *buf;
	size_t size, at; /* bytes: there are, are read */
	struct state_place next;
	bool checked; /* all of it: now loading */
};

/* Bytes that the state of `d` takes at most. Does not change while no vCPU is created. */
size_t state_size(const struct domain *d);

/* R_STATE_RUNNING, R_STATE_DYING, R_STATE_WAITING, R_STATE_NONE, R_STATE_BUFFER. */
MUST_USE int state_save_begin(struct state_save *s, struct domain *d, void *buf, size_t size);
/* One record. -ERR_RESTART: call again; 0: s->used bytes are the state. A type's own refusal ends it. */
MUST_USE int state_save_step(struct state_save *s);

/*
 * One record alone, without its descriptor: `room` bytes at `buf` are enough for any of `d` when they are state_size(). *length
 * is what it has. Callers and refusals as above, and R_STATE_NO_RECORD.
 */
MUST_USE int state_save_one(struct domain *d, uint16_t code, uint32_t instance, void *buf,
			    size_t room, uint32_t *length);

/* R_STATE_RUNNING, R_STATE_DYING, R_STATE_WAITING, R_STATE_NONE. */
MUST_USE int state_load_begin(struct state_load *s, struct domain *d, const void *buf, size_t size);
/*
 * Look at one record or load one. -ERR_RESTART: call again; 0: all is loaded; a refusal (R_STATE_*): nothing
 * was changed, and the domain is as it was.
 */
MUST_USE int state_load_step(struct state_load *s);

/* ---- for record types ---------------------------------------------------------------------------- */

/* Refuse a record because of one field. */
#define state_bad_field(code, type, field, value) \
	refuse(R_STATE_FIELD, (code), offsetof(type, field), (uint64_t)(value))

/* The type with this code, or NULL. */
const struct state_type *state_type_find(uint16_t code);

#ifdef HV_DEBUG
/* Debug key: save each domain's state, load it into the same domain, and let it run on. */
void state_check_init(void);
#endif

#endif
