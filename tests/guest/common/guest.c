/* SPDX-License-Identifier: Apache-2.0 */
/* Console, verdict, shared pages: what does not depend on the architecture. */
#include "guest.h"

#include <xen/event_channel.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/params.h>
#include <xen/io/console.h>
#include <xen/memory.h>

struct shared_info shared_info __attribute__((aligned(4096)));

static struct xencons_interface *ring;
static evtchn_port_t console_port;

static uint64_t param(uint32_t index)
{
	struct xen_hvm_param p = { .domid = DOMID_SELF, .index = index };

	return HYPERCALL(hvm_op, HVMOP_get_param, &p) ? 0 : p.value;
}

static void ring_write(const char *s, size_t n)
{
	struct evtchn_send send = { .port = console_port };

	while (n) {
		XENCONS_RING_IDX prod = ring->out_prod;

		while (n && prod - __atomic_load_n(&ring->out_cons, __ATOMIC_ACQUIRE) <
				sizeof(ring->out)) {
			ring->out[MASK_XENCONS_IDX(prod, ring->out)] = *s++;
			prod++;
			n--;
		}
		__atomic_store_n(&ring->out_prod, prod, __ATOMIC_RELEASE);
		HYPERCALL(event_channel_op, EVTCHNOP_send, &send);
	}
}

void print(const char *s)
{
	size_t n = strlen(s);

	if (!ring && !console_port) {
		uint64_t pfn = param(HVM_PARAM_CONSOLE_PFN);

		console_port = (evtchn_port_t)param(HVM_PARAM_CONSOLE_EVTCHN);
		if (console_port && pfn)
			ring = (struct xencons_interface *)(pfn << 12);
		else
			console_port = ~0u;
	}
	if (ring)
		ring_write(s, n);
	else
		HYPERCALL(console_io, CONSOLEIO_write, n, s);
}

void print_hex(uint64_t v)
{
	char buf[19] = "0x";
	unsigned n = 2;

	for (int shift = 60; shift >= 0; shift -= 4) {
		unsigned digit = (v >> shift) & 15;

		if (digit || n > 2 || !shift)
			buf[n++] = "0123456789abcdef"[digit];
	}
	buf[n] = 0;
	print(buf);
}

void fail(const char *why, uint64_t actual, uint64_t expected)
{
	print("GUEST-TEST FAIL: ");
	print(why);
	print(": ");
	print_hex(actual);
	print(", expected ");
	print_hex(expected);
	print("\n");
	machine_stop();
}

void map_shared_info(void)
{
	struct xen_add_to_physmap map = {
		.domid = DOMID_SELF,
		.space = XENMAPSPACE_shared_info,
		.gpfn = (uintptr_t)&shared_info >> 12,
	};

	CHECK(HYPERCALL(memory_op, XENMEM_add_to_physmap, &map), 0, "shared_info can be mapped");
}

bool event_take(evtchn_port_t port)
{
	unsigned long bit = 1ul << (port % (8 * sizeof(long)));
	xen_ulong_t *word = &shared_info.evtchn_pending[port / (8 * sizeof(long))];

	shared_info.vcpu_info[0].evtchn_upcall_pending = 0;
	__atomic_store_n(&shared_info.vcpu_info[0].evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);
	return __atomic_fetch_and(word, ~bit, __ATOMIC_SEQ_CST) & bit;
}

/* The compiler calls these by itself; volatile keeps it from making them call themselves. */
size_t strlen(const char *s)
{
	size_t n = 0;

	while (((const volatile char *)s)[n])
		n++;
	return n;
}

void *memset(void *p, int c, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((volatile char *)p)[i] = (char)c;
	return p;
}

void *memcpy(void *d, const void *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		((volatile char *)d)[i] = ((const char *)s)[i];
	return d;
}
