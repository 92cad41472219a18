/* SPDX-License-Identifier: Apache-2.0 */
/* A store for tests of the toolstack: libxenstore's functions over a list of nodes, without permissions, watches and other clients. */
#ifndef TESTS_UNIT_FAKESTORE_H
#define TESTS_UNIT_FAKESTORE_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xenstore.h>

#define FAKESTORE_NODES 512

static struct {
	char *path, *value;
} fakestore[FAKESTORE_NODES];
static unsigned fakestore_nr;
static unsigned fakestore_introduced, fakestore_released;

static int fakestore_find(const char *path)
{
	for (unsigned i = 0; i < fakestore_nr; i++)
		if (strcmp(fakestore[i].path, path) == 0)
			return (int)i;
	return -1;
}

/* A node's value; NULL: there is none. */
__attribute__((unused)) static const char *fakestore_value(const char *path)
{
	int i = fakestore_find(path);

	return i < 0 ? NULL : fakestore[i].value;
}

static void fakestore_forget(unsigned i)
{
	free(fakestore[i].path);
	free(fakestore[i].value);
	fakestore[i] = fakestore[--fakestore_nr];
}

__attribute__((unused)) static void fakestore_empty(void)
{
	while (fakestore_nr)
		fakestore_forget(0);
	fakestore_introduced = fakestore_released = 0;
}

struct xs_handle *xs_open(unsigned long flags)
{
	static char it;

	return (struct xs_handle *)&it;
}

void xs_close(struct xs_handle *xsh) {}

void *xs_read(struct xs_handle *h, xs_transaction_t t, const char *path, unsigned int *len)
{
	const char *value = fakestore_value(path);

	if (!value) {
		errno = ENOENT;
		return NULL;
	}
	if (len)
		*len = (unsigned)strlen(value);
	return strdup(value);
}

bool xs_write(struct xs_handle *h, xs_transaction_t t, const char *path, const void *data,
	      unsigned int len)
{
	int i = fakestore_find(path);

	if (i < 0 && fakestore_nr == FAKESTORE_NODES) {
		errno = ENOSPC;
		return false;
	}
	if (i < 0) {
		i = (int)fakestore_nr++;
		fakestore[i].path = strdup(path);
	} else {
		free(fakestore[i].value);
	}
	fakestore[i].value = strndup(data, len);
	return true;
}

/* What is below `path`, or `path` itself. */
static bool fakestore_within(const char *node, const char *path)
{
	size_t n = strlen(path);

	return strncmp(node, path, n) == 0 && (node[n] == '/' || !node[n]);
}

bool xs_rm(struct xs_handle *h, xs_transaction_t t, const char *path)
{
	for (unsigned i = 0; i < fakestore_nr;)
		if (fakestore_within(fakestore[i].path, path))
			fakestore_forget(i);
		else
			i++;
	return true;
}

char **xs_directory(struct xs_handle *h, xs_transaction_t t, const char *path, unsigned int *num)
{
	char **list = calloc(FAKESTORE_NODES, sizeof(*list) + 64), *text;
	size_t n = strlen(path);

	text = (char *)(list + FAKESTORE_NODES);
	*num = 0;
	for (unsigned i = 0; i < fakestore_nr; i++) {
		const char *child = fakestore[i].path + n + 1;
		bool known = false;

		if (!fakestore_within(fakestore[i].path, path) || !fakestore[i].path[n])
			continue;
		snprintf(text, 64, "%.*s", (int)strcspn(child, "/"), child);
		for (unsigned k = 0; k < *num; k++)
			known |= strcmp(list[k], text) == 0;
		if (!known) {
			list[(*num)++] = text;
			text += 64;
		}
	}
	if (*num)
		return list;
	free(list);
	errno = ENOENT;
	return NULL;
}

bool xs_set_permissions(struct xs_handle *h, xs_transaction_t t, const char *path,
			struct xs_permissions *perms, unsigned int num_perms)
{
	return fakestore_find(path) >= 0;
}

xs_transaction_t xs_transaction_start(struct xs_handle *h)
{
	return 1;
}

bool xs_transaction_end(struct xs_handle *h, xs_transaction_t t, bool abort)
{
	return true;
}

bool xs_introduce_domain(struct xs_handle *h, unsigned int domid, unsigned long mfn,
			 unsigned int eventchn)
{
	fakestore_introduced++;
	return true;
}

bool xs_release_domain(struct xs_handle *h, unsigned int domid)
{
	fakestore_released++;
	return true;
}

#endif
