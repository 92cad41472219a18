/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store for tests of the toolstack: a back end of the store client (lib/store/client.h) that answers out of a list of nodes, without permissions,
 * watches and other clients.
 */
#ifndef TESTS_UNIT_FAKESTORE_H
#define TESTS_UNIT_FAKESTORE_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib/store/client.h"
#include <xen/io/xs_wire.h>

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

static int fakestore_write(const char *path, const char *data, size_t len)
{
	int i = fakestore_find(path);

	if (i < 0 && fakestore_nr == FAKESTORE_NODES)
		return ENOSPC;
	if (i < 0) {
		i = (int)fakestore_nr++;
		fakestore[i].path = strdup(path);
	} else {
		free(fakestore[i].value);
	}
	fakestore[i].value = strndup(data, len);
	return 0;
}

/* A node as somebody else writes it. */
__attribute__((unused)) static void fakestore_set(const char *path, const char *value)
{
	fakestore_write(path, value, strlen(value));
}

/* What is below `path`, or `path` itself. */
static bool fakestore_within(const char *node, const char *path)
{
	size_t n = strlen(path);

	return strncmp(node, path, n) == 0 && (node[n] == '/' || !node[n]);
}

static void fakestore_remove(const char *path)
{
	for (unsigned i = 0; i < fakestore_nr;)
		if (fakestore_within(fakestore[i].path, path))
			fakestore_forget(i);
		else
			i++;
}

/* The names below `path`, each once, into `text`: their length, 0: there are none. */
static size_t fakestore_list(const char *path, char *text)
{
	size_t n = strlen(path), used = 0;

	for (unsigned i = 0; i < fakestore_nr; i++) {
		const char *child = fakestore[i].path + n;
		size_t len, at = 0;

		if (!fakestore_within(fakestore[i].path, path) || !*child)
			continue;
		len = strcspn(++child, "/");
		while (at < used && (strlen(text + at) != len || memcmp(text + at, child, len) != 0))
			at += strlen(text + at) + 1;
		if (at == used && used + len < XENSTORE_PAYLOAD_MAX) {
			memcpy(text + used, child, len);
			text[used + len] = 0;
			used += len + 1;
		}
	}
	return used;
}

/* ---- the wire -------------------------------------------------------------------------------------------- */

static struct {
	struct xsd_sockmsg head;
	char text[XENSTORE_PAYLOAD_MAX];
} fakestore_answer;
static size_t fakestore_taken = sizeof(struct xsd_sockmsg); /* of it; none is there yet */
static uint8_t fakestore_asked[65536];                      /* requests without an answer */
static size_t fakestore_asked_len;

static int fakestore_do(const struct xsd_sockmsg *m, const char *payload, size_t *len)
{
	char *answer = fakestore_answer.text;
	const char *value;
	size_t path = strnlen(payload, m->len) + 1;

	*len = (size_t)snprintf(answer, 3, "OK") + 1;
	switch (m->type) {
	case XS_READ:
		value = fakestore_value(payload);
		*len = value ? strlen(value) : 0;
		memcpy(answer, value ? value : "", *len);
		return value ? 0 : ENOENT;
	case XS_WRITE: return fakestore_write(payload, payload + path, m->len - path);
	case XS_RM: fakestore_remove(payload); return 0;
	case XS_DIRECTORY: *len = fakestore_list(payload, answer); return *len ? 0 : ENOENT;
	case XS_SET_PERMS: return fakestore_find(payload) >= 0 ? 0 : ENOENT;
	case XS_TRANSACTION_START: *len = (size_t)snprintf(answer, 3, "1") + 1; return 0;
	case XS_TRANSACTION_END: return 0;
	case XS_INTRODUCE: fakestore_introduced++; return 0;
	case XS_RELEASE: fakestore_released++; return 0;
	default: return ENOSYS;
	}
}

static int fakestore_send(struct store_client *c, const void *bytes, size_t n)
{
	if (n > sizeof(fakestore_asked) - fakestore_asked_len)
		return -ENOSPC;
	memcpy(fakestore_asked + fakestore_asked_len, bytes, n);
	fakestore_asked_len += n;
	return 0;
}

/* The first of the requests is answered. */
static void fakestore_next(void)
{
	struct xsd_sockmsg head;
	size_t len, whole;
	int err;

	memcpy(&head, fakestore_asked, sizeof(head));
	whole = sizeof(head) + head.len;
	err = fakestore_do(&head, (const char *)fakestore_asked + sizeof(head), &len);
	fakestore_asked_len -= whole;
	memmove(fakestore_asked, fakestore_asked + whole, fakestore_asked_len);
	if (err) {
		head.type = XS_ERROR;
		len = (size_t)snprintf(fakestore_answer.text, 8, "%s",
				       err == ENOENT   ? "ENOENT"
				       : err == ENOSPC ? "ENOSPC"
						       : "ENOSYS") +
		      1;
	}
	head.len = (uint32_t)len;
	fakestore_answer.head = head;
	fakestore_taken = 0;
}

static ssize_t fakestore_receive(struct store_client *c, void *bytes, size_t n, bool wait)
{
	size_t left = sizeof(fakestore_answer.head) + fakestore_answer.head.len - fakestore_taken;

	if (!left && fakestore_asked_len) {
		fakestore_next();
		left = sizeof(fakestore_answer.head) + fakestore_answer.head.len;
	}
	if (n > left)
		n = left;
	if (!n)
		return wait ? -EPIPE : 0;
	memcpy(bytes, (const char *)&fakestore_answer + fakestore_taken, n);
	fakestore_taken += n;
	return (ssize_t)n;
}

static void fakestore_close(struct store_client *c) {}

/* A client of it; client_close() when done. */
__attribute__((unused)) static struct store_client *fakestore_open(void)
{
	static const struct client_ops ops = { .send = fakestore_send,
					       .receive = fakestore_receive,
					       .close = fakestore_close };
	static struct store_client client;

	client_init(&client, &ops);
	return &client;
}

#endif
