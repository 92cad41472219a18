/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wall clock in guests' shared pages. Readers in guests use wc_version as a sequence count: odd while the
 * fields change. Set by the hardware domain, read out for each new domain.
 */
#include <hv/domain_time.h>

#include <hv/domain.h>

#define NS_PER_S 1000000000u

static struct {
	struct lock lock;
	uint64_t base_ns; /* [l] ns since 1970 at arch_time_ns() == 0 */
} wallclock = { .lock = LOCK_INIT(RANK_TIMER) };

static void publish(struct domain *d, uint64_t base_ns)
{
	uint64_t t = base_ns - (uint64_t)d->time_offset +
		     (uint64_t)(d->wallclock_offset * (int64_t)NS_PER_S);
	uint64_t sec = t / NS_PER_S;
	struct shared_info *s = d->shared_info;
	uint32_t version = read_once(&s->wc_version);

	write_once(&s->wc_version, version + 1);
	atomic_fence();
	write_once(&s->wc_sec, (uint32_t)sec);
	write_once(&s->wc_nsec, (uint32_t)(t % NS_PER_S));
#if defined(__i386__)
	write_once(&s->arch.wc_sec_hi, (uint32_t)(sec >> 32));
#else
	write_once(&s->wc_sec_hi, (uint32_t)(sec >> 32));
#endif
	atomic_fence();
	write_once(&s->wc_version, version + 2);
}

void domain_time_publish(struct domain *d)
{
	lock_take(&wallclock.lock);
	publish(d, wallclock.base_ns);
	lock_release(&wallclock.lock);
}

void wallclock_set(uint64_t sec, uint32_t nsec, uint64_t at_ns)
{
	struct domain *d;

	lock_take(&wallclock.lock);
	wallclock.base_ns = sec * NS_PER_S + nsec - at_ns;
	for (d = domain_first(); d; d = domain_next(d))
		publish(d, wallclock.base_ns);
	lock_release(&wallclock.lock);
}
