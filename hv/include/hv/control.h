/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What managing domains needs of core beyond hv/domain.h: pauses by a toolstack, holding a domain still while its
 * state is read or written, and what is reported of it. Called by abi/domctl*.c and abi/sysctl*.c, without locks.
 */
#ifndef HV_CONTROL_H
#define HV_CONTROL_H

#include <hv/domain.h>
#include <xen/domctl.h>

/*
 * Pauses by toolstacks, counted apart so that a toolstack takes back only what toolstacks did. A domain that is
 * BUILDING has one; taking away the last makes it ALIVE. R_PAUSED_TOO_OFTEN, R_NOT_PAUSED.
 */
MUST_USE int control_pause(struct domain *d);
MUST_USE int control_unpause(struct domain *d);

/* No CPU runs a vCPU of `d` or holds its registers. Stays true while it is paused. */
bool domain_off_cpu(const struct domain *d);
/* The next step of destroying `d`, which is DYING, would only wait: for vCPUs to leave their CPUs, or for all CPUs to have
 * forgotten it. The caller lets something else run meanwhile. Any lock. */
bool domain_destroy_waits(const struct domain *d);

/*
 * Hold `d` still: 0 once no CPU has any of its vCPUs, and until control_release(); -ERR_RESTART: they are on their
 * way, or another caller has it: enter the call again. A call of `by` that never comes back leaves the domain held until the next one
 * releases it, or until `by` ends. R_DOMAIN_DYING.
 */
MUST_USE int control_hold(const struct domain *by, struct domain *d);
void control_release(struct domain *d);
/* Between two steps of one call: `d` stays still, and others may look whose call it is. */
void control_give_way(struct domain *d);
/* `by` ends: what it was holding goes on. A step; *next begins with 0; -ERR_RESTART until all domains were looked at. */
MUST_USE int control_let_go_step(const struct domain *by, uint32_t *next);

/* One more step of destruction by whoever asks; -ERR_RESTART until everything is given back. */
MUST_USE int control_destroy(struct domain *d);

/*
 * Memory as toolstacks count it: frames that nobody has and nobody was promised except by a toolstack, and how many of these
 * toolstacks have asked for (XENMEM_claim_pages).
 */
struct control_memory {
	uint64_t total, free, claimed, dirty;
};
void control_memory(struct control_memory *m);
/* XEN_DOMCTL_getdomaininfo. */
void control_domain_info(struct domain *d, struct xen_domctl_getdomaininfo *info);

/* ---- progress of a call that is entered again -------------------------------------------------- */

/*
 * A restarted domctl or sysctl says in its second argument that it is one, and keeps numbers in the others. A guest
 * can write there what it likes: whoever uses a number judges it as if it were the first time.
 */
#define CONTROL_RESUMED 0x4b7279707430316eull

static inline bool control_resumed(const uint64_t *a)
{
	return a[1] == CONTROL_RESUMED;
}

/* Progress `n` (0..3) of a call that was entered again; 0 when it was not. */
static inline uint64_t control_progress(const uint64_t *a, unsigned n)
{
	return control_resumed(a) ? a[2 + n] : 0;
}

#endif
