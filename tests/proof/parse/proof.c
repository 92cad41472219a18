/* SPDX-License-Identifier: Apache-2.0 */
/*
 * method: eva
 * Numbers from any text: no run-time error, no wrap-around that C leaves undefined, and nothing read behind the
 * terminator. The text is 23 arbitrary bytes, longer than any number that fits.
 */
#include "__fc_builtin.h"
#include "../../../hv/lib/parse.c"

int main(void)
{
	char text[24];
	const char *s;
	uint64_t value;

	for (int i = 0; i < 23; i++)
		text[i] = (char)Frama_C_interval(-128, 127);
	text[23] = '\0';
	s = text;
	if (parse_u64(&s, &value)) {
		/*@ assert (char *)s > &text[0] && (char *)s <= &text[23]; */
	}
	s = text;
	if (parse_size(&s, Frama_C_interval(0, 4096), &value)) {
		/*@ assert (char *)s > &text[0] && (char *)s <= &text[23]; */
	}
	return 0;
}
