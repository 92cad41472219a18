/* SPDX-License-Identifier: Apache-2.0 */
/* See tail.h. */
#include "tail.h"
#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE 2048u

/* Room for `n` bytes in all, or for the limit. Without memory it stays as it is. */
static void grow(struct tail *t, size_t n)
{
	size_t size = t->size ? t->size : FIRST_SIZE, first;
	char *data;

	while (size < n && size < t->limit)
		size *= 2;
	if (size > t->limit)
		size = t->limit;
	if (size <= t->size)
		return;
	data = malloc(size);
	if (!data)
		return;
	first = t->size - t->start < t->n ? t->size - t->start : t->n;
	if (t->n) {
		memcpy(data, t->data + t->start, first);
		memcpy(data + first, t->data, t->n - first);
	}
	free(t->data);
	t->data = data;
	t->size = size;
	t->start = 0;
}

static void drop(struct tail *t, size_t n)
{
	t->start = (t->start + n) % t->size;
	t->n -= n;
	t->dropped += n;
}

void tail_add(struct tail *t, const char *bytes, size_t n)
{
	size_t at, first;

	grow(t, t->n + n);
	if (n > t->size) {
		t->dropped += n - t->size;
		bytes += n - t->size;
		n = t->size;
	}
	if (!n)
		return;
	if (t->n + n > t->size)
		drop(t, t->n + n - t->size);
	at = (t->start + t->n) % t->size;
	first = t->size - at < n ? t->size - at : n;
	memcpy(t->data + at, bytes, first);
	memcpy(t->data, bytes + first, n - first);
	t->n += n;
}

const char *tail_peek(const struct tail *t, size_t *n)
{
	*n = t->size - t->start < t->n ? t->size - t->start : t->n;
	return t->n ? t->data + t->start : NULL;
}

void tail_taken(struct tail *t, size_t n)
{
	t->n -= n;
	if (t->n)
		t->start = (t->start + n) % t->size;
	else
		tail_free(t);
}

void tail_free(struct tail *t)
{
	free(t->data);
	t->data = NULL;
	t->size = t->start = t->n = 0;
}
