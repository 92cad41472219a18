/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernels of PVH domains (hv/arch/x86_64/boot/elf.c). What is taken holds together, because the loader copies by it: parts inside the file,
 * inside the address space, apart from each other, and the entry in one of them. An odd first byte puts a good header in front.
 */
#include <sim/sim.h>

#include "../../hv/arch/x86_64/boot/boot.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must(bool rule)
{
	if (!rule)
		abort();
}

static void judge(const struct kernel_image *k, size_t size)
{
	bool entered = false;

	must(k->nr >= 1 && k->nr <= MAX_SEGMENTS);
	for (uint32_t i = 0; i < k->nr; i++) {
		const struct segment_place *s = &k->segment[i];

		must(s->file_size <= s->size && s->size > 0);
		must(s->offset <= size && s->file_size <= size - s->offset);
		must(s->to >= HIGH_RAM_BASE && s->to < HOLE_BASE && s->size <= HOLE_BASE - s->to);
		must(i == 0 || s[-1].to + s[-1].size <= s->to);
		entered |= k->entry >= s->to && k->entry - s->to < s->file_size;
	}
	must(entered);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct sim_config cfg = { .memory = 4 << 20, .quiet = true, .bare = true };
	static const uint8_t good[] = { 0x7f, 'E', 'L', 'F', 2, 1, 1 };
	struct kernel_image k;
	uint8_t *file;

	if (n < 1)
		return 0;
	file = malloc(n);
	memcpy(file, data + 1, n - 1);
	if ((data[0] & 1) && n > 64) {
		memcpy(file, good, sizeof(good));
		file[16] = 2;
		file[17] = 0;
		file[18] = 62;
		file[19] = 0;
		memset(file + 32, 0, 8);
		file[32] = 64; /* program headers behind the header */
		file[54] = 56;
		file[55] = 0;
		file[57] = 0;
	}
	sim_boot_config_bare(&cfg);
	if (elf_parse("it", file, n - 1, &k))
		judge(&k, n - 1);
	sim_abandon();
	free(file);
	return 0;
}
