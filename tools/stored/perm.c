/* SPDX-License-Identifier: Apache-2.0 */
/* Permissions of nodes: who may do what, and their form on the wire ("w5"). */
#include <errno.h>
#include <stdlib.h>
#include "store.h"

#define PERM_ALL (PERM_READ | PERM_WRITE)

/* The first entry that names the domain, or the one that it acts for, decides. */
unsigned perm_of(const struct conn *c, const struct perms *p, bool *owner)
{
	const struct domain *d = c->dom ? domain_find(c->dom) : NULL;
	domid other = d && d->has_target ? d->target : c->dom;

	*owner = c->dom == 0 || p->entry[0].id == c->dom || p->entry[0].id == other;
	if (*owner)
		return PERM_ALL;
	for (uint32_t i = 1; i < p->n; i++)
		if (p->entry[i].id == c->dom || p->entry[i].id == other)
			return p->entry[i].bits;
	return p->entry[0].bits;
}

int perm_parse(const char *s, struct perm *p)
{
	unsigned long id;
	char *end;

	switch (*s) {
	case 'n': p->bits = PERM_NONE; break;
	case 'r': p->bits = PERM_READ; break;
	case 'w': p->bits = PERM_WRITE; break;
	case 'b': p->bits = PERM_ALL; break;
	default: return -EINVAL;
	}
	if (s[1] < '0' || s[1] > '9')
		return -EINVAL;
	id = strtoul(s + 1, &end, 10);
	if (*end || id >= DOMAINS)
		return -EINVAL;
	p->id = (domid)id;
	return 0;
}

int perm_print(const struct perm *p, char *s, size_t size)
{
	return snprintf(s, size, "%c%u", "nrwb"[p->bits & PERM_ALL], p -> id);
}
