/** 256-bit words at addresses: four u64, least significant first. A half is two of them. */

@inline
export function isZero(a: usize): bool {
  return (load<u64>(a) | load<u64>(a, 8) | load<u64>(a, 16) | load<u64>(a, 24)) == 0
}

@inline
export function equals(a: usize, b: usize): bool {
  return (
    ((load<u64>(a) ^ load<u64>(b)) |
      (load<u64>(a, 8) ^ load<u64>(b, 8)) |
      (load<u64>(a, 16) ^ load<u64>(b, 16)) |
      (load<u64>(a, 24) ^ load<u64>(b, 24))) ==
    0
  )
}

@inline
export function copy(to: usize, from: usize): void {
  v128.store(to, v128.load(from))
  v128.store(to, v128.load(from, 16), 16)
}

@inline
export function clear(to: usize): void {
  v128.store(to, i64x2.splat(0))
  v128.store(to, i64x2.splat(0), 16)
}

/** Whether a < b. */
@inline
export function isBelow(a: usize, b: usize): bool {
  let x = load<u64>(a, 24)
  let y = load<u64>(b, 24)
  if (x == y) {
    x = load<u64>(a, 16)
    y = load<u64>(b, 16)
    if (x == y) {
      x = load<u64>(a, 8)
      y = load<u64>(b, 8)
      if (x == y) {
        x = load<u64>(a)
        y = load<u64>(b)
      }
    }
  }
  return x < y
}

/** to = a + (the word of the halves at `low` and `high`) mod 2^256. Returns the carry. */
@inline
export function add(to: usize, a: usize, low: usize, high: usize): u64 {
  const a0 = load<u64>(a)
  const s0 = a0 + load<u64>(low)
  const c0 = u64(s0 < a0)
  const b1 = load<u64>(low, 8)
  const t1 = load<u64>(a, 8) + b1
  const s1 = t1 + c0
  const c1 = u64(t1 < b1) | u64(s1 < t1)
  const b2 = load<u64>(high)
  const t2 = load<u64>(a, 16) + b2
  const s2 = t2 + c1
  const c2 = u64(t2 < b2) | u64(s2 < t2)
  const b3 = load<u64>(high, 8)
  const t3 = load<u64>(a, 24) + b3
  const s3 = t3 + c2
  store<u64>(to, s0)
  store<u64>(to, s1, 8)
  store<u64>(to, s2, 16)
  store<u64>(to, s3, 24)
  return u64(t3 < b3) | u64(s3 < t3)
}

/** to = a - (the word of the halves at `low` and `high`) mod 2^256. Returns the borrow. */
@inline
export function sub(to: usize, a: usize, low: usize, high: usize): u64 {
  const a0 = load<u64>(a)
  const b0 = load<u64>(low)
  const c0 = u64(a0 < b0)
  const a1 = load<u64>(a, 8)
  const b1 = load<u64>(low, 8)
  const t1 = a1 - b1
  const c1 = u64(a1 < b1) | u64(t1 < c0)
  const a2 = load<u64>(a, 16)
  const b2 = load<u64>(high)
  const t2 = a2 - b2
  const c2 = u64(a2 < b2) | u64(t2 < c1)
  const a3 = load<u64>(a, 24)
  const b3 = load<u64>(high, 8)
  const t3 = a3 - b3
  store<u64>(to, a0 - b0)
  store<u64>(to, t1 - c0, 8)
  store<u64>(to, t2 - c1, 16)
  store<u64>(to, t3 - c2, 24)
  return u64(a3 < b3) | u64(t3 < c2)
}

/** a += b0 + 2^64 b1 mod 2^256. */
@inline
export function addShort(a: usize, b0: u64, b1: u64): void {
  const a0 = load<u64>(a)
  const s0 = a0 + b0
  store<u64>(a, s0)
  const c0 = u64(s0 < a0)
  const t1 = load<u64>(a, 8) + b1
  const s1 = t1 + c0
  store<u64>(a, s1, 8)
  if ((u64(t1 < b1) | u64(s1 < t1)) == 0) return
  const s2 = load<u64>(a, 16) + 1
  store<u64>(a, s2, 16)
  if (s2 == 0) store<u64>(a, load<u64>(a, 24) + 1, 24)
}

/** a -= b0 + 2^64 b1 mod 2^256. */
@inline
export function subShort(a: usize, b0: u64, b1: u64): void {
  const a0 = load<u64>(a)
  const c0 = u64(a0 < b0)
  store<u64>(a, a0 - b0)
  const a1 = load<u64>(a, 8)
  const t1 = a1 - b1
  store<u64>(a, t1 - c0, 8)
  if ((u64(a1 < b1) | u64(t1 < c0)) == 0) return
  const a2 = load<u64>(a, 16)
  store<u64>(a, a2 - 1, 16)
  if (a2 == 0) store<u64>(a, load<u64>(a, 24) - 1, 24)
}
