/* One step of any number of worlds, and what their agents see.
 *
 * The rules of array_batch.py and reward.py once more, with the same results to the last bit: every number is
 * computed from the same tables by the same operations in the same order. So it must be compiled without
 * contraction (-ffp-contract=off) and without -ffast-math. Only +, -, *, / and comparisons are used, which
 * IEEE 754 rounds alike everywhere; and no meter is -0.0, so that of two equal numbers either may be taken.
 *
 * Everything that a call needs is in one struct, filled once by kernel.py, whose Layout has these fields.
 * A row is one agent of one world: row = world * num_agents + agent.
 */

#include <float.h>
#include <stdint.h>
#include <string.h>

#if FLT_EVAL_METHOD != 0
#error "double precision is not kept here, so results would differ in their last bits"
#endif

#ifdef _WIN32
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

/* Loops over the rows of a block; where that is possible also with the wider registers of newer processors,
 * chosen when the library is loaded. The operations are the same, and so are the results. */
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__)
#define WIDE __attribute__((target_clones("avx2", "default")))
#else
#define WIDE
#endif

enum { ENERGY, HYGIENE, SATIATION, MONEY, MOOD, SOCIAL, METERS };
enum { ACTIONS = 5, FAILED = 1, FIRST_AFFORDANCE = 2, REASONS = 5, THRESHOLDS = 3 };
enum { AGENT_CODE = 9, OTHER_AGENT_CODE = 10 };

/* The result of a call. When it is REFUSED nothing has changed, and batch.py finds out why. */
enum { DONE, REFUSED };

typedef struct {
    /* The configuration. */
    int64_t num_worlds, num_agents, num_cells, max_steps;
    int64_t contention, has_tired, shaped;
    int64_t critical_order[METERS];
    int64_t fatal_rows[REASONS];
    double minimum[METERS], maximum[METERS], span[METERS], drain[METERS], fatal_minimum[METERS];
    double tired_below, lonely_below, lonely_mood, end_penalty;
    /* The reward. */
    double above[THRESHOLDS][METERS];
    double per_step, hunger_below;
    double need_scale[METERS], critical_below[METERS];
    const double *bands;      /* by code: a digit for each meter, the number of its thresholds passed */
    const double *gain;       /* (kinds, METERS) */
    const double *nearness;   /* (METERS in critical_order, cells) */
    const double *hunger;     /* (cells,) */
    /* The tables of the rules. */
    const int64_t *next_cell; /* (cells, ACTIONS) */
    const int64_t *kind;      /* (cells, ACTIONS) */
    const double *effects;    /* (kinds, METERS) */
    const double *price;      /* (kinds,) */
    const int64_t *tired_kind;
    const int8_t *affordance; /* (kinds,) */
    const int64_t *cell_xy;   /* (cells, 2) */
    const int64_t *start_cells;
    const double *start_meters;
    const float *seen_xy;     /* (cells, 2), scaled to 0..1 */
    const float *seen_grid;   /* (cells,), the codes of the affordances */
    /* The state of the worlds. */
    int64_t *cell;            /* (rows,) */
    int64_t *positions;       /* (rows, 2) */
    double *meters;           /* (METERS, rows) */
    double *normalised;       /* (METERS, rows) */
    uint8_t *alive;           /* (rows,) */
    int8_t *failure;          /* (rows,) */
    int64_t *steps;           /* (num_worlds,) */
    uint8_t *over;            /* (num_worlds,) */
    /* What goes in: which worlds, and an action for each of their agents. */
    const int64_t *chosen;    /* (num_worlds,) */
    const int64_t *actions;   /* (rows,) */
    uint8_t *marked;          /* (num_worlds,), all 0 between calls */
    /* What comes out, in the order of what went in. */
    double *rewards;          /* (rows,) */
    uint8_t *terminated, *truncated;
    int8_t *interacted;
    double *components;       /* (5, rows) */
} Layout;

/* Living rows on their way through a step, with their meters side by side, so that compilers can vectorise:
 * what goes through these loops is double throughout, small whole numbers too. */
enum { BLOCK = 64 };

typedef struct {
    int64_t count;
    int64_t row[BLOCK], at[BLOCK];  /* where they live, and their place in what goes in and comes out */
    int64_t cell[BLOCK], kind[BLOCK];
    uint8_t last[BLOCK];            /* whether max_steps is reached */
    double change[METERS][BLOCK];
    double *meters[METERS], *normalised[METERS]; /* where the state has them, or else here: */
    double own_meters[METERS][BLOCK], own_normalised[METERS][BLOCK];
    double sum[BLOCK], used[BLOCK], proximity[BLOCK], hunger[BLOCK];
    double empty[BLOCK];            /* how many meters are where they end the episode */
} Block;

static double larger(double a, double b) { return a > b ? a : b; }
static double smaller(double a, double b) { return a < b ? a : b; }
static int64_t rows_of(const Layout *restrict all) { return all->num_worlds * all->num_agents; }

/* The kind of a use: FAILED when it is refused or comes too late, one of its own for the tired. */
static int64_t settle(const Layout *restrict all, int64_t kind, int64_t row, unsigned *served)
{
    const int64_t rows = rows_of(all);
    if (all->meters[MONEY * rows + row] < all->price[kind])
        return FAILED;
    if (all->contention) {
        const unsigned one = 1u << (kind - FIRST_AFFORDANCE);
        if (*served & one)
            return FAILED;
        *served |= one;
    }
    const int tired = all->normalised[ENERGY * rows + row] < all->tired_below ||
                      all->normalised[HYGIENE * rows + row] < all->tired_below;
    return tired ? all->tired_kind[kind] : kind;
}

/* What a successful use adds to the shaped reward, from the meters before the step. */
static double interaction(const Layout *restrict all, int64_t kind, int64_t row)
{
    const double *gain = all->gain + kind * METERS, *normalised = all->normalised + row;
    double sum = 0.0;
    for (int m = 0; m < METERS; m++) {
        const double need = (1.0 - normalised[m * rows_of(all)]) * all->need_scale[m];
        const double term = smaller(need, 1.0) * gain[m];
        sum = m ? sum + term : term;
    }
    return sum;
}

/* Act with a living agent, and add it to the block. */
static void act(const Layout *restrict all, Block *restrict block, int64_t row, int64_t at, int last,
                unsigned *served)
{
    const int64_t key = all->cell[row] * ACTIONS + all->actions[at], cell = all->next_cell[key];
    const int64_t i = block->count++;
    int64_t kind = all->kind[key];
    block->used[i] = 0.0;
    if (kind > FAILED) {
        kind = settle(all, kind, row, served);
        if (kind > FAILED && all->shaped)
            block->used[i] = interaction(all, kind, row);
    }
    for (int m = 0; m < METERS; m++)
        block->change[m][i] = all->effects[kind * METERS + m];
    block->row[i] = row;
    block->at[i] = at;
    block->cell[i] = cell;
    block->kind[i] = kind;
    block->last[i] = (uint8_t)last;
    all->cell[row] = cell;
    all->positions[2 * row] = all->cell_xy[2 * cell];
    all->positions[2 * row + 1] = all->cell_xy[2 * cell + 1];
}

/* Effects, drain and loneliness. */
WIDE static void change_meters(const Layout *restrict all, Block *restrict block)
{
    const int64_t count = block->count;
    for (int m = 0; m < METERS; m++) {
        const double minimum = all->minimum[m], maximum = all->maximum[m];
        const double span = all->span[m], drain = all->drain[m];
        double *restrict meter = block->meters[m], *restrict normal = block->normalised[m];
        const double *restrict change = block->change[m];
        for (int64_t i = 0; i < count; i++) {
            const double value = smaller(larger(meter[i] + change[i], minimum), maximum);
            meter[i] = larger(value - drain, minimum);
        }
        if (m != MOOD)
            for (int64_t i = 0; i < count; i++)
                normal[i] = (meter[i] - minimum) / span;
    }
    /* Nothing is lost where there is company enough. */
    const double below = all->lonely_below, most = all->lonely_mood;
    const double minimum = all->minimum[MOOD], span = all->span[MOOD];
    const double *restrict social = block->normalised[SOCIAL];
    double *restrict mood = block->meters[MOOD], *restrict normal = block->normalised[MOOD];
    for (int64_t i = 0; i < count; i++) {
        const double loss = larger(below - social[i], 0.0) * most / below;
        mood[i] = larger(mood[i] - loss, minimum);
        normal[i] = (mood[i] - minimum) / span;
    }
}

/* The shaped reward. Where a term does not apply it comes to 0, as the tables have no -0.0. */
WIDE static void reward_shaped(const Layout *restrict all, Block *restrict block)
{
    const int64_t count = block->count;
    double code[BLOCK], place[BLOCK], urgency[BLOCK], digit = 1.0;
    for (int64_t i = 0; i < count; i++)
        code[i] = place[i] = urgency[i] = 0.0;
    for (int m = 0; m < METERS; m++, digit *= THRESHOLDS + 1) {
        const double a = all->above[0][m], b = all->above[1][m], c = all->above[2][m];
        const double *restrict normal = block->normalised[m];
        for (int64_t i = 0; i < count; i++)
            code[i] += (normal[i] > a ? digit : 0.0) + (normal[i] > b ? digit : 0.0) +
                       (normal[i] > c ? digit : 0.0);
    }
    for (int k = 0; k < METERS; k++) {
        const int64_t m = all->critical_order[k];
        const double below = all->critical_below[m], here = (double)(k * all->num_cells);
        const double *restrict normal = block->normalised[m];
        for (int64_t i = 0; i < count; i++) {
            const double lack = 1.0 - normal[i], before = urgency[i], other = place[i];
            const int more = (normal[i] < below) & (lack > before);
            urgency[i] = more ? lack : before;
            place[i] = more ? here : other;
        }
    }
    const double below = all->hunger_below;
    const double *satiation = block->normalised[SATIATION];
    for (int64_t i = 0; i < count; i++) {
        block->sum[i] = all->bands[(int64_t)code[i]];
        block->proximity[i] = all->nearness[(int64_t)place[i] + block->cell[i]] * urgency[i];
        block->hunger[i] = smaller(satiation[i] - below, 0.0) * all->hunger[block->cell[i]];
    }
}

WIDE static void reward_survival(const Layout *restrict all, Block *restrict block)
{
    double code[BLOCK], digit = 1.0;
    for (int64_t i = 0; i < block->count; i++)
        code[i] = 0.0;
    for (int m = 0; m < METERS; m++, digit *= THRESHOLDS) {
        const double a = all->above[0][m], b = all->above[1][m];
        const double *restrict normal = block->normalised[m];
        for (int64_t i = 0; i < block->count; i++)
            code[i] += (normal[i] >= a ? digit : 0.0) + (normal[i] >= b ? digit : 0.0);
    }
    for (int64_t i = 0; i < block->count; i++) {
        block->sum[i] = all->bands[(int64_t)code[i]] + all->per_step;
        block->proximity[i] = block->hunger[i] = 0.0;
    }
}

/* Which agents have a meter where it ends their episode. */
WIDE static void find_empty(const Layout *restrict all, Block *restrict block)
{
    double *restrict empty = block->empty;
    const int64_t count = block->count;
    for (int64_t i = 0; i < count; i++)
        empty[i] = 0.0;
    for (int m = 0; m < METERS; m++) {
        const double fatal = all->fatal_minimum[m];
        const double *restrict meter = block->meters[m];
        for (int64_t i = 0; i < count; i++)
            empty[i] += meter[i] <= fatal ? 1.0 : 0.0;
    }
}

/* The code of why an agent ends: the first in the order of the checks. */
static int8_t reason(const Layout *restrict all, const Block *restrict block, int64_t i)
{
    int8_t code = 1;
    while (block->meters[all->fatal_rows[code - 1]][i] > all->fatal_minimum[all->fatal_rows[code - 1]])
        code++;
    return code;
}

/* An agent has ended: a world without living ones is over. */
static void end_world(const Layout *restrict all, int64_t world)
{
    for (int64_t agent = 0; agent < all->num_agents; agent++)
        if (all->alive[world * all->num_agents + agent])
            return;
    all->over[world] = 1;
}

/* Hand out what a row's step came to. */
static void tell(const Layout *restrict all, const Block *restrict block, int64_t i, int components)
{
    const int64_t row = block->row[i], at = block->at[i], rows = rows_of(all);
    const int ends = block->empty[i] > 0.0;
    double reward = block->sum[i];
    reward += block->used[i];
    reward += block->proximity[i];
    reward += block->hunger[i];
    if (ends) {
        all->failure[row] = reason(all, block, i);
        all->alive[row] = 0;
        end_world(all, row / all->num_agents);
        reward -= all->end_penalty;
    }
    all->rewards[at] = reward;
    all->terminated[at] = (uint8_t)ends;
    all->truncated[at] = block->last[i] && !ends;
    all->interacted[at] = all->affordance[block->kind[i]];
    if (components) {
        double *part = all->components + at;
        part[0] = block->sum[i];
        part[rows] = block->used[i];
        part[2 * rows] = block->proximity[i];
        part[3 * rows] = block->hunger[i];
        part[4 * rows] = ends ? -all->end_penalty : 0.0;
    }
}

/* Step the rows of the block and empty it; `side_by_side`: they lie in memory as they do in the block. */
static void flush(const Layout *restrict all, Block *restrict block, int side_by_side, int components)
{
    const int64_t count = block->count, rows = rows_of(all), first = block->row[0];
    if (count == 0)
        return;
    for (int m = 0; m < METERS; m++) {
        double *meter = all->meters + m * rows, *normal = all->normalised + m * rows;
        block->meters[m] = side_by_side ? meter + first : block->own_meters[m];
        block->normalised[m] = side_by_side ? normal + first : block->own_normalised[m];
        for (int64_t i = 0; i < count && !side_by_side; i++)
            block->own_meters[m][i] = meter[block->row[i]];
    }
    change_meters(all, block);
    if (all->shaped)
        reward_shaped(all, block);
    else
        reward_survival(all, block);
    find_empty(all, block);
    for (int m = 0; m < METERS; m++) {
        double *meter = all->meters + m * rows, *normal = all->normalised + m * rows;
        for (int64_t i = 0; i < count && !side_by_side; i++) {
            meter[block->row[i]] = block->own_meters[m][i];
            normal[block->row[i]] = block->own_normalised[m][i];
        }
    }
    for (int64_t i = 0; i < count; i++)
        tell(all, block, i, components);
    block->count = 0;
}

/* An agent that ended before stands aside. */
static void stand_aside(const Layout *restrict all, int64_t at, int components)
{
    all->rewards[at] = 0.0;
    all->terminated[at] = all->truncated[at] = 0;
    all->interacted[at] = -1;
    for (int part = 0; components && part < 5; part++)
        all->components[part * rows_of(all) + at] = 0.0;
}

/* Whether the chosen worlds are there, each once. */
static int check_chosen(const Layout *restrict all, int64_t count)
{
    int status = DONE;
    int64_t done = 0;
    for (; done < count && status == DONE; done++) {
        const int64_t world = all->chosen[done];
        if (world < 0 || world >= all->num_worlds || all->marked[world])
            status = REFUSED;
        else
            all->marked[world] = 1;
    }
    for (int64_t at = 0; at < done; at++)
        if (all->chosen[at] >= 0 && all->chosen[at] < all->num_worlds)
            all->marked[all->chosen[at]] = 0;
    return status;
}

/* The i-th world of a call: of the chosen ones, or of all when it is not about `chosen`. */
static int64_t world_at(const Layout *restrict all, int some, int64_t i) { return some ? all->chosen[i] : i; }

EXPORT int64_t hamlet_size(void) { return (int64_t)sizeof(Layout); }

/* One step of all worlds (some = 0, count = num_worlds) or of `count` chosen ones (some = 1). */
EXPORT int hamlet_step(const Layout *restrict all, int count, int some, int components)
{
    const int64_t agents = all->num_agents, rows = count * agents;
    int wrong = 0;
    if (some && check_chosen(all, count) != DONE)
        return REFUSED;
    /* As unsigned numbers the negative ones are too large as well. */
    for (int64_t at = 0; at < rows; at++)
        wrong |= (uint64_t)all->actions[at] >= ACTIONS;
    for (int64_t i = 0; i < count; i++)
        wrong |= all->over[world_at(all, some, i)];
    if (wrong)
        return REFUSED;

    Block block;
    block.count = 0;
    for (int64_t i = 0; i < count; i++) {
        const int64_t world = world_at(all, some, i);
        const int last = ++all->steps[world] >= all->max_steps;
        unsigned served = 0;
        all->over[world] = (uint8_t)last;
        for (int64_t agent = 0; agent < agents; agent++) {
            const int64_t row = world * agents + agent, at = i * agents + agent;
            if (!all->alive[row]) {
                stand_aside(all, at, components);
                continue;
            }
            act(all, &block, row, at, last, &served);
            if (block.count == BLOCK)
                flush(all, &block, !some && row - block.row[0] == BLOCK - 1, components);
        }
    }
    flush(all, &block, 0, components);
    return DONE;
}

/* Begin an episode in all worlds, or the chosen ones, from the start that the configuration names. */
EXPORT int hamlet_begin(const Layout *restrict all, int count, int some)
{
    const int64_t agents = all->num_agents;
    if (some && check_chosen(all, count) != DONE)
        return REFUSED;
    for (int64_t i = 0; i < count; i++) {
        const int64_t world = world_at(all, some, i);
        for (int64_t agent = 0; agent < agents; agent++) {
            const int64_t row = world * agents + agent, cell = all->start_cells[agent];
            all->cell[row] = cell;
            memcpy(all->positions + 2 * row, all->cell_xy + 2 * cell, 2 * sizeof(int64_t));
            for (int m = 0; m < METERS; m++) {
                const double value = all->start_meters[m];
                all->meters[m * rows_of(all) + row] = value;
                all->normalised[m * rows_of(all) + row] = (value - all->minimum[m]) / all->span[m];
            }
            all->alive[row] = 1;
            all->failure[row] = 0;
        }
        all->steps[world] = 0;
        all->over[world] = 0;
    }
    return DONE;
}

/* What the agents of all worlds, or of the chosen ones, see, into out (count * agents, 2 + METERS + cells). */
EXPORT int hamlet_observe(const Layout *restrict all, int count, int some, float *out)
{
    const int64_t agents = all->num_agents, cells = all->num_cells, size = 2 + METERS + cells;
    if (some && check_chosen(all, count) != DONE)
        return REFUSED;
    for (int64_t i = 0; i < count; i++) {
        const int64_t first = world_at(all, some, i) * agents;
        for (int64_t agent = 0; agent < agents; agent++, out += size) {
            const int64_t row = first + agent, cell = all->cell[row];
            float *grid = out + 2 + METERS;
            memcpy(out, all->seen_xy + 2 * cell, 2 * sizeof(float));
            for (int m = 0; m < METERS; m++)
                out[2 + m] = (float)all->normalised[m * rows_of(all) + row];
            memcpy(grid, all->seen_grid, (size_t)cells * sizeof(float));
            for (int64_t other = 0; agents > 1 && other < agents; other++)
                if (all->alive[first + other])
                    grid[all->cell[first + other]] = OTHER_AGENT_CODE;
            grid[cell] = AGENT_CODE;
        }
    }
    return DONE;
}
