/* Whole scans into coefficients: progressive files, and sequential ones that need other tables.
 *
 * Source: ITU-T T.81 annex F (sequential) and annex G (progressive). Coefficients are kept in zigzag order,
 * which is the order of the stream.
 */
#include "bits.h"

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

static int start_decoder(decoder *d, const scan *s)
{
    int status = OK;
    d->s = s;
    d->eob_run = 0;
    memset(d->last, 0, sizeof d->last);
    for (int i = 0; i < 4 && status == OK; i++) {
        status = make_decoding_table(&s->dc[i], &d->dc[i]);
        if (status == OK) status = make_decoding_table(&s->ac[i], &d->ac[i]);
    }
    return status;
}

/* Read some MCUs of a sequential scan, those for which `wanted` is not 0, given where each MCU ends. The DC
 * coefficients of each start at 0: only the caller, who has surveyed the scan, knows what they are. */
EXPORT int obscura_read(const scan *s, const uint8_t *clean, const int64_t *starts, const int64_t *ends,
                        const uint8_t *wanted)
{
    if (!is_sound(s) || s->is_progressive) return BAD_CALL;
    int64_t mcus = mcus_of(s), step = s->restart ? s->restart : mcus;
    decoder *d = malloc(sizeof *d);
    if (d == NULL) return NO_MEMORY;
    int status = start_decoder(d, s);
    for (int64_t mcu = 0; mcu < mcus && status == OK; mcu++) {
        if (!wanted[mcu]) continue;
        int64_t segment = mcu / step;
        int64_t from = mcu % step ? ends[mcu - 1] : starts[segment] * 8;
        d->in = (reader){clean, (uint64_t)from, (uint64_t)starts[segment + 1] * 8};
        memset(d->last, 0, sizeof d->last);
        status = decode_mcu(d, mcu);
    }
    free(d);
    return status;
}

/* Read a scan into the coefficients of its components, and where each MCU ends into `ends`: a bit of `clean`, or
 * -1 where a run of ends of block goes on over the next MCU of the same restart interval. */
EXPORT int obscura_decode(const scan *s, const uint8_t *clean, const int64_t *starts, int64_t *ends)
{
    if (!is_sound(s)) return BAD_CALL;
    int64_t mcus = mcus_of(s), segments = segments_of(s), step = s->restart ? s->restart : mcus;
    decoder *d = malloc(sizeof *d);
    if (d == NULL) return NO_MEMORY;
    int status = start_decoder(d, s);
    for (int64_t segment = 0; segment < segments && status == OK; segment++) {
        int64_t stop = (segment + 1) * step < mcus ? (segment + 1) * step : mcus;
        d->in = (reader){clean, (uint64_t)starts[segment] * 8, (uint64_t)starts[segment + 1] * 8};
        memset(d->last, 0, sizeof d->last);
        d->eob_run = 0;
        for (int64_t mcu = segment * step; mcu < stop && status == OK; mcu++) {
            status = decode_mcu(d, mcu);
            ends[mcu] = d->eob_run && mcu + 1 < stop ? -1 : (int64_t)d->in.at;
        }
    }
    free(d);
    return status;
}
