/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Domains as toolstacks manage them: pauses that are theirs, holding a domain still, and what is reported. A
 * toolstack's pauses are one pause of the domain each (domain_pause); d->control_pauses counts them under the
 * domain's lock. Called by abi/domctl*.c.
 */
#include <hv/control.h>

#include <arch/control.h>
#include <hv/domain_time.h>
#include <hv/err.h>
#include <hv/sched.h>
#include <hv/string.h>
#include <xen/sched.h>

#define MAX_PAUSES 255u /* Xen's limit */

/* ---- pauses ------------------------------------------------------------------------------------ */

int control_pause(struct domain *d)
{
	bool ok;

	lock_take(&d->lock);
	ok = d->control_pauses < MAX_PAUSES;
	if (ok)
		d->control_pauses++;
	lock_release(&d->lock);
	if (!ok)
		return refuse(R_PAUSED_TOO_OFTEN, d->id, MAX_PAUSES, 0);
	domain_pause(d);
	return 0;
}

int control_unpause(struct domain *d)
{
	bool ok;

	lock_take(&d->lock);
	ok = d->control_pauses > 0;
	if (ok && --d->control_pauses == 0)
		domain_built(d);
	lock_release(&d->lock);
	if (!ok)
		return refuse(R_NOT_PAUSED, d->id, 0, 0);
	domain_unpause(d);
	return 0;
}

bool domain_off_cpu(const struct domain *d)
{
	struct vcpu *v;

	domain_for_each_vcpu(v, d) if (!vcpu_off_cpu(v)) return false;
	return true;
}

int control_hold(const struct domain *by, struct domain *d)
{
	if (atomic_xchg(&d->control_busy, true))
		return -ERR_RESTART;
	if (read_once(&d->dying)) {
		store_release(&d->control_busy, false);
		return refuse(R_DOMAIN_DYING, d->id, 0, 0);
	}
	if (!d->control_held)
		domain_pause(d);
	d->control_held = true;
	d->control_holder = by->id;
	if (domain_off_cpu(d))
		return 0;
	store_release(&d->control_busy, false);
	return -ERR_RESTART;
}

void control_give_way(struct domain *d)
{
	store_release(&d->control_busy, false);
}

void control_release(struct domain *d)
{
	d->control_held = false;
	domain_unpause(d);
	store_release(&d->control_busy, false);
}

/* Domains looked at in one step. */
#define LET_GO_STEP 64u

/* False: somebody is at work on `d`. */
static bool let_go(const struct domain *by, struct domain *d)
{
	if (atomic_xchg(&d->control_busy, true))
		return false;
	if (d->control_held && d->control_holder == by->id) {
		d->control_held = false;
		domain_unpause(d);
	}
	store_release(&d->control_busy, false);
	return true;
}

int control_let_go_step(const struct domain *by, uint32_t *next)
{
	for (unsigned i = 0; i < LET_GO_STEP; i++) {
		struct domain *d = domain_from(*next);

		if (!d)
			return 0;
		/* It is busy itself: with this step. */
		if (d != by && !let_go(by, d))
			return -ERR_RESTART;
		*next = d->id + 1u;
	}
	return -ERR_RESTART;
}

/* ---- the end ------------------------------------------------------------------------------------- */

/* Steps are taken by one caller at a time, toolstacks and background work alike. */
int control_destroy(struct domain *d)
{
	int err;

	if (atomic_xchg(&d->control_busy, true))
		return -ERR_RESTART;
	err = domain_destroy_step(d);
	store_release(&d->control_busy, false);
	return err;
}

/* ---- reports --------------------------------------------------------------------------------------- */

void control_memory(struct control_memory *m)
{
	struct mem_stats s;
	uint64_t promised;

	frame_stats(&s);
	*m = (struct control_memory){ .total = s.total, .dirty = s.dirty };
	m->claimed = domain_mem_asked();
	promised = s.claimed > m->claimed ? s.claimed - m->claimed : 0;
	m->free = s.free + s.never > promised ? s.free + s.never - promised : 0;
}

/* What the vCPUs do, in one pass. */
static uint32_t vcpus_info(struct domain *d, struct xen_domctl_getdomaininfo *info)
{
	uint32_t flags = XEN_DOMINF_blocked;
	struct vcpu *v;

	info->max_vcpu_id = XEN_INVALID_MAX_VCPU_ID;
	domain_for_each_vcpu(v, d)
	{
		enum vcpu_state state = vcpu_state(v);

		info->max_vcpu_id = v->id;
		info->cpu_time += sched_cpu_time(v);
		if (state == VCPU_OFFLINE)
			continue;
		info->nr_online_vcpus++;
		if (state != VCPU_BLOCKED)
			flags &= ~XEN_DOMINF_blocked;
		if (state == VCPU_RUNNING)
			flags |= XEN_DOMINF_running;
	}
	return info->nr_online_vcpus ? flags : 0;
}

void control_domain_info(struct domain *d, struct xen_domctl_getdomaininfo *info)
{
	gfn_t shared = frame_gfn(frame_of(d->shared_info_mfn));

	*info = (struct xen_domctl_getdomaininfo){
		.domain = d->id,
		.tot_pages = read_once(&d->mem.used),
		.max_pages = read_once(&d->mem.max),
		.outstanding_pages = read_once(&d->mem.asked) ? read_once(&d->mem.claimed) : 0,
		.shared_info_frame = shared.n,
		.ssidref = d->ssid,
	};
	info->flags = vcpus_info(d, info) | (read_once(&d->dying) ? XEN_DOMINF_dying : 0) |
		      (read_once(&d->state) == DOMAIN_SHUTDOWN ? XEN_DOMINF_shutdown : 0) |
		      (read_once(&d->control_pauses) ? XEN_DOMINF_paused : 0) |
		      (d->create_flags & XEN_DOMCTL_CDF_xs_domain ? XEN_DOMINF_xs_domain : 0) |
		      (d->create_flags & XEN_DOMCTL_CDF_hvm ? XEN_DOMINF_hvm_guest : 0) |
		      (d->create_flags & XEN_DOMCTL_CDF_hap ? XEN_DOMINF_hap : 0) |
		      read_once(&d->shutdown_code) << XEN_DOMINF_shutdownshift;
	memcpy(info->handle, d->uuid, sizeof(info->handle));
	arch_domain_info(d, info);
}
