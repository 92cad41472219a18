/* SPDX-License-Identifier: Apache-2.0 */
/* As domctl.c: a buffer, the call, the copy back. */
#include "sysctl.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <xen/version.h>

static int sysctl(struct hcall *h, struct xen_sysctl *op)
{
	struct xen_sysctl *copy = h->ops->buffer(h, sizeof(*copy));
	uint64_t arg[5] = { (uintptr_t)copy };
	int err = -ENOMEM;

	if (copy) {
		op->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
		*copy = *op;
		err = (int)h->ops->call(h, __HYPERVISOR_sysctl, arg, 1);
		*op = *copy;
	}
	h->ops->free(h, copy);
	return err;
}

int hcall_physinfo(struct hcall *h, struct xen_sysctl_physinfo *info)
{
	struct xen_sysctl op = { .cmd = XEN_SYSCTL_physinfo };
	int err = sysctl(h, &op);

	*info = op.u.physinfo;
	return err;
}

long hcall_readconsole(struct hcall *h, uint32_t *index, char *to, uint32_t n)
{
	struct xen_sysctl op = { .cmd = XEN_SYSCTL_readconsole };
	char *text = h->ops->buffer(h, n);
	long got = -ENOMEM;

	if (text) {
		op.u.readconsole.incremental = 1;
		op.u.readconsole.index = *index;
		op.u.readconsole.count = n;
		set_xen_guest_handle(op.u.readconsole.buffer, text);
		got = sysctl(h, &op);
	}
	if (!got) {
		got = op.u.readconsole.count < n ? op.u.readconsole.count : n;
		*index = op.u.readconsole.index;
		memcpy(to, text, (size_t)got);
	}
	h->ops->free(h, text);
	return got;
}

int hcall_debug_keys(struct hcall *h, const char *keys)
{
	struct xen_sysctl op = { .cmd = XEN_SYSCTL_debug_keys };
	size_t n = strlen(keys);
	char *text = h->ops->buffer(h, n + 1);
	int err = -ENOMEM;

	if (text) {
		memcpy(text, keys, n + 1);
		op.u.debug_keys.nr_keys = (uint32_t)n;
		set_xen_guest_handle(op.u.debug_keys.keys, text);
		err = sysctl(h, &op);
	}
	h->ops->free(h, text);
	return err;
}

int hcall_idle(struct hcall *h, uint64_t *ns, uint32_t n)
{
	struct xen_sysctl op = { .cmd = XEN_SYSCTL_getcpuinfo };
	xen_sysctl_cpuinfo_t *list = h->ops->buffer(h, n * sizeof(*list));
	int got = -ENOMEM;

	if (list) {
		op.u.getcpuinfo.max_cpus = n;
		set_xen_guest_handle(op.u.getcpuinfo.info, list);
		got = sysctl(h, &op);
	}
	if (!got)
		got = (int)(op.u.getcpuinfo.nr_cpus < n ? op.u.getcpuinfo.nr_cpus : n);
	for (int i = 0; i < got; i++)
		ns[i] = list[i].idletime;
	h->ops->free(h, list);
	return got;
}

int hcall_scheduler(struct hcall *h, uint32_t *id)
{
	struct xen_sysctl op = { .cmd = XEN_SYSCTL_sched_id };
	int err = sysctl(h, &op);

	*id = op.u.sched_id.sched_id;
	return err;
}

int hcall_ratelimit(struct hcall *h, uint32_t *us)
{
	struct xen_sysctl op = { .cmd = XEN_SYSCTL_scheduler_op };
	int err;

	op.u.scheduler_op.sched_id = XEN_SCHEDULER_CREDIT2;
	op.u.scheduler_op.cmd = XEN_SYSCTL_SCHEDOP_getinfo;
	err = sysctl(h, &op);
	*us = op.u.scheduler_op.u.sched_credit2.ratelimit_us;
	return err;
}

int hcall_pool(struct hcall *h, uint32_t id, struct hcall_pool *pool)
{
	struct xen_sysctl op = { .cmd = XEN_SYSCTL_cpupool_op };
	uint8_t *cpus = h->ops->buffer(h, sizeof(pool->cpus));
	int err = -ENOMEM;

	if (cpus) {
		op.u.cpupool_op.op = XEN_SYSCTL_CPUPOOL_OP_INFO;
		op.u.cpupool_op.cpupool_id = id;
		op.u.cpupool_op.cpumap.nr_bits = 8 * sizeof(pool->cpus);
		set_xen_guest_handle(op.u.cpupool_op.cpumap.bitmap, cpus);
		err = sysctl(h, &op);
		memcpy(pool->cpus, cpus, sizeof(pool->cpus));
	}
	h->ops->free(h, cpus);
	pool->id = op.u.cpupool_op.cpupool_id;
	pool->scheduler = op.u.cpupool_op.sched_id;
	pool->domains = op.u.cpupool_op.n_dom;
	return err;
}

int hcall_extraversion(struct hcall *h, char *to, size_t room)
{
	xen_extraversion_t *text = h->ops->buffer(h, sizeof(*text));
	uint64_t arg[5] = { XENVER_extraversion, (uintptr_t)text };
	int err = -ENOMEM;

	to[0] = 0;
	if (text) {
		err = (int)h->ops->call(h, __HYPERVISOR_xen_version, arg, 2);
		snprintf(to, room, "%.*s", (int)sizeof(*text), *text);
	}
	h->ops->free(h, text);
	return err;
}
