/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making flattened device trees for guests (hv/fdt.h), from the first node to the last with libfdt's sequential writer. The first error
 * stays in the writer: what is asked of it afterwards does nothing, and dtw_finish() says it.
 */
#include <hv/fdt.h>
#include <hv/log.h>
#include <hv/string.h>
#include <libfdt.h>

static BOOT_TEXT void note(struct dt_writer *w, int err)
{
	if (!w->err)
		w->err = err;
}

BOOT_TEXT void dtw_begin(struct dt_writer *w, void *buf, size_t size)
{
	*w = (struct dt_writer){ .buf = buf, .size = (uint32_t)MIN(size, (size_t)DT_MAX_SIZE) };
	/* Looking for names that are there already would cost more than everything else. */
	note(w, fdt_create_with_flags(buf, (int)w->size, FDT_CREATE_FLAG_NO_NAME_DEDUP));
	if (!w->err)
		note(w, fdt_finish_reservemap(buf));
}

BOOT_TEXT void dtw_node(struct dt_writer *w, const char *name)
{
	if (!w->err)
		note(w, fdt_begin_node(w->buf, name));
}

BOOT_TEXT void dtw_node_at(struct dt_writer *w, const char *name, uint64_t unit)
{
	char text[64];

	(void)snprint(text, sizeof(text), "%s@%llx", name, (unsigned long long)unit);
	dtw_node(w, text);
}

BOOT_TEXT void dtw_end(struct dt_writer *w)
{
	if (!w->err)
		note(w, fdt_end_node(w->buf));
}

BOOT_TEXT void dtw_bytes(struct dt_writer *w, const char *name, const void *value, size_t size)
{
	if (!w->err && size > w->size)
		note(w, -FDT_ERR_NOSPACE);
	if (!w->err)
		note(w, fdt_property(w->buf, name, value, (int)size));
}

BOOT_TEXT void dtw_flag(struct dt_writer *w, const char *name)
{
	dtw_bytes(w, name, "", 0);
}

BOOT_TEXT void dtw_u32(struct dt_writer *w, const char *name, uint32_t value)
{
	dtw_cells(w, name, &value, 1);
}

BOOT_TEXT void dtw_u64(struct dt_writer *w, const char *name, uint64_t value)
{
	value = __builtin_bswap64(value);
	dtw_bytes(w, name, &value, sizeof(value));
}

BOOT_TEXT void dtw_string(struct dt_writer *w, const char *name, const char *value)
{
	dtw_bytes(w, name, value, strlen(value) + 1);
}

/* The place of a property of `n` elements of `each` bytes, to be filled in; NULL after an error. */
static BOOT_TEXT char *array(struct dt_writer *w, const char *name, size_t n, size_t each)
{
	void *to = NULL;

	if (!w->err && n > w->size / each)
		note(w, -FDT_ERR_NOSPACE);
	if (!w->err)
		note(w, fdt_property_placeholder(w->buf, name, (int)(each * n), &to));
	return w->err ? NULL : to;
}

BOOT_TEXT void dtw_cells(struct dt_writer *w, const char *name, const uint32_t *cells, size_t n)
{
	char *to = array(w, name, n, 4);

	for (size_t i = 0; to && i < n; i++) {
		uint32_t be = __builtin_bswap32(cells[i]);

		memcpy(to + 4 * i, &be, 4);
	}
}

BOOT_TEXT void dtw_ranges(struct dt_writer *w, const char *name, const uint64_t *pairs, size_t n)
{
	char *to = array(w, name, n, 16);

	for (size_t i = 0; to && i < 2 * n; i++) {
		uint64_t be = __builtin_bswap64(pairs[i]);

		memcpy(to + 8 * i, &be, 8);
	}
}

BOOT_TEXT void dtw_copy_properties(struct dt_writer *w, const void *from, int node)
{
	int at;

	fdt_for_each_property_offset(at, from, node)
	{
		const char *name;
		int len;
		const void *value = fdt_getprop_by_offset(from, at, &name, &len);

		if (value)
			dtw_bytes(w, name, value, (size_t)len);
	}
}

BOOT_TEXT void dtw_copy_node(struct dt_writer *w, const void *from, int node)
{
	int depth = 0, open = 0;

	do {
		/* Close what the last node leaves behind. */
		for (; open > depth; open--)
			dtw_end(w);
		dtw_node(w, dt_name(from, node));
		open++;
		dtw_copy_properties(w, from, node);
		node = fdt_next_node(from, node, &depth);
	} while (node >= 0 && depth > 0 && !w->err);
	for (; open > 0; open--)
		dtw_end(w);
}

BOOT_TEXT bool dtw_finish(struct dt_writer *w, const char *what, size_t *size)
{
	if (!w->err)
		note(w, fdt_finish(w->buf));
	if (w->err) {
		log_error("%s: device tree of at most %u bytes: %s", what, w->size,
			  fdt_strerror(w->err));
		return false;
	}
	*size = fdt_totalsize(w->buf);
	return true;
}
