/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stacks that run by turns: of simulated CPUs and of guests. Unused ones are kept, because the sanitizers' side
 * of a stack is dear to make. Each has an inaccessible page below.
 */
#include "internal.h"

#include <stdlib.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#define ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ASAN 1
#endif
#endif

#ifdef ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef HV_TSAN
#include <sanitizer/tsan_interface.h>
#endif

#define STACK_BYTES (256u * 1024)

#ifdef HV_TSAN
static __thread struct stack *entering, *leaving;
static uint32_t unused_lock;
#else
static struct stack *entering, *leaving;
#endif
static struct stack *unused;

void sim_stack_swap(void **save, void *load);

#if defined(__x86_64__)
__asm__(".pushsection .text\n"
	".type sim_stack_swap, @function\n"
	".globl sim_stack_swap\n"
	"sim_stack_swap:\n"
	"	push %rbp\n"
	"	push %rbx\n"
	"	push %r12\n"
	"	push %r13\n"
	"	push %r14\n"
	"	push %r15\n"
	"	mov %rsp, (%rdi)\n"
	"	mov %rsi, %rsp\n"
	"	pop %r15\n"
	"	pop %r14\n"
	"	pop %r13\n"
	"	pop %r12\n"
	"	pop %rbx\n"
	"	pop %rbp\n"
	"	ret\n"
	".size sim_stack_swap, . - sim_stack_swap\n"
	".popsection\n");
#define SAVED_WORDS 8
#define ENTRY_WORD  6
#elif defined(__aarch64__)
__asm__(".pushsection .text\n"
	".type sim_stack_swap, %function\n"
	".globl sim_stack_swap\n"
	"sim_stack_swap:\n"
	"	sub sp, sp, #160\n"
	"	stp x19, x20, [sp]\n"
	"	stp x21, x22, [sp, #16]\n"
	"	stp x23, x24, [sp, #32]\n"
	"	stp x25, x26, [sp, #48]\n"
	"	stp x27, x28, [sp, #64]\n"
	"	stp x29, x30, [sp, #80]\n"
	"	stp d8, d9, [sp, #96]\n"
	"	stp d10, d11, [sp, #112]\n"
	"	stp d12, d13, [sp, #128]\n"
	"	stp d14, d15, [sp, #144]\n"
	"	mov x2, sp\n"
	"	str x2, [x0]\n"
	"	mov sp, x1\n"
	"	ldp x19, x20, [sp]\n"
	"	ldp x21, x22, [sp, #16]\n"
	"	ldp x23, x24, [sp, #32]\n"
	"	ldp x25, x26, [sp, #48]\n"
	"	ldp x27, x28, [sp, #64]\n"
	"	ldp x29, x30, [sp, #80]\n"
	"	ldp d8, d9, [sp, #96]\n"
	"	ldp d10, d11, [sp, #112]\n"
	"	ldp d12, d13, [sp, #128]\n"
	"	ldp d14, d15, [sp, #144]\n"
	"	add sp, sp, #160\n"
	"	ret\n"
	".size sim_stack_swap, . - sim_stack_swap\n"
	".popsection\n");
#define SAVED_WORDS 20
#define ENTRY_WORD  11
#else
#error "the simulator switches stacks on x86-64 and arm64 only"
#endif

/* The switch has happened: tell the address sanitizer, and learn the bounds of a thread's own stack. */
static void arrived(struct stack *here)
{
#ifdef ASAN
	const void *bottom;
	size_t size;

	__sanitizer_finish_switch_fiber(here->fake, &bottom, &size);
	if (leaving && !leaving->base) {
		leaving->base = (char *)(uintptr_t)bottom;
		leaving->size = size;
	}
#endif
}

static NORETURN void stack_entry(void)
{
	struct stack *s = entering;

	arrived(s);
	s->fn(s->arg);
	sim_fail("a stack's function returned");
}

static void lock_unused(void)
{
#ifdef HV_TSAN
	while (__atomic_exchange_n(&unused_lock, 1, __ATOMIC_ACQUIRE))
		;
#endif
}

static void unlock_unused(void)
{
#ifdef HV_TSAN
	__atomic_store_n(&unused_lock, 0, __ATOMIC_RELEASE);
#endif
}

struct stack *stack_new(void (*fn)(void *arg), void *arg)
{
	struct stack *s;
	void **top;

	lock_unused();
	s = unused;
	if (s)
		unused = s->next;
	unlock_unused();
	if (!s) {
		char *p = mmap(NULL, STACK_BYTES + PAGE_SIZE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		s = calloc(1, sizeof(*s));
		if (!s || p == MAP_FAILED || mprotect(p, PAGE_SIZE, PROT_NONE) != 0)
			abort();
		s->base = p + PAGE_SIZE;
		s->size = STACK_BYTES;
	}
#ifdef ASAN
	ASAN_UNPOISON_MEMORY_REGION(s->base, s->size);
#endif
#ifdef HV_TSAN
	s->fiber = __tsan_create_fiber(0);
#endif
	s->fn = fn;
	s->arg = arg;
	top = (void **)(void *)(s->base + s->size) - SAVED_WORDS;
	for (unsigned i = 0; i < SAVED_WORDS; i++)
		top[i] = NULL;
	top[ENTRY_WORD] = (void *)(uintptr_t)stack_entry;
	s->sp = top;
	return s;
}

void stack_free(struct stack *s)
{
	if (!s)
		return;
#ifdef HV_TSAN
	__tsan_destroy_fiber(s->fiber);
#endif
	lock_unused();
	s->next = unused;
	unused = s;
	unlock_unused();
}

void stack_switch(struct stack *from, struct stack *to)
{
	entering = to;
	leaving = from;
#ifdef ASAN
	__sanitizer_start_switch_fiber(&from->fake, to->base, to->size);
#endif
#ifdef HV_TSAN
	__tsan_switch_to_fiber(to->fiber, 0);
#endif
	sim_stack_swap(&from->sp, to->sp);
	arrived(from);
	/* Somebody panicked elsewhere, and the test expects it. */
	if (sim.panicked && from == sim.cpu[0].stack)
		longjmp(sim.panic_jmp, 1);
}
