/* SPDX-License-Identifier: Apache-2.0 */
/* Second-stage entries as no hardware has them, easy to read in a test: the frame, its rights, and which of two kinds it is. */
#ifndef TESTS_UNIT_PLAIN_FORMAT_H
#define TESTS_UNIT_PLAIN_FORMAT_H

#include <hv/iommu.h>

static uint64_t plain_leaf(mfn_t m, unsigned access, unsigned level)
{
	return m.n << PAGE_SHIFT | access << 2 | 1;
}

static uint64_t plain_table(mfn_t t, unsigned level)
{
	return t.n << PAGE_SHIFT | 2;
}

static bool plain_is_table(uint64_t e, unsigned level)
{
	return level && (e & 3) == 2;
}

static mfn_t plain_mfn(uint64_t e)
{
	return mfn(e >> PAGE_SHIFT);
}

static unsigned plain_access(uint64_t e)
{
	return e >> 2 & 3;
}

static const struct iommu_format plain_format = { plain_leaf, plain_table,  plain_is_table,
						  plain_mfn,  plain_access, NULL };

#endif
