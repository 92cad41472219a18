# SPDX-License-Identifier: Apache-2.0
core-src += hv/core/log.c hv/core/trace.c
core-src += hv/core/sched/cpu.c hv/core/sched/credit2.c hv/core/sched/null.c hv/core/sched/rcu.c
core-src += hv/core/sched/sched.c hv/core/sched/softirq.c hv/core/sched/timer.c hv/core/sched/work.c

unit-tests += tests/unit/timer_test.c tests/unit/rcu_test.c tests/unit/softirq_test.c
unit-tests += tests/unit/sched_test.c tests/unit/trace_test.c tests/unit/log_test.c
tsan-tests += tests/unit/timer_test.c tests/unit/rcu_test.c tests/unit/softirq_test.c
tsan-tests += tests/unit/sched_test.c
