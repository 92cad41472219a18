/* SPDX-License-Identifier: Apache-2.0 */
/* A circular doubly linked list whose links live in the listed objects. Its lock is its owner's. */
#ifndef HV_LIST_H
#define HV_LIST_H

#include <hv/compiler.h>

struct list {
	struct list *next, *prev;
};

static inline void list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}

static inline void list_insert_before(struct list *at, struct list *e)
{
	e->prev = at->prev;
	e->next = at;
	at->prev->next = e;
	at->prev = e;
}

static inline void list_append(struct list *head, struct list *e)
{
	list_insert_before(head, e);
}

/* Takes `e` out and leaves it empty, so that removing it again is harmless. */
static inline void list_remove(struct list *e)
{
	e->prev->next = e->next;
	e->next->prev = e->prev;
	list_init(e);
}

#define list_entry(l, type, member) container_of(l, type, member)
#define list_first(head, type, member) \
	(list_empty(head) ? NULL : list_entry((head)->next, type, member))
#define list_for_each(pos, head, member)                                                       \
	for (pos = list_entry((head)->next, __typeof__(*pos), member); &pos->member != (head); \
	     pos = list_entry(pos->member.next, __typeof__(*pos), member))

#endif
