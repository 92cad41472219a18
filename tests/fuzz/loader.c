/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What boot loaders hand over (hv/arch/x86_64/boot/loader.c), in each of the three forms: the input is memory from 0x9000 on. What comes out
 * holds together: RAM in pieces that do not overlap, modules inside of it, apart from each other and from the hypervisor.
 */
#include <sim/sim.h>

#include "../../hv/arch/x86_64/include/asm/boot.h"
#include "../../hv/arch/x86_64/include/asm/machine.h"

#include <hv/boot.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <xen/arch-x86/hvm/start_info.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define INFO        0x9000u
#define IMAGE_START (2ull << 20)
#define IMAGE_END   (3ull << 20)

struct machine machine;

static void must(bool rule)
{
	if (!rule)
		abort();
}

static bool apart(uint64_t a, uint64_t a_end, uint64_t b, uint64_t b_end)
{
	return a_end <= b || b_end <= a;
}

static void judge(void)
{
	for (uint32_t i = 0; i < boot_info.nr_memory; i++)
		for (uint32_t j = 0; j < i; j++)
			must(apart(boot_info.memory[i].start.a, boot_info.memory[i].end.a,
				   boot_info.memory[j].start.a, boot_info.memory[j].end.a));
	for (uint32_t i = 0; i < boot_info.nr_loaded; i++) {
		const struct boot_module *m = &boot_info.loaded[i];
		uint64_t end = m->start.a + m->size;
		bool inside = false;

		if (!m->size)
			continue;
		for (uint32_t k = 0; k < boot_info.nr_memory; k++)
			inside |= m->start.a >= boot_info.memory[k].start.a &&
				  end <= boot_info.memory[k].end.a;
		must(inside && end > m->start.a && apart(m->start.a, end, IMAGE_START, IMAGE_END));
		for (uint32_t k = 0; k < i; k++) {
			const struct boot_module *o = &boot_info.loaded[k];

			must(!o->size || apart(m->start.a, end, o->start.a, o->start.a + o->size));
		}
		must(strlen(m->cmdline) < 4096);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct sim_config cfg = { .memory = 4 << 20, .quiet = true, .bare = true };
	static const uint32_t magic[] = { 0x2badb002, 0x36d76289, XEN_HVM_START_MAGIC_VALUE };
	static uint8_t *memory;

	if (!memory)
		memory = mmap(NULL, (4ull << 30) + 4096, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED || n < 1 || n > 0x10000)
		return 0;
	sim_boot_config_bare(&cfg);
	sim_direct_base = (uintptr_t)memory;
	memset(&boot_info, 0, sizeof(boot_info));
	memset(&machine, 0, sizeof(machine));
	memset(memory + INFO, 0, 0x10000);
	memcpy(memory + INFO, data + 1, n - 1);
	if (loader_read(magic[data[0] % 3], INFO) && loader_settle(IMAGE_START, IMAGE_END))
		judge();
	sim_abandon();
	return 0;
}
