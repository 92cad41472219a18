/* SPDX-License-Identifier: Apache-2.0 */
/* The operations about domains, and CONTROL: for toolstacks, except asking. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "request.h"

/* ---- domains --------------------------------------------------------------------------------------------------- */

/* A request of dom0's of at least n strings; the first is a domain's number. */
static int toolstack(struct request *r, char **s, unsigned max, unsigned n, unsigned long *id)
{
	if (r->conn->dom != 0)
		return -EACCES;
	if (request_strings(r, s, max) < n)
		return -EINVAL;
	*id = strtoul(s[0], NULL, 10);
	return 0;
}

/* The same about one domain that is introduced. */
static int about(struct request *r, struct domain **d)
{
	unsigned long id;
	char *s[1];
	int err = toolstack(r, s, 1, 1, &id);

	if (err)
		return err;
	if (id == 0)
		return -EINVAL;
	*d = id < DOMAINS ? domain_find((unsigned)id) : NULL;
	return *d && (*d)->introduced ? 0 : -ENOENT;
}

int op_introduce(struct request *r)
{
	unsigned long id, port;
	char *s[8];
	int err = toolstack(r, s, 8, 3, &id);

	if (err)
		return err;
	port = strtoul(s[2], NULL, 10);
	if (port == 0 || port > UINT32_MAX || id >= DOMAINS)
		return -EINVAL;
	if (!domain_known((domid)id))
		return -EINVAL;
	err = domain_introduce((domid)id, strtoull(s[1], NULL, 10), (uint32_t)port);
	return err ? err : request_done(r);
}

int op_release(struct request *r)
{
	struct domain *d;
	int err = about(r, &d);

	if (!err)
		err = domain_release(d);
	return err ? err : request_done(r);
}

int op_resume(struct request *r)
{
	struct domain *d;
	int err = about(r, &d);

	if (err)
		return err;
	d->shutdown = false;
	return request_done(r);
}

int op_set_target(struct request *r)
{
	struct domain *d, *target;
	unsigned long id, other;
	char *s[8];
	int err = toolstack(r, s, 8, 2, &id);

	if (err)
		return err;
	other = strtoul(s[1], NULL, 10);
	if (id == 0)
		return -EINVAL;
	d = id < DOMAINS ? domain_find((unsigned)id) : NULL;
	target = other < DOMAINS ? domain_find((unsigned)other) : NULL;
	if (!d || !d->introduced || (other != 0 && (!target || !target->introduced)))
		return -ENOENT;
	d->has_target = true;
	d->target = (domid)other;
	return request_done(r);
}

int op_get_domain_path(struct request *r)
{
	char answer[48], *s[1];

	if (request_strings(r, s, 1) != 1)
		return -EINVAL;
	snprintf(answer, sizeof(answer), "/local/domain/%u", (unsigned)strtol(s[0], NULL, 10));
	return request_reply_string(r, answer);
}

int op_is_introduced(struct request *r)
{
	unsigned long id;
	struct domain *d;
	char *s[1];
	int err = toolstack(r, s, 1, 1, &id);

	if (err)
		return err;
	d = id < DOMAINS ? domain_find((unsigned)id) : NULL;
	return request_reply_string(r, id == 0 || (d && d->introduced) ? "T" : "F");
}

/* ---- control ------------------------------------------------------------------------------------------------------- */

static int control_quota(char **s, unsigned n, char *answer, size_t size)
{
	struct domain *d;
	size_t at;

	if (n == 4 && strcmp(s[1], "set") == 0) {
		snprintf(answer, size, "OK");
		return quota_set(s[2], strtoull(s[3], NULL, 10));
	}
	if (n == 1) {
		at = (size_t)snprintf(answer, size, "Quota settings:\n");
		for (unsigned q = 0; q < QUOTAS; q++)
			at += (size_t)snprintf(answer + at, size - at, "%-17s: %8llu\n",
					       quota_name[q], (unsigned long long)quota_limit[q]);
		return 0;
	}
	if (n != 2)
		return -EINVAL;
	d = domain_find((unsigned)strtoul(s[1], NULL, 10));
	if (!d)
		return -ENOENT;
	snprintf(answer, size,
		 "Domain %u:\nnodes           : %8u\nwatches         : %8u\ntransactions    : %8u\n"
		 "outstanding     : %8u\nmemory          : %8llu\nrefusals        : %8llu\n",
		 d->id, d->nodes, d->watches, d->transactions, d->outstanding,
		 (unsigned long long)d->memory, (unsigned long long)d->refusals);
	return 0;
}

static int control_quota_soft(char **s, unsigned n, char *answer, size_t size)
{
	if (n == 4 && strcmp(s[1], "set") == 0 && strcmp(s[2], "memory") == 0) {
		quota_soft_memory = strtoull(s[3], NULL, 10);
		snprintf(answer, size, "OK");
		return 0;
	}
	if (n != 1)
		return -EINVAL;
	snprintf(answer, size, "Quota settings:\n%-17s: %8llu\n", "memory",
		 (unsigned long long)quota_soft_memory);
	return 0;
}

int op_control(struct request *r)
{
	char answer[2048] = "OK", *s[16], *theirs = NULL;
	unsigned n;
	int err;

	if (r->conn->dom != 0)
		return -EACCES;
	n = request_strings(r, s, 16);
	if (n == 0)
		return -EINVAL;
	if (strcmp(s[0], "quota") == 0) {
		err = control_quota(s, n, answer, sizeof(answer));
	} else if (strcmp(s[0], "quota-soft") == 0) {
		err = control_quota_soft(s, n, answer, sizeof(answer));
	} else if (strcmp(s[0], "check") == 0) {
		store_check();
		err = 0;
	} else if (strcmp(s[0], "help") == 0) {
		snprintf(
		    answer, sizeof(answer),
		    "check\t\nhelp\t\nlive-update\t[-f <file>|-c <cmdline>|-s|-a]\nlog\ton|off\n"
		    "memreport\t\nprint\t<string>\nquota\t[set <name> <val>|<domid>]\n"
		    "quota-soft\t[set <name> <val>]\n");
		err = 0;
	} else {
		err = store_host->control ? store_host->control(r->conn, s, n, &theirs) : -ENOSYS;
		err = err == -ENOSYS ? -EINVAL : err;
	}
	if (!err)
		request_reply_string(r, theirs ? theirs : answer);
	free(theirs);
	return err;
}
