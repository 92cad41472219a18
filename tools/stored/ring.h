/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rings of domains (docs: Xen's xenstore-ring): a shared page and an event channel each. The page is the guest's to
 * write at any moment: every field is read once, by itself, and an index that cannot be ends the connection.
 */
#ifndef STORED_RING_H
#define STORED_RING_H

#include "serve.h"

/* Open what maps pages and asks for domains; before privileges go. */
void ring_init(const struct setup *setup);
/* Map domain id's page and bind to its port. With `saved`, take up where a former server was. */
int ring_connect(domid id, uint32_t remote_port, uint64_t gfn, struct ring_state *start,
		 const struct ring_state *saved);
int ring_connect_dom0(uint32_t port, struct ring_state *start);
void ring_disconnect(domid id);
bool ring_is_connected(domid id);
/* Make the page say what the state says; a transfer that `to` names is undone or done as the page says. */
uint32_t ring_rsp_prod(domid id);
void ring_resume(struct conn *c);

enum ring_trouble { RING_FINE, RING_RECONNECT, RING_BAD_INDEX };
/* Up to size bytes of requests; not yet taken off the ring. */
size_t ring_peek(struct conn *c, void *bytes, size_t size, enum ring_trouble *trouble);
void ring_taken(struct conn *c, size_t n); /* after conn_input */
size_t ring_room(struct conn *c);
void ring_put(struct conn *c, const void *bytes, size_t n); /* bytes into the page, not yet told */
void ring_publish(struct conn *c, size_t n);
void ring_restart(struct conn *c); /* all counters 0, as c->ring is */
void ring_fail(struct conn *c);    /* tell the peer of c->error */
void ring_notify(struct conn *c);

/* The domain whose port has an event, -1: none has. */
int ring_pending(void);
#define RING_VIRQ 0x10000
bool ring_domain_exists(unsigned id);
/* Calls is() for each domain that Xen knows: state is 'd' (dying), 's' (shut down) or 'r'. False: it cannot be asked. */
bool ring_domains(void (*is)(domid id, char state));

#endif
