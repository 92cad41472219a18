/* SPDX-License-Identifier: Apache-2.0 */
/* Sequences of hypercalls by several domains: memory operations first. */
#define FAMILY_FIRST MEMORY
#include "sequence.h"
