/* In C, since it has to answer where Go cannot: in a forked process, in which
 * none of Go's threads runs. */
#include <unistd.h>

#include "pylego.h"

static pid_t loaded_in;

__attribute__((constructor)) static void remember(void) { loaded_in = getpid(); }

int pylego_usable(void) { return getpid() == loaded_in; }
