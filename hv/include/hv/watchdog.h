/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Watchdogs of a domain (SCHEDOP_watchdog): it shuts down with SHUTDOWN_watchdog when one is not set again in time. Under the
 * domain lock, except the timers themselves.
 */
#ifndef HV_WATCHDOG_H
#define HV_WATCHDOG_H

#include <hv/timer.h>

struct domain;

#define NR_WATCHDOGS 2u

struct watchdog {
	struct timer timer;
	struct domain *domain; /* [c] */
	bool used;             /* [domain lock] */
};

/*
 * id 0: take a free one, returns its number (1..NR_WATCHDOGS). Otherwise set that one again. `timeout` in seconds; 0 gives
 * it back. R_NO_WATCHDOG, R_WATCHDOGS_USED.
 */
MUST_USE int watchdog_op(struct domain *d, uint32_t id, uint32_t timeout);
void watchdog_init(struct domain *d);
void watchdog_stop(struct domain *d);

#endif
