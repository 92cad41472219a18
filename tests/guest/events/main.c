/* SPDX-License-Identifier: Apache-2.0 */
/* Event channels to oneself and to another vCPU: pending bits, masks, the upcall, limits. */
#include "machine.h"

#include <xen/event_channel.h>

#define OP(name, arg) HYPERCALL(event_channel_op, EVTCHNOP_##name, arg)

static void send(evtchn_port_t port)
{
	struct evtchn_send s = { .port = port };

	CHECK(OP(send, &s), 0, "an event can be sent");
}

void guest_test(void)
{
	struct evtchn_alloc_unbound a = { .dom = DOMID_SELF, .remote_dom = DOMID_SELF };
	struct evtchn_bind_interdomain b = { .remote_dom = DOMID_SELF };
	struct evtchn_close close = { 0 };
	struct evtchn_status status = { .dom = DOMID_SELF };
	uint32_t seen;

	map_shared_info();
	upcall_on();
	(void)event_take(0);
	CHECK(OP(alloc_unbound, &a), 0, "a port to oneself");
	b.remote_port = a.port;
	CHECK(OP(bind_interdomain, &b), 0, "can be bound");
	status.port = a.port;
	CHECK(OP(status, &status), 0, "and asked about");
	CHECK(status.status, EVTCHNSTAT_interdomain, "it is an interdomain channel");
	/* Binding tells the other end once. */
	(void)event_take(a.port);
	(void)event_take(b.local_port);
	irq_on();
	irq_off();

	seen = interrupts[UPCALL];
	for (unsigned i = 1; i <= 100; i++) {
		send(b.local_port);
		irq_on();
		CHECK_TRUE(WAIT_FOR(interrupts[UPCALL] == seen + i), "the upcall comes");
		irq_off();
		CHECK_TRUE(event_take(a.port), "its pending bit is set");
		CHECK_TRUE(!event_take(b.local_port), "the sender's is not");
	}
	/* Masked: pending without an upcall, and delivered when unmasked. */
	__atomic_or_fetch(&shared_info.evtchn_mask[0], 1ul << a.port, __ATOMIC_SEQ_CST);
	send(b.local_port);
	CHECK(shared_info.vcpu_info[0].evtchn_upcall_pending, 0, "masked: no upcall");
	CHECK((shared_info.evtchn_pending[0] >> a.port) & 1, 1, "but pending");
	struct evtchn_unmask unmask = { .port = a.port };
	CHECK(OP(unmask, &unmask), 0, "unmask");
	CHECK(shared_info.vcpu_info[0].evtchn_upcall_pending, 1, "unmasked: upcall");
	(void)event_take(a.port);

	close.port = b.local_port;
	CHECK(OP(close, &close), 0, "close");
	CHECK_TRUE(OP(close, &close) < 0, "only once");
	struct evtchn_send s = { .port = 100000 };
	CHECK_TRUE(OP(send, &s) < 0, "no such port");
	/* As many as one may have, and not one more. */
	unsigned n = 0;
	while (OP(alloc_unbound, &a) == 0)
		n++;
	CHECK(OP(alloc_unbound, &a), -28, "then ENOSPC");
	CHECK_TRUE(n > 100, "a good number");
}
