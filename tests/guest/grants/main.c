/* SPDX-License-Identifier: Apache-2.0 */
/* Grant table, version 1: a page granted to oneself is mapped, seen, unmapped; bad ones are refused. */
#include "machine.h"

#include <xen/grant_table.h>
#include <xen/memory.h>

#define TABLE  GRANT_TABLE
#define WINDOW (GRANT_TABLE + 0x100000)

static volatile uint64_t page[512] __attribute__((aligned(4096)));

static int map(grant_ref_t ref, uint32_t flags, grant_handle_t *handle)
{
	struct gnttab_map_grant_ref op = {
		.host_addr = WINDOW, .flags = flags, .ref = ref, .dom = DOMID_SELF
	};

	CHECK(HYPERCALL(grant_table_op, GNTTABOP_map_grant_ref, &op, 1), 0, "the call itself works");
	*handle = op.handle;
	return op.status;
}

static int unmap(grant_handle_t handle)
{
	struct gnttab_unmap_grant_ref op = { .host_addr = WINDOW, .handle = handle };

	CHECK(HYPERCALL(grant_table_op, GNTTABOP_unmap_grant_ref, &op, 1), 0,
	      "the call itself works");
	return op.status;
}

void guest_test(void)
{
	grant_entry_v1_t *table = (grant_entry_v1_t *)TABLE;
	struct gnttab_query_size size = { .dom = DOMID_SELF };
	struct xen_add_to_physmap add = { .domid = DOMID_SELF,
					  .space = XENMAPSPACE_grant_table,
					  .gpfn = TABLE >> 12 };
	grant_handle_t handle;

	CHECK(HYPERCALL(grant_table_op, GNTTABOP_query_size, &size, 1), 0, "query_size");
	CHECK_TRUE(size.max_nr_frames >= 1, "there is a table");
	CHECK(HYPERCALL(memory_op, XENMEM_add_to_physmap, &add), 0, "the table can be mapped");
	table[8].domid = 0x7ff0;
	table[8].frame = (uint32_t)((uintptr_t)page >> 12);
	CHECK_TRUE(map(8, GNTMAP_host_map, &handle) != GNTST_okay,
		   "an entry without permission is refused");
	for (unsigned i = 0; i < 20; i++) {
		volatile uint64_t *window = (volatile uint64_t *)WINDOW;
		struct gnttab_copy copy = {
			.source = { .u.gmfn = (uintptr_t)page >> 12, .domid = DOMID_SELF },
			.dest = { .u.gmfn = (uintptr_t)page >> 12,
				  .domid = DOMID_SELF,
				  .offset = 2048 },
			.len = 64,
		};

		page[0] = 0x1234500 + i;
		HYPERCALL(grant_table_op, GNTTABOP_copy, &copy, 1);
		CHECK(copy.status, GNTST_okay, "copy by frame number");
		CHECK(page[256], page[0], "it copies");
		/* A guest names itself by its own number, which it learns from nobody: try them. */
		for (domid_t id = 0; id < 8; id++) {
			table[8].domid = id;
			__atomic_store_n(&table[8].flags, GTF_permit_access, __ATOMIC_SEQ_CST);
			if (map(8, GNTMAP_host_map, &handle) == GNTST_okay)
				break;
		}
		CHECK(window[0], page[0], "the mapping shows the page");
		window[1] = i;
		CHECK(page[1], i, "both ways");
		CHECK(table[8].flags & (GTF_reading | GTF_writing), GTF_reading | GTF_writing,
		      "the entry is in use");
		CHECK(unmap(handle), GNTST_okay, "unmap");
		CHECK_TRUE(unmap(handle) != GNTST_okay, "only once");
		CHECK(table[8].flags & (GTF_reading | GTF_writing), 0, "the entry is free again");
		CHECK_TRUE(NOTHING_AT(WINDOW), "nothing is left of the mapping");
	}
	CHECK_TRUE(map(100000, GNTMAP_host_map, &handle) != GNTST_okay, "a wild reference");
	CHECK_TRUE(map(8, 0, &handle) != GNTST_okay, "no kind of mapping asked");
	CHECK_TRUE(unmap(12345678) != GNTST_okay, "a wild handle");
}
