/* The least that a reader of xentrace files does: from one record's header to the next, counting events.
 * Takes the file; prints the records. Windows are trusted, and nothing is done about damage.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK = 4 << 20, LONGEST = 40 };

int main(int argc, char **argv)
{
    static uint64_t counts[1 << 12];
    static uint8_t buffer[CHUNK + LONGEST];
    size_t rest = 0;
    uint64_t records = 0;
    ssize_t got;
    int file = argc > 1 ? open(argv[1], O_RDONLY) : -1;

    if (file < 0)
        return 1;
    while ((got = read(file, buffer + rest, CHUNK)) > 0) {
        const uint8_t *at = buffer, *end = buffer + rest + got;
        while (at + 4 <= end) {
            uint32_t header;
            memcpy(&header, at, 4);
            size_t size = 4 + (header >> 26 & 0x1C) + (header >> 28 & 8);
            if (at + size > end)
                break;
            counts[header & 0xFFF]++;
            at += size;
        }
        rest = end - at;
        memmove(buffer, at, rest);
    }
    for (int i = 0; i < 1 << 12; i++)
        records += counts[i];
    printf("%llu\n", (unsigned long long)records);
    return 0;
}
