/* The configuration file: any bytes are either taken or refused with their line. */
#include "engine/app/config.h"
#include "engine/base/check.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct config config;
    struct err err = {0};
    config_init(&config);
    if (config_parse(&config, span_of((const char *)data, size), "fuzz.conf", &err) < 0) {
        CHECK(err.code == ERR_CONFIG);
        CHECK(strncmp(err.text, "fuzz.conf:", 10) == 0);
    }
    /* Whatever was taken can be read. */
    CHECK(config_number(&config, SETTING_THREADS) <= 64);
    CHECK(strlen(config_text(&config, SETTING_LISTEN)) < CONFIG_VALUE_BYTES);
    return 0;
}
