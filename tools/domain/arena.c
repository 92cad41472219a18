/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks in a list, each one allocation. */
#include "arena.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct arena_block {
	struct arena_block *next;
	max_align_t data[];
};

void *arena_take(struct arena *a, size_t n)
{
	struct arena_block *b = calloc(1, sizeof(*b) + n);

	if (!b) {
		fprintf(stderr, "out of memory\n");
		exit(EXIT_FAILURE);
	}
	b->next = a->block;
	a->block = b;
	return b->data;
}

char *arena_text(struct arena *a, const char *text, size_t n)
{
	char *copy = arena_take(a, n + 1);

	memcpy(copy, text, n);
	return copy;
}

void arena_free(struct arena *a)
{
	while (a->block) {
		struct arena_block *b = a->block;

		a->block = b->next;
		free(b);
	}
}
