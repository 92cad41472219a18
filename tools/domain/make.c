/* SPDX-License-Identifier: Apache-2.0 */
/* The hypervisor's half of a domain: created, sized, filled, with its two shared pages and their event channels; paused. */
#include "build/fill.h"
#include "build/start.h"
#include "create.h"
#include "lib/hcall/domctl.h"
#include <errno.h>
#include <string.h>
#include <xen/grant_table.h>
#include <xen/hvm/params.h>
#include <xen/memory.h>

#define KIB_PER_MIB            1024ull
#define DEFAULT_EVENT_CHANNELS 1023u

/* Second-stage tables and what else grows with a domain: 1 MiB for each vCPU, 8 KiB for each MiB of memory. */
static uint64_t pool_size(const struct config *c)
{
	return ((uint64_t)c->maxvcpus << 20) + (c->maxmem << 13);
}

static uint32_t given(uint32_t value, uint32_t fallback)
{
	return value == UINT32_MAX ? fallback : value;
}

static void describe(const struct config *c, const uint8_t *uuid,
		     struct xen_domctl_createdomain *how)
{
	memset(how, 0, sizeof(*how));
	start_describe(how);
	memcpy(how->handle, uuid, sizeof(how->handle));
	how->max_vcpus = c->maxvcpus;
	how->max_evtchn_port = given(c->max_event_channels, DEFAULT_EVENT_CHANNELS);
	how->max_grant_frames = (int32_t)given(c->max_grant_frames, (uint32_t)-1);
	how->max_maptrack_frames = (int32_t)given(c->max_maptrack_frames, (uint32_t)-1);
	how->grant_opts = XEN_DOMCTL_GRANT_version(given(c->max_grant_version, 1));
}

/* ---- the steps --------------------------------------------------------------------------------------- */

static bool refused(const struct system *s, int err, const char *what, struct fault *f)
{
	return err == 0 || hypervisor_fault(s->hcall, err, what, f);
}

static bool set_affinity(const struct system *s, const struct config *c, uint16_t domid,
			 struct fault *f)
{
	for (uint32_t i = 0; c->cpus && i < c->maxvcpus; i++) {
		const struct config_cpus *cpus = &c->cpus[i < c->nr_cpus ? i : c->nr_cpus - 1];
		uint64_t map[CONFIG_MAX_CPUS / 64];

		for (size_t w = 0; w < CONFIG_MAX_CPUS / 64; w++)
			map[w] = cpus->all ? ~cpus->bit[w] : cpus->bit[w];
		if (!refused(s, hcall_set_affinity(s->hcall, domid, i, map, CONFIG_MAX_CPUS),
			     "cpus", f))
			return false;
	}
	return true;
}

static bool set_sizes(const struct system *s, const struct config *c, uint16_t domid,
		      struct fault *f)
{
	struct xen_domctl vcpus = { .cmd = XEN_DOMCTL_max_vcpus, .domain = domid };
	struct xen_domctl weight = { .cmd = XEN_DOMCTL_scheduler_op, .domain = domid };

	vcpus.u.max_vcpus.max = c->maxvcpus;
	weight.u.scheduler_op.sched_id = XEN_SCHEDULER_CREDIT2;
	weight.u.scheduler_op.cmd = XEN_DOMCTL_SCHEDOP_putinfo;
	weight.u.scheduler_op.u.credit2.weight = (uint16_t)c->cpu_weight;
	/* Under another scheduler than credit2 there are no weights; the default need not be set anywhere. */
	return refused(s, hcall_paging_pool(s->hcall, domid, pool_size(c)),
		       "memory for page tables", f) &&
	       refused(s, hcall_domctl(s->hcall, &vcpus), "vCPUs", f) &&
	       /* The pages that it shares come on top. */
	       refused(s, hcall_max_mem(s->hcall, domid, c->maxmem * KIB_PER_MIB + 2 * 4), "maxmem",
		       f) &&
	       (c->cpu_weight == 256 ||
		refused(s, hcall_domctl(s->hcall, &weight), "cpu_weight", f)) &&
	       set_affinity(s, c, domid, f);
}

static bool connect_services(const struct system *s, struct made *made, struct fault *f)
{
	const struct {
		uint32_t index;
		uint64_t value;
	} param[] = {
		{ HVM_PARAM_STORE_PFN, made->store_gfn },
		{ HVM_PARAM_CONSOLE_PFN, made->console_gfn },
	};
	struct hcall *h = s->hcall;

	if (!refused(s, hcall_alloc_unbound(h, made->domid, 0, &made->store_port),
		     "the store's event channel", f) ||
	    !refused(s, hcall_alloc_unbound(h, made->domid, 0, &made->console_port),
		     "the console's event channel", f))
		return false;
	for (unsigned i = 0; i < 2; i++)
		if (!refused(s, hcall_set_param(h, made->domid, param[i].index, param[i].value),
			     "a shared page", f))
			return false;
	return refused(s, hcall_set_param(h, made->domid, HVM_PARAM_STORE_EVTCHN, made->store_port),
		       "the store's event channel", f) &&
	       refused(s,
		       hcall_set_param(h, made->domid, HVM_PARAM_CONSOLE_EVTCHN, made->console_port),
		       "the console's event channel", f);
}

/* The daemons reach the two pages by grants of fixed numbers (xen/grant_table.h). */
static bool grant_pages(const struct system *s, const struct made *made, struct fault *f)
{
	grant_entry_v1_t *table = fmem_grants(s->fmem, made->domid);

	if (!table)
		return fault_set(f, F_HYPERVISOR, "the guest's grant table cannot be mapped: %s",
				 strerror(errno));
	table[GNTTAB_RESERVED_CONSOLE] = (grant_entry_v1_t){ GTF_permit_access, 0,
							     (uint32_t)made->console_gfn };
	table[GNTTAB_RESERVED_XENSTORE] = (grant_entry_v1_t){ GTF_permit_access, 0,
							      (uint32_t)made->store_gfn };
	fmem_unmap(s->fmem, table, 1);
	return true;
}

bool domain_make(const struct system *s, const struct config *c, struct build_plan *plan,
		 struct made *made, struct fault *f)
{
	struct xen_domctl_createdomain how;
	struct fault ignored;
	int err;

	if (!start_possible(f))
		return false;
	describe(c, made->uuid, &how);
	err = hcall_create(s->hcall, &how, &made->domid);
	if (err)
		return hypervisor_fault(s->hcall, err, "creating the domain", f);
	made->store_gfn = plan->store_gfn;
	made->console_gfn = plan->console_gfn;
	if (set_sizes(s, c, made->domid, f) &&
	    build_fill(s->hcall, s->fmem, made->domid, plan, s->watch, f) &&
	    connect_services(s, made, f) && grant_pages(s, made, f) &&
	    start_set(s->hcall, made->domid, plan, f))
		return true;
	err = domain_unmake(s->hcall, made->domid);
	if (err) /* what led here is of more interest */
		hypervisor_fault(s->hcall, err, "taking the domain away again", &ignored);
	return false;
}

int domain_unmake(struct hcall *h, uint16_t domid)
{
	int err;

	do
		err = hcall_simple(h, domid, XEN_DOMCTL_destroydomain);
	while (err == -EAGAIN || err == -EINTR);
	return err;
}
