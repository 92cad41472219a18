/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that is given back all at once: what a configuration consists of. Running out of it ends the program. */
#ifndef TOOLS_DOMAIN_ARENA_H
#define TOOLS_DOMAIN_ARENA_H

#include <stddef.h>

struct arena {
	struct arena_block *block; /* NULL: nothing taken */
};

/* `n` cleared bytes, aligned for anything. */
void *arena_take(struct arena *a, size_t n);
/* A copy of `n` bytes of text, zero-terminated. */
char *arena_text(struct arena *a, const char *text, size_t n);
void arena_free(struct arena *a);

#endif
