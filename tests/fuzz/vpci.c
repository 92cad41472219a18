/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Accesses to configuration space and MSI-X tables by the owner of a function made of registers (tests/unit/vpci.h), which may be a
 * strange one, may be reset, pulled out, given away and back.
 *
 *	byte 0		how many registers of the function are overwritten before it is given (4 bits)
 *	for each	place (2), value (4), bits that can be written (1: all, 0: none)
 *	then		per operation: kind, and what it reads
 *
 * Whatever comes: only the function's own window is reached; what is protected is neither mapped nor given to the hardware, nor is a
 * page of the MSI-X table the owner's; messages in the hardware are the interrupt table's; each vector leads to the owner; no frame is lost.
 */
#include "../unit/sim.h"

#include "../unit/vpci.h"
#include <xen/domctl.h>

#define MAX_OPS    120u
#define KEPT_START 0xe0000000ull /* protected */
#define KEPT_SIZE  0x00100000ull

static struct {
	const uint8_t *p, *end;
	struct domain *d;
	struct pci_dev *f;
	bool strange;
} in;

static uint8_t u8(void)
{
	return in.p < in.end ? *in.p++ : 0;
}

static uint32_t raw(unsigned bytes)
{
	uint32_t n = 0;

	while (bytes--)
		n = n << 8 | u8();
	return n;
}

static void check(bool ok, const char *what)
{
	if (!ok)
		sim_fail("%s", what);
}

static void device_access(uint64_t pa, unsigned size, bool write, uint64_t *value)
{
	bool hit = fn_memory(pa, size, write, value);

	if (in.strange) /* who knows where it is */
		check(pa + size <= KEPT_START || pa >= KEPT_START + KEPT_SIZE,
		      "what is protected was reached");
	else
		check(hit, "memory of somebody else's was reached");
}

/* ---- what always holds ------------------------------------------------------------------------------ */

static bool is_mapped(uint64_t pa)
{
	return p2m_lookup(in.d, gfn(pa >> PAGE_SHIFT)).type != P2M_NONE;
}

static void check_windows(void)
{
	const struct pci_virtual *seen = &in.f->seen;
	bool on = fn_get(PCI_COMMAND, 2) & PCI_COMMAND_MEMORY;

	/* Windows are multiples of their size: a few places tell. */
	for (uint64_t at = 0; at < KEPT_SIZE; at += KEPT_SIZE / 8)
		check(!is_mapped(KEPT_START + at), "what is protected is mapped");
	if (fn.gone || !on || iommu_owner(&in.f->dma) != in.d)
		return;
	for (unsigned i = 0; i < PCI_BARS; i++) {
		const struct pci_bar *b = &seen->bar[i];

		if ((b->kind == PCI_BAR_MEM || b->kind == PCI_BAR_MEM64) && b->mapped)
			check(b->hardware + b->size <= KEPT_START ||
				  b->hardware >= KEPT_START + KEPT_SIZE,
			      "the hardware decodes what is protected");
	}
	if (!in.strange && seen->bar[0].mapped && seen->bar[0].phase == PCI_BAR_STEADY)
		check(!is_mapped(seen->bar[0].mapped + FN_TABLE), "the MSI-X table is the owner's");
}

static void check_messages(void)
{
	unsigned vectors = 0;

	for (unsigned i = 0; i < PCI_MAX_MESSAGES; i++) {
		const struct irq *irq = sim_vector(remap.vector[i]);

		if (!remap.vector[i])
			continue;
		vectors++;
		check(irq && irq->owner == in.d, "an interrupt leads to nobody");
	}
	check(vectors == sim_vectors_used(), "a vector is used by no interrupt");
	if (in.strange || fn.gone)
		return;
	if (fn_get(FN_MSI + 2, 2) & 1)
		check(fn_get(FN_MSI + 4, 4) == 0xfee0abc0 && fn_get(FN_MSI + 12, 2) == 0x100,
		      "the device has a message of the owner's");
	for (unsigned i = 0; i < FN_MESSAGES; i++) {
		uint32_t e[4];

		memcpy(e, fn.memory + FN_TABLE + 16 * i, sizeof(e));
		if (!(e[3] & 1))
			check(e[0] == 0xfee0abc0 && e[2] == 0x100 + i && e[1] == 0,
			      "the device has an MSI-X message of the owner's");
	}
}

/* ---- operations ------------------------------------------------------------------------------------- */

static unsigned some_register(void)
{
	static const uint16_t usual[] = { 0x04, 0x10, 0x14, 0x18,       0x1c,        0x20,  0x30,
					  0x50, 0x52, 0x54, 0x58,       0x5c,        0x60,  FN_MSIX,
					  0x72, 0x74, 0x88, 0x100,      0x140,       0x144, 0x06,
					  0x3c, 0x0c, 0x34, FN_MSI + 1, FN_MSIX + 3, 0x00 };
	uint8_t n = u8();

	return n < 216 ? usual[n % ARRAY_SIZE(usual)] : raw(2) & 0xfff;
}

static uint32_t some_value(void)
{
	static const uint32_t usual[] = { 0,          ~0u,        6,          7,
					  0xfee00000, 0xe0000000, 0xdfe00000, 0xc0000000,
					  0xd0000000, 0xd1000100, 0xe0001000, 1,
					  0x8000,     0xc000,     0x80000000, 0xfffff800,
					  0x71,       0x00710000, 0x48000000, 0xe00ff000,
					  8,          2 };
	uint8_t n = u8();

	return n < 220 ? usual[n % ARRAY_SIZE(usual)] : raw(4);
}

static void config_access(bool write)
{
	unsigned size = 1u << u8() % 3, reg = some_register() & ~(size - 1);
	uint32_t v = write ? some_value() : 0;
	unsigned tries = 0;

	while ((write ? vpci_write(in.d, FN_ID, reg, size, v)
		      : vpci_read(in.d, FN_ID, reg, size, &v)) == IO_WAIT) {
		check(++tries < 100, "an access never ends");
		sim_run_for(1000000);
	}
}

static void memory_access(void)
{
	uint64_t base = u8() & 1 ? FN_WINDOW0 : in.f->seen.bar[0].mapped;
	uint64_t at = u8() & 1 ? FN_TABLE + raw(1) * 4 : raw(2);
	struct io_access a = { .addr = gpa(base + at),
			       .size = (uint8_t)(1u << u8() % 4),
			       .write = u8() & 1 };

	a.value = a.write ? some_value() : 0;
	(void)vpci_memory(in.d, &a);
}

static void give_away(void)
{
	while (vpci_release_step(in.f, in.d) == -ERR_RESTART)
		sim_run_for(1000000);
	check(!iommu_owner(&in.f->dma), "a released function has an owner");
	check(!sim_vectors_used(), "a released function has interrupts");
}

static void one_operation(void)
{
	switch (u8() % 16) {
	case 0: fn_reset(); break;
	case 1: fn.gone = !fn.gone; break;
	case 2: give_away(); break;
	case 3: sim_vectors_limit(u8()); break;
	case 4:
	case 5:
	case 6: config_access(false); break;
	case 7:
	case 8:
	case 9: memory_access(); break;
	default: config_access(true); break;
	}
	check_windows();
	check_messages();
}

/* ---- the run ---------------------------------------------------------------------------------------- */

static void make_function(void)
{
	unsigned n = u8() & 15;

	fn_reset();
	fn_set(PCI_BAR, 4, (uint32_t)FN_WINDOW0 | 4, 0xffff0000);
	fn_set(PCI_BAR + 8, 4, (uint32_t)FN_WINDOW2 | 8, 0xffe00000);
	fn_set(PCI_BAR + 12, 4, (uint32_t)FN_WINDOW3, 0xffffff00);
	fn_set(PCI_COMMAND, 2, 7, 0x0507);
	in.strange = n != 0;
	while (n--) {
		unsigned at = some_register() & 0xffcu;

		fn_set(at, 4, raw(4), u8() & 1 ? ~0u : 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct domain_config config = {
		.roles = ROLE_HARDWARE,
		.max_vcpus = 1,
		.max_frames = 1024,
		.max_evtchn = 64,
		.max_grant_frames = 4,
		.max_maptrack_frames = 4,
		.pool_frames = 400,
		.node = ALLOC_ANY_NODE,
		.flags = XEN_DOMCTL_CDF_iommu,
	};
	struct sim_config cfg = { .memory = 16 << 20, .quiet = true, .cpus = 1, .seed = 1 };
	uint64_t unused;

	if (size < 4)
		return -1;
	in.p = data;
	in.end = data + size;
	sim_boot_config(&cfg);
	if (!remap_start() || !vpci_protect(KEPT_START, KEPT_SIZE))
		abort();
	sim_device(device_access);
	make_function();
	pci_use_access(&fn_access);
	pci_scan(0, 0, 0, remap_of);
	in.f = pci_find(FN_ID);
	if (!in.f) { /* there is none with that header */
		sim_abandon();
		return 0;
	}
	unused = sim_free_frames();
	in.d = sim_domain_cfg(&config, 16);
	while (vpci_give(in.f, in.d) == -ERR_RESTART)
		;
	for (unsigned i = 0; i < MAX_OPS && in.p < in.end; i++)
		one_operation();
	sim_end(in.d);
	for (unsigned i = 0; i < 4 && sim_free_frames() != unused; i++)
		sim_run_for(100000000);
	check(sim_free_frames() == unused, "a frame is lost");
	check(!sim_vectors_used(), "a vector is lost");
	sim_abandon();
	return 0;
}
