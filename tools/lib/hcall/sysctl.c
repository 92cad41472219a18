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
