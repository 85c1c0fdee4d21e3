// A component that answers in the connector's place, as for the tests of an engine. The names of texts carry the world's
// name, so the test puts a line before this: `#include "plugin.h"` and `#define OF_WORLD(name) plugin_##name`.

#include <string.h>

typedef OF_WORLD(string_t) text;

static void refuse(exports_connector_auth0_types_error_t *error) {
    memset(error, 0, sizeof *error);
    error->disposition = EXPORTS_CONNECTOR_AUTH0_TYPES_DISPOSITION_FIX_INPUT;
    OF_WORLD(string_dup)(&error->code, "not-found");
    OF_WORLD(string_dup)(&error->message, "there is no such action");
}

bool exports_connector_auth0_actions_list_actions(text *filter, text *ret, exports_connector_auth0_types_error_t *err) {
    (void)filter, (void)err;
    OF_WORLD(string_dup)(ret, "{\"items\": []}");
    return true;
}

bool exports_connector_auth0_actions_describe_action(text *id, text *ret, exports_connector_auth0_types_error_t *err) {
    (void)id, (void)ret;
    refuse(err);
    return false;
}

bool exports_connector_auth0_actions_run_action(text *id, text *input, text *ret,
                                                exports_connector_auth0_types_error_t *err) {
    (void)id, (void)input, (void)ret;
    refuse(err);
    return false;
}
