/* SPDX-License-Identifier: Apache-2.0 */
/* The last bytes of a stream, up to a limit: what came earlier and was not taken is dropped. It has memory only while it holds something. */
#ifndef TOOLS_CONSOLED_TAIL_H
#define TOOLS_CONSOLED_TAIL_H

#include <stddef.h>
#include <stdint.h>

struct tail {
	size_t limit; /* set before the first use */
	char *data;
	size_t size, start, n;
	uint64_t dropped;
};

void tail_add(struct tail *t, const char *bytes, size_t n);
/* The first piece of it that lies in one place: *n bytes; NULL: there is nothing. */
const char *tail_peek(const struct tail *t, size_t *n);
void tail_taken(struct tail *t, size_t n);
void tail_free(struct tail *t);

#endif
