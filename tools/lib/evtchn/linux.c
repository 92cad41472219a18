/* SPDX-License-Identifier: Apache-2.0 */
/* Event channels through Linux's device and libxenevtchn. */
#include "events.h"
#include <errno.h>
#include <stdlib.h>
#include <xenevtchn.h>

struct linux_events {
	struct events base;
	xenevtchn_handle *xen;
};

static xenevtchn_handle *xen_of(struct events *e)
{
	return ((struct linux_events *)e)->xen;
}

static int result(int ret)
{
	return ret < 0 ? -errno : 0;
}

static int port_result(xenevtchn_port_or_error_t ret, uint32_t *port)
{
	if (ret < 0)
		return -errno;
	*port = (uint32_t)ret;
	return 0;
}

static int linux_alloc(struct events *e, uint16_t remote, uint32_t *port)
{
	return port_result(xenevtchn_bind_unbound_port(xen_of(e), remote), port);
}

static int linux_bind(struct events *e, uint16_t remote, uint32_t remote_port, uint32_t *port)
{
	return port_result(xenevtchn_bind_interdomain(xen_of(e), remote, remote_port), port);
}

static int linux_bind_virq(struct events *e, uint32_t virq, uint32_t *port)
{
	return port_result(xenevtchn_bind_virq(xen_of(e), virq), port);
}

static int linux_unbind(struct events *e, uint32_t port)
{
	return result(xenevtchn_unbind(xen_of(e), port));
}

static int linux_notify(struct events *e, uint32_t port)
{
	return result(xenevtchn_notify(xen_of(e), port));
}

static int linux_pending(struct events *e, uint32_t *port)
{
	int err = port_result(xenevtchn_pending(xen_of(e)), port);

	return err == -EAGAIN ? 0 : err ? err : 1;
}

static int linux_unmask(struct events *e, uint32_t port)
{
	return result(xenevtchn_unmask(xen_of(e), port));
}

static int linux_fd(struct events *e)
{
	return xenevtchn_fd(xen_of(e));
}

static void linux_close(struct events *e)
{
	xenevtchn_close(xen_of(e));
	free(e);
}

static const struct events_ops linux_ops = {
	.alloc = linux_alloc,
	.bind = linux_bind,
	.bind_virq = linux_bind_virq,
	.unbind = linux_unbind,
	.notify = linux_notify,
	.pending = linux_pending,
	.unmask = linux_unmask,
	.fd = linux_fd,
	.close = linux_close,
};

static struct events *wrap(xenevtchn_handle *xen)
{
	struct linux_events *e = xen ? calloc(1, sizeof(*e)) : NULL;

	if (!e) {
		if (xen)
			xenevtchn_close(xen);
		return NULL;
	}
	*e = (struct linux_events){ { &linux_ops }, xen };
	return &e->base;
}

struct events *events_open(void)
{
	return wrap(xenevtchn_open(NULL, 0));
}

struct events *events_adopt(int fd)
{
	return wrap(xenevtchn_fdopen(NULL, fd, 0));
}
