/* SPDX-License-Identifier: Apache-2.0 */
/* Typed hypercalls, whatever is below them. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <xen/event_channel.h>
#include <xen/sysctl.h>
#include <xen/version.h>
#include <xen/xen.h>
#include "../../../hv/include/public/krypton.h"
#include "hcall.h"

void hcall_close(struct hcall *h)
{
	if (h)
		h->ops->close(h);
}

static int list_domains(struct hcall *h, unsigned first, unsigned n, struct xen_sysctl *ctl,
			struct xen_domctl_getdomaininfo *info)
{
	struct xen_sysctl_getdomaininfolist *list = &ctl->u.getdomaininfolist;
	const uint64_t arg[5] = { (uintptr_t)ctl };
	long err;

	ctl->cmd = XEN_SYSCTL_getdomaininfolist;
	ctl->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
	list->first_domain = (domid_t)first;
	list->max_domains = n;
	set_xen_guest_handle(list->buffer, info);
	err = h->ops->call(h, __HYPERVISOR_sysctl, arg, 1);
	return err < 0 ? (int)err : (int)list->num_domains;
}

int hcall_domains(struct hcall *h, unsigned first, struct hcall_domain *list, unsigned n)
{
	struct xen_sysctl *ctl = h->ops->buffer(h, sizeof(*ctl));
	struct xen_domctl_getdomaininfo *info = h->ops->buffer(h, n * sizeof(*info));
	int got = -ENOMEM;

	if (ctl && info)
		got = list_domains(h, first, n, ctl, info);
	for (int i = 0; i < got; i++) {
		const struct xen_domctl_getdomaininfo *d = &info[i];

		list[i] = (struct hcall_domain){
			.id = d->domain,
			.dying = d->flags & XEN_DOMINF_dying,
			.shutdown = d->flags & XEN_DOMINF_shutdown,
			.paused = d->flags & XEN_DOMINF_paused,
			.shutdown_code = (d->flags >> XEN_DOMINF_shutdownshift) &
					 XEN_DOMINF_shutdownmask,
			.pages = d->tot_pages,
			.max_pages = d->max_pages,
			.cpu_ns = d->cpu_time,
			.vcpus = d->max_vcpu_id == XEN_INVALID_MAX_VCPU_ID ? 0 : d->max_vcpu_id + 1,
			.online = d->nr_online_vcpus,
			.pool = d->cpupool,
		};
		memcpy(list[i].uuid, d->handle, sizeof(list[i].uuid));
	}
	h->ops->free(h, info);
	h->ops->free(h, ctl);
	return got;
}

int hcall_joined(struct hcall *h, uint32_t port, uint16_t remote, uint32_t remote_port)
{
	struct evtchn_status *op = h->ops->buffer(h, sizeof(*op));
	const uint64_t arg[5] = { EVTCHNOP_status, (uintptr_t)op };
	int err;

	if (!op)
		return -ENOMEM;
	*op = (struct evtchn_status){ .dom = DOMID_SELF, .port = port };
	err = (int)h->ops->call(h, __HYPERVISOR_event_channel_op, arg, 2);
	if (!err)
		err = op->status == EVTCHNSTAT_interdomain && op->u.interdomain.dom == remote &&
		      op->u.interdomain.port == remote_port;
	h->ops->free(h, op);
	return err;
}

long hcall_version(struct hcall *h)
{
	const uint64_t arg[5] = { XENVER_version, 0 };

	return h->ops->call(h, __HYPERVISOR_xen_version, arg, 2);
}

int hcall_version_part(struct hcall *h, unsigned what, void *to, size_t n)
{
	void *buffer = h->ops->buffer(h, n);
	const uint64_t arg[5] = { what, (uintptr_t)buffer };
	long ret = buffer ? h->ops->call(h, __HYPERVISOR_xen_version, arg, 2) : -ENOMEM;

	/* Some of them return how long their text is. */
	if (ret >= 0)
		memcpy(to, buffer, n);
	h->ops->free(h, buffer);
	return ret < 0 ? (int)ret : 0;
}

int hcall_reason(struct hcall *h, char *line, size_t size)
{
	struct krypton_refusal *r = h->ops->buffer(h, sizeof(*r));
	const uint64_t arg[5] = { (uintptr_t)r, sizeof(*r) };
	int err;

	if (!r)
		return -ENOMEM;
	err = (int)h->ops->call(h, KRYPTON_HYPERCALL_REASON, arg, 2);
	if (!err)
		snprintf(line, size, "%.*s", (int)sizeof(r->text), r->text);
	h->ops->free(h, r);
	return err;
}
