/* SPDX-License-Identifier: Apache-2.0 */
/* A guest's own hardware on Arm: exceptions, GICv3, timers, PSCI. */
#ifndef GUEST_MACHINE_H
#define GUEST_MACHINE_H

#include "guest.h"

#define reg_read(name)                                                  \
	({                                                              \
		uint64_t v_;                                            \
		__asm__ volatile("mrs %0, " name : "=r"(v_)::"memory"); \
		v_;                                                     \
	})
#define reg_write(name, v) \
	__asm__ volatile("msr " name ", %x0\n\tisb" ::"rZ"((uint64_t)(v)) : "memory")

/* ICC registers, by encodings that every assembler knows. */
#define ICC_PMR     "S3_0_C4_C6_0"
#define ICC_IAR1    "S3_0_C12_C12_0"
#define ICC_EOIR1   "S3_0_C12_C12_1"
#define ICC_HPPIR1  "S3_0_C12_C12_2"
#define ICC_CTLR    "S3_0_C12_C12_4"
#define ICC_SRE     "S3_0_C12_C12_5"
#define ICC_IGRPEN1 "S3_0_C12_C12_7"
#define ICC_SGI1R   "S3_0_C12_C11_5"
#define ICC_DIR     "S3_0_C12_C11_1"

struct regs {
	uint64_t x[31], pc, pstate;
};

/* ---- exceptions: expected ones are caught, the instruction is stepped over; others fail the test */
struct trap {
	volatile bool expected, taken;
	uint64_t esr, far, pc;
};
extern struct trap trap;
#define EC(esr)           (((esr) >> 26) & 0x3f)
#define EC_UNDEFINED      0x00
#define EC_DATA_ABORT     0x25
#define EC_PREFETCH_ABORT 0x21

/* Run a statement that may trap; true when it did. */
#define TRAPS(statement)                              \
	({                                            \
		trap.taken = false;                   \
		trap.expected = true;                 \
		__asm__ volatile("isb" ::: "memory"); \
		statement;                            \
		__asm__ volatile("isb" ::: "memory"); \
		trap.expected = false;                \
		trap.taken;                           \
	})

/* Called on an exception from EL0 with the stack as it was before: the test enters programs of its own. */
extern void (*on_program_end)(uint64_t unused, uint64_t sp);

static inline uint32_t mmio_read32(uint64_t a)
{
	uint32_t v;

	__asm__ volatile("ldr %w0, [%1]" : "=r"(v) : "r"(a) : "memory");
	return v;
}

static inline void mmio_write32(uint64_t a, uint32_t v)
{
	__asm__ volatile("str %w0, [%1]" ::"r"(v), "r"(a) : "memory");
}

/* ---- memory */
#define RAM_FAR     0x41000000ul /* RAM that nothing lies in, with 32 MiB */
#define GRANT_TABLE 0x38000000ul /* place for shared pages: GUEST_GNTTAB_BASE */
/*
 * Nothing in the second stage; the last bytes that the first one maps; beyond it; the upper half, which has no tables; one
 * that wraps; not canonical; a device.
 */
#define WILD_POINTERS                                                                   \
	0x2f000000, 0x7ffffffff8, 0x8000000000, 0xffff000000000000, 0xfffffffffffffff8, \
	    0x00f0000000000000, 0x03001000

/* Nothing is at `a`: what the architecture makes of a read there. */
#define NOTHING_AT(a) TRAPS(mmio_read32(a))

/* ---- interrupts: counted by number; a test may look at each as it comes */
extern volatile uint32_t interrupts[1024];
extern void (*on_interrupt)(uint32_t intid);
void gic_init(void); /* on each vCPU */
void gic_enable(uint32_t intid);
void gic_disable(uint32_t intid);
void send_sgi(unsigned cpu, unsigned sgi);

static inline void irq_on(void)
{
	__asm__ volatile("msr daifclr, #2\n\tisb" ::: "memory");
}

static inline void irq_off(void)
{
	__asm__ volatile("msr daifset, #2\n\tisb" ::: "memory");
}

static inline void wfi(void)
{
	__asm__ volatile("dsb sy\n\twfi" ::: "memory");
}

/* The event upcall, counted in interrupts[]. */
#define UPCALL GUEST_EVTCHN_PPI
static inline void upcall_on(void)
{
	gic_init();
	gic_enable(UPCALL);
}

/*
 * Wait until `condition`; whether it came true. Only what does not hold waits to the end: a host that is busy with something
 * else may leave a vCPU standing for seconds while the guest's clock goes on.
 */
#define PATIENCE 30 /* seconds */
#define WAIT_FOR(condition)                                              \
	({                                                               \
		uint64_t end_ = ticks() + PATIENCE * ticks_per_second(); \
		while (!(condition) && ticks() < end_)                   \
			__asm__ volatile("yield" ::: "memory");          \
		(condition);                                             \
	})

/* ---- PSCI */
#define PSCI_VERSION       0x84000000u
#define PSCI_CPU_SUSPEND   0xc4000001u
#define PSCI_CPU_OFF       0x84000002u
#define PSCI_CPU_ON        0xc4000003u
#define PSCI_AFFINITY_INFO 0xc4000004u
#define PSCI_MIGRATE_TYPE  0x84000006u
#define PSCI_SYSTEM_OFF    0x84000008u
#define PSCI_SYSTEM_RESET  0x84000009u
#define PSCI_FEATURES      0x8400000au
long psci(unsigned long function, unsigned long a1, unsigned long a2, unsigned long a3);
long smc(unsigned long function, unsigned long a1, unsigned long a2, unsigned long a3);

/* Start vCPU `cpu` in `fn`; PSCI's answer. When fn returns, the vCPU switches itself off. */
long cpu_start(unsigned cpu, void (*fn)(unsigned cpu));

#endif
