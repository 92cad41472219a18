/* SPDX-License-Identifier: Apache-2.0 */
/* Sequences of hypercalls by several domains: grant tables first. */
#define FAMILY_FIRST GNTTAB
#include "sequence.h"
