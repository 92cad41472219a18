/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A domain that floods and corrupts the rings of its store and of its console, and sends events without end, and is
 * served again when it stops. That nobody else notices is looked at from outside: tests/system/test_xl.py.
 */
#include "machine.h"

#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/io/console.h>
#include <xen/io/xs_wire.h>

static uint64_t param(uint32_t index)
{
	struct xen_hvm_param p = { .domid = DOMID_SELF, .index = index };

	return HYPERCALL(hvm_op, HVMOP_get_param, &p) ? 0 : p.value;
}

static void notify(evtchn_port_t port)
{
	struct evtchn_send send = { .port = port };

	HYPERCALL(event_channel_op, EVTCHNOP_send, &send);
}

static void flood_console(void)
{
	for (unsigned i = 0; i < 300; i++)
		print("a line of a guest that says much more than anybody wants to read\n");
}

/* Requests whose answers nobody takes, until none is taken any more. */
static void flood_store(struct xenstore_domain_interface *ring, evtchn_port_t port)
{
	static const struct {
		struct xsd_sockmsg header;
		char path[2];
	} request = { { .type = XS_DIRECTORY, .req_id = 1, .len = 2 }, "." };
	const char *bytes = (const char *)&request;

	for (unsigned i = 0; i < 100000; i++) {
		XENSTORE_RING_IDX prod = ring->req_prod;

		if (prod - __atomic_load_n(&ring->req_cons, __ATOMIC_ACQUIRE) < XENSTORE_RING_SIZE) {
			ring->req[MASK_XENSTORE_IDX(prod)] = bytes[prod % 18];
			__atomic_store_n(&ring->req_prod, prod + 1, __ATOMIC_RELEASE);
		}
		if (i % 64 == 0)
			notify(port);
	}
}

/* Indices that say more than a ring holds, back to front, and at the ends of their range. */
static void corrupt(volatile uint32_t *index, evtchn_port_t port)
{
	static const uint32_t wrong[] = { 5000, 0x7fffffff, 0x80000000, (uint32_t)-1,
					  (uint32_t)-5000 };
	uint32_t right = *index;

	for (unsigned i = 0; i < 2000; i++) {
		*index = right + wrong[i % 5];
		notify(port);
	}
	*index = right;
	notify(port);
}

void guest_test(void)
{
	struct xencons_interface *console = (void *)(param(HVM_PARAM_CONSOLE_PFN) << 12);
	evtchn_port_t console_port = (evtchn_port_t)param(HVM_PARAM_CONSOLE_EVTCHN);
	uint64_t store_pfn = param(HVM_PARAM_STORE_PFN);
	evtchn_port_t store_port = (evtchn_port_t)param(HVM_PARAM_STORE_EVTCHN);

	CHECK_TRUE(console_port, "there is a console");
	flood_console();
	if (store_port && store_pfn != ~0ul) { /* not in a domain that was there before the store */
		struct xenstore_domain_interface *store = (void *)(store_pfn << 12);

		flood_store(store, store_port);
		print("the store is flooded\n");
		corrupt(&store->rsp_cons, store_port);
		corrupt(&store->req_prod, store_port);
		print("its ring is corrupt\n");
	}
	corrupt(&console->out_prod, console_port);
	corrupt(&console->in_cons, console_port);
}
