/* SPDX-License-Identifier: Apache-2.0 */
/*
 * C entry of the boot CPU: console, memory, interrupts, time, then hv/boot takes over. Runs once. Until own_cpu_area() the
 * boot tables of head.S are in use, which map the first 4 GiB at DIRECT_BASE: loader and ACPI data are read through them.
 */
#include <arch/boot.h>
#include <arch/cpu.h>
#include <asm/apic.h>
#include <asm/boot.h>
#include <asm/devices.h>
#include <asm/fpu.h>
#include <asm/hvm.h>
#include <asm/insn.h>
#include <asm/irq.h>
#include <asm/machine.h>
#include <asm/mm.h>
#include <asm/msr.h>
#include <asm/policy.h>
#include <asm/speculation.h>
#include <asm/trap.h>
#include <hv/assert.h>
#include <hv/console.h>
#include <hv/drivers/ns16550.h>
#include <hv/fdt.h>
#include <hv/frame.h>
#include <hv/log.h>
#include <hv/option.h>
#include <hv/ram.h>
#include <hv/string.h>

#define COM1_PORT   0x3f8
#define COM1_IRQ    4
#define KEYBOARD    0x417    /* shift flags in the BIOS's data area */
#define LOW_MEMORY  0x100000 /* firmware's, and the trampoline's */
#define BOOT_MAPPED (4ull << 30)
#define ARENA_SIZE  (PAGE_SIZE * 512ull)

/* The boot CPU before its area exists. */
static struct cpu early_cpu;
static bool console_works;

/* ---- console ---------------------------------------------------------------------------------------- */

/* com1=<baud>|auto[,...] (Xen's syntax): only the speed means something to a PC's first port. */
static BOOT_TEXT void choose_console(void)
{
	const char *s = options.com1;
	struct console_device *dev;
	uint64_t baud = 0;

	if (!strcmp(options.console, "none"))
		return;
	if (options.com1[0] && !parse_u64(&s, &baud))
		baud = 0;
	dev = ns16550_init(COM1_PORT, (uint32_t)baud);
	if (dev) {
		console_attach(dev);
		machine.uart = COM1_PORT;
		console_works = true;
	}
}

static void console_line(struct irq *irq, void *arg)
{
	console_interrupt();
}

static BOOT_TEXT void start_console(void)
{
	if (!console_works)
		return;
	if (arch_irq_request(irq_of_isa(COM1_IRQ), false, console_line, NULL, "com1") == 0)
		ns16550_interrupts_on();
	else
		log_warning("com1 has no interrupt, so no console input");
}

/* ---- memory ----------------------------------------------------------------------------------------- */

static struct pieces mapped, unused;

/* Names and command lines lie in it. */
static BOOT_TEXT bool keep_description(void)
{
	uint64_t start = (uint64_t)boot_info.fdt - DIRECT_BASE;

	return !boot_info.fdt || pieces_remove(&unused, start, start + boot_info.fdt_size);
}

static BOOT_TEXT void find_memory(void)
{
	uint64_t arena_used, arena_end, top;
	uint32_t best;

	machine_address_bits = cpuid(0x80000008, 0).eax & 0xff;
	if (!ram_listed(&mapped, MIN(BIT(machine_address_bits), DIRECT_SIZE)))
		panic("memory is in too many pieces");
	unused = mapped;
	if (!pieces_remove(&unused, 0, LOW_MEMORY) || !keep_description() ||
	    !pieces_remove(&unused, IMAGE_MACHINE, image_to_machine(_end)) ||
	    !ram_remove_described(&unused))
		panic("modules leave memory in too many pieces");
	best = pieces_largest(&unused, BOOT_MAPPED);
	if (best == unused.n)
		panic("no memory: the map leaves none below 4 GiB to the hypervisor");
	top = MIN(unused.at[best].end, BOOT_MAPPED);
	if (top - unused.at[best].start < 2 * ARENA_SIZE)
		panic("no memory: the largest piece below 4 GiB has %llu KiB",
		      (unsigned long long)(top - unused.at[best].start) >> 10);
	mm_arena_set(top - ARENA_SIZE, top);
	mm_map_image();
	for (uint32_t i = 0; i < mapped.n; i++)
		mm_map_ram(mapped.at[i].start, mapped.at[i].end);
	arena_used = mm_arena_close(&arena_end);
	if (!pieces_remove(&unused, arena_used, arena_end))
		panic("memory is in too many pieces");
	mm_switch();
	ram_give(&unused);
	if (ram_reserve_described())
		panic("no memory for the entries of modules' and static frames");
}

/* The description is a module of its own: a device tree. */
static BOOT_TEXT void read_description(void)
{
	for (uint32_t i = 0; i < boot_info.nr_loaded; i++) {
		const struct boot_module *m = &boot_info.loaded[i];
		const void *tree = (const void *)(DIRECT_BASE + m->start.a);
		size_t size;

		if (m->start.a >= BOOT_MAPPED || m->size < 8 ||
		    memcmp(tree, "\xd0\x0d\xfe\xed", 4) != 0)
			continue;
		if (!dt_check(tree, m->size, &size))
			panic("%s: the device tree is broken", m->node);
		if (boot_read_description(&boot_info, tree, size))
			log_error("%s: nothing to boot was described", m->node);
		return;
	}
	boot_describe_loaded(&boot_info);
}

/* ---- in order --------------------------------------------------------------------------------------- */

void x86_cpu_init(struct cpu *c)
{
	traps_cpu_init(c);
	write_cr4(read_cr4() | CR4_PGE | x86_cr4_protections());
	fpu_cpu_init();
	mcheck_cpu_init();
	if (!hvm->cpu_up(c))
		panic("CPU %u cannot run guests", c->id);
	x86_speculation_cpu_init();
}

/* SMEP, SMAP and UMIP, as far as this CPU has them. */
uint64_t x86_cr4_protections(void)
{
	struct cpuid f = cpuid(0, 0).eax >= 7 ? cpuid(7, 0) : (struct cpuid){ 0 };

	return (f.ebx & BIT(7) ? CR4_SMEP : 0) | (f.ebx & BIT(20) ? CR4_SMAP : 0) |
	       (f.ecx & BIT(2) ? CR4_UMIP : 0);
}

static const void *map_firmware(uint64_t pa, uint64_t size)
{
	return pa && pa < BOOT_MAPPED && size <= BOOT_MAPPED - pa ? (const void *)(DIRECT_BASE + pa)
								  : NULL;
}

NORETURN static NOINLINE void build_and_run(void)
{
	boot_common();
	hv_enter_loop();
}

/* The boot CPU's numbers: its own, and firmware's for it. */
static void name_cpu(struct cpu *c)
{
	c->arch.apic_id = apic_id();
	for (uint32_t i = 0; i < machine.nr_cpus; i++)
		if (machine.cpu[i].apic_id == c->arch.apic_id)
			c->arch.acpi_id = machine.cpu[i].acpi_id;
}

NORETURN static void boot_on_own_stack(void)
{
	x86_speculation_boot_init();
	hvm_boot_init();
	fpu_boot_init();
	policy_boot_init();
	x86_cpu_init(this_cpu());
	apic_init();
	apic_cpu_init();
	name_cpu(this_cpu());
	time_init();
	irq_init();
	start_console();
	devices_init();
	build_and_run();
}

NORETURN static void own_cpu_area(void)
{
	struct cpu *c = cpu_area_create(0);

	if (!c || !mm_map_stacks(c->id, &c->arch))
		panic("no memory for the boot CPU");
	c->arch.self = c;
	wrmsr(MSR_GS_BASE, (uint64_t)c);
	__asm__ volatile(
	    "movq %0, %%rsp; xorl %%ebp, %%ebp; pushq $0; jmp *%1" /* aligned as after a call */
	    :
	    : "r"(c->arch.stack_top), "r"(boot_on_own_stack)
	    : "memory");
	__builtin_unreachable();
}

/*
 * The boot-time libraries are compiled for user space, with the stack protector on: their canary is read at %fs:0x28 (libfdt, liblzma).
 */
static const uint64_t canary_area[6] = { [5] = 0x4b72797074300affull };

BOOT_TEXT void x86_boot(uint32_t magic, uint32_t info)
{
	bool ok;

	wrmsr(MSR_FS_BASE, (uint64_t)canary_area);
	early_cpu.arch.self = &early_cpu;
	wrmsr(MSR_GS_BASE, (uint64_t)&early_cpu);
	machine.keyboard_flags = *(volatile uint8_t *)(DIRECT_BASE + KEYBOARD) & 0x70;
	ok = loader_read(magic, info) && loader_settle(IMAGE_MACHINE, image_to_machine(_end));
	options_parse(boot_info.cmdline ? boot_info.cmdline : "");
	choose_console();
	if (!ok)
		panic("the boot loader's information cannot be used");
	if (!acpi_init(loader_rsdp(), map_firmware))
		log_warning("no ACPI tables: one CPU, no power-off");
	else {
		machine_read_acpi();
		devices_read_acpi();
	}
	read_description();
	find_memory();
	own_cpu_area();
}

void arch_boot_done(void) {}
