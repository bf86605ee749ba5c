/*
 * damage: write N damaged copies of a file, the same ones for the same seed.
 *
 * usage: damage [-m] FILE SEED N PREFIX
 *
 * Copy i is PREFIX<i>.  With -m the frames of a stream get CRCs that fit the
 * damage, so that it comes past the reader to those behind it.
 */
#include <endian.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { MAX = 1 << 22, MORE = 4096, HEAD = 5 };

static unsigned char from[MAX], bytes[2 * MAX];
static uint64_t state;

/* Uniform below n (SplitMix64; the bias does not matter here). */
static size_t draw(size_t n)
{
	uint64_t z = state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return n ? (size_t)((z ^ z >> 31) % n) : 0;
}

/* What parsers trip over: ends of ranges, heads of msgpack, JSON, CSV. */
static const unsigned char telling[] = {
	0x00, 0x01, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xc0, 0xc1, 0xc4, 0xc6,
	0xc7, 0xc9, 0xca, 0xcb, 0xcf, 0xd3, 0xd4, 0xd8, 0xd9, 0xdb, 0xdc, 0xdd,
	0xde, 0xdf, 0xe0, 0xff, '"', '\\', '{', '}', '[', ']', ',', ':', '-',
	'0', '9', '.', 'e', '\n', '\r', '\t', ' '
};

/* One piece of damage to bytes[n]; the new length. */
static size_t damage(size_t n)
{
	size_t at = draw(n), len = 1 + draw(draw(2) ? 4 : 64);
	size_t to = draw(n);

	if (n < 2)
		return n;
	if (len > n - at)
		len = n - at;
	switch (draw(7)) {
	case 0:		/* a bit */
		bytes[at] ^= (unsigned char)(1 << draw(8));
		return n;
	case 1:		/* a byte */
		bytes[at] = telling[draw(sizeof(telling))];
		return n;
	case 2:		/* any bytes */
		while (len--)
			bytes[at + len] = (unsigned char)draw(256);
		return n;
	case 3:		/* the end */
		return at;
	case 4:		/* a part lost */
		memmove(bytes + at, bytes + at + len, n - at - len);
		return n - len;
	case 5:		/* a part twice */
		if (n + len > MAX + MORE)
			return n;
		memmove(bytes + at + len, bytes + at, n - at);
		return n + len;
	default:	/* a part over another */
		if (len > n - to)
			len = n - to;
		memmove(bytes + to, bytes + at, len);
		return n;
	}
}

static uint32_t get(const unsigned char *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return be32toh(v);
}

static void put(unsigned char *p, uint32_t v)
{
	v = htobe32(v);
	memcpy(p, &v, 4);
}

/* Let the trailer's crc32 be `crc`, if it has one. */
static void mend_trailer(unsigned char *p, size_t n, uint32_t crc)
{
	unsigned char *at = memmem(p, n, "\xa5" "crc32\xce", 7);

	if (at && at + 11 <= p + n)
		put(at + 7, crc);
}

/* Let every frame's CRC fit, as far as lengths lead from one to the next. */
static void mend(size_t n)
{
	unsigned char *p = bytes, *end = bytes + n;
	uint32_t len, chain = 0;

	while (end - p >= 2 * HEAD) {
		len = get(p + 1);
		if (len > (size_t)(end - p) - 2 * HEAD)
			return;
		mend_trailer(p + HEAD, len, chain);
		put(p + HEAD + len + 1, (uint32_t)crc32_z(0, p + HEAD, len));
		chain = (uint32_t)crc32_z(chain, p + HEAD + len + 1, 4);
		p += len + 2 * HEAD;
	}
}

static size_t load(const char *path)
{
	FILE *f = fopen(path, "rb");
	size_t n = f ? fread(from, 1, sizeof(from), f) : 0;

	if (!f || ferror(f)) {
		perror(path);
		exit(1);
	}
	fclose(f);
	return n;
}

static void store(const char *prefix, size_t i, size_t n)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s%zu", prefix, i);
	f = fopen(path, "wb");
	if (!f || fwrite(bytes, 1, n, f) != n || fclose(f)) {
		perror(path);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	int mended = argc == 6 && !strcmp(argv[1], "-m");
	size_t i, n, len, hits;

	if (argc != 5 && !mended) {
		fputs("usage: damage [-m] FILE SEED N PREFIX\n", stderr);
		return 2;
	}
	argv += mended;
	len = load(argv[1]);
	n = strtoul(argv[3], NULL, 10);
	for (i = 0; i < n; i++) {
		state = strtoull(argv[2], NULL, 10) * 1000003 + i;
		memcpy(bytes, from, len);
		size_t left = len;

		for (hits = 1 + draw(4); hits--; )
			left = damage(left);
		if (mended)
			mend(left);
		store(argv[4], i, left);
	}
	return 0;
}
