/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine's RAM while booting, as pieces of whole pages, in three views: all that the loader lists; what of it the
 * direct map may cover; what nobody uses yet. Machine addresses. One CPU, no locks.
 */
#ifndef HV_RAM_H
#define HV_RAM_H

#include <hv/boot.h>
#include <hv/compiler.h>

struct pieces {
	uint32_t n;
	struct {
		uint64_t start, end;
	} at[2 * BOOT_MAX_REGIONS];
};

/* Take [start, end), rounded outwards to pages, out of `p`. False: it would fall into too many pieces. */
MUST_USE bool pieces_remove(struct pieces *p, uint64_t start, uint64_t end);
/* The largest piece's index, as far as it lies below `limit`; p->n when there is none. */
uint32_t pieces_largest(const struct pieces *p, uint64_t limit);

/* RAM below `limit` (what lies above is said and left), less what firmware reserves. */
MUST_USE bool ram_listed(struct pieces *ram, uint64_t limit);
/* Take modules and static memory out of what is unused. */
MUST_USE bool ram_remove_described(struct pieces *unused);

/*
 * Call `map` for each piece of `ram`, first for the one around `arena` bytes at the top of the largest unused piece below
 * `limit`; before the second, tell `use_arena` where those are, for the tables of the rest. False: there is no such piece.
 */
MUST_USE bool ram_map(const struct pieces *ram, const struct pieces *unused, uint64_t arena,
		      uint64_t limit, void (*map)(uint64_t start, uint64_t end),
		      void (*use_arena)(uint64_t start, uint64_t end));
/* Give what is unused to the frame allocator. */
void ram_give(const struct pieces *unused);
/* Frames of modules (released later) and of static memory get their entries. -ENOMEM, refused by name. */
MUST_USE int ram_reserve_described(void);

#endif
