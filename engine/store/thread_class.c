#include "engine/store/thread_class.h"

#include <sched.h>

void thread_be_patient(void)
{
    const struct sched_param none = {.sched_priority = 0};
    /* 0 is this thread. Where it is refused things are slower, not wrong. */
    (void)sched_setscheduler(0, SCHED_BATCH, &none);
}
