# SPDX-License-Identifier: Apache-2.0
unit-tests += tests/unit/sim_test.c tests/unit/scenario_test.c tests/unit/scenario_memory_test.c
tsan-tests += tests/unit/scenario_test.c tests/unit/scenario_memory_test.c
