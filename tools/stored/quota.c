/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Domains and what they may use.
 *
 * Each domain is charged for the nodes it owns (whoever made them), its watches, transactions and the events that its requests put
 * into other connections' queues; events for itself that it does not take are dropped when they and its memory pass that quota
 * (conn.c). Domain 0 is charged and never refused. A refusal is logged with the quota's
 * name, the domain and the figures, not more often than every doubling of their number.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "store.h"

const char *const quota_name[QUOTAS] = {
	"nodes",  "watches",   "transactions", "outstanding", "transaction-nodes",
	"memory", "node-size", "path-max",     "permissions",
};

/* Those of Xen 4.17's daemon. */
static const uint64_t quota_default[QUOTAS] = {
	1000, 128, 10, 20, 1024, 2560 * 1024, 2048, XENSTORE_REL_PATH_MAX, 5,
};
uint64_t quota_limit[QUOTAS];
uint64_t quota_soft_memory;

/* What the wire says when one is passed. */
static const int quota_error[QUOTAS] = {
	-ENOSPC, -E2BIG, -ENOSPC, -EBUSY, -ENOSPC, -ENOMEM, -ENOSPC, -EINVAL, -ENOSPC,
};

/* Refuse at the limit itself, or only beyond it (as Xen's daemon does with these)? */
static uint64_t last_allowed(enum quota which)
{
	bool one_more = which == QUOTA_WATCHES || which == QUOTA_TRANSACTIONS;

	return quota_limit[which] + one_more;
}

struct domain *domains;
static struct domain **table; /* by domid; pages of it that nobody needs cost nothing */

struct domain *domain_find(unsigned id)
{
	return table && id < DOMAINS ? table[id] : NULL;
}

struct domain *domain_need(domid id)
{
	struct domain *d = domain_find(id);

	if (d)
		return d;
	if (!table) {
		table = calloc(DOMAINS, sizeof(*table));
		memcpy(quota_limit, quota_default, sizeof(quota_limit));
		quota_soft_memory = 2048 * 1024;
	}
	d = must_alloc(sizeof(*d));
	memset(d, 0, sizeof(*d));
	d->id = id;
	table[id] = d;
	d->next = domains;
	domains = d;
	return d;
}

void domain_drop(struct domain *d)
{
	struct domain **at = &domains;

	if (d->introduced || d->conn || d->nodes || d->outstanding)
		return;
	while (*at != d)
		at = &(*at)->next;
	*at = d->next;
	table[d->id] = NULL;
	free(d);
}

int quota_check(struct domain *d, enum quota which, uint64_t actual)
{
	uint64_t limit = last_allowed(which);

	if (d->id == 0 || quota_limit[which] == 0 || actual <= limit)
		return 0;
	d->refusals++;
	if ((d->refusals & (d->refusals - 1)) == 0)
		log_line(
		    "quota %s: domain %u refused: %llu wanted, %llu allowed (%llu refusals so far)",
		    quota_name[which], d->id, (unsigned long long)actual, (unsigned long long)limit,
		    (unsigned long long)d->refusals);
	return quota_error[which];
}

int quota_set(const char *name, uint64_t limit)
{
	for (unsigned q = 0; q < QUOTAS; q++)
		if (strcmp(name, quota_name[q]) == 0) {
			quota_limit[q] = limit;
			return 0;
		}
	return -EINVAL;
}

void memory_charge(struct domain *d, long bytes)
{
	bool over;

	d->memory += (uint64_t)bytes;
	if (d->id == 0)
		return;
	over = quota_soft_memory && d->memory > quota_soft_memory;
	if (over != d->over_memory)
		log_line("quota memory: domain %u %s the warning level: %llu of %llu bytes", d->id,
			 over ? "is above" : "is below", (unsigned long long)d->memory,
			 (unsigned long long)quota_soft_memory);
	d->over_memory = over;
}

void quota_charge(void *context, domid id, int nodes, long bytes)
{
	struct domain *d = domain_need(id);

	d->nodes += (unsigned)nodes;
	memory_charge(d, bytes);
}

struct tree_ledger quota_ledger = { quota_charge, NULL };

void quota_fini(void)
{
	while (domains) {
		struct domain *d = domains;

		domains = d->next;
		free(d);
	}
	free((void *)table);
	table = NULL;
}
