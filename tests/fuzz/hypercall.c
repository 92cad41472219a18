/* SPDX-License-Identifier: Apache-2.0 */
/* Sequences of hypercalls by several domains: every family alike. */
#include "sequence.h"
