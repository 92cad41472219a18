/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The trie of a node's children, for tree.c and for whoever saves and loads trees (upgrade_save.c).
 *
 * Four bits of the name's hash a level: wider ones make each change copy more. A slot holds a node or, its lowest bit set, a deeper trie. Where
 * the hash is used up, names with one hash stand in a row and map is unused.
 */
#ifndef STORED_TRIE_H
#define STORED_TRIE_H

#include "tree.h"

struct trie {
	uint32_t refs;
	uint32_t map; /* which of the 16 values have a slot */
	uint32_t n;
	uint32_t mark; /* as a node's */
	uintptr_t slot[];
};

static inline bool is_trie(uintptr_t slot)
{
	return slot & 1;
}

static inline struct trie *as_trie(uintptr_t slot)
{
	return (struct trie *)(slot - 1);
}

static inline uintptr_t trie_slot(struct trie *t)
{
	return (uintptr_t)t + 1;
}

struct trie *trie_new(unsigned n); /* one reference; the slots are the caller's to fill */
void trie_put(struct trie *t);

#endif
