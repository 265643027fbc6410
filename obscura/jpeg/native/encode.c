/* Coefficients into scans: whole ones with tables that fit, or only what changes in one.
 *
 * Source: ITU-T T.81 annex F (sequential) and annex G (progressive). Coefficients are kept in zigzag order,
 * which is the order of the stream.
 */
#include "bits.h"

#define MAX_CORRECTIONS 1000
#define MAX_EOB_RUN 0x7FFF

/* What is to be written, before it is known with which codes: one token per symbol with the bits behind it.
 *
 * Bits 0..14: raw bits; 15..18: how many; 19..26: the symbol; 27..29: its table, DC 0..3 then AC 0..3;
 * 30: whether there is a symbol; 31: whether this is a restart marker instead. */
typedef uint32_t token;

#define MAX_RAW 15
#define HAS_SYMBOL (1u << 30)
#define IS_RESTART (1u << 31)

static inline int raw_bits(token t)
{
    return (int)(t >> 15 & 15);
}

typedef struct {
    const scan *s;
    token *tokens;
    size_t size, capacity;
    int32_t last[4];
    int32_t eob_run;
    int run_table; /* of the pending run of ends of block */
    int n_corrections;
    uint8_t corrections[MAX_CORRECTIONS + BLOCK];
    uint32_t *counts; /* [8][256] */
    int error;
} encoder;

static inline void put_token(encoder *e, token t)
{
    if (UNLIKELY(e->size == e->capacity)) {
        size_t capacity = e->capacity * 2;
        token *tokens = e->error ? NULL : realloc(e->tokens, capacity * sizeof *tokens);
        if (tokens == NULL) {
            /* Go on over the same memory: the error is looked at when the scan ends. */
            e->error = NO_MEMORY;
            e->size = 0;
        } else {
            e->tokens = tokens;
            e->capacity = capacity;
        }
    }
    e->tokens[e->size++] = t;
}

static inline void put_symbol(encoder *e, int table, int symbol)
{
    e->counts[256 * table + symbol]++;
    put_token(e, HAS_SYMBOL | (uint32_t)table << 27 | (uint32_t)symbol << 19);
}

/* Add raw bits, to the last token where they fit. */
static inline void put_value(encoder *e, uint32_t value, int count)
{
    if (count == 0) return;
    value &= (1u << count) - 1;
    token *t = e->size ? &e->tokens[e->size - 1] : NULL;
    if (LIKELY(t && !(*t & IS_RESTART) && raw_bits(*t) + count <= MAX_RAW)) {
        uint32_t raw = (*t & 0x7FFF) << count | value;
        *t = (*t & ~0x7FFFFu) | (uint32_t)(raw_bits(*t) + count) << 15 | raw;
        return;
    }
    put_token(e, (uint32_t)count << 15 | value);
}

static void put_corrections(encoder *e, const uint8_t *bits, int count)
{
    for (int i = 0; i < count; i++) put_value(e, bits[i], 1);
}

static void put_eob_run(encoder *e)
{
    if (e->eob_run == 0) return;
    int size = bit_length((uint32_t)e->eob_run) - 1;
    put_symbol(e, e->run_table, size << 4);
    put_value(e, (uint32_t)e->eob_run, size);
    e->eob_run = 0;
    put_corrections(e, e->corrections, e->n_corrections);
    e->n_corrections = 0;
}

static void encode_dc(encoder *e, int i, const int16_t *block)
{
    const scan *s = e->s;
    int32_t value = block[0] >> s->al;
    if (s->ah) {
        put_value(e, (uint32_t)value & 1, 1);
        return;
    }
    int32_t difference = value - e->last[i];
    int size = bit_length((uint32_t)abs(difference));
    e->last[i] = value;
    if (size > 15) {
        e->error = NO_CODE;
        return;
    }
    put_symbol(e, s->components[i].dc_table, size);
    put_value(e, (uint32_t)(difference - (difference < 0)), size);
}

/* Magnitudes of the coefficients of a band above the bits that a scan leaves out. */
static inline void magnitudes(const scan *s, const int16_t *block, uint16_t *into)
{
    for (int k = 0; k < BLOCK; k++) {
        int value = block[k];
        into[k] = (uint16_t)((value < 0 ? -value : value) >> s->al);
    }
}

/* Whether four magnitudes from the `k`th on lie in the band and are all zero. */
static inline int are_four_zeros(const scan *s, const uint16_t *magnitude, int k)
{
    uint64_t four;
    if (k + 3 > s->se) return 0;
    memcpy(&four, magnitude + k, sizeof four);
    return four == 0;
}

static void encode_ac_first(encoder *e, int table, const int16_t *block)
{
    const scan *s = e->s;
    int run = 0;
    uint16_t magnitude[BLOCK];
    magnitudes(s, block, magnitude);
    for (int k = s->ss ? s->ss : 1; k <= s->se; k++) {
        if (are_four_zeros(s, magnitude, k)) {
            run += 4;
            k += 3;
            continue;
        }
        int size_of = magnitude[k];
        if (size_of == 0) {
            run++;
            continue;
        }
        put_eob_run(e);
        for (; run > 15; run -= 16) put_symbol(e, table, 0xF0);
        int size = bit_length((uint32_t)size_of);
        put_symbol(e, table, run << 4 | size);
        put_value(e, block[k] < 0 ? ~(uint32_t)size_of : (uint32_t)size_of, size);
        run = 0;
    }
    if (run == 0) return;
    if (!s->is_progressive) {
        put_symbol(e, table, 0);
        return;
    }
    e->run_table = table;
    if (++e->eob_run == MAX_EOB_RUN) put_eob_run(e);
}

static void encode_ac_further(encoder *e, int table, const int16_t *block)
{
    const scan *s = e->s;
    int run = 0, last_fresh = 0, pending = 0;
    uint8_t *bits = e->corrections + e->n_corrections;
    uint16_t magnitude[BLOCK];
    magnitudes(s, block, magnitude);
    for (int k = s->ss; k <= s->se; k++) {
        if (are_four_zeros(s, magnitude, k)) k += 3;
        else if (magnitude[k] == 1) last_fresh = k;
    }
    for (int k = s->ss; k <= s->se; k++) {
        if (are_four_zeros(s, magnitude, k)) {
            run += 4;
            k += 3;
            continue;
        }
        int size_of = magnitude[k];
        if (size_of == 0) {
            run++;
            continue;
        }
        for (; run > 15 && k <= last_fresh; run -= 16) {
            put_eob_run(e);
            put_symbol(e, table, 0xF0);
            put_corrections(e, bits, pending);
            bits = e->corrections;
            pending = 0;
        }
        if (size_of > 1) {
            bits[pending++] = (uint8_t)(size_of & 1);
            continue;
        }
        put_eob_run(e);
        put_symbol(e, table, run << 4 | 1);
        put_value(e, block[k] >= 0, 1);
        put_corrections(e, bits, pending);
        bits = e->corrections;
        pending = 0;
        run = 0;
    }
    if (run == 0 && pending == 0) return;
    e->run_table = table;
    e->n_corrections += pending;
    if (++e->eob_run == MAX_EOB_RUN || e->n_corrections > MAX_CORRECTIONS - BLOCK) put_eob_run(e);
}

static void encode_block(encoder *e, int i, const int16_t *block)
{
    const scan *s = e->s;
    int table = 4 + s->components[i].ac_table;
    if (s->ss == 0) encode_dc(e, i, block);
    if (s->ss == 0 && s->is_progressive) return;
    if (s->ah) encode_ac_further(e, table, block);
    else encode_ac_first(e, table, block);
}

static void encode_mcu(encoder *e, int64_t mcu)
{
    int64_t y = mcu / e->s->mcus_x, x = mcu % e->s->mcus_x;
    for (int i = 0; i < e->s->n_components; i++) {
        const component *c = &e->s->components[i];
        for (int by = 0; by < c->v; by++)
            for (int bx = 0; bx < c->h; bx++)
                encode_block(e, i, c->values + BLOCK * block_index(c, y, x, by, bx));
    }
}

static void encode_segments(encoder *e)
{
    int64_t mcus = mcus_of(e->s);
    for (int64_t mcu = 0; mcu < mcus && e->error == OK; mcu++) {
        if (e->s->restart && mcu && mcu % e->s->restart == 0) {
            put_eob_run(e);
            memset(e->last, 0, sizeof e->last);
            put_token(e, IS_RESTART | (uint32_t)((mcu / e->s->restart - 1) & 7));
        }
        encode_mcu(e, mcu);
    }
    put_eob_run(e);
}

static encoder *new_encoder(const scan *s, uint32_t *counts)
{
    encoder *e = calloc(1, sizeof *e);
    if (e == NULL) return NULL;
    e->s = s;
    e->counts = counts;
    e->capacity = 1 << 16;
    e->tokens = malloc(e->capacity * sizeof *e->tokens);
    if (e->tokens == NULL) e->error = NO_MEMORY;
    return e;
}

/* Turn coefficients into tokens, and count their symbols: `counts` is [8][256], DC tables then AC tables. */
EXPORT int obscura_tokens(const scan *s, uint32_t *counts, result *done)
{
    if (!is_sound(s)) return BAD_CALL;
    encoder *e = new_encoder(s, counts);
    if (e == NULL) return NO_MEMORY;
    if (e->error == OK) encode_segments(e);
    int status = e->error;
    if (status == OK) {
        done->data = (uint8_t *)e->tokens;
        done->size = e->size * sizeof *e->tokens;
    } else {
        free(e->tokens);
    }
    free(e);
    return status;
}

/* Tables of a scan as `put_tokens` looks them up: DC 0..3, then AC 0..3. */
static int make_encoding_tables(const scan *s, encoding_table *tables)
{
    for (int i = 0; i < 4; i++)
        if (make_encoding_table(&s->dc[i], &tables[i]) || make_encoding_table(&s->ac[i], &tables[4 + i]))
            return DAMAGED;
    return OK;
}

static int put_tokens(writer *out, const encoding_table *tables, const uint8_t *tokens, size_t size)
{
    for (size_t at = 0; at + sizeof(token) <= size; at += sizeof(token)) {
        token t;
        memcpy(&t, tokens + at, sizeof t);
        if (UNLIKELY(t & IS_RESTART)) {
            put_restart(out, t & 7);
            continue;
        }
        const encoding_table *table = &tables[t >> 27 & 7];
        int symbol = (int)(t >> 19 & 255), length = t & HAS_SYMBOL ? table->length[symbol] : 0;
        if (UNLIKELY((t & HAS_SYMBOL) && length == 0)) return NO_CODE;
        uint32_t code = length ? table->code[symbol] : 0;
        put(out, code << raw_bits(t) | (t & 0x7FFF), length + raw_bits(t));
    }
    return OK;
}

/* Write tokens with the tables of `s`. */
EXPORT int obscura_encode(const scan *s, const uint8_t *tokens, size_t size, result *done)
{
    encoding_table *tables = malloc(8 * sizeof *tables);
    writer out;
    int status = tables == NULL ? NO_MEMORY : make_encoding_tables(s, tables);
    if (status == OK) status = start_writer(&out, size);
    if (status == OK) {
        status = put_tokens(&out, tables, tokens, size);
        status = end_writer(&out, status, done);
    }
    free(tables);
    return status;
}

/* ---- patching ----------------------------------------------------------------------------------- */

typedef struct {
    const scan *s;
    const uint8_t *clean;
    const int64_t *ends;
    encoder *e;
    writer out;
    encoding_table tables[8];
} patcher;

/* DC coefficients that an MCU leaves behind, as a scan predicts from them. */
static void leave(const patcher *p, int64_t mcu, int32_t *last)
{
    const scan *s = p->s;
    for (int i = 0; i < s->n_components; i++) {
        const component *c = &s->components[i];
        size_t block = block_index(c, mcu / s->mcus_x, mcu % s->mcus_x, c->v - 1, c->h - 1);
        last[i] = c->values[BLOCK * block] >> s->al;
    }
}

/* Whether an MCU cannot be copied because of those before it. */
static int depends_on_last(const patcher *p, int64_t mcu)
{
    int is_predicted = p->s->ss == 0 && p->s->ah == 0;
    return p->ends[mcu - 1] < 0 || (is_predicted && is_touched(p->s, mcu - 1));
}

/* Write MCUs `from`..`to` of a restart interval that begins with `first`, from their coefficients. */
static int put_fresh(patcher *p, int64_t first, int64_t from, int64_t to)
{
    encoder *e = p->e;
    e->size = 0;
    memset(e->last, 0, sizeof e->last);
    if (from > first && p->s->ss == 0) leave(p, from - 1, e->last);
    for (int64_t mcu = from; mcu < to && e->error == OK; mcu++) encode_mcu(e, mcu);
    put_eob_run(e);
    return e->error ? e->error : put_tokens(&p->out, p->tables, (uint8_t *)e->tokens, e->size * sizeof(token));
}

static int patch_segment(patcher *p, int64_t start, int64_t first, int64_t stop)
{
    int64_t copied = start, clear = first; /* in bits; the first MCU that is not written yet */
    for (int64_t mcu = first; mcu < stop; mcu++) {
        if (!is_touched(p->s, mcu)) continue;
        int64_t from = mcu, to = mcu + 1;
        /* A run of ends of block is written anew as a whole. */
        while (from > clear && p->ends[from - 1] < 0) from--;
        while (to < stop && (is_touched(p->s, to) || depends_on_last(p, to))) to++;
        copy_bits(&p->out, p->clean, (uint64_t)copied, (uint64_t)(from > first ? p->ends[from - 1] : start));
        int status = put_fresh(p, first, from, to);
        if (status != OK) return status;
        copied = p->ends[to - 1];
        clear = to;
        mcu = to - 1;
    }
    copy_bits(&p->out, p->clean, (uint64_t)copied, (uint64_t)p->ends[stop - 1]);
    return OK;
}

/* Write a scan again with what is replaced in it, bit by bit as it was everywhere else. `values` hold the new
 * coefficients, `ends` what decoding found in the same `clean`. NO_CODE where the source's tables cannot say
 * what is new. */
EXPORT int obscura_patch(const scan *s, const uint8_t *clean, const int64_t *starts, const int64_t *ends,
                         result *done)
{
    static const size_t n_counts = 8 * 256;
    if (!is_sound(s)) return BAD_CALL;
    patcher *p = calloc(1, sizeof *p);
    uint32_t *counts = calloc(n_counts, sizeof *counts);
    encoder *e = new_encoder(s, counts);
    int64_t mcus = mcus_of(s), segments = segments_of(s), step = s->restart ? s->restart : mcus;
    int status = p == NULL || counts == NULL || e == NULL ? NO_MEMORY : e->error;
    if (status == OK) {
        p->s = s;
        p->clean = clean;
        p->ends = ends;
        p->e = e;
        status = make_encoding_tables(s, p->tables);
    }
    if (status == OK) status = start_writer(&p->out, (size_t)starts[segments] + 4096);
    if (status == OK) {
        for (int64_t segment = 0; segment < segments && status == OK; segment++) {
            int64_t stop = (segment + 1) * step < mcus ? (segment + 1) * step : mcus;
            if (segment) put_restart(&p->out, segment - 1);
            status = patch_segment(p, starts[segment] * 8, segment * step, stop);
        }
        status = end_writer(&p->out, status, done);
    }
    if (e != NULL) free(e->tokens);
    free(e);
    free(counts);
    free(p);
    return status;
}
