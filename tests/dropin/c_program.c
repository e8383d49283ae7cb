/* A program in C that obtains a certificate: one message in, one answer out.
 *
 *     cc -o obtain c_program.c -I <folder of pylego.h> <folder>/lego.so -Wl,-rpath,<folder>
 *     ./obtain < message.json
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pylego.h"

static char *read_all(FILE *file) {
    size_t length = 0, size = 1 << 16;
    char *text = malloc(size);
    while (text != NULL) {
        length += fread(text + length, 1, size - length - 1, file);
        if (length < size - 1)
            break;
        char *larger = realloc(text, size *= 2);
        if (larger == NULL)
            free(text);
        text = larger;
    }
    if (text != NULL)
        text[length] = '\0';
    return text;
}

int main(void) {
    char *message = read_all(stdin);
    if (message == NULL)
        return 2;
    char *answer = RunLegoCommand(message);
    free(message);
    if (answer == NULL) {
        fputs("the process has no file descriptor left\n", stderr);
        return 2;
    }
    puts(answer);
    int failed = strncmp(answer, "{\"success\":true", 15) != 0;
    pylego_free(answer);
    return failed;
}
