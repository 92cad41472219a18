/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A user's partial device tree (xl.cfg(5), device_tree): /passthrough with all below it and /aliases go into the guest's tree, the rest is
 * not looked at. libfdt judges the whole structure first.
 */
#include "parts.h"
#include <libfdt.h>

#define PHANDLE_GIC 65000u
#define MOST_DEPTH  32

static bool bad(const struct blob *b, const char *what, int err, struct fault *f)
{
	return fault_set(f, F_TREE, "%s: device_tree: %s: %s", b->name, what, fdt_strerror(err));
}

/* Nodes of ours would get a second meaning. */
static bool check_phandles(const struct blob *b, struct fault *f)
{
	int node = fdt_node_offset_by_phandle(b->data, PHANDLE_GIC);

	if (node < 0)
		return true;
	return fault_set(
	    f,
	    F_TREE, "%s: device_tree: node %s has the phandle %u, which is the guest's interrupt controller's",
	    b->name, fdt_get_name(b->data, node, NULL), PHANDLE_GIC);
}

bool partial_tree_check(const struct blob *b, struct fault *f)
{
	int err = fdt_check_full(b->data, b->size);

	if (err)
		return bad(b, "not a sound flattened tree", err, f);
	if (fdt_path_offset(b->data, "/passthrough") < 0)
		return fault_set(
		    f, F_TREE,
		    "%s: device_tree: no node /passthrough: nothing else is taken from it", b->name);
	return check_phandles(b, f);
}

static int copy_properties(const void *from, int node, void *to)
{
	int p, err = 0;

	fdt_for_each_property_offset(p, from, node)
	{
		const char *name;
		const void *value;
		int n;

		value = fdt_getprop_by_offset(from, p, &name, &n);
		if (!value)
			return n;
		err = fdt_property(to, name, value, n);
		if (err)
			return err;
	}
	return 0;
}

/* Copy `node` with all below it. */
static int copy_node(const void *from, int node, void *to)
{
	int depth = 0, at = node, open = 0, err = 0;

	while (at >= 0 && !err) {
		const char *name = fdt_get_name(from, at, NULL);

		for (; open > depth && !err; open--)
			err = fdt_end_node(to);
		if (depth > MOST_DEPTH)
			return -FDT_ERR_BADSTRUCTURE;
		if (!err)
			err = fdt_begin_node(to, name);
		open++;
		if (!err)
			err = copy_properties(from, at, to);
		if (err)
			break;
		at = fdt_next_node(from, at, &depth);
		if (depth <= 0)
			break;
	}
	for (; open > 0 && !err; open--)
		err = fdt_end_node(to);
	return err;
}

bool partial_tree_copy(const struct blob *b, void *tree, struct fault *f)
{
	static const char *const path[] = { "/passthrough", "/aliases" };

	for (unsigned i = 0; i < 2; i++) {
		int node = fdt_path_offset(b->data, path[i]);
		int err = node < 0 ? 0 : copy_node(b->data, node, tree);

		if (err)
			return bad(b, path[i], err, f);
	}
	return true;
}
