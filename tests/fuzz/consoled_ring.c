/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest that writes anything into its console ring, between and after what the daemon does with it. Each step is a byte: what happens, and with how much
 * of the input. The daemon takes at most what it asked for, publishes only its own two indices, and keeps no more than its limit.
 */
#include <stdlib.h>
#include <string.h>
#include "consoled/ring.h"
#include "consoled/tail.h"

#define LIMIT 3000u

static struct xencons_interface *page;
static struct ring ring;
static struct tail tail;

static void must(bool right)
{
	if (!right)
		abort();
}

static void take(size_t size)
{
	char *to = malloc(size + 1); /* of that size, so that ASan sees one byte too many */
	uint32_t before = ring.out_cons;
	bool broken;
	size_t n = ring_take(&ring, to, size, &broken);

	must(n <= size && n <= RING_OUT);
	must(broken ? n == 0 : ring.out_cons - before == n);
	must(page->out_cons == ring.out_cons);
	tail_add(&tail, to, n);
	must(tail.n <= LIMIT);
	free(to);
}

static void put(size_t most)
{
	char bytes[RING_IN] = { 0 };
	size_t room = ring_room(&ring);

	must(room <= RING_IN);
	ring_put(&ring, bytes, room < most ? room : most);
	must(page->in_prod == ring.in_prod);
}

static void drain(size_t most)
{
	const char *p;
	size_t n;

	while (most && (p = tail_peek(&tail, &n)) != NULL) {
		n = n < most ? n : most;
		must(p >= tail.data && p + n <= tail.data + tail.size);
		tail_taken(&tail, n);
		most -= n;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	page = calloc(1, sizeof(*page));
	tail = (struct tail){ .limit = LIMIT };
	ring_attach(&ring, page);
	while (size) {
		uint8_t what = *data++;
		size_t n = what >> 2;

		size--;
		switch (what & 3) {
		case 0: take(n * 64); break;
		case 1: put(n * 32); break;
		case 2: /* the guest writes anywhere */
			n = n < size ? n : size;
			if (n > 2)
				memcpy((char *)page +
					   (data[0] | (size_t)data[1] << 8) % (sizeof(*page) - n),
				       data + 2, n - 2);
			data += n;
			size -= n;
			break;
		default: /* its own indices, a little or far on */
			page->out_prod += n & 32 ? 0x10000001u * (uint32_t)n : (uint32_t)n * 16;
			page->in_cons += n & 16 ? 0x1001u : 1;
			drain(n * 50);
			if (n == 63)
				ring_attach(&ring, page); /* the daemon was started again */
		}
	}
	tail_free(&tail);
	free(page);
	return 0;
}
