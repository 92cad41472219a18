/* SPDX-License-Identifier: Apache-2.0 */
/* Sequences of hypercalls by several domains: mostly domctl and sysctl, by one that may and by others. */
#define FAMILY_FIRST CONTROL
#include "sequence.h"
