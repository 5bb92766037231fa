/* The webhooks file: any bytes are either taken or refused with their place. */
#include "engine/api/endpoints.h"
#include "engine/base/check.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {0};
    const struct span text = span_of((const char *)data, size);
    /* Paths in it are relative to a folder in which Makefile is a good secret. */
    struct endpoints *endpoints = endpoints_parse(text, "./hooks.yaml", &err);
    if (endpoints == NULL) {
        CHECK(err.code != ERR_NONE);
        CHECK(strncmp(err.text, "./hooks.yaml:", 13) == 0);
        return 0;
    }
    for (size_t i = 0; i < endpoints_count(endpoints); i++) {
        const struct endpoint *e = endpoints_at(endpoints, i);
        CHECK(endpoints_find(endpoints, e->name) == e);
        CHECK(e->events != 0 && e->url.len > 0 && e->secret.len >= 16);
        CHECK(e->url.ptr[e->url.len] == '\0');
    }
    endpoints_free(&endpoints);
    return 0;
}
