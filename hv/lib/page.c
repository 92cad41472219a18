/* SPDX-License-Identifier: Apache-2.0 */
/* Clearing a page, where the architecture has no instruction of its own for it. */
#include <hv/addr.h>
#include <hv/string.h>

void page_clear(void *page)
{
	memset(page, 0, PAGE_SIZE);
}
