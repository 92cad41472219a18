/* SPDX-License-Identifier: Apache-2.0 */
/* Rings of domains: see ring.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xen/grant_table.h>
#include "lib/evtchn/events.h"
#include "lib/fmem/fmem.h"
#include "lib/gnttab/grants.h"
#include "lib/hcall/hcall.h"
#include "ring.h"

/* docs/misc/xenstore-ring.txt; <xen/io/xs_wire.h> of 4.17 has names for the first two. */
#define FEATURE_WATCH_DEPTH 4
#define FEATURES \
	(XENSTORE_SERVER_FEATURE_RECONNECTION | XENSTORE_SERVER_FEATURE_ERROR | FEATURE_WATCH_DEPTH)

struct ring {
	volatile struct xenstore_domain_interface *page;
	bool granted; /* else mapped as foreign memory; dom0's own is neither */
	uint32_t port;
};

static struct ring *rings[DOMAINS];
static domid *by_port; /* indexed by our port */
static uint32_t nr_ports;
static struct events *events;
static struct grants *grants;
static struct fmem *foreign;
static struct hcall *hcall;
static uint32_t virq_port, dom0_port;
static bool ports_kept, swept;

#define NOBODY 0xffffu

void ring_init(const struct setup *setup)
{
	if (!setup->xen)
		return;
	/* A port that nobody has any more must not make ring_pending() wait for another. */
	fcntl(setup->evtchn, F_SETFL, fcntl(setup->evtchn, F_GETFL) | O_NONBLOCK);
	events = events_adopt(setup->evtchn);
	grants = grants_open();
	foreign = fmem_open();
	hcall = hcall_open();
	virq_port = setup->virq_port;
	dom0_port = setup->dom0_port;
	ports_kept = setup->kept_ports;
	if (!events || !grants || !foreign || !hcall)
		log_end("cannot open Xen's devices: %s", strerror(errno));
}

static void know_port(uint32_t port, domid id)
{
	if (port >= nr_ports) {
		uint32_t n = port + 64;

		by_port = must_realloc(by_port, n * sizeof(*by_port));
		for (uint32_t i = nr_ports; i < n; i++)
			by_port[i] = NOBODY;
		nr_ports = n;
	}
	by_port[port] = id;
}

bool ring_is_connected(domid id)
{
	return rings[id] != NULL;
}

/* The reserved grant first: it stays valid when the domain's memory is not ours to map. */
static void *map_page(domid id, uint64_t gfn, bool *granted)
{
	const uint32_t ref = GNTTAB_RESERVED_XENSTORE;
	void *page = grants_map(grants, id, &ref, 1, true);

	*granted = page != NULL;
	return page ? page : fmem_map(foreign, id, &gfn, 1);
}

/* A server that was killed between binding a port and noting it has left the port bound. */
static void unbind_forgotten(domid binding)
{
	uint32_t port = 1;
	int err = 0;

	for (const struct conn *c = conns; c; c = c->next)
		if (c->is_ring && c->ring.port &&
		    c->dom != binding) /* bound, if the rings are not connected again yet */
			know_port(c->ring.port, c->dom);
	for (; err != -EINVAL; port++) /* beyond the last one */
		if (port != virq_port && port != dom0_port &&
		    (port >= nr_ports || by_port[port] == NOBODY))
			err = events_unbind(events, port);
}

static int bind_port(struct ring *r, domid id, uint32_t remote)
{
	int err = events_bind(events, id, remote, &r->port);

	if (err && ports_kept && !swept) {
		swept = true;
		unbind_forgotten(id);
		err = events_bind(events, id, remote, &r->port);
	}
	if (err)
		return -EINVAL;
	know_port(r->port, id);
	return 0;
}

static void unbind(struct ring *r)
{
	if (r->port)
		events_unbind(events, r->port);
	if (r->port < nr_ports)
		by_port[r->port] = NOBODY;
	r->port = 0;
}

static struct ring *ring_new(domid id, void *page, bool granted)
{
	struct ring *r = must_alloc(sizeof(*r));

	r->page = page;
	r->granted = granted;
	r->port = 0;
	rings[id] = r;
	return r;
}

int ring_connect(domid id, uint32_t remote_port, uint64_t gfn, struct ring_state *start,
		 const struct ring_state *saved)
{
	struct ring *r = rings[id];
	bool granted;
	void *page;
	int err;

	if (!events)
		return -EINVAL;
	if (!r) {
		page = map_page(id, gfn, &granted);
		if (!page)
			return -EINVAL;
		r = ring_new(id, page, granted);
	}
	if (saved && ports_kept && saved->port) {
		r->port = saved->port;
		know_port(r->port, id);
	} else {
		unbind(r);
		err = bind_port(r, id, remote_port);
		if (err && !saved) {
			ring_disconnect(id);
			return err;
		}
	}
	start->req_cons = r->page->req_cons;
	start->rsp_prod = r->page->rsp_prod;
	start->port = r->port;
	r->page->server_features = FEATURES;
	/* A domain that booted before there was a ring waits for this to look for it; to others it says nothing. */
	if (!saved)
		events_notify(events, r->port);
	return 0;
}

/* The kernel of our own domain has the page and says the port. */
int ring_connect_dom0(uint32_t port, struct ring_state *start)
{
	int fd = open("/dev/xen/xsd_kva", O_RDWR | O_CLOEXEC);
	void *page;
	struct ring *r;

	if (fd < 0)
		fd = open("/proc/xen/xsd_kva", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (page == MAP_FAILED)
		return -errno;
	r = ring_new(0, page, false);
	r->port = port;
	know_port(port, 0);
	start->req_cons = r->page->req_cons;
	start->rsp_prod = r->page->rsp_prod;
	start->port = port;
	r->page->server_features = FEATURES;
	return 0;
}

void ring_disconnect(domid id)
{
	struct ring *r = rings[id];

	if (!r)
		return;
	rings[id] = NULL;
	unbind(r);
	if (r->granted)
		grants_unmap(grants, (void *)(uintptr_t)r->page, 1);
	else
		fmem_unmap(foreign, (void *)(uintptr_t)r->page, 1);
	free(r);
}

uint32_t ring_rsp_prod(domid id)
{
	return rings[id] ? rings[id]->page->rsp_prod : 0;
}

void ring_resume(struct conn *c)
{
	struct ring *r = rings[c->dom];

	if (!r || c->dead)
		return;
	if (r->page->req_cons != c->ring.req_cons)
		r->page->req_cons = c->ring.req_cons;
	if (r->page->rsp_prod != c->ring.rsp_prod)
		r->page->rsp_prod = c->ring.rsp_prod;
}

/* ---- bytes ------------------------------------------------------------------------------------------ */

size_t ring_peek(struct conn *c, void *bytes, size_t size, enum ring_trouble *trouble)
{
	volatile struct xenstore_domain_interface *page = rings[c->dom]->page;
	uint32_t cons = c->ring.req_cons, prod = page->req_prod, n, at, first;

	*trouble = RING_FINE;
	if (page->connection == XENSTORE_RECONNECT) {
		*trouble = RING_RECONNECT;
		return 0;
	}
	n = prod - cons;
	if (n > XENSTORE_RING_SIZE) {
		*trouble = RING_BAD_INDEX;
		return 0;
	}
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	if (n > size)
		n = (uint32_t)size;
	at = MASK_XENSTORE_IDX(cons);
	first = XENSTORE_RING_SIZE - at < n ? XENSTORE_RING_SIZE - at : n;
	memcpy(bytes, (const char *)(uintptr_t)page->req + at, first);
	memcpy((char *)bytes + first, (const char *)(uintptr_t)page->req, n - first);
	return n;
}

void ring_taken(struct conn *c, size_t n)
{
	volatile struct xenstore_domain_interface *page = rings[c->dom]->page;
	bool was_full = page->req_prod - page->req_cons >= XENSTORE_RING_SIZE;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	page->req_cons = c->ring.req_cons;
	if (was_full)
		ring_notify(c);
}

size_t ring_room(struct conn *c)
{
	volatile struct xenstore_domain_interface *page = rings[c->dom]->page;
	uint32_t used = c->ring.rsp_prod - page->rsp_cons;

	return used > XENSTORE_RING_SIZE ? 0 : XENSTORE_RING_SIZE - used;
}

void ring_put(struct conn *c, const void *bytes, size_t n)
{
	volatile struct xenstore_domain_interface *page = rings[c->dom]->page;
	uint32_t at = MASK_XENSTORE_IDX(c->ring.rsp_prod);
	size_t first = XENSTORE_RING_SIZE - at < n ? XENSTORE_RING_SIZE - at : n;

	memcpy((char *)(uintptr_t)page->rsp + at, bytes, first);
	memcpy((char *)(uintptr_t)page->rsp, (const char *)bytes + first, n - first);
	__atomic_thread_fence(__ATOMIC_RELEASE);
}

void ring_publish(struct conn *c, size_t n)
{
	rings[c->dom]->page->rsp_prod = c->ring.rsp_prod + (uint32_t)n;
}

void ring_restart(struct conn *c)
{
	volatile struct xenstore_domain_interface *page = rings[c->dom]->page;

	page->req_cons = page->req_prod = 0;
	page->rsp_cons = page->rsp_prod = 0;
	page->error = XENSTORE_ERROR_NONE;
	page->server_features = FEATURES;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	page->connection = XENSTORE_CONNECTED;
	ring_notify(c);
}

void ring_fail(struct conn *c)
{
	rings[c->dom]->page->error = c->error;
	ring_notify(c);
}

void ring_notify(struct conn *c)
{
	events_notify(events, rings[c->dom]->port);
}

/* ---- Xen ---------------------------------------------------------------------------------------------- */

int ring_pending(void)
{
	uint32_t port;

	while (events_pending(events, &port) > 0) {
		events_unmask(events, port);
		if (port == virq_port)
			return RING_VIRQ;
		if (port < nr_ports && by_port[port] != NOBODY)
			return by_port[port];
	}
	return -1;
}

bool ring_domain_exists(unsigned id)
{
	struct hcall_domain info;

	return hcall && hcall_domains(hcall, id, &info, 1) == 1 && info.id == id && !info.dying;
}

bool ring_domains(void (*is)(domid id, char state))
{
	struct hcall_domain info[64];
	unsigned first = 0;
	int n;

	while ((n = hcall_domains(hcall, first, info, 64)) > 0) {
		for (int i = 0; i < n; i++)
			if (info[i].id < DOMAINS)
				is(info[i].id, info[i].dying ? 'd' : info[i].shutdown ? 's' : 'r');
		first = info[n - 1].id + 1u;
	}
	return n == 0;
}
