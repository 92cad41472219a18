/* SPDX-License-Identifier: Apache-2.0 */
/* Sequences of hypercalls by several domains: event channels first. */
#define FAMILY_FIRST EVTCHN
#include "sequence.h"
