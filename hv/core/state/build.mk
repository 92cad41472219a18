# SPDX-License-Identifier: Apache-2.0
core-src += hv/core/state/state.c hv/core/state/check.c
unit-tests += tests/unit/state_test.c
