/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration space as an owner sees it, over a function made of registers (vpci.h): what it writes it reads back, and what reaches the
 * hardware, its second stage and the interrupt tables is what keeps others safe.
 */
#include "sim.h"

#include "vpci.h"
#include <xen/domctl.h>

static const struct domain_config config = {
	.roles = ROLE_HARDWARE,
	SIM_POOLED,
	.flags = XEN_DOMCTL_CDF_iommu,
};

static void device_access(uint64_t pa, unsigned size, bool write, uint64_t *value)
{
	assert_true(fn_memory(pa, size, write, value));
}

static struct pci_dev *f;
static uint64_t unused_frames; /* before there was a domain; the list of functions stays */

/* A domain that has the function, whose windows firmware has placed. */
static struct domain *boot(uint64_t seed)
{
	struct domain *d;

	sim_boot(2, 64 << 20, seed);
	assert_true(remap_start());
	sim_device(device_access);
	fn_reset();
	fn_set(PCI_BAR, 4, (uint32_t)FN_WINDOW0 | 4, 0xffff0000);
	fn_set(PCI_BAR + 8, 4, (uint32_t)FN_WINDOW2 | 8, 0xffe00000);
	fn_set(PCI_BAR + 12, 4, (uint32_t)FN_WINDOW3, 0xffffff00);
	fn_set(PCI_BAR + 16, 4, 0xc001, 0xffffffe0);
	fn_set(PCI_COMMAND, 2, 7, 0x0507);
	pci_use_access(&fn_access);
	pci_scan(0, 0, 0, remap_of);
	f = pci_find(FN_ID);
	assert_non_null(f);
	unused_frames = sim_free_frames();
	d = sim_domain_cfg(&config, 16);
	while (vpci_give(f, d) == -ERR_RESTART)
		;
	assert_ptr_equal(iommu_owner(&f->dma), d);
	return d;
}

static void end(struct domain *d)
{
	domain_mem_check(d);
	sim_end(d);
	assert_int_equal(sim_vectors_used(), 0);
	assert_ptr_equal(f->dma.context, &iommu_quarantine);
	assert_false(fn_get(PCI_COMMAND, 2) & PCI_COMMAND_MASTER);
	for (unsigned i = 0; i < 4 && sim_free_frames() != unused_frames; i++)
		sim_run_for(100000000);
	assert_int_equal(sim_free_frames(), unused_frames);
	sim_abandon();
}

static uint32_t get(struct domain *d, unsigned reg, unsigned size)
{
	uint32_t v;

	while (vpci_read(d, FN_ID, reg, size, &v) == IO_WAIT)
		;
	return v;
}

static void put(struct domain *d, unsigned reg, unsigned size, uint32_t v)
{
	while (vpci_write(d, FN_ID, reg, size, v) == IO_WAIT)
		;
}

static bool mapped(struct domain *d, uint64_t pa)
{
	struct p2m_entry e = p2m_lookup(d, gfn(pa >> PAGE_SHIFT));
	mfn_t m;
	unsigned level;

	/* Devices reach what the domain's CPUs reach. */
	assert_int_equal(iommu_lookup(d->iommu, gfn(pa >> PAGE_SHIFT), &m, &level) != 0,
			 e.type != P2M_NONE);
	if (e.type == P2M_NONE)
		return false;
	assert_int_equal(e.type, P2M_MMIO_DIRECT);
	assert_int_equal(e.mfn.n, pa >> PAGE_SHIFT);
	return true;
}

static void table_write(struct domain *d, uint64_t base, unsigned i, unsigned field, uint32_t v)
{
	struct io_access a = { gpa(base + FN_TABLE + 16 * i + field), v, 4, true };

	assert_int_equal(vpci_memory(d, &a), IO_DONE);
}

static uint32_t table_read(struct domain *d, uint64_t base, unsigned i, unsigned field)
{
	struct io_access a = { gpa(base + FN_TABLE + 16 * i + field), 0, 4, false };

	assert_int_equal(vpci_memory(d, &a), IO_DONE);
	return (uint32_t)a.value;
}

static uint32_t table_hardware(unsigned i, unsigned field)
{
	uint32_t v;

	memcpy(&v, fn.memory + FN_TABLE + 16 * i + field, 4);
	return v;
}

/* ---- windows --------------------------------------------------------------------------------------- */

static void windows_are_mapped_as_firmware_placed_them(void **state)
{
	struct domain *d = boot(1);

	assert_true(mapped(d, FN_WINDOW0));
	assert_true(mapped(d, FN_WINDOW0 + 0xf000));
	assert_false(mapped(d, FN_WINDOW0 + 0x10000));
	assert_true(mapped(d, FN_WINDOW2 + 0x1ff000));
	assert_true(mapped(d, FN_WINDOW3));
	assert_false(mapped(d, FN_WINDOW0 + FN_TABLE)); /* the page of its MSI-X table */
	assert_true(mapped(d, FN_WINDOW0 + FN_TABLE + 0x1000));
	/* 2 MiB in one piece, for CPUs and devices. */
	assert_int_equal(p2m_lookup(d, gfn(FN_WINDOW2 >> PAGE_SHIFT)).order, ORDER_2M);
	assert_int_equal(get(d, PCI_BAR + 8, 4), FN_WINDOW2 | 8);
	assert_int_equal(get(d, PCI_BAR + 16, 4), 0xc001);
	assert_int_equal(get(d, PCI_COMMAND, 2), 7);
	end(d);
}

static void sizes_are_learnt_without_the_hardware(void **state)
{
	struct domain *d = boot(1);

	for (unsigned on = 0; on < 2; on++) {
		put(d, PCI_COMMAND, 2, on ? 7 : 4);
		put(d, PCI_BAR, 4, ~0u);
		put(d, PCI_BAR + 4, 4, ~0u);
		put(d, PCI_BAR + 8, 4, ~0u);
		put(d, PCI_ROM, 4, 0xfffff800);
		assert_int_equal(get(d, PCI_BAR, 4), 0xffff0004);
		assert_int_equal(get(d, PCI_BAR + 4, 4), ~0u);
		assert_int_equal(get(d, PCI_BAR + 8, 4), 0xffe00008);
		assert_int_equal(get(d, PCI_BAR + 20, 4), 0);
		assert_int_equal(get(d, PCI_ROM, 4), 0xffff0000);
		assert_int_equal(fn_window0(), FN_WINDOW0);
		assert_int_equal(mapped(d, FN_WINDOW2), on);
		put(d, PCI_BAR, 4, (uint32_t)FN_WINDOW0);
		put(d, PCI_BAR + 4, 4, 0);
		put(d, PCI_BAR + 8, 4, (uint32_t)FN_WINDOW2);
		assert_int_equal(mapped(d, FN_WINDOW2), on);
	}
	end(d);
}

static void a_window_that_moves_takes_its_mapping_along(void **state)
{
	const uint64_t to = 0x840000000ull;
	struct domain *d = boot(1);

	put(d, PCI_COMMAND, 2, 5);
	assert_false(fn_get(PCI_COMMAND, 2) & PCI_COMMAND_MEMORY);
	assert_false(mapped(d, FN_WINDOW0));
	assert_false(mapped(d, FN_WINDOW2));
	put(d, PCI_BAR, 4, (uint32_t)to);
	put(d, PCI_BAR + 4, 4, to >> 32);
	assert_false(mapped(d, to));
	put(d, PCI_COMMAND, 1, 7);
	assert_int_equal(fn_window0(), to);
	assert_true(fn_get(PCI_COMMAND, 2) & PCI_COMMAND_MEMORY);
	assert_true(mapped(d, to));
	assert_true(mapped(d, to + 0xf000));
	assert_false(mapped(d, to + FN_TABLE));
	assert_false(mapped(d, FN_WINDOW0));
	assert_true(mapped(d, FN_WINDOW2));
	end(d);
}

static void what_is_protected_is_never_mapped(void **state)
{
	struct domain *d = boot(1);

	assert_true(vpci_protect(0xe0000000, 0x1000));
	put(d, PCI_COMMAND, 2, 4);
	put(d, PCI_BAR + 8, 4, 0xdfe00000); /* ends where that begins */
	put(d, PCI_COMMAND, 2, 6);
	assert_true(mapped(d, 0xdfe00000));
	put(d, PCI_BAR + 8, 4, 0xe0000000);
	assert_false(mapped(d, 0xe0000000));
	assert_false(mapped(d, 0xe0001000));
	assert_int_equal(get(d, PCI_BAR + 8, 4), 0xe0000008); /* what it wrote */
	assert_int_equal(fn_get(PCI_BAR + 8, 4), 0xdfe00008); /* where it stays */
	put(d, PCI_BAR + 8, 4, 0xe0200000);
	assert_true(mapped(d, 0xe0200000));
	assert_false(mapped(d, 0xdfe00000));
	/* Two windows in one page: it stays for the one that is left. */
	put(d, PCI_BAR + 12, 4, 0xe0001000);
	assert_true(mapped(d, 0xe0001000));
	end(d);
}

static void a_reset_shows(void **state)
{
	struct domain *d = boot(1);

	/* Its own: nothing of it is mapped any more. */
	put(d, FN_EXPRESS + 8, 2, 0x8000);
	assert_int_equal(get(d, PCI_COMMAND, 2), 0);
	assert_int_equal(get(d, PCI_BAR + 8, 4), 8);
	assert_false(mapped(d, FN_WINDOW0));
	put(d, PCI_BAR + 8, 4, (uint32_t)FN_WINDOW2);
	put(d, PCI_COMMAND, 2, 6);
	assert_true(mapped(d, FN_WINDOW2));
	/* Somebody else's. */
	fn_reset();
	assert_int_equal(get(d, PCI_BAR + 8, 4), 8);
	assert_int_equal(get(d, PCI_COMMAND, 2), 0);
	assert_false(mapped(d, FN_WINDOW2));
	/* It is pulled out. */
	fn.gone = true;
	assert_int_equal(get(d, PCI_VENDOR, 4), ~0u);
	put(d, PCI_COMMAND, 2, 6);
	fn.gone = false;
	end(d);
}

static void an_enabled_rom_is_mapped(void **state)
{
	struct domain *d = boot(1);

	put(d, PCI_ROM, 4, 0xd2000000);
	assert_false(mapped(d, 0xd2000000));
	put(d, PCI_ROM, 4, 0xd2000001);
	assert_true(mapped(d, 0xd2000000));
	assert_int_equal(fn_get(PCI_ROM, 4), 0xd2000001);
	put(d, PCI_ROM, 4, 0xd2000000);
	assert_false(mapped(d, 0xd2000000));
	assert_int_equal(fn_get(PCI_ROM, 4) & 1, 0);
	end(d);
}

/* ---- messages -------------------------------------------------------------------------------------- */

static void msi_goes_through_the_interrupt_table(void **state)
{
	struct domain *d = boot(1);

	put(d, FN_MSI + 4, 4, 0xfee01000);
	put(d, FN_MSI + 12, 2, 0x4041);
	assert_int_equal(sim_vectors_used(), 0);
	put(d, FN_MSI + 2, 2, 1);
	/* The owner sees its own, the device has an index. */
	assert_int_equal(get(d, FN_MSI + 2, 2), 0x185);
	assert_int_equal(get(d, FN_MSI + 4, 4), 0xfee01000);
	assert_int_equal(get(d, FN_MSI + 12, 2), 0x4041);
	assert_int_equal(fn_get(FN_MSI + 4, 4), 0xfee0abc0);
	assert_int_equal(fn_get(FN_MSI + 12, 2), 0x100);
	assert_true(fn_get(FN_MSI + 2, 2) & 1);
	assert_int_equal(sim_vectors_used(), 1);
	assert_non_null(sim_vector(remap.vector[0]));
	assert_ptr_equal(sim_vector(remap.vector[0])->owner, d);
	assert_int_equal(sim_vector(remap.vector[0])->guest_line, 0x4041);
	/* Moved to another vCPU and vector while on. */
	put(d, FN_MSI + 12, 2, 0x4052);
	assert_int_equal(sim_vector(remap.vector[0])->guest_line, 0x4052);
	/* Nonsense leaves it where it was. */
	put(d, FN_MSI + 4, 4, 0x12345678);
	assert_int_equal(sim_vector(remap.vector[0])->guest_line, 0x4052);
	assert_int_equal(fn_get(FN_MSI + 4, 4), 0xfee0abc0);
	put(d, FN_MSI + 2, 2, 0);
	assert_int_equal(sim_vectors_used(), 0);
	assert_int_equal(remap.vector[0], 0);
	assert_false(fn_get(FN_MSI + 2, 2) & 1);
	end(d);
}

static void several_msi_messages_are_counted_in_the_data(void **state)
{
	struct domain *d = boot(1);

	put(d, FN_MSI + 4, 4, 0xfee00000);
	put(d, FN_MSI + 12, 2, 0x63);
	put(d, FN_MSI + 2, 2, 0x71); /* 128 asked, 4 there are */
	assert_int_equal(get(d, FN_MSI + 2, 2), 0x1a5);
	assert_int_equal(sim_vectors_used(), 4);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(sim_vector(remap.vector[i])->guest_line, 0x60 + i);
	put(d, FN_MSI + 2, 2, 0x11);
	assert_int_equal(sim_vectors_used(), 2);
	assert_int_equal(remap.vector[2], 0);
	end(d);
}

static void without_a_vector_msi_stays_off(void **state)
{
	struct domain *d = boot(1);

	sim_vectors_limit(0);
	put(d, FN_MSI + 4, 4, 0xfee00000);
	put(d, FN_MSI + 2, 2, 1);
	assert_false(fn_get(FN_MSI + 2, 2) & 1);
	sim_vectors_limit(8);
	put(d, FN_MSI + 2, 2, 1);
	assert_true(fn_get(FN_MSI + 2, 2) & 1);
	end(d);
}

static void an_entry_of_msix_is_the_owners_until_it_is_unmasked(void **state)
{
	struct domain *d = boot(1);

	assert_int_equal(get(d, FN_MSIX + 2, 2) & 0x7ff, FN_MESSAGES - 1);
	put(d, FN_MSIX + 2, 2, 0xc000);
	table_write(d, FN_WINDOW0, 3, 0, 0xfee02004);
	table_write(d, FN_WINDOW0, 3, 4, 0);
	table_write(d, FN_WINDOW0, 3, 8, 0x77);
	assert_int_equal(sim_vectors_used(), 0);
	assert_int_equal(table_hardware(3, 12), 1);
	put(d, FN_MSIX + 2, 2, 0x8000);
	table_write(d, FN_WINDOW0, 3, 12, 0);
	assert_int_equal(sim_vectors_used(), 1);
	assert_int_equal(sim_vector(remap.vector[3])->guest_line, 0x77);
	assert_int_equal(table_hardware(3, 0), 0xfee0abc0);
	assert_int_equal(table_hardware(3, 8), 0x103);
	assert_int_equal(table_hardware(3, 12), 0);
	assert_int_equal(table_read(d, FN_WINDOW0, 3, 0), 0xfee02004);
	assert_int_equal(table_read(d, FN_WINDOW0, 3, 8), 0x77);
	assert_int_equal(table_read(d, FN_WINDOW0, 3, 12), 0);
	table_write(d, FN_WINDOW0, 3, 12, 1);
	assert_int_equal(table_hardware(3, 12), 1);
	assert_int_equal(table_read(d, FN_WINDOW0, 3, 12), 1);
	/* An entry that leads nowhere stays masked. */
	table_write(d, FN_WINDOW0, 5, 12, 0);
	assert_int_equal(table_read(d, FN_WINDOW0, 5, 12), 0);
	assert_int_equal(table_hardware(5, 12), 1);
	put(d, FN_MSIX + 2, 2, 0);
	assert_int_equal(sim_vectors_used(), 0);
	assert_int_equal(remap.vector[3], 0);
	end(d);
}

static void many_entries_are_bound_in_steps(void **state)
{
	struct domain *d = boot(1);
	unsigned waits = 0;

	for (unsigned i = 0; i < FN_MESSAGES; i++) {
		table_write(d, FN_WINDOW0, i, 0, 0xfee00000);
		table_write(d, FN_WINDOW0, i, 8, 0x40 + i);
		table_write(d, FN_WINDOW0, i, 12, 0);
	}
	while (vpci_write(d, FN_ID, FN_MSIX + 2, 2, 0x8000) == IO_WAIT)
		waits++;
	assert_int_equal(waits, 2);
	assert_int_equal(sim_vectors_used(), FN_MESSAGES);
	for (unsigned i = 0; i < FN_MESSAGES; i++) {
		assert_int_equal(sim_vector(remap.vector[i])->guest_line, 0x40 + i);
		assert_int_equal(table_hardware(i, 12), 0);
	}
	/* MSI beside it has no effect: an index has one meaning. */
	put(d, FN_MSI + 2, 2, 1);
	assert_false(fn_get(FN_MSI + 2, 2) & 1);
	end(d);
}

static void what_lies_beside_the_table_is_the_devices(void **state)
{
	struct domain *d = boot(1);
	struct io_access a = { gpa(FN_WINDOW0 + FN_TABLE + 0x800), 0xabcd, 2, true };

	assert_int_equal(vpci_memory(d, &a), IO_DONE);
	assert_int_equal(fn.memory[FN_TABLE + 0x800], 0xcd);
	a = (struct io_access){ gpa(FN_WINDOW0 + FN_TABLE + 0x800), 0, 4, false };
	assert_int_equal(vpci_memory(d, &a), IO_DONE);
	assert_int_equal(a.value, 0xabcd);
	/* Half of the table, and what is not aligned. */
	a = (struct io_access){ gpa(FN_WINDOW0 + FN_TABLE + 16 * FN_MESSAGES - 4), 0, 8, true };
	assert_int_equal(vpci_memory(d, &a), IO_DONE);
	a = (struct io_access){ gpa(FN_WINDOW0 + FN_TABLE + 0x801), 0, 4, true };
	assert_int_equal(vpci_memory(d, &a), IO_DONE);
	assert_int_equal(fn.memory[FN_TABLE + 0x801], 0xab);
	a = (struct io_access){ gpa(FN_WINDOW0 + 0x10000), 0, 4, true };
	assert_int_equal(vpci_memory(d, &a), IO_NOBODY);
	end(d);
}

/* ---- whose it is ----------------------------------------------------------------------------------- */

static void capabilities_that_an_iommu_must_know_do_not_show(void **state)
{
	struct domain *d = boot(1);

	assert_int_equal(get(d, 0x100, 4), 0x14010001);
	assert_int_equal(get(d, 0x140, 4), 0x00000000);
	put(d, 0x144, 4, 0x80000000);
	assert_int_equal(fn_get(0x144, 4), 0);
	put(d, 0x108, 4, 0x1234);
	assert_int_equal(fn_get(0x108, 4), 0x1234);
	end(d);
}

static void only_the_owner_sees_a_function(void **state)
{
	struct domain *d = boot(1), *other;
	struct domain_config cfg = config;
	uint32_t v;

	cfg.roles = 0;
	other = sim_domain_cfg(&cfg, 16);
	assert_int_equal(vpci_read(other, FN_ID, PCI_VENDOR, 4, &v), IO_DONE);
	assert_int_equal(v, ~0u);
	assert_int_equal(vpci_write(other, FN_ID, PCI_COMMAND, 2, 0), IO_DONE);
	assert_int_equal(fn_get(PCI_COMMAND, 2), 7);
	assert_int_equal(vpci_give(f, other), -16 /* EBUSY */);
	assert_int_equal(vpci_release_step(f, other), -16);
	sim_end(other);
	end(d);
}

static void a_function_comes_back_to_who_looks_for_it(void **state)
{
	struct domain *d = boot(1);

	put(d, FN_MSI + 4, 4, 0xfee00000);
	put(d, FN_MSI + 2, 2, 1);
	while (vpci_release_step(f, d) == -ERR_RESTART)
		sim_run_for(1000000);
	assert_null(iommu_owner(&f->dma));
	assert_int_equal(sim_vectors_used(), 0);
	assert_false(mapped(d, FN_WINDOW0));
	assert_int_equal(fn_get(PCI_COMMAND, 2) & 7, 0);
	assert_int_equal(get(d, PCI_VENDOR, 4), 0x10101234);
	assert_ptr_equal(iommu_owner(&f->dma), d);
	end(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(windows_are_mapped_as_firmware_placed_them),
		cmocka_unit_test(sizes_are_learnt_without_the_hardware),
		cmocka_unit_test(a_window_that_moves_takes_its_mapping_along),
		cmocka_unit_test(what_is_protected_is_never_mapped),
		cmocka_unit_test(a_reset_shows),
		cmocka_unit_test(an_enabled_rom_is_mapped),
		cmocka_unit_test(msi_goes_through_the_interrupt_table),
		cmocka_unit_test(several_msi_messages_are_counted_in_the_data),
		cmocka_unit_test(without_a_vector_msi_stays_off),
		cmocka_unit_test(an_entry_of_msix_is_the_owners_until_it_is_unmasked),
		cmocka_unit_test(many_entries_are_bound_in_steps),
		cmocka_unit_test(what_lies_beside_the_table_is_the_devices),
		cmocka_unit_test(capabilities_that_an_iommu_must_know_do_not_show),
		cmocka_unit_test(only_the_owner_sees_a_function),
		cmocka_unit_test(a_function_comes_back_to_who_looks_for_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
