/* Whole scans into coefficients and back: progressive files, and sequential ones that need other tables.
 *
 * Source: ITU-T T.81 annex F (sequential) and annex G (progressive). Coefficients are kept in zigzag order,
 * which is the order of the stream.
 */
#include "bits.h"

#define MAX_CORRECTIONS 1000
#define MAX_EOB_RUN 0x7FFF

/* ---- decoding ----------------------------------------------------------------------------------- */

typedef struct {
    const scan *s;
    reader in;
    int32_t last[4];
    int32_t eob_run;
    decoding_table dc[4], ac[4];
} decoder;

static inline int fits(int32_t value)
{
    return value >= -INT16_MAX && value <= INT16_MAX;
}

static int decode_dc(decoder *d, int i, int16_t *block)
{
    const scan *s = d->s;
    if (s->ah) {
        /* Sets a bit below all bits known so far, in two's complement: G.1.2.1.1. */
        if (take(&d->in, 1)) block[0] = (int16_t)(block[0] | 1 << s->al);
        return OK;
    }
    int size = take_symbol(&d->in, &d->dc[s->components[i].dc_table]);
    if (size < 0 || size > 15) return DAMAGED;
    d->last[i] += extended(take(&d->in, size), size);
    int32_t value = fits(d->last[i]) ? d->last[i] * (1 << s->al) : INT32_MAX;
    if (!fits(value)) return DAMAGED;
    block[0] = (int16_t)value;
    return OK;
}

/* First look at a band of AC coefficients: F.2.2.2 and G.1.2.2. */
static int decode_ac_first(decoder *d, const decoding_table *table, int16_t *block, int from)
{
    const scan *s = d->s;
    if (d->eob_run) {
        d->eob_run--;
        return OK;
    }
    for (int k = from; k <= s->se; k++) {
        int symbol = take_symbol(&d->in, table);
        if (symbol < 0) return DAMAGED;
        int run = symbol >> 4, size = symbol & 15;
        if (size) {
            k += run;
            int32_t value = extended(take(&d->in, size), size) * (1 << s->al);
            if (k > s->se || !fits(value)) return DAMAGED;
            block[k] = (int16_t)value;
        } else if (run == 15) {
            k += 15;
        } else {
            if (s->is_progressive) d->eob_run = (1 << run) + take(&d->in, run) - 1;
            return OK;
        }
    }
    return OK;
}

/* Read the next bit of a coefficient that is known to differ from zero. */
static inline int correct(decoder *d, int16_t *coefficient)
{
    int32_t value = *coefficient, bit = 1 << d->s->al;
    if (take(&d->in, 1) && (value & bit) == 0) value += value >= 0 ? bit : -bit;
    if (!fits(value)) return DAMAGED;
    *coefficient = (int16_t)value;
    return OK;
}

/* Correct `skip` zero coefficients' worth of a band; `*k` ends on the next zero one or behind the band. */
static int correct_over(decoder *d, int16_t *block, int *k, int skip)
{
    for (; *k <= d->s->se; (*k)++) {
        if (block[*k] == 0) {
            if (--skip < 0) return OK;
        } else if (correct(d, &block[*k])) {
            return DAMAGED;
        }
    }
    return OK;
}

/* A further look at a band: G.1.2.3. */
static int decode_ac_further(decoder *d, const decoding_table *table, int16_t *block)
{
    const scan *s = d->s;
    int k = s->ss;
    while (k <= s->se && d->eob_run == 0) {
        int symbol = take_symbol(&d->in, table);
        if (symbol < 0) return DAMAGED;
        int run = symbol >> 4, size = symbol & 15;
        int32_t fresh = 0;
        if (size > 1) return DAMAGED;
        if (size) {
            fresh = take(&d->in, 1) ? 1 << s->al : -(1 << s->al);
        } else if (run != 15) {
            d->eob_run = (1 << run) + take(&d->in, run);
            break;
        }
        if (correct_over(d, block, &k, run)) return DAMAGED;
        if (fresh && k > s->se) return DAMAGED;
        if (fresh) block[k] = (int16_t)fresh;
        k++;
    }
    if (d->eob_run) {
        d->eob_run--;
        return correct_over(d, block, &k, BLOCK);
    }
    return OK;
}

static int decode_block(decoder *d, int i, int16_t *block)
{
    const scan *s = d->s;
    const decoding_table *ac = &d->ac[s->components[i].ac_table];
    if (s->ss == 0) {
        int status = decode_dc(d, i, block);
        return status || s->is_progressive ? status : decode_ac_first(d, ac, block, 1);
    }
    return s->ah ? decode_ac_further(d, ac, block) : decode_ac_first(d, ac, block, s->ss);
}

static int decode_mcu(decoder *d, int64_t mcu)
{
    int64_t y = mcu / d->s->mcus_x, x = mcu % d->s->mcus_x;
    for (int i = 0; i < d->s->n_components; i++) {
        const component *c = &d->s->components[i];
        for (int by = 0; by < c->v; by++)
            for (int bx = 0; bx < c->h; bx++) {
                int status = decode_block(d, i, c->values + BLOCK * block_index(c, y, x, by, bx));
                if (status != OK) return status;
                if (has_overrun(&d->in)) return TRUNCATED;
            }
    }
    return OK;
}

/* Read a scan into the coefficients of its components. */
EXPORT int obscura_decode(const scan *s, const uint8_t *clean, const int64_t *starts)
{
    if (!is_sound(s)) return BAD_CALL;
    int64_t mcus = mcus_of(s), segments = segments_of(s), step = s->restart ? s->restart : mcus;
    int status = OK;
    decoder *d = malloc(sizeof *d);
    if (d == NULL) return NO_MEMORY;
    d->s = s;
    for (int i = 0; i < 4 && status == OK; i++) {
        status = make_decoding_table(&s->dc[i], &d->dc[i]);
        if (status == OK) status = make_decoding_table(&s->ac[i], &d->ac[i]);
    }
    for (int64_t segment = 0; segment < segments && status == OK; segment++) {
        int64_t stop = (segment + 1) * step < mcus ? (segment + 1) * step : mcus;
        d->in = (reader){clean, (uint64_t)starts[segment] * 8, (uint64_t)starts[segment + 1] * 8};
        memset(d->last, 0, sizeof d->last);
        d->eob_run = 0;
        for (int64_t mcu = segment * step; mcu < stop && status == OK; mcu++) status = decode_mcu(d, mcu);
    }
    free(d);
    return status;
}

/* ---- encoding ----------------------------------------------------------------------------------- */

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

/* Turn coefficients into tokens, and count their symbols: `counts` is [8][256], DC tables then AC tables. */
EXPORT int obscura_tokens(const scan *s, uint32_t *counts, result *done)
{
    if (!is_sound(s)) return BAD_CALL;
    encoder *e = calloc(1, sizeof *e);
    if (e == NULL) return NO_MEMORY;
    e->s = s;
    e->counts = counts;
    e->capacity = 1 << 16;
    e->tokens = malloc(e->capacity * sizeof *e->tokens);
    if (e->tokens == NULL) e->error = NO_MEMORY;
    else encode_segments(e);
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

/* Write tokens with the tables of `s`. */
EXPORT int obscura_encode(const scan *s, const uint8_t *tokens, size_t size, result *done)
{
    encoding_table *tables = malloc(8 * sizeof *tables);
    writer out;
    int status = tables == NULL ? NO_MEMORY : OK;
    for (int i = 0; i < 4 && status == OK; i++) {
        status = make_encoding_table(&s->dc[i], &tables[i]);
        if (status == OK) status = make_encoding_table(&s->ac[i], &tables[4 + i]);
    }
    if (status == OK) status = start_writer(&out, size);
    if (status != OK) {
        free(tables);
        return status;
    }
    for (size_t at = 0; at + sizeof(token) <= size && status == OK; at += sizeof(token)) {
        token t;
        memcpy(&t, tokens + at, sizeof t);
        if (UNLIKELY(t & IS_RESTART)) {
            put_restart(&out, t & 7);
            continue;
        }
        const encoding_table *table = &tables[t >> 27 & 7];
        int symbol = (int)(t >> 19 & 255), length = t & HAS_SYMBOL ? table->length[symbol] : 0;
        if (UNLIKELY((t & HAS_SYMBOL) && length == 0)) status = NO_CODE;
        uint32_t code = length ? table->code[symbol] : 0;
        put(&out, code << raw_bits(t) | (t & 0x7FFF), length + raw_bits(t));
    }
    free(tables);
    return end_writer(&out, status, done);
}
