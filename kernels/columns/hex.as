import { COUNT, ENDED, FULL, MORE, NEXT, OTHER, TO } from './layout'

/**
 * Byte strings of JSON to bytes: items `"0x…"` of digits in pairs, divided by commas, with white space around them, up
 * to the `]` that ends them.
 *
 * host/primitives/packed_hex.ts says where they lie; the places of what comes out are in `layout`.
 */

/** The first byte from `at` on that is no white space of JSON, or `end`. */
@inline
function blankEnd(at: usize, end: usize): usize {
  while (at < end) {
    const c = load<u8>(at)
    if (c != 0x20 && c != 0x0a && c != 0x0d && c != 0x09) break
    at++
  }
  return at
}

/** Above 15 where it is no digit. */
@inline
function nibble(c: u32): u32 {
  const digit = c - 0x30
  if (digit < 10) return digit
  const letter = (c | 0x20) - 0x61
  return letter < 6 ? letter + 10 : 16
}

/** Writes digits from `at` on, 16 at a time, to `to`, while there are as many. Returns how many. */
@inline
function packBlocks(at: usize, end: usize, to: usize): usize {
  const from = at
  for (; at + 16 <= end; at += 16, to += 8) {
    const chars = v128.load(at)
    const digit = i8x16.sub(chars, i8x16.splat(0x30))
    const letter = i8x16.sub(v128.or(chars, i8x16.splat(0x20)), i8x16.splat(0x61))
    const isDigit = i8x16.lt_u(digit, i8x16.splat(10))
    if (!i8x16.all_true(v128.or(isDigit, i8x16.lt_u(letter, i8x16.splat(6))))) break
    const nibbles = v128.bitselect(digit, i8x16.add(letter, i8x16.splat(10)), isDigit)
    // The first of two digits is the lower byte of a u16.
    const pairs = v128.or(v128.and(i16x8.shl(nibbles, 4), i16x8.splat(0xf0)), i16x8.shr_u(nibbles, 8))
    store<u64>(to, i64x2.extract_lane(i8x16.narrow_i16x8_u(pairs, pairs), 0))
  }
  return at - from
}

/**
 * Reads items that are all of from .. end, `most` at most: their bytes to `to`, side by side, and the length of each to
 * `lengths`. Writes up to 8 bytes more than half of what it reads. Why it stopped: the items have ENDED, the next one
 * needs MORE bytes or is something OTHER, or there are FULL `most`.
 */
export function pack(from: usize, end: usize, to: usize, lengths: usize, most: u32): u32 {
  let next = from
  let out = to
  let count: u32 = 0
  let state = MORE
  for (;;) {
    if (count == most) {
      state = FULL
      break
    }
    let at = blankEnd(next, end)
    if (at + 3 > end) break
    if (load<u8>(at) != 0x22 || load<u16>(at, 1) != 0x7830) {
      state = OTHER
      break
    }
    at += 3
    const blocks = packBlocks(at, end, out)
    at += blocks
    let byteEnd = out + (blocks >> 1)
    let high: u32 = 16
    for (; at + 2 <= end; at += 2) {
      high = nibble(load<u8>(at))
      if (high > 15) break
      const low = nibble(load<u8>(at, 1))
      if (low > 15) {
        state = OTHER
        break
      }
      store<u8>(byteEnd++, (high << 4) | low)
    }
    if (state == OTHER || at + 2 > end) break
    if (load<u8>(at) != 0x22) {
      state = OTHER
      break
    }
    at = blankEnd(at + 1, end)
    if (at == end) break
    const after = load<u8>(at)
    if (after != 0x2c && after != 0x5d) {
      state = OTHER
      break
    }
    store<u32>(lengths + (<usize>count << 2), <u32>(byteEnd - out))
    count++
    out = byteEnd
    next = at + 1
    if (after == 0x5d) {
      state = ENDED
      break
    }
  }
  store<u32>(NEXT, <u32>next)
  store<u32>(TO, <u32>out)
  store<u32>(COUNT, count)
  return state
}
