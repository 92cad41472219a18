/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PV console ring of a boot-time domain (xen/io/console.h), served by the hypervisor until
 * dom0 binds to its event channel. The page is pinned; the indices that count are our own copies, the
 * guest's are read once and judged. A guest that breaks the protocol hurts its own console only.
 */
#include "console.h"
#include <hv/evtchn.h>
#include <xen/io/console.h>

#define CHUNK 128u

static struct xencons_interface *ring_of(const struct console_state *s)
{
	return s->ring.va;
}

/*
 * What the guest printed, at most a ring full: it notifies again for what another vCPU adds meanwhile. True when
 * something was taken.
 */
static bool pv_output(struct domain *d, struct console_state *s)
{
	struct xencons_interface *r;
	bool any = false;

	for (uint32_t taken = 0; taken < sizeof(r->out); taken += CHUNK) {
		char chunk[CHUNK];
		uint32_t used, n = 0;

		/* The rest stays in the ring, where only its own guest waits for it (pv_serve). */
		if (console_congested(d))
			return any;
		lock_take(&s->lock);
		r = ring_of(s);
		if (!r) {
			lock_release(&s->lock);
			return any;
		}
		used = load_acquire(&r->out_prod) - s->out_cons;
		if (used > sizeof(r->out)) { /* no index that a sound guest could have */
			s->out_cons += used;
			used = 0;
		}
		for (; n < used && n < CHUNK; n++)
			chunk[n] = read_once(&r->out[(s->out_cons + n) % sizeof(r->out)]);
		s->out_cons += n;
		store_release(&r->out_cons, s->out_cons);
		lock_release(&s->lock);
		if (!n)
			return any;
		any = true;
		console_domain_write(d, chunk, n);
	}
	return any;
}

/* From the queue to the ring as far as there is room; s->lock held. */
void pv_input(struct console_state *s)
{
	struct xencons_interface *r = ring_of(s);
	uint32_t used = s->in_prod - load_acquire(&r->in_cons);
	bool any = false;

	if (s->input_hook) /* an emulated UART takes the input: that is where the shell is */
		return;
	for (; used < sizeof(r->in) && s->in_tail != s->in_head; used++) {
		write_once(&r->in[s->in_prod++ % sizeof(r->in)],
			   s->in[s->in_tail++ % CONSOLE_QUEUE]);
		any = true;
	}
	if (!any)
		return;
	store_release(&r->in_prod, s->in_prod);
	evtchn_notify_served(s->domain, s->port);
}

bool pv_serve(struct domain *d)
{
	struct console_state *s = d->console;
	uint32_t port;

	if (!s)
		return false;
	lock_take(&s->lock);
	port = pin_held(&s->ring) ? s->port : 0;
	lock_release(&s->lock);
	if (port)
		console_served(d, port);
	return port != 0;
}

/* The guest sent on its console port: it has printed, or has made room for input. */
void console_served(struct domain *d, uint32_t port)
{
	struct console_state *s = d->console;

	if (!s)
		return;
	if (pv_output(d, s))
		evtchn_notify_served(d, port);
	lock_take(&s->lock);
	if (pin_held(&s->ring))
		pv_input(s);
	lock_release(&s->lock);
}

int console_set_ring(struct domain *d, gfn_t g, uint32_t port)
{
	struct console_state *s = d->console;
	struct pin pin = { 0 };
	int err = pin_get(&pin, d, g);

	if (err)
		return err;
	lock_take(&s->lock);
	s->ring = pin;
	s->port = port;
	s->out_cons = read_once(&ring_of(s)->out_cons);
	s->in_prod = read_once(&ring_of(s)->in_prod);
	lock_release(&s->lock);
	return 0;
}

void console_release_ring(struct domain *d)
{
	struct console_state *s = d->console;
	struct pin pin;

	if (!s)
		return;
	lock_take(&s->lock);
	pin = s->ring;
	s->ring = (struct pin){ 0 };
	s->port = 0;
	lock_release(&s->lock);
	if (pin_held(&pin))
		pin_put(&pin);
}
