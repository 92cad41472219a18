/* SPDX-License-Identifier: Apache-2.0 */
/*
 * C entry of the boot CPU: console, memory, interrupts, timer, then hv/boot takes over. Runs once.
 *
 * What is known of memory, in order: everything the tree lists; less what firmware reserves and the image
 * (that much is in the direct map); less modules, the tree, and the pages that page tables took (that much is free).
 */
#include <arch/boot.h>
#include <asm/early.h>
#include <asm/fault.h>
#include <asm/gic.h>
#include <asm/host_timer.h>
#include <asm/machine.h>
#include <asm/mm.h>
#include <asm/psci_host.h>
#include <asm/vcpu.h>
#include <hv/assert.h>
#include <hv/boot.h>
#include <hv/console.h>
#include <hv/drivers/pl011.h>
#include <hv/fdt.h>
#include <hv/frame.h>
#include <hv/log.h>
#include <hv/option.h>
#include <hv/ram.h>
#include <hv/string.h>

/* Zeroed, and gone with the other boot-only data. */
#define BOOT_BSS SECTION(".bss..boot")

struct machine machine = { .uart_node = DT_NO_NODE };

/* The boot CPU before its area exists; its stack is head.S's. */
static struct cpu early_cpu BOOT_BSS;
static uint8_t early_emergency[EMERGENCY_SIZE] BOOT_BSS ALIGNED(16);

static uint64_t fdt_machine BOOT_BSS;
static bool console_works BOOT_BSS;

/* ---- console ---------------------------------------------------------------------------------------- */

static BOOT_TEXT void early_console(const void *fdt)
{
	machine.uart_base = early_uart(fdt);
	if (machine.uart_base)
		pl011_attach(mm_map_device(machine.uart_base, PAGE_SIZE));
}

/* The UART that the command line asks for, else the tree. */
static BOOT_TEXT void choose_console(const void *fdt)
{
	uint64_t base, size;
	const char *opts;
	int node;

	if (!strcmp(options.console, "none"))
		return;
	node = options.dtuart[0] ? dt_by_path(fdt, options.dtuart) : dt_stdout(fdt, &opts);
	if (node < 0 && options.dtuart[0]) {
		log_warning("dtuart=%s: no such node, using the tree's stdout-path", options.dtuart);
		node = dt_stdout(fdt, &opts);
	}
	if (node < 0) {
		log_warning("no console: neither dtuart= nor /chosen/stdout-path names a UART");
		return;
	}
	if (!dt_is_compatible(fdt, node, "arm,pl011") &&
	    !dt_is_compatible(fdt, node, "arm,sbsa-uart")) {
		log_warning("%s: not a UART that is supported as console", dt_path(fdt, node));
		return;
	}
	if (dt_reg(fdt, node, 0, &base, &size) != DT_OK)
		return;
	if (base != machine.uart_base)
		pl011_attach(mm_map_device(base, size));
	machine.uart_base = base;
	machine.uart_node = node;
	console_works = true;
}

static void crash_key(void)
{
	panic("asked for by debug key");
}

static BOOT_TEXT void start_console(const void *fdt)
{
	uint32_t irq;
	bool level;

	debug_key_register('C', "crash the hypervisor: report, and reboot or stop", crash_key);
	if (!console_works)
		return;
	if (dt_gic_interrupt(fdt, machine.uart_node, 0, &irq, &level) == DT_OK)
		pl011_start(irq, level);
	else
		log_warning("%s: no interrupt, so no console input",
			    dt_path(fdt, machine.uart_node));
}

/* ---- memory ----------------------------------------------------------------------------------------- */

static struct pieces mapped BOOT_BSS, unused BOOT_BSS;

/* Room for page tables of 64 pieces, each with unaligned ends, and of what devices need. */
#define ARENA_SIZE (PAGE_SIZE * 320ull)

static BOOT_TEXT void find_memory(void)
{
	uint64_t fdt_end = fdt_machine + boot_info.fdt_size, arena_end, arena_used;

	machine.image_start = image_to_machine(_start);
	machine.image_end = image_to_machine(_end);
	if (!ram_listed(&mapped, BIT(MACHINE_ADDRESS_BITS)) ||
	    !pieces_remove(&mapped, machine.image_start, machine.image_end))
		machine_unfit("memory is in too many pieces");
	unused = mapped;
	if (!pieces_remove(&unused, fdt_machine, fdt_end) || !ram_remove_described(&unused))
		machine_unfit("modules leave memory in too many pieces");
	if (!ram_map(&mapped, &unused, ARENA_SIZE, ~0ull, mm_map_ram, mm_arena_set))
		machine_unfit("no memory: the device tree leaves none to the hypervisor");
	arena_used = mm_arena_close(&arena_end);
	if (!pieces_remove(&unused, arena_used, arena_end))
		machine_unfit("memory is in too many pieces");
	ram_give(&unused);
}

static BOOT_TEXT void reserve_image(const char *from, const char *to)
{
	if (from < to && frame_reserve(paddr(image_to_machine(from)), paddr(image_to_machine(to)),
				       FRAME_FIRMWARE))
		panic("no memory for the image's frames' entries");
}

/*
 * Give frames that are RAM, but not free, their entries: modules and what the image needs only now are
 * released later, static memory is its domain's.
 */
static BOOT_TEXT void reserve_frames(void)
{
	reserve_image(_boot_text, _etext);
	reserve_image(_boot_data, _boot_data_end);
	reserve_image(_boot_bss, _boot_bss_end);
	if (ram_reserve_described())
		panic("no memory for the entries of modules' and static frames");
}

/* ---- in order --------------------------------------------------------------------------------------- */

NORETURN static void boot_on_own_stack(void);

NORETURN static BOOT_TEXT void own_cpu_area(void)
{
	struct cpu *c = cpu_area_create(0);

	if (!c || !mm_map_stacks(c->id, &c->arch.stack_top, &c->arch.emergency_top))
		machine_unfit("no memory for the boot CPU");
	c->arch.mpidr = sysreg_read(mpidr_el1) & MPIDR_AFFINITY;
	sysreg_write(tpidr_el2, (uint64_t)c);
	switch_stack(c->arch.stack_top, boot_on_own_stack);
}

/* Not boot-only text: that is gone when boot_common() returns. */
NORETURN static NOINLINE void build_and_run(void)
{
	boot_common();
	vcpu_enter(hv_exit_path());
}

NORETURN static BOOT_TEXT void boot_on_own_stack(void)
{
	const void *fdt = boot_info.fdt;

	gic_init(fdt);
	irq_init();
	host_timer_init(fdt);
	guest_boot_init();
	if (!cpu_setup_self(this_cpu()))
		machine_unfit("the boot CPU cannot take interrupts");
	start_console(fdt);
	build_and_run();
}

BOOT_TEXT void arch_main(uint64_t fdt_address)
{
	const void *fdt;
	size_t size;

	early_cpu.arch.stack_top = (uint64_t)boot_stack_top;
	early_cpu.arch.emergency_top = (uint64_t)(early_emergency + sizeof(early_emergency));
	sysreg_write(tpidr_el2, (uint64_t)&early_cpu);

	fdt = mm_map_fdt(fdt_address);
	if (!fdt)
		machine_unfit("no device tree at 0x%llx", (unsigned long long)fdt_address);
	early_console(fdt);
	if (!dt_check(fdt, DT_MAX_SIZE, &size))
		machine_unfit("the device tree is broken");
	fdt_machine = fdt_address;
	psci_host_init(fdt);
	options_parse(dt_bootargs(fdt));
	choose_console(fdt);
	if (boot_read_description(&boot_info, fdt, size))
		log_error("nothing to boot was described");
	find_memory();
	reserve_frames();
	own_cpu_area();
}

/* ---- afterwards ------------------------------------------------------------------------------------- */

/* Pages of the image that served for booting only become free memory, no longer mapped where they were. */
static void release(const char *from, const char *to)
{
	uint64_t start = image_to_machine(from), end = image_to_machine(to);

	if (start == end)
		return;
	mm_unmap((uint64_t)from, end - start);
	mm_map_ram(start, end);
	frame_release_reserved(paddr(start), paddr(end));
}

void arch_boot_done(void)
{
	release(_boot_text, _etext);
	release(_boot_data, _boot_data_end);
	release(_boot_bss, _boot_bss_end);
}
