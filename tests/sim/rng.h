/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The simulator's only source of chance: xoshiro256** seeded by splitmix64
 * (Blackman and Vigna), so that a seed means the same run on every machine.
 */
#ifndef SIM_RNG_H
#define SIM_RNG_H

#include <stdbool.h>
#include <stdint.h>

struct rng {
	uint64_t s[4];
};

static inline uint64_t rng_mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static inline void rng_seed(struct rng *r, uint64_t seed)
{
	for (int i = 0; i < 4; i++) {
		seed += 0x9e3779b97f4a7c15u;
		r->s[i] = rng_mix(seed);
	}
}

static inline uint64_t rng_next(struct rng *r)
{
	uint64_t x = r->s[1] * 5, result = (x << 7 | x >> 57) * 9, t = r->s[1] << 17;

	r->s[2] ^= r->s[0];
	r->s[3] ^= r->s[1];
	r->s[1] ^= r->s[2];
	r->s[0] ^= r->s[3];
	r->s[2] ^= t;
	r->s[3] = r->s[3] << 45 | r->s[3] >> 19;
	return result;
}

/* Uniform in [0, n); the tiny bias of the remainder does not matter here. */
static inline uint64_t rng_below(struct rng *r, uint64_t n)
{
	return n ? rng_next(r) % n : 0;
}

/* Uniform in [lo, hi]. */
static inline uint64_t rng_range(struct rng *r, uint64_t lo, uint64_t hi)
{
	return lo + rng_below(r, hi - lo + 1);
}

/* True with a probability of `ppm` millionths. */
static inline bool rng_chance(struct rng *r, uint32_t ppm)
{
	return ppm && rng_next(r) % 1000000 < ppm;
}

/* True `percent` times in a hundred. */
static inline bool rng_percent(struct rng *r, uint32_t percent)
{
	return rng_next(r) % 100 < percent;
}

/* Of every magnitude between lo and hi (both > 0) alike. */
static inline uint64_t rng_log(struct rng *r, uint64_t lo, uint64_t hi)
{
	int a = 63 - __builtin_clzll(lo), b = 63 - __builtin_clzll(hi);
	uint64_t base = 1ull << rng_range(r, (uint64_t)a, (uint64_t)b);
	uint64_t v = rng_range(r, base, 2 * base - 1);

	return v < lo ? lo : v > hi ? hi : v;
}

#endif
