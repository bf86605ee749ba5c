#include "record/scan.h"

#include <string.h>

static uint64_t get_be(const unsigned char *p, size_t n)
{
	uint64_t v = 0;

	while (n--)
		v = v << 8 | *p++;
	return v;
}

/* Sign-extend the n big-endian bytes at p, 1 to 8. */
static int64_t get_signed(const unsigned char *p, size_t n)
{
	unsigned shift = (unsigned)(64 - 8 * n) & 63;

	return (int64_t)(get_be(p, n) << shift) >> shift;
}

static void set_int(struct rm_scan *s, int64_t v)
{
	s->kind = v < 0 ? RM_SCAN_INT : RM_SCAN_UINT;
	s->i = v;
}

static double get_float(const unsigned char *p, size_t n)
{
	uint64_t bits = get_be(p, n);
	uint32_t half = (uint32_t)bits;
	double d;
	float f;

	if (n == 4) {
		memcpy(&f, &half, sizeof(f));
		return (double)f;
	}
	memcpy(&d, &bits, sizeof(d));
	return d;
}

/* Heads c0..df: what they are and how many bytes of length follow. */
static const struct {
	unsigned char kind, width;
} wide[32] = {
	[0x00] = { RM_SCAN_NIL, 0 }, [0x02] = { RM_SCAN_BOOL, 0 },
	[0x03] = { RM_SCAN_BOOL, 0 }, [0x04] = { RM_SCAN_BIN, 1 },
	[0x05] = { RM_SCAN_BIN, 2 }, [0x06] = { RM_SCAN_BIN, 4 },
	[0x07] = { RM_SCAN_EXT, 1 }, [0x08] = { RM_SCAN_EXT, 2 },
	[0x09] = { RM_SCAN_EXT, 4 }, [0x0a] = { RM_SCAN_FLOAT, 4 },
	[0x0b] = { RM_SCAN_FLOAT, 8 }, [0x0c] = { RM_SCAN_UINT, 1 },
	[0x0d] = { RM_SCAN_UINT, 2 }, [0x0e] = { RM_SCAN_UINT, 4 },
	[0x0f] = { RM_SCAN_UINT, 8 }, [0x10] = { RM_SCAN_INT, 1 },
	[0x11] = { RM_SCAN_INT, 2 }, [0x12] = { RM_SCAN_INT, 4 },
	[0x13] = { RM_SCAN_INT, 8 }, [0x14] = { RM_SCAN_EXT, 0 },
	[0x15] = { RM_SCAN_EXT, 0 }, [0x16] = { RM_SCAN_EXT, 0 },
	[0x17] = { RM_SCAN_EXT, 0 }, [0x18] = { RM_SCAN_EXT, 0 },
	[0x19] = { RM_SCAN_STR, 1 }, [0x1a] = { RM_SCAN_STR, 2 },
	[0x1b] = { RM_SCAN_STR, 4 }, [0x1c] = { RM_SCAN_ARRAY, 2 },
	[0x1d] = { RM_SCAN_ARRAY, 4 }, [0x1e] = { RM_SCAN_MAP, 2 },
	[0x1f] = { RM_SCAN_MAP, 4 }
};

static const unsigned char *cut(void)
{
	return rm_fail_null("the value runs past the end of the record");
}

/* n bytes of payload at p. */
static const unsigned char *take(struct rm_scan *s, const unsigned char *p,
				 const unsigned char *end, size_t n)
{
	if (n > (size_t)(end - p))
		return cut();
	s->n = n;
	s->body = p;
	return p + n;
}

/* n elements or pairs at p, each at least one or two bytes. */
static const unsigned char *open_container(struct rm_scan *s,
					   const unsigned char *p,
					   const unsigned char *end, size_t n)
{
	size_t left = (size_t)(end - p);

	if (n > (s->kind == RM_SCAN_MAP ? left / 2 : left))
		return rm_fail_null("%zu elements are claimed where %zu bytes "
				    "are left", n, left);
	s->n = n;
	s->body = p;
	return p;
}

static const unsigned char *wide_head(struct rm_scan *s, unsigned char head,
				      const unsigned char *p,
				      const unsigned char *end)
{
	size_t width = wide[head & 31].width, n;

	s->kind = wide[head & 31].kind;
	if (head == 0xc1)
		return rm_fail_null("byte c1 is not msgpack");
	if (width + (s->kind == RM_SCAN_EXT) > (size_t)(end - p))
		return cut();
	switch (s->kind) {
	case RM_SCAN_NIL:
		return p;
	case RM_SCAN_BOOL:
		s->u = head & 1;
		return p;
	case RM_SCAN_UINT:
		s->u = get_be(p, width);
		return p + width;
	case RM_SCAN_INT:
		set_int(s, get_signed(p, width));
		return p + width;
	case RM_SCAN_FLOAT:
		s->f = get_float(p, width);
		return p + width;
	default:
		break;
	}
	n = (size_t)get_be(p, width);
	p += width;
	if (s->kind == RM_SCAN_ARRAY || s->kind == RM_SCAN_MAP)
		return open_container(s, p, end, n);
	if (s->kind == RM_SCAN_EXT) {
		if (!width)
			n = (size_t)1 << (head - 0xd4);
		s->ext = (int)get_signed(p++, 1);
	}
	return take(s, p, end, n);
}

const unsigned char *rm_scan_head(struct rm_scan *s, const unsigned char *p,
				  const unsigned char *end)
{
	unsigned char head;

	if (p >= end)
		return cut();
	head = *p++;
	s->n = 0;
	if (head < 0x80) {
		s->kind = RM_SCAN_UINT;
		s->u = head;
		return p;
	}
	if (head < 0x90) {
		s->kind = RM_SCAN_MAP;
		return open_container(s, p, end, head & 15);
	}
	if (head < 0xa0) {
		s->kind = RM_SCAN_ARRAY;
		return open_container(s, p, end, head & 15);
	}
	if (head < 0xc0) {
		s->kind = RM_SCAN_STR;
		return take(s, p, end, head & 31);
	}
	if (head < 0xe0)
		return wide_head(s, head, p, end);
	set_int(s, (signed char)head);
	return p;
}

static const unsigned char *skip_key(const unsigned char *p,
				     const unsigned char *end, unsigned depth,
				     bool json)
{
	struct rm_scan s;

	if (!json)
		return rm_scan_skip(p, end, depth, json);
	p = rm_scan_head(&s, p, end);
	if (p && s.kind != RM_SCAN_STR)
		return rm_fail_null("a map's key is %s, not a string",
				    rm_scan_name(&s));
	return p;
}

const unsigned char *rm_scan_skip(const unsigned char *p,
				  const unsigned char *end, unsigned depth,
				  bool json)
{
	struct rm_scan s;
	size_t i;

	p = rm_scan_head(&s, p, end);
	if (!p)
		return NULL;
	if (json && (s.kind == RM_SCAN_BIN || s.kind == RM_SCAN_EXT))
		return rm_fail_null("%s where a JSON value should be",
				    rm_scan_name(&s));
	if (s.kind != RM_SCAN_ARRAY && s.kind != RM_SCAN_MAP)
		return p;
	if (!depth)
		return rm_fail_null("nested too deep");
	for (i = 0; i < s.n && p; i++) {
		if (s.kind == RM_SCAN_MAP)
			p = skip_key(p, end, depth - 1, json);
		if (p)
			p = rm_scan_skip(p, end, depth - 1, json);
	}
	return p;
}

const char *rm_scan_name(const struct rm_scan *s)
{
	static const char *const names[] = {
		"nil", "a boolean", "a number", "a number", "a number",
		"a string", "binary data", "an ext value", "an array", "a map"
	};

	return names[s->kind];
}

bool rm_scan_is_number(const struct rm_scan *s)
{
	return s->kind == RM_SCAN_UINT || s->kind == RM_SCAN_INT ||
	       s->kind == RM_SCAN_FLOAT;
}

double rm_scan_number(const struct rm_scan *s)
{
	return s->kind == RM_SCAN_FLOAT ? s->f :
	       s->kind == RM_SCAN_INT ? (double)s->i : (double)s->u;
}
