/* The splice of a sequential scan: bits of MCUs that stay are copied, never decoded into coefficients.
 *
 * A first walk finds where each MCU ends and what its DC coefficients are. A second one writes the scan anew:
 * replaced blocks as a DC coefficient and an end of block; the first MCU behind them with new DC differences,
 * since those are taken from block to block (T.81 F.1.1.5.1); everything else bit by bit as it was.
 */
#include "bits.h"

/* Take stuffed bytes and restart markers out of a scan, T.81 B.1.1.5.
 *
 * `clean` has room for `size` + PADDING bytes; `starts` for `segments` + 1 byte offsets into it.
 */
EXPORT int obscura_unstuff(const uint8_t *data, size_t size, uint8_t *clean, int64_t *starts, int64_t segments)
{
    const uint8_t *from = data, *end = data + size;
    uint8_t *to = clean;
    int64_t segment = 0;
    starts[0] = 0;
    while (from < end) {
        const uint8_t *mark = memchr(from, 0xFF, (size_t)(end - from));
        size_t run = (size_t)((mark ? mark : end) - from);
        memcpy(to, from, run);
        to += run;
        if (mark == NULL) break;
        from = mark + 1;
        while (from < end && *from == 0xFF) from++;
        if (from == end) break;
        if (*from == 0) {
            *to++ = 0xFF;
        } else if (*from == 0xD0 + (segment & 7) && segment + 1 < segments) {
            starts[++segment] = to - clean;
        } else {
            return DAMAGED;
        }
        from++;
    }
    if (segment + 1 != segments) return TRUNCATED;
    starts[segments] = to - clean;
    memset(to, 0, PADDING);
    return OK;
}

typedef struct {
    decoding_table dc[4], ac[4];
} decoding_tables;

typedef struct {
    encoding_table dc[4], ac[4];
} encoding_tables;

static int make_decoding_tables(const scan *s, decoding_tables *tables)
{
    for (int i = 0; i < 4; i++) {
        if (make_decoding_table(&s->dc[i], &tables->dc[i]) || make_decoding_table(&s->ac[i], &tables->ac[i]))
            return DAMAGED;
        make_strides(&tables->ac[i]);
    }
    return OK;
}

static int make_encoding_tables(const scan *s, encoding_tables *tables)
{
    for (int i = 0; i < 4; i++)
        if (make_encoding_table(&s->dc[i], &tables->dc[i]) || make_encoding_table(&s->ac[i], &tables->ac[i]))
            return DAMAGED;
    return OK;
}

/* Read a DC difference; 0 on success. */
static inline int take_difference(reader *in, const decoding_table *table, int32_t *difference)
{
    int size = take_symbol(in, table);
    if (UNLIKELY(size < 0 || size > 15)) return DAMAGED;
    *difference = extended(take(in, size), size);
    return OK;
}

/* Step over the AC coefficients of a block. */
static inline int skip_ac(reader *in, const decoding_table *table)
{
    int k = 1;
    while (k < BLOCK) {
        uint64_t window = peek(in);
        /* Of 57 bits, a symbol and its value take 31. */
        for (int left = 57; left >= 31 && k < BLOCK;) {
            int entry = table->stride[window >> (64 - STRIDE)];
            int bits = entry >> 8, steps = entry & (END_OF_BLOCK - 1), ends = entry & END_OF_BLOCK;
            if (UNLIKELY(bits == 0 || k + steps >= BLOCK)) {
                int symbol = symbol_at(table, window, &bits);
                if (symbol < 0) return DAMAGED;
                bits += symbol & 15;
                steps = ac_steps(symbol);
                ends = steps & END_OF_BLOCK;
            }
            window <<= bits;
            left -= bits;
            in->at += (uint64_t)bits;
            if (ends) return OK;
            k += steps;
        }
    }
    return UNLIKELY(k > BLOCK) ? DAMAGED : OK;
}

static inline int scan_mcu(const scan *s, const decoding_tables *tables, reader *in, int64_t mcu, int32_t *last)
{
    int64_t y = mcu / s->mcus_x, x = mcu % s->mcus_x;
    for (int i = 0; i < s->n_components; i++) {
        const component *c = &s->components[i];
        for (int by = 0; by < c->v; by++)
            for (int bx = 0; bx < c->h; bx++) {
                int32_t difference;
                if (take_difference(in, &tables->dc[c->dc_table], &difference)) return DAMAGED;
                if (skip_ac(in, &tables->ac[c->ac_table])) return DAMAGED;
                if (UNLIKELY(has_overrun(in))) return TRUNCATED;
                last[i] += difference;
                if (UNLIKELY(last[i] != (int16_t)last[i])) return DAMAGED;
                c->values[block_index(c, y, x, by, bx)] = (int16_t)last[i];
            }
    }
    return OK;
}

/* First walk: DC coefficients into `values` of the components, the bit where each MCU ends into `ends`. */
EXPORT int obscura_survey(const scan *s, const uint8_t *clean, const int64_t *starts, int64_t *ends)
{
    decoding_tables *tables = malloc(sizeof *tables);
    int64_t mcus = mcus_of(s), segments = segments_of(s), step = s->restart ? s->restart : mcus;
    int status = tables == NULL ? NO_MEMORY : is_sound(s) ? make_decoding_tables(s, tables) : BAD_CALL;
    for (int64_t segment = 0; segment < segments && status == OK; segment++) {
        reader in = {clean, (uint64_t)starts[segment] * 8, (uint64_t)starts[segment + 1] * 8};
        int32_t last[4] = {0};
        int64_t stop = (segment + 1) * step < mcus ? (segment + 1) * step : mcus;
        for (int64_t mcu = segment * step; mcu < stop && status == OK; mcu++) {
            status = scan_mcu(s, tables, &in, mcu, last);
            ends[mcu] = (int64_t)in.at;
        }
    }
    free(tables);
    return status;
}

static int put_difference(writer *out, const encoding_table *table, int32_t difference)
{
    int size = bit_length((uint32_t)abs(difference));
    if (size > 15 || table->length[size] == 0) return NO_CODE;
    put(out, table->code[size], table->length[size]);
    if (size) put(out, (uint32_t)(difference - (difference < 0)) & ((1u << size) - 1), size);
    return OK;
}

typedef struct {
    const scan *s;
    const uint8_t *clean;
    decoding_tables decoding;
    encoding_tables encoding;
    writer out;
} splicer;

/* Write an MCU whose blocks are replaced, or whose DC differences are no longer right. */
static int put_mcu(splicer *all, reader in, int64_t mcu, int is_touched, int32_t *last)
{
    int64_t y = mcu / all->s->mcus_x, x = mcu % all->s->mcus_x;
    for (int i = 0; i < all->s->n_components; i++) {
        const component *c = &all->s->components[i];
        const encoding_table *ac = &all->encoding.ac[c->ac_table];
        for (int by = 0; by < c->v; by++)
            for (int bx = 0; bx < c->h; bx++) {
                int32_t value = c->values[block_index(c, y, x, by, bx)], ignored;
                if (put_difference(&all->out, &all->encoding.dc[c->dc_table], value - last[i])) return NO_CODE;
                last[i] = value;
                if (is_touched) {
                    if (ac->length[0] == 0) return NO_CODE;
                    put(&all->out, ac->code[0], ac->length[0]);
                    continue;
                }
                if (take_difference(&in, &all->decoding.dc[c->dc_table], &ignored)) return DAMAGED;
                uint64_t from = in.at;
                if (skip_ac(&in, &all->decoding.ac[c->ac_table])) return DAMAGED;
                copy_bits(&all->out, all->clean, from, in.at);
            }
    }
    return OK;
}

/* Remember the DC coefficients that an MCU leaves behind. */
static void leave(const scan *s, int64_t mcu, int32_t *last)
{
    for (int i = 0; i < s->n_components; i++) {
        const component *c = &s->components[i];
        last[i] = c->values[block_index(c, mcu / s->mcus_x, mcu % s->mcus_x, c->v - 1, c->h - 1)];
    }
}

static int splice_segment(splicer *all, uint64_t start, int64_t first, int64_t stop, const int64_t *ends)
{
    const scan *s = all->s;
    int32_t last[4] = {0};
    int was_touched = 0, status = OK;
    uint64_t copied = start;
    for (int64_t mcu = first; mcu < stop && status == OK; mcu++) {
        int touched = is_touched(s, mcu);
        if (!touched && !was_touched) continue;
        uint64_t from = mcu == first ? start : (uint64_t)ends[mcu - 1];
        if (!was_touched && mcu > first) {
            copy_bits(&all->out, all->clean, copied, from);
            leave(s, mcu - 1, last);
        }
        reader in = {all->clean, from, (uint64_t)ends[mcu]};
        status = put_mcu(all, in, mcu, touched, last);
        copied = (uint64_t)ends[mcu];
        was_touched = touched;
    }
    if (status == OK && !was_touched) copy_bits(&all->out, all->clean, copied, (uint64_t)ends[stop - 1]);
    return status;
}

/* Second walk: the scan with the replaced blocks. `values` hold the new DC coefficients, `ends` what the
 * first walk found in the same `clean`. NO_CODE where the source's tables cannot say what is new. */
EXPORT int obscura_splice(const scan *s, const uint8_t *clean, const int64_t *starts, const int64_t *ends,
                          result *done)
{
    int64_t mcus = mcus_of(s), segments = segments_of(s), step = s->restart ? s->restart : mcus;
    splicer *all = malloc(sizeof *all);
    if (all == NULL) return NO_MEMORY;
    int status = is_sound(s) ? start_writer(&all->out, (size_t)starts[segments] + 4096) : BAD_CALL;
    if (status != OK) {
        free(all);
        return status;
    }
    all->s = s;
    all->clean = clean;
    status = make_decoding_tables(s, &all->decoding);
    if (status == OK) status = make_encoding_tables(s, &all->encoding);
    for (int64_t segment = 0; segment < segments && status == OK; segment++) {
        int64_t stop = (segment + 1) * step < mcus ? (segment + 1) * step : mcus;
        if (segment) put_restart(&all->out, segment - 1);
        status = splice_segment(all, (uint64_t)starts[segment] * 8, segment * step, stop, ends);
    }
    status = end_writer(&all->out, status, done);
    free(all);
    return status;
}

EXPORT void obscura_free(uint8_t *data)
{
    free(data);
}
