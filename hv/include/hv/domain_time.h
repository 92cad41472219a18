/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wall clock as guests see it: seconds and nanoseconds since 1970 at system time 0, in each domain's shared_info
 * (wc_version, wc_sec, wc_nsec, wc_sec_hi of xen/xen.h). The host's own is unknown until firmware or
 * the hardware domain tells it (XENPF_settime64).
 */
#ifndef HV_DOMAIN_TIME_H
#define HV_DOMAIN_TIME_H

#include <hv/compiler.h>

struct domain;

/* It is `sec`, `nsec` when arch_time_ns() says `at_ns`; every domain is told. nsec < 10^9. Any context without locks above TIMER. */
void wallclock_set(uint64_t sec, uint32_t nsec, uint64_t at_ns);
/* Write the present wall clock into a domain's shared_info. */
void domain_time_publish(struct domain *d);

#endif
