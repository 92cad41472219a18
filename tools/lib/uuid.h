/* SPDX-License-Identifier: Apache-2.0 */
/* UUIDs as text: 01234567-89ab-cdef-0123-456789abcdef (RFC 4122, 3). */
#ifndef LIB_UUID_H
#define LIB_UUID_H

#include <stdbool.h>
#include <stdint.h>

#define UUID_BYTES 16
#define UUID_TEXT  37 /* characters, with the zero byte */

/* Returns `text`. */
const char *uuid_text(const uint8_t uuid[UUID_BYTES], char text[UUID_TEXT]);

/* False: it is not written like that, in either case of letters; what is in `uuid` is not defined then. */
bool uuid_read(const char *text, uint8_t uuid[UUID_BYTES]);

#endif
