/* SPDX-License-Identifier: Apache-2.0 */
/* What hv/string.h has beyond the C library: safe copying of strings. */
#include <hv/string.h>

bool strcopy(char *dst, const char *src, size_t n)
{
	size_t length = strnlen(src, n);
	bool fits = length < n;

	if (!fits)
		length = n - 1;
	memcpy(dst, src, length);
	dst[length] = '\0';
	return fits;
}
