import { TABLE_AT } from './layout'

/**
 * Lengths of transactions after compression by FastLZ at its first level, as the L1 fee of the OP stack estimates them
 * from Fjord on (op-stack specification, fjord/exec-engine; solady's LibZip), and their zero bytes.
 *
 * The table of 8,192 places is not cleared between transactions: places are those in the buffer, and one that lies
 * before the transaction counts as none.
 */

/** Bytes that a match may lie back. */
const WINDOW: u32 = 8192
/** Bytes at the end that no match begins in. */
const TAIL: u32 = 13

@inline
function threeBytes(at: u32): u32 {
  return load<u32>(at) & 0xffffff
}

@inline
function placeOf(three: u32): usize {
  return TABLE_AT + ((<usize>(((three * 2654435769) >>> 19) & 0x1fff)) << 2)
}

@inline
function literals(run: u32): u32 {
  const rest = run & 31
  return 33 * (run >>> 5) + (rest == 0 ? 0 : rest + 1)
}

/** Bytes of a match of `length` bytes after its first three. */
@inline
function match(length: u32): u32 {
  const l = length - 1
  return 3 * (l / 262) + (l % 262 >= 6 ? 3 : 2)
}

/** Notes the three bytes at a place; returns the next one. */
@inline
function note(at: u32): u32 {
  store<u32>(placeOf(threeBytes(at)), at)
  return at + 1
}

function compressedLength(start: u32, end: u32): u32 {
  const limit = end - start < TAIL ? start : end - TAIL
  let at = start + 2
  let anchor = start
  let size: u32 = 0
  while (at < limit) {
    let before: u32 = start
    for (;;) {
      const three = threeBytes(at)
      const place = placeOf(three)
      const noted = load<u32>(place)
      before = noted < start ? start : noted
      store<u32>(place, at)
      if (at >= limit) break
      at++
      if (at - 1 - before < WINDOW && three == threeBytes(before)) break
    }
    if (at >= limit) break
    at--
    if (at > anchor) size += literals(at - anchor)
    let length: u32 = 0
    const most = limit + 9 - (at + 3)
    while (length < most) {
      const same = load<u8>(before + 3 + length) == load<u8>(at + 3 + length)
      length++
      if (!same) break
    }
    size += match(length)
    at = note(note(at + length))
    anchor = at
  }
  return size + literals(end - anchor)
}

function zeroBytes(start: u32, end: u32): u32 {
  let zeroes: u32 = 0
  for (let at = start; at < end; at++) zeroes += u32(load<u8>(at) == 0)
  return zeroes
}

/**
 * lengths[i] of the transactions whose bytes are from starts[i] to starts[i + 1], from the place `base` on; 0 of those of
 * `upTo` bytes and less.
 */
export function compress(count: i32, starts: usize, base: u32, lengths: usize, upTo: u32): void {
  for (let i = 0; i < count; i++) {
    const start = base + load<u32>(starts + ((<usize>i) << 2))
    const end = base + load<u32>(starts + ((<usize>(i + 1)) << 2))
    store<u32>(lengths + ((<usize>i) << 2), end - start <= upTo ? 0 : compressedLength(start, end))
  }
}

/** Zero bytes, in the same way. */
export function countZeroes(count: i32, starts: usize, base: u32, zeroes: usize): void {
  for (let i = 0; i < count; i++) {
    const start = base + load<u32>(starts + ((<usize>i) << 2))
    const end = base + load<u32>(starts + ((<usize>(i + 1)) << 2))
    store<u32>(zeroes + ((<usize>i) << 2), zeroBytes(start, end))
  }
}

/** Forgets what earlier calls have noted: their bytes are not there any more. */
export function forget(): void {
  memory.fill(TABLE_AT, 0, 4 * 8192)
}
