/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the one-page guests share. A test is a function guest_test() that returns when all is well; a rule that does
 * not hold ends it with FAIL. vCPU 0 runs it, with interrupts masked and a console.
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <xen/event_channel.h>
#include <xen/xen.h>

#define MAX_GUEST_CPUS 8

/* The test itself. */
void guest_test(void);
/* Prints the verdict and stops; does not return. */
void fail(const char *why, uint64_t actual, uint64_t expected) __attribute__((noreturn));

/* `what` says the rule. */
#define CHECK(actual, expected, what)                                        \
	do {                                                                 \
		uint64_t a_ = (uint64_t)(actual), e_ = (uint64_t)(expected); \
		if (a_ != e_)                                                \
			fail(what, a_, e_);                                  \
	} while (0)
#define CHECK_TRUE(condition, what) CHECK(!!(condition), 1, what)

void print(const char *s);
void print_hex(uint64_t v);
size_t strlen(const char *s);
void *memset(void *p, int c, size_t n);
void *memcpy(void *d, const void *s, size_t n);

/* arch */
long hypercall(unsigned long nr, unsigned long a0, unsigned long a1, unsigned long a2,
	       unsigned long a3, unsigned long a4);
void machine_stop(void) __attribute__((noreturn));
uint64_t ticks(void);
uint64_t ticks_per_second(void);

#define HYPERCALL(nr, ...) HYPERCALL_(__HYPERVISOR_##nr, __VA_ARGS__, 0, 0, 0, 0, 0)
#define HYPERCALL_(nr, a, b, c, d, e, ...)                                          \
	hypercall((nr), (unsigned long)(a), (unsigned long)(b), (unsigned long)(c), \
		  (unsigned long)(d), (unsigned long)(e))

/* event channels and shared pages */
extern struct shared_info shared_info;
void map_shared_info(void);
bool event_take(evtchn_port_t port); /* clears the pending bit and says whether it was set */

#endif
