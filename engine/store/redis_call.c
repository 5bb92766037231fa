#include "engine/store/redis_call.h"

#include "engine/base/check.h"
#include "engine/base/mem.h"

void redis_calls_add(struct redis_calls *calls, struct redis_call *call)
{
    call->calls = calls;
    call->prev = NULL;
    call->next = calls->newest;
    if (calls->newest != NULL)
        calls->newest->prev = call;
    else
        calls->oldest = call;
    calls->newest = call;
    calls->count++;
}

static void call_remove(struct redis_call *call)
{
    struct redis_calls *calls = call->calls;
    CHECK(calls != NULL);
    if (call->prev != NULL)
        call->prev->next = call->next;
    else
        calls->newest = call->next;
    if (call->next != NULL)
        call->next->prev = call->prev;
    else
        calls->oldest = call->prev;
    calls->count--;
    call->calls = NULL;
}

void redis_call_finish(struct redis_call *call, const struct reply *reply, const struct err *err)
{
    redis_done *done = call->done;
    void *ctx = call->ctx;
    call_remove(call);
    mem_free(call);
    done(ctx, reply, err);
}

void redis_calls_abandon(struct redis_calls *calls)
{
    struct err err;
    err_set(&err, ERR_UNAVAILABLE, "Redis is not ready any more");
    while (calls->oldest != NULL) {
        struct redis_call *call = calls->oldest;
        call_remove(call);
        call->done(call->ctx, NULL, &err);
    }
}
