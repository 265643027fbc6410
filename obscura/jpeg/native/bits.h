/* Bits in, bits out, Huffman tables: what the sequential and the progressive coder share.
 *
 * Source: ITU-T T.81 annexes C (tables), F (Huffman coding) and B.1.1.5 (byte stuffing, restart markers).
 *
 * Safety: every function that is exported checks its geometry; readers may run at most one block past the end
 * of their segment before they notice, and every buffer that is read carries PADDING bytes for that.
 */
#ifndef OBSCURA_BITS_H
#define OBSCURA_BITS_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

enum { OK = 0, DAMAGED = -1, TRUNCATED = -2, NO_CODE = -3, NO_MEMORY = -4, BAD_CALL = -5 };

/* A block of 63 AC coefficients of 32 bits each takes 252 bytes; the caller pads what it hands in. */
#define PADDING 1024
#define LOOK 10
#define STRIDE 12
#define BLOCK 64

typedef struct {
    uint8_t bits[16];    /* number of codes of each length, 1..16 */
    uint8_t values[256]; /* symbols in the order of their codes */
} huffman_spec;

typedef struct {
    int16_t *values;        /* BLOCK coefficients per block in zigzag order, or one DC per block */
    const uint8_t *touched; /* one per block: whether it is replaced */
    int32_t stride, rows;   /* size of both arrays in blocks */
    int32_t h, v;           /* blocks of this component per MCU of this scan */
    int32_t dc_table, ac_table;
} component;

typedef struct {
    int32_t n_components;
    int32_t ss, se, ah, al;
    int32_t restart; /* MCUs per restart interval, 0 for none */
    int32_t mcus_x, mcus_y;
    int32_t is_progressive;
    component components[4];
    huffman_spec dc[4], ac[4];
} scan;

typedef struct {
    uint8_t *data;
    size_t size;
} result;

/* ---- tables ------------------------------------------------------------------------------------- */

typedef struct {
    uint16_t look[1 << LOOK];     /* length << 8 | symbol; 0 where the code is longer than LOOK */
    uint16_t stride[1 << STRIDE]; /* AC only: bits << 8 | ends << 7 | steps of all that lie whole in STRIDE bits */
    int32_t max_code[18];     /* largest code of each length, -1 for none */
    int32_t offset[17];       /* index of a code's symbol, minus the code */
    uint8_t values[256];
} decoding_table;

typedef struct {
    uint16_t code[256];
    uint8_t length[256]; /* 0 where the symbol has no code */
} encoding_table;

#define END_OF_BLOCK 128 /* steps: more than any block has */

/* Places in a block that an AC symbol takes. */
static inline int ac_steps(int symbol)
{
    int run = symbol >> 4, size = symbol & 15;
    return size == 0 && run != 15 ? END_OF_BLOCK : run + 1;
}

/* Follow the codes in each window of STRIDE bits as far as they lie in it with their values. */
static void make_strides(decoding_table *table)
{
    for (uint32_t window = 0; window < 1 << STRIDE; window++) {
        int bits = 0, steps = 0;
        while (steps < END_OF_BLOCK) {
            uint32_t rest = window << bits & ((1 << STRIDE) - 1);
            uint16_t entry = table->look[rest >> (STRIDE - LOOK)];
            int total = (entry >> 8) + (entry & 15), more = ac_steps(entry & 255);
            if (entry == 0 || bits + total > STRIDE || (steps + more >= BLOCK && more != END_OF_BLOCK)) break;
            bits += total;
            steps += more;
        }
        table->stride[window] = (uint16_t)(bits << 8 | steps);
    }
}

/* T.81 C.2 and F.2.2.3. */
static int make_decoding_table(const huffman_spec *spec, decoding_table *table)
{
    int32_t code = 0;
    int index = 0;
    memset(table, 0, sizeof *table);
    memcpy(table->values, spec->values, sizeof table->values);
    for (int length = 1; length <= 16; length++) {
        int count = spec->bits[length - 1];
        if (index + count > 256 || code + count > 1 << length) return DAMAGED;
        table->offset[length] = index - code;
        table->max_code[length] = count ? code + count - 1 : -1;
        for (int i = 0; i < count; i++, code++, index++) {
            if (length > LOOK) continue;
            int symbol = spec->values[index];
            int first = code << (LOOK - length), span = 1 << (LOOK - length);
            for (int j = first; j < first + span; j++) table->look[j] = (uint16_t)(length << 8 | symbol);
        }
        code <<= 1;
    }
    table->max_code[17] = INT32_MAX;
    return OK;
}

static int make_encoding_table(const huffman_spec *spec, encoding_table *table)
{
    int32_t code = 0;
    int index = 0;
    memset(table, 0, sizeof *table);
    for (int length = 1; length <= 16; length++) {
        for (int i = 0; i < spec->bits[length - 1]; i++, code++, index++) {
            if (index >= 256 || code >= 1 << length) return DAMAGED;
            table->code[spec->values[index]] = (uint16_t)code;
            table->length[spec->values[index]] = (uint8_t)length;
        }
        code <<= 1;
    }
    return OK;
}

/* ---- reading ------------------------------------------------------------------------------------ */

typedef struct {
    const uint8_t *data; /* without stuffed bytes; PADDING bytes behind its last */
    uint64_t at, end;    /* in bits */
} reader;

static inline uint64_t load_big_endian(const uint8_t *from)
{
    uint64_t word;
    memcpy(&word, from, 8);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    word = __builtin_bswap64(word);
#endif
    return word;
}

/* The next bits, left-aligned; at least 57 of them count. */
static inline uint64_t peek(const reader *in)
{
    return load_big_endian(in->data + (in->at >> 3)) << (in->at & 7);
}

static inline int32_t take(reader *in, int count)
{
    if (count == 0) return 0;
    int32_t value = (int32_t)(peek(in) >> (64 - count));
    in->at += (uint64_t)count;
    return value;
}

/* The symbol at the left of `window`, its length in `*length`; -1 where no code matches. */
static inline int symbol_at(const decoding_table *table, uint64_t window, int *length)
{
    uint16_t entry = table->look[window >> (64 - LOOK)];
    if (LIKELY(entry != 0)) {
        *length = entry >> 8;
        return entry & 255;
    }
    for (int bits = LOOK + 1; bits <= 16; bits++) {
        int32_t code = (int32_t)(window >> (64 - bits));
        if (code <= table->max_code[bits]) {
            *length = bits;
            return table->values[(code + table->offset[bits]) & 255];
        }
    }
    return -1;
}

static inline int take_symbol(reader *in, const decoding_table *table)
{
    int length = 0, symbol = symbol_at(table, peek(in), &length);
    in->at += (uint64_t)length;
    return symbol;
}

/* T.81 F.2.2.1, EXTEND. */
static inline int32_t extended(int32_t value, int size)
{
    return size && value < 1 << (size - 1) ? value - (1 << size) + 1 : value;
}

/* Whether the reader has run past its segment. */
static inline int has_overrun(const reader *in)
{
    return in->at > in->end;
}

/* ---- writing ------------------------------------------------------------------------------------ */

typedef struct {
    uint8_t *data;
    size_t size, capacity;
    uint64_t bits; /* right-aligned */
    int count;     /* fewer than 32 between calls */
    int error;
} writer;

static inline void require_room(writer *out, size_t bytes)
{
    if (LIKELY(out->capacity - out->size >= bytes)) return;
    size_t capacity = out->capacity * 2 + bytes + 4096;
    uint8_t *data = out->error ? NULL : realloc(out->data, capacity);
    if (data == NULL) {
        /* Go on over the same bytes: the error is looked at when the scan ends. */
        out->error = NO_MEMORY;
        out->size = 0;
        return;
    }
    out->data = data;
    out->capacity = capacity;
}

static inline void put_byte(writer *out, uint8_t byte)
{
    out->data[out->size++] = byte;
    if (byte == 0xFF) out->data[out->size++] = 0;
}

/* Write up to 32 bits; `value` has none above them. */
static inline void put(writer *out, uint32_t value, int count)
{
    out->bits = out->bits << count | value;
    out->count += count;
    if (out->count < 32) return;
    out->count -= 32;
    uint32_t word = (uint32_t)(out->bits >> out->count);
    require_room(out, 8);
    /* Some byte is FF where its complement is 0. */
    if (LIKELY(((~word - 0x01010101u) & word & 0x80808080u) == 0)) {
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        word = __builtin_bswap32(word);
#endif
        memcpy(out->data + out->size, &word, 4);
        out->size += 4;
        return;
    }
    for (int shift = 24; shift >= 0; shift -= 8) put_byte(out, (uint8_t)(word >> shift));
}

/* Fill the last byte with ones, T.81 F.1.2.3. */
static void put_padding(writer *out)
{
    int missing = -out->count & 7;
    put(out, (1u << missing) - 1, missing);
    require_room(out, 16);
    while (out->count) {
        out->count -= 8;
        put_byte(out, (uint8_t)(out->bits >> out->count));
    }
}

static void put_restart(writer *out, int64_t index)
{
    put_padding(out);
    require_room(out, 2);
    out->data[out->size++] = 0xFF;
    out->data[out->size++] = (uint8_t)(0xD0 + (index & 7));
}

/* Write bits `from`..`to` of data without stuffed bytes. */
static inline void copy_bits(writer *out, const uint8_t *clean, uint64_t from, uint64_t to)
{
    reader in = {clean, from, to};
    for (; in.at + 32 <= to; in.at += 32) put(out, (uint32_t)(peek(&in) >> 32), 32);
    int rest = (int)(to - in.at);
    if (rest) put(out, (uint32_t)(peek(&in) >> (64 - rest)), rest);
}

static inline int bit_length(uint32_t value)
{
    return value ? 32 - __builtin_clz(value) : 0;
}

static int start_writer(writer *out, size_t capacity)
{
    memset(out, 0, sizeof *out);
    out->data = malloc(capacity + 64);
    out->capacity = capacity + 64;
    return out->data ? OK : NO_MEMORY;
}

static int end_writer(writer *out, int status, result *done)
{
    if (status == OK) status = out->error;
    if (status == OK) {
        put_padding(out);
        status = out->error;
    }
    if (status != OK) {
        free(out->data);
        return status;
    }
    done->data = out->data;
    done->size = out->size;
    return OK;
}

/* ---- geometry ----------------------------------------------------------------------------------- */

static inline size_t block_index(const component *c, int64_t mcu_y, int64_t mcu_x, int by, int bx)
{
    return (size_t)(mcu_y * c->v + by) * (size_t)c->stride + (size_t)(mcu_x * c->h + bx);
}

static inline int64_t mcus_of(const scan *s)
{
    return (int64_t)s->mcus_x * s->mcus_y;
}

static inline int64_t segments_of(const scan *s)
{
    return s->restart ? (mcus_of(s) + s->restart - 1) / s->restart : 1;
}

/* Whether an MCU is replaced; its first block tells for all. */
static inline int is_touched(const scan *s, int64_t mcu)
{
    const component *c = &s->components[0];
    return c->touched[block_index(c, mcu / s->mcus_x, mcu % s->mcus_x, 0, 0)];
}

/* Whether every index that a walk over the scan can form lies inside its arrays. */
static int is_sound(const scan *s)
{
    if (s->n_components < 1 || s->n_components > 4 || s->mcus_x < 1 || s->mcus_y < 1 || s->restart < 0) return 0;
    if (s->ss < 0 || s->ss > s->se || s->se > 63 || s->al < 0 || s->al > 13 || s->ah < 0 || s->ah > 13) return 0;
    if (s->is_progressive && s->ss > 0 && s->n_components != 1) return 0;
    for (int i = 0; i < s->n_components; i++) {
        const component *c = &s->components[i];
        if (c->h < 1 || c->h > 4 || c->v < 1 || c->v > 4) return 0;
        if (c->dc_table < 0 || c->dc_table > 3 || c->ac_table < 0 || c->ac_table > 3) return 0;
        if ((int64_t)s->mcus_x * c->h > c->stride || (int64_t)s->mcus_y * c->v > c->rows) return 0;
    }
    return 1;
}

#endif
