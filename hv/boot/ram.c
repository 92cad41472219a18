/* SPDX-License-Identifier: Apache-2.0 */
/* Sorting out the machine's RAM: hv/include/hv/ram.h. Called by each architecture's C entry, in the order of the functions there. */
#include <hv/ram.h>

#include <hv/frame.h>
#include <hv/log.h>

BOOT_TEXT bool pieces_remove(struct pieces *p, uint64_t start, uint64_t end)
{
	start = ROUND_DOWN(start, (uint64_t)PAGE_SIZE);
	end = ROUND_UP(end, (uint64_t)PAGE_SIZE);
	for (uint32_t i = 0; i < p->n; i++) {
		uint64_t s = p->at[i].start, e = p->at[i].end;

		if (end <= s || start >= e)
			continue;
		if (start > s && end < e) {
			if (p->n == ARRAY_SIZE(p->at)) {
				log_error("memory is in more than %u pieces", p->n);
				return false;
			}
			p->at[p->n].start = end;
			p->at[p->n++].end = e;
			p->at[i].end = start;
		} else if (start > s) {
			p->at[i].end = start;
		} else if (end < e) {
			p->at[i].start = end;
		} else {
			p->at[i--] = p->at[--p->n];
		}
	}
	return true;
}

/* Bytes of a piece below `limit`. */
static BOOT_TEXT uint64_t size_below(const struct pieces *p, uint32_t i, uint64_t limit)
{
	uint64_t end = MIN(p->at[i].end, limit);

	return p->at[i].start < end ? end - p->at[i].start : 0;
}

BOOT_TEXT uint32_t pieces_largest(const struct pieces *p, uint64_t limit)
{
	uint32_t best = p->n;

	for (uint32_t i = 0; i < p->n; i++)
		if (size_below(p, i, limit) > (best < p->n ? size_below(p, best, limit) : 0))
			best = i;
	return best;
}

BOOT_TEXT bool ram_listed(struct pieces *ram, uint64_t limit)
{
	for (uint32_t i = 0; i < boot_info.nr_memory; i++) {
		uint64_t start = ROUND_UP(boot_info.memory[i].start.a, (uint64_t)PAGE_SIZE);
		uint64_t end = ROUND_DOWN(boot_info.memory[i].end.a, (uint64_t)PAGE_SIZE);

		if (end > limit) {
			log_warning("RAM from 0x%llx on is not used: too high to be mapped",
				    (unsigned long long)MAX(start, limit));
			end = limit;
		}
		if (start >= end)
			continue;
		ram->at[ram->n].start = start;
		ram->at[ram->n++].end = end;
	}
	for (uint32_t i = 0; i < boot_info.nr_reserved; i++)
		if (!pieces_remove(ram, boot_info.reserved[i].start.a, boot_info.reserved[i].end.a))
			return false;
	return true;
}

BOOT_TEXT bool ram_remove_described(struct pieces *unused)
{
	for (uint32_t i = 0; i < boot_info.nr_modules; i++) {
		const struct boot_module *m = &boot_info.module[i];

		if (!pieces_remove(unused, m->start.a, m->start.a + m->size))
			return false;
	}
	for (uint32_t i = 0; i < boot_info.nr_domains; i++) {
		const struct boot_domain *b = &boot_info.domain[i];

		for (uint32_t k = 0; k < b->nr_static; k++)
			if (!pieces_remove(unused, b->static_mem[k].start.a,
					   b->static_mem[k].start.a + b->static_mem[k].size))
				return false;
	}
	return true;
}

BOOT_TEXT bool ram_map(const struct pieces *ram, const struct pieces *unused, uint64_t arena,
		       uint64_t limit, void (*map)(uint64_t start, uint64_t end),
		       void (*use_arena)(uint64_t start, uint64_t end))
{
	uint32_t best = pieces_largest(unused, limit), around = 0;
	uint64_t top;

	if (best == unused->n || size_below(unused, best, limit) < 2 * arena)
		return false;
	top = MIN(unused->at[best].end, limit);
	while (top <= ram->at[around].start || top > ram->at[around].end)
		around++;
	map(ram->at[around].start, ram->at[around].end);
	use_arena(top - arena, top);
	for (uint32_t i = 0; i < ram->n; i++)
		if (i != around)
			map(ram->at[i].start, ram->at[i].end);
	return true;
}

BOOT_TEXT void ram_give(const struct pieces *unused)
{
	for (uint32_t i = 0; i < unused->n; i++)
		frame_add_region(paddr(unused->at[i].start), paddr(unused->at[i].end), 0);
}

BOOT_TEXT int ram_reserve_described(void)
{
	int err = 0;

	for (uint32_t i = 0; i < boot_info.nr_modules && !err; i++) {
		const struct boot_module *m = &boot_info.module[i];

		err = frame_reserve(paddr(ROUND_DOWN(m->start.a, (uint64_t)PAGE_SIZE)),
				    paddr(ROUND_UP(m->start.a + m->size, (uint64_t)PAGE_SIZE)),
				    FRAME_FIRMWARE);
	}
	for (uint32_t i = 0; i < boot_info.nr_domains && !err; i++) {
		const struct boot_domain *b = &boot_info.domain[i];

		for (uint32_t k = 0; k < b->nr_static && !err; k++)
			err = frame_reserve(b->static_mem[k].start,
					    paddr(b->static_mem[k].start.a + b->static_mem[k].size),
					    FRAME_FIRMWARE | FRAME_STATIC);
	}
	return err;
}
