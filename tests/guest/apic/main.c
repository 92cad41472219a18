/* SPDX-License-Identifier: Apache-2.0 */
/* The local APIC: IPIs reach those that are named, its timer fires at its time, priorities hold. */
#include "machine.h"

static volatile uint32_t count[MAX_GUEST_CPUS], ready;

static uint64_t read_cr8(void)
{
	uint64_t v;

	__asm__ volatile("mov %%cr8, %0" : "=r"(v));
	return v;
}

static void write_cr8(uint64_t v)
{
	__asm__ volatile("mov %0, %%cr8" : : "r"(v) : "memory");
}

static void counted(unsigned vector)
{
	if (vector == 0x41)
		__atomic_add_fetch(&count[mmio_read32(APIC + APIC_ID) >> 25], 1, __ATOMIC_SEQ_CST);
}

static void other(unsigned cpu)
{
	apic_on();
	mmio_write32(APIC + APIC_TIMER, 0x50);
	CR_WRITE(8, 2);
	__atomic_add_fetch(&ready, 1, __ATOMIC_SEQ_CST);
	for (;;)
		wait_interrupt();
}

#define PAGE   0x8000u
#define RESULT ((volatile uint32_t *)0x7f00)

/* Real mode: x2APIC on; the task priority, the spurious-interrupt register and the timer's entry to RESULT; halt. */
static const uint8_t after_init[] = {
	0x66, 0xb9, 0x1b, 0,    0, 0, 0x0f, 0x32, /* mov $0x1b, %ecx; rdmsr */
	0x66, 0x0d, 0,    0x0c, 0, 0, 0x0f, 0x30, /* or $0xc00, %eax; wrmsr */
	0x66, 0xb9, 0x08, 0x08, 0, 0, 0x0f, 0x32, 0x66, 0xa3, 0,    0x7f, /* 0x808 */
	0x66, 0xb9, 0x0f, 0x08, 0, 0, 0x0f, 0x32, 0x66, 0xa3, 0x04, 0x7f, /* 0x80f */
	0x66, 0xb9, 0x32, 0x08, 0, 0, 0x0f, 0x32, 0x66, 0xa3, 0x08, 0x7f, /* 0x832 */
	0xf4, 0xeb, 0xfd,
};

/* It puts the APIC back, and what waited there is gone. */
static void init(unsigned cpu)
{
	apic_send(cpu, 0x4500);
	memcpy((void *)(uint64_t)PAGE, after_init, sizeof(after_init));
	RESULT[0] = RESULT[1] = RESULT[2] = ~0u;
	apic_send(cpu, 0x4600 | PAGE >> 12);
	CHECK_TRUE(WAIT_FOR(RESULT[2] != ~0u), "it runs");
	CHECK(RESULT[0], 0, "the task priority after INIT");
	CHECK(RESULT[1], 0xff, "off by software");
	CHECK(RESULT[2], 0x10000, "the timer masked");
}

static void timers(void)
{
	uint32_t fired = interrupts[0x50];
	uint64_t start;

	mmio_write32(APIC + APIC_DIVIDE, 0xb);
	mmio_write32(APIC + APIC_TIMER, 0x50);
	for (unsigned i = 1; i <= 50; i++) {
		start = ticks();
		mmio_write32(APIC + APIC_INITIAL, 1000000); /* 1 ms */
		while (interrupts[0x50] != fired + i)
			wait_interrupt();
		CHECK_TRUE(ticks() - start >= ticks_per_second() / 1001, "not too early");
		CHECK(mmio_read32(APIC + APIC_CURRENT), 0, "and it has run down");
	}
	fired = interrupts[0x50];
	mmio_write32(APIC + APIC_TIMER, 0x20050);
	mmio_write32(APIC + APIC_INITIAL, 1); /* as often as it can be: the CPU is not taken away */
	irq_on();
	CHECK_TRUE(WAIT_FOR(interrupts[0x50] >= fired + 20), "periodic");
	mmio_write32(APIC + APIC_INITIAL, 0);
	irq_off();
	fired = interrupts[0x50];
	mmio_write32(APIC + APIC_TIMER, 0x40050);
	for (unsigned i = 1; i <= 20; i++) {
		start = ticks();
		wrmsr(0x6e0, start + ticks_per_second() / 1000);
		while (interrupts[0x50] != fired + i)
			wait_interrupt();
		CHECK_TRUE(ticks() >= start + ticks_per_second() / 1000, "by deadline");
	}
	mmio_write32(APIC + APIC_TIMER, 0x10050);
}

void guest_test(void)
{
	on_interrupt = counted;
	apic_on();
	CHECK(mmio_read32(APIC + APIC_ID), 0, "its number");
	for (unsigned cpu = 1; cpu < 4; cpu++)
		CHECK(cpu_start(cpu, other), 0, "started");
	CHECK_TRUE(WAIT_FOR(ready == 3), "all are up");
	irq_on();
	for (unsigned i = 1; i <= 400; i++) {
		uint32_t before = count[i % 4];

		apic_send(i % 4, 0x4041);
		CHECK_TRUE(WAIT_FOR(count[i % 4] == before + 1), "it arrives once");
	}
	for (unsigned i = 0; i < 4; i++)
		CHECK(count[i], 100, "nobody else got it");
	apic_send(0, 0xc4041); /* all but the sender */
	CHECK_TRUE(WAIT_FOR(count[1] + count[2] + count[3] == 303), "all others");
	apic_send(0, 0x84041);
	CHECK_TRUE(WAIT_FOR(count[0] == 101), "all and oneself");
	CHECK_TRUE(WAIT_FOR(count[1] + count[2] + count[3] == 306), "all and oneself");
	apic_send(77, 0x4041);
	apic_send(1, 0x4005); /* no vector */
	CHECK(mmio_read32(APIC + APIC_ESR) & 0x20, 0x20, "an illegal vector is noted");
	irq_off();
	/* Below the task priority: it waits. */
	mmio_write32(APIC + APIC_TPR, 0x50);
	apic_send(0, 0x4041);
	irq_on();
	CHECK(count[0], 101, "held back");
	mmio_write32(APIC + APIC_TPR, 0);
	CHECK_TRUE(WAIT_FOR(count[0] == 102), "let through");
	/* CR8 is the same register's upper half. */
	irq_off();
	CHECK(read_cr8(), 0, "what the register was set to");
	write_cr8(5);
	CHECK(mmio_read32(APIC + APIC_TPR), 0x50, "set by CR8");
	apic_send(0, 0x4041);
	irq_on();
	CHECK(count[0], 102, "held back by CR8");
	write_cr8(4);
	CHECK(count[0], 102, "of the same priority");
	write_cr8(3);
	CHECK_TRUE(WAIT_FOR(count[0] == 103), "let through by CR8");
	irq_off();
	write_cr8(4);
	apic_send(0, 0x4041);
	irq_on();
	/* LOCK MOV to CR0 */
	__asm__ volatile(".byte 0xf0, 0x0f, 0x22, 0xc0" : : "a"(0ul) : "memory");
	CHECK_TRUE(WAIT_FOR(count[0] == 104), "let through by the older way to CR8");
	mmio_write32(APIC + APIC_TPR, 0x77);
	CHECK(read_cr8(), 7, "shown by CR8");
	write_cr8(0);
	irq_off();
	init(3);
	timers();
}
