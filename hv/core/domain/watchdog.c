/* SPDX-License-Identifier: Apache-2.0 */
/* The watchdogs of a domain: two timers, handed out on request and stopped when the domain ends. */
#include <hv/watchdog.h>

#include <arch/timer.h>
#include <hv/domain.h>
#include <hv/log.h>
#include <xen/sched.h>

#define NS_PER_S 1000000000ull

static void expired(struct timer *t)
{
	struct watchdog *w = container_of(t, struct watchdog, timer);

	log_guest("d%u: watchdog expired", w->domain->id);
	domain_shutdown(w->domain, SHUTDOWN_watchdog);
}

void watchdog_init(struct domain *d)
{
	for (unsigned i = 0; i < NR_WATCHDOGS; i++) {
		d->watchdog[i].domain = d;
		timer_init(&d->watchdog[i].timer, expired, this_cpu());
	}
}

void watchdog_stop(struct domain *d)
{
	for (unsigned i = 0; i < NR_WATCHDOGS; i++)
		timer_stop(&d->watchdog[i].timer);
}

static struct watchdog *take_free(struct domain *d, uint32_t *id) HOLDS(d->lock)
{
	for (unsigned i = 0; i < NR_WATCHDOGS; i++)
		if (!d->watchdog[i].used) {
			*id = i + 1;
			return &d->watchdog[i];
		}
	return NULL;
}

int watchdog_op(struct domain *d, uint32_t id, uint32_t timeout)
{
	struct watchdog *w = NULL;
	int result = 0;

	lock_take(&d->lock);
	if (id == 0) {
		uint32_t fresh = 0;

		w = timeout ? take_free(d, &fresh) : NULL;
		result = w         ? (int)fresh
			 : timeout ? refuse(R_WATCHDOGS_USED, d->id, NR_WATCHDOGS, 0)
				   : refuse(R_NO_WATCHDOG, d->id, NR_WATCHDOGS, id);
	} else if (id > NR_WATCHDOGS || !d->watchdog[id - 1].used) {
		result = refuse(R_NO_WATCHDOG, d->id, NR_WATCHDOGS, id);
	} else {
		w = &d->watchdog[index_nospec(id - 1, NR_WATCHDOGS)];
	}
	if (w) {
		w->used = timeout != 0;
		if (timeout)
			timer_set(&w->timer, arch_time_ns() + timeout * NS_PER_S);
		else
			timer_stop(&w->timer);
	}
	lock_release(&d->lock);
	return result;
}
