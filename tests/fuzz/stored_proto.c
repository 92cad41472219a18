/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes from two guests and dom0 into the store, in pieces of any size; then every account is recounted, and the state goes
 * through a save and a load; so does the state of the moment when half of them were in, saved in steps since. First byte of a piece: who (2 bits) and how long (6 bits, in fours); 0xff ends a domain.
 */
#include <stdlib.h>
#include <string.h>
#include "stored/store.h"
#include "stored/upgrade.h"

static int introduce(domid id, uint64_t gfn, uint32_t port, struct ring_state *start)
{
	memset(start, 0, sizeof(*start));
	return id < 20 ? 0 : -EINVAL;
}

static void release(domid id) {}

static bool exists(unsigned id)
{
	return id < 20;
}

static const struct store_host host = { introduce, release, exists, NULL };

static struct conn *who(unsigned n)
{
	struct domain *d = domain_find(n);

	if (n == 0 || n == 3)
		return conn_find(0x10000 + n) ? conn_find(0x10000 + n)
					      : conn_new(0x10000 + n, 0, false);
	if (!d || !d->conn)
		domain_introduce((domid)n, 1, 1);
	return domain_find(n)->conn;
}

static void drain(void)
{
	struct conn *c;

	while ((c = conn_next_dirty()) != NULL)
		if (conn_queued(c) > 100000)
			conn_sent(c, conn_queued(c));
}

static void save_and_load(void)
{
	size_t len, again;
	void *state = upgrade_save(&len), *second;

	drain();
	store_fini();
	store_init(2, &host);
	if (!upgrade_load(state, len))
		abort();
	store_check();
	second = upgrade_save(&again);
	if (again != len)
		abort();
	free(second);
	free(state);
}

static bool grow(struct sink *sink, size_t n)
{
	sink->size = 2 * (sink->len + n);
	sink->bytes = must_realloc(sink->bytes, sink->size);
	return true;
}

static void load(const struct sink *sink)
{
	drain();
	store_fini();
	store_init(3, &host);
	if (!upgrade_load(sink->bytes, sink->len))
		abort();
	store_check();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sink sink = { .grow = grow };
	const size_t half = size / 2;
	bool written = false;

	store_init(1, &host);
	while (size > 0) {
		unsigned n = data[0] & 3;
		size_t len = (size_t)(data[0] >> 2) * 4;

		if (data[0] == 0xff)
			domain_gone(1);
		data++;
		size--;
		len = len < size ? len : size;
		if (who(n)->dead)
			conn_reset(who(n)), who(n)->dead = false;
		conn_input(who(n), data, len);
		drain();
		data += len;
		size -= len;
		if (size <= half && !sink.bytes)
			upgrade_begin(&sink);
		else if (sink.bytes && !written)
			written = upgrade_step(100);
	}
	store_check();
	while (sink.bytes && !written)
		written = upgrade_step(1000);
	if (sink.bytes)
		upgrade_end();
	save_and_load();
	if (sink.bytes)
		load(&sink);
	free(sink.bytes);
	drain();
	store_fini();
	return 0;
}
