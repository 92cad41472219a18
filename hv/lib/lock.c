/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ticket locks: what hv/lock.h does not inline. Each CPU remembers the locks it holds in debug builds
 * (cpu->held, touched by that CPU alone), and a take that breaks the order of ranks panics before it waits.
 * Before a CPU has an area (this_cpu() is NULL in the first instructions of a boot) nothing is
 * remembered.
 */
#include <arch/cpu.h>
#include <hv/assert.h>
#include <hv/cpu.h>
#include <hv/lock.h>

#ifdef HV_DEBUG

static bool remembered(const struct cpu *c, const struct lock *l)
{
	for (uint32_t i = 0; i < c->nr_held; i++)
		if (c->held[i] == l)
			return true;
	return false;
}

/* May this CPU take `l` now? `equal`: the second lock of a pair. */
static void check_rank(const struct lock *l, bool equal)
{
	const struct cpu *c = this_cpu();

	if (!c)
		return;
	assert_always(l->rank > RANK_NONE && l->rank < NR_RANKS,
		      "a lock is initialised with a rank");
	assert_always(!remembered(c, l), "no CPU takes a lock that it holds");
	for (uint32_t i = 0; i < c->nr_held; i++)
		assert_always(c->held[i]->rank < l->rank || (equal && c->held[i]->rank == l->rank),
			      "locks are taken in order of rank");
	assert_always(c->nr_held < ARRAY_SIZE(c->held), "few locks are held at once");
}

static void remember(const struct lock *l)
{
	struct cpu *c = this_cpu();

	if (c)
		c->held[c->nr_held++] = l;
}

static void forget(const struct lock *l)
{
	struct cpu *c = this_cpu();
	uint32_t i = 0;

	if (!c)
		return;
	while (i < c->nr_held && c->held[i] != l)
		i++;
	assert_always(i < c->nr_held, "only its holder releases a lock");
	c->nr_held--;
	for (; i < c->nr_held; i++)
		c->held[i] = c->held[i + 1];
}

static void take(struct lock *l, bool equal)
{
	uint32_t t;

	check_rank(l, equal);
	arch_cpu_relax();
	t = __atomic_fetch_add(&l->tickets, LOCK_NEXT_TICKET, __ATOMIC_ACQUIRE);
	while (load_acquire(&l->owner) != (uint16_t)(t >> 16))
		arch_lock_wait(&l->owner, (uint16_t)(t >> 16));
	remember(l);
}

NO_LOCK_CHECK void lock_take(struct lock *l)
{
	take(l, false);
}

bool lock_try(struct lock *l)
{
	uint32_t t = read_once(&l->tickets);

	check_rank(l, false);
	if ((uint16_t)t != t >> 16 ||
	    !__atomic_compare_exchange_n(&l->tickets, &t, t + LOCK_NEXT_TICKET, false,
					 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		return false;
	remember(l);
	return true;
}

NO_LOCK_CHECK void lock_release(struct lock *l)
{
	forget(l);
	store_release(&l->owner, (uint16_t)(read_once(&l->owner) + 1));
	arch_lock_released();
}

#else

#define take(l, equal) lock_take(l)

#endif

NO_LOCK_CHECK void lock_pair(struct lock *a, struct lock *b)
{
	struct lock *first = (uintptr_t)a < (uintptr_t)b ? a : b;

	take(first, false);
	if (a != b)
		take(first == a ? b : a, true);
}

NO_LOCK_CHECK void lock_release_pair(struct lock *a, struct lock *b)
{
	lock_release(a);
	if (a != b)
		lock_release(b);
}

bool lock_held(const struct lock *l)
{
#ifdef HV_DEBUG
	const struct cpu *c = this_cpu();

	if (c)
		return remembered(c, l);
#endif
	return read_once(&l->owner) != read_once(&l->next);
}
