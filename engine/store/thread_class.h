/*
 * thread_class: how a thread of the store shares a processor that is short.
 */
#ifndef JIESU_STORE_THREAD_CLASS_H
#define JIESU_STORE_THREAD_CLASS_H

/* The calling thread no longer takes the processor from another one the moment it is woken
 * (SCHED_BATCH); its share stays the same, and where a processor is free it runs at once as before.
 * Threads and processes that it starts from now on inherit this. */
void thread_be_patient(void);

#endif
