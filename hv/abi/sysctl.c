/* SPDX-License-Identifier: Apache-2.0 */
/*
 * XEN_SYSCTL_*: what a toolstack asks about the machine. The table names a handler for each operation; a
 * handler gets the structure as it came in and says whether it is to be copied back. Order of checks: address,
 * interface version, permission, then the operation's own.
 */
#include "sysctl.h"

#include <arch/control.h>
#include <hv/console.h>
#include <hv/control.h>
#include <hv/domain.h>
#include <hv/err.h>
#include <hv/iommu.h>
#include <hv/nospec.h>
#include <hv/policy.h>

#define CHUNK    256u
/* Keys in one call; a person types them. */
#define MAX_KEYS 64u

/* ---- the console ------------------------------------------------------------------------------ */

/* The ring is small: all of it in one call. */
static int readconsole(struct sysctl_call *c)
{
	struct xen_sysctl_readconsole *r = &c->op.u.readconsole;
	uint32_t done = 0;
	char buf[CHUNK];
	int err;

	err = guest_writable(c->v, handle_gva(r->buffer), MIN(r->count, CONSOLE_RING_SIZE));
	while (!err && done < r->count) {
		size_t n = console_ring_read(buf, MIN(r->count - done, CHUNK), &r->index, r->clear,
					     done || r->incremental);

		if (!n)
			break;
		err = guest_write(c->v, gva_add(handle_gva(r->buffer), done), buf, n);
		done += (uint32_t)n;
	}
	r->count = done;
	c->answer = !err;
	return err;
}

static int debug_keys(struct sysctl_call *c)
{
	const struct xen_sysctl_debug_keys *k = &c->op.u.debug_keys;
	uint32_t n = MIN(k->nr_keys, MAX_KEYS);
	char keys[MAX_KEYS];
	int err;

	err = guest_read(c->v, keys, handle_gva(k->keys), n);
	for (uint32_t i = 0; !err && i < n; i++)
		debug_key(keys[i]);
	return err;
}

/* ---- memory and CPUs --------------------------------------------------------------------------- */

static uint32_t highest_cpu(void)
{
	return read_once(&nr_cpus) - 1;
}

static uint32_t cpus_now(void)
{
	uint32_t n = 0;

	cpuset_for_each(id, &cpus_online) n++;
	return n;
}

static int physinfo(struct sysctl_call *c)
{
	struct xen_sysctl_physinfo *info = &c->op.u.physinfo;
	struct control_memory m;

	control_memory(&m);
	*info = (struct xen_sysctl_physinfo){
		.threads_per_core = 1,
		.cores_per_socket = 1,
		.nr_cpus = cpus_now(),
		.max_cpu_id = highest_cpu(),
		.nr_nodes = 1,
		.capabilities = XEN_SYSCTL_PHYSCAP_hvm | XEN_SYSCTL_PHYSCAP_hap |
				XEN_SYSCTL_PHYSCAP_gnttab_v1,
		.total_pages = m.total,
		.free_pages = m.free,
		.scrub_pages = m.dirty,
		.outstanding_pages = m.claimed,
		.max_mfn = frame_max() ? frame_max() - 1 : 0,
	};
	arch_physinfo(info);
	c->answer = true;
	return 0;
}

static int availheap(struct sysctl_call *c)
{
	struct xen_sysctl_availheap *h = &c->op.u.availheap;
	struct control_memory m;

	control_memory(&m);
	h->avail_bytes = m.free << PAGE_SHIFT;
	c->answer = true;
	return 0;
}

static int getcpuinfo(struct sysctl_call *c)
{
	struct xen_sysctl_getcpuinfo *g = &c->op.u.getcpuinfo;
	uint32_t n = MIN(g->max_cpus, read_once(&nr_cpus));
	int err = 0;

	for (uint32_t i = 0; !err && i < n; i++) {
		struct xen_sysctl_cpuinfo info = { .idletime = sched_idle_time(cpu_get(i)) };

		err = guest_put(c->v, gva_add(handle_gva(g->info), i * sizeof(info)), &info);
	}
	g->nr_cpus = n;
	c->answer = !err;
	return err;
}

static int cputopoinfo(struct sysctl_call *c)
{
	struct xen_sysctl_cputopoinfo *t = &c->op.u.cputopoinfo;
	uint32_t all = read_once(&nr_cpus), n = 0;
	gva_t to = handle_gva(t->cputopo);
	int err = 0;

	for (; !err && to.a && n < MIN(all, t->num_cpus); n++) {
		struct xen_sysctl_cputopo topo = { .node = cpu_get(n)->node };

		arch_cpu_topology(n, &topo);
		err = guest_put(c->v, gva_add(to, n * sizeof(topo)), &topo);
	}
	t->num_cpus = all;
	c->answer = !err;
	return err;
}

/* One node; its distance to itself is what firmware tables give for "here". */
#define LOCAL_DISTANCE 10u

static int numainfo(struct sysctl_call *c)
{
	struct xen_sysctl_numainfo *n = &c->op.u.numainfo;
	gva_t mem = handle_gva(n->meminfo), far = handle_gva(n->distance);
	struct xen_sysctl_meminfo info;
	uint32_t distance = LOCAL_DISTANCE;
	struct control_memory m;
	int err = 0;

	control_memory(&m);
	info = (struct xen_sysctl_meminfo){ m.total << PAGE_SHIFT, m.free << PAGE_SHIFT };
	if (n->num_nodes && mem.a)
		err = guest_put(c->v, mem, &info);
	if (!err && n->num_nodes && far.a)
		err = guest_put(c->v, far, &distance);
	n->num_nodes = 1;
	c->answer = !err;
	return err;
}

/* ---- domains ------------------------------------------------------------------------------------ */

/* Place and count in the list are kept in the arguments when the call is entered again. */
static int getdomaininfolist(struct sysctl_call *c)
{
	struct xen_sysctl_getdomaininfolist *l = &c->op.u.getdomaininfolist;
	uint64_t done = MIN(control_progress(c->a, 0), (uint64_t)l->max_domains);
	uint64_t next = MAX(control_progress(c->a, 1), (uint64_t)l->first_domain);
	struct domain *d;
	int err;

	for (d = domain_from((uint32_t)MIN(next, (uint64_t)DOMID_FIRST_RESERVED));
	     d && done < l->max_domains; d = domain_next(d)) {
		struct xen_domctl_getdomaininfo info;

		if (policy_domctl(c->v->domain, d, XEN_DOMCTL_getdomaininfo))
			continue;
		control_domain_info(d, &info);
		err = guest_put(c->v, gva_add(handle_gva(l->buffer), done * sizeof(info)), &info);
		if (err)
			return err;
		done++;
		if (done < l->max_domains && hypercall_preempt(c->v)) {
			c->a[2] = done;
			c->a[3] = d->id + 1u;
			return -ERR_RESTART;
		}
	}
	l->num_domains = (uint32_t)done;
	c->answer = true;
	return 0;
}

/* ---- what this machine does not have -------------------------------------------------------------- */

/* Without knowledge of performance and idle states there are none to report, as on Xen without a driver. */
static int get_pmstat(struct sysctl_call *c)
{
	const struct xen_sysctl_get_pmstat *p = &c->op.u.get_pmstat;

	if (p->cpuid >= read_once(&nr_cpus) || !cpuset_has(&cpus_online, p->cpuid))
		return refuse(R_NO_SUCH_CPU, p->cpuid, read_once(&nr_cpus), p->type);
	return refuse(R_NO_POWER_STATES, p->cpuid, 0, p->type);
}

static int pm_op(struct sysctl_call *c)
{
	return refuse(R_NO_POWER_STATES, c->op.u.pm_op.cpuid, 0, c->op.u.pm_op.cmd);
}

/* Nothing says on which node a device is: each is answered as one that we do not know. */
static int pcitopoinfo(struct sysctl_call *c)
{
	struct xen_sysctl_pcitopoinfo *t = &c->op.u.pcitopoinfo;
	uint64_t i = MIN(control_progress(c->a, 0), (uint64_t)t->num_devs);
	uint32_t unknown = XEN_INVALID_DEV;

	for (; i < t->num_devs; i++) {
		struct physdev_pci_device dev;
		int err;

		if (i && hypercall_preempt(c->v)) {
			c->a[2] = i;
			return -ERR_RESTART;
		}
		err = guest_get(c->v, &dev, gva_add(handle_gva(t->devs), i * sizeof(dev)));
		if (!err)
			err = guest_put(c->v, gva_add(handle_gva(t->nodes), i * sizeof(unknown)),
					&unknown);
		if (err)
			return err;
	}
	c->answer = true;
	return 0;
}

static int not_built(struct sysctl_call *c)
{
	return refuse(R_OP_UNSUPPORTED, c->op.cmd, 0, __HYPERVISOR_sysctl);
}

static int architecture(struct sysctl_call *c)
{
	return arch_sysctl(c->v, &c->op, &c->answer, c->a);
}

/* ---- dispatch ----------------------------------------------------------------------------------- */

static sysctl_fn *const handlers[] = {
	[XEN_SYSCTL_readconsole] = readconsole,
	[XEN_SYSCTL_tbuf_op] = sysctl_tbuf,
	[XEN_SYSCTL_physinfo] = physinfo,
	[XEN_SYSCTL_sched_id] = sysctl_sched_id,
	[XEN_SYSCTL_getdomaininfolist] = getdomaininfolist,
	[XEN_SYSCTL_debug_keys] = debug_keys,
	[XEN_SYSCTL_getcpuinfo] = getcpuinfo,
	[XEN_SYSCTL_availheap] = availheap,
	[XEN_SYSCTL_get_pmstat] = get_pmstat,
	[XEN_SYSCTL_pm_op] = pm_op,
	[XEN_SYSCTL_cputopoinfo] = cputopoinfo,
	[XEN_SYSCTL_numainfo] = numainfo,
	[XEN_SYSCTL_cpupool_op] = sysctl_cpupool,
	[XEN_SYSCTL_scheduler_op] = sysctl_scheduler,
	[XEN_SYSCTL_coverage_op] = not_built,
	[XEN_SYSCTL_pcitopoinfo] = pcitopoinfo,
	[XEN_SYSCTL_livepatch_op] = not_built,
	[XEN_SYSCTL_get_cpu_levelling_caps] = architecture,
	[XEN_SYSCTL_get_cpu_featureset] = architecture,
	[29] = architecture, /* XEN_SYSCTL_get_cpu_policy, which the header names on x86 only */
};

static int run(struct sysctl_call *c)
{
	sysctl_fn *fn = c->op.cmd < ARRAY_SIZE(handlers)
			    ? handlers[index_nospec(c->op.cmd, ARRAY_SIZE(handlers))]
			    : NULL;

	return fn ? fn(c) : refuse(R_NOT_IMPLEMENTED, c->op.cmd, 0, __HYPERVISOR_sysctl);
}

int64_t abi_sysctl(struct vcpu *v, uint64_t *a)
{
	struct sysctl_call c = { .v = v, .a = a };
	int err, put;

	err = guest_get(v, &c.op, gva(a[0]));
	if (err)
		return err;
	if (c.op.interface_version != XEN_SYSCTL_INTERFACE_VERSION)
		return refuse(R_BAD_CONTROL_VERSION, c.op.cmd, XEN_SYSCTL_INTERFACE_VERSION,
			      c.op.interface_version);
	err = policy_sysctl(v->domain, c.op.cmd);
	if (!err)
		err = guest_writable(v, gva(a[0]), sizeof(c.op));
	if (err)
		return err;
	err = run(&c);
	if (err == -ERR_RESTART) {
		a[1] = CONTROL_RESUMED;
		return err;
	}
	put = c.answer ? guest_put(v, gva(a[0]), &c.op) : 0;
	return err ? err : put;
}
