/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Event channels of this domain (xen/event_channel.h) in a process. Two back ends: the kernel's device through libxenevtchn (linux.c), and hypercalls
 * to libhvcore.a within the same process (tests). A port that was pending stays masked until events_unmask().
 *
 * Calls return 0 or more, or a negative errno value. Ports belong to the handle and are closed with it. One thread at a time.
 */
#ifndef TOOLS_EVENTS_H
#define TOOLS_EVENTS_H

#include <stdint.h>

#ifndef MUST_USE
#define MUST_USE __attribute__((warn_unused_result))
#endif

struct events;

struct events_ops {
	int (*alloc)(struct events *e, uint16_t remote, uint32_t *port);
	int (*bind)(struct events *e, uint16_t remote, uint32_t remote_port, uint32_t *port);
	int (*bind_virq)(struct events *e, uint32_t virq, uint32_t *port);
	int (*unbind)(struct events *e, uint32_t port);
	int (*notify)(struct events *e, uint32_t port);
	int (*pending)(struct events *e, uint32_t *port);
	int (*unmask)(struct events *e, uint32_t port);
	int (*fd)(struct events *e);
	void (*close)(struct events *e);
};

struct events {
	const struct events_ops *ops;
};

/* NULL with errno: there is no such device, or it may not be opened. */
struct events *events_open(void);
/* Over a descriptor of the device that somebody else opened, with the ports bound through it; it is closed with the handle. */
struct events *events_adopt(int fd);

/* A port of ours that domain `remote` may bind to. */
MUST_USE static inline int events_alloc(struct events *e, uint16_t remote, uint32_t *port)
{
	return e->ops->alloc(e, remote, port);
}

/* Join a new port of ours to port `remote_port` of `remote`, which waits for us: -EINVAL if it does not. */
MUST_USE static inline int events_bind(struct events *e, uint16_t remote, uint32_t remote_port,
				       uint32_t *port)
{
	return e->ops->bind(e, remote, remote_port, port);
}

/* A virtual interrupt (VIRQ_*), which one port at a time can have: -EEXIST. */
MUST_USE static inline int events_bind_virq(struct events *e, uint32_t virq, uint32_t *port)
{
	return e->ops->bind_virq(e, virq, port);
}

/* Close a port of ours. */
static inline int events_unbind(struct events *e, uint32_t port)
{
	return e->ops->unbind(e, port);
}

/* Tell the other end. Nothing happens when there is none. */
static inline int events_notify(struct events *e, uint32_t port)
{
	return e->ops->notify(e, port);
}

/* A port with an event: 1, and the event is taken; 0: none has (of a descriptor that does not block). */
MUST_USE static inline int events_pending(struct events *e, uint32_t *port)
{
	return e->ops->pending(e, port);
}

/* What events_pending() gave may come again. */
static inline int events_unmask(struct events *e, uint32_t port)
{
	return e->ops->unmask(e, port);
}

/* Readable when a port is pending: for poll(). -1: this back end has none. */
static inline int events_fd(struct events *e)
{
	return e->ops->fd(e);
}

static inline void events_close(struct events *e)
{
	if (e)
		e->ops->close(e);
}

#endif
