import wabt from 'wabt'

/**
 * Writes host/primitives/keccak_module.generated.ts: keccak-256 of many messages as a WebAssembly module. Its text is
 * made here, since a round of keccak-f is the same few lines for each of 25 lanes.
 *
 * Two messages are hashed at once, one in each half of 25 vectors: 1.5 to 1.7 times as fast as one in 64-bit integers.
 * Two rounds to a turn of the loop: the compilers of 16 registers do worse with more.
 */

/** Offsets of rho (FIPS 202, 3.2.2), lane x + 5 y. */
const ROTATIONS = [0, 1, 62, 28, 27, 36, 44, 6, 55, 20, 3, 10, 43, 25, 39, 41, 45, 15, 21, 8, 18, 2, 61, 56, 14]
const ROUNDS = 24
const ROUNDS_PER_TURN = 2
/** Address of the round constants. */
const CONSTANTS = 0

/** The constants of iota (FIPS 202, 3.2.5): bits of a shift register at places 2^j - 1. */
const roundConstants = (): bigint[] => {
  let register = 1
  return Array.from({ length: ROUNDS }, () => {
    let constant = 0n
    for (let j = 0; j < 7; j++) {
      if ((register & 1) === 1) constant |= 1n << BigInt(2 ** j - 1)
      register = (register << 1) ^ ((register >> 7) * 0x171)
    }
    return constant
  })
}

const littleEndian = (word: bigint): string =>
  Array.from({ length: 8 }, (_, n) => `\\${((word >> BigInt(8 * n)) & 255n).toString(16).padStart(2, '0')}`).join('')

const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n)
const get = (name: string): string => `(local.get $${name})`
const set = (name: string, value: string): string => `(local.set $${name} ${value})`
const xor = (...values: readonly string[]): string => values.reduce((sum, value) => `(v128.xor ${sum} ${value})`)
const rotated = (name: string, by: number): string =>
  by === 0
    ? get(name)
    : `(v128.or (i64x2.shl ${get(name)} (i32.const ${by})) (i64x2.shr_u ${get(name)} (i32.const ${64 - by})))`

/** A round from the lanes `from` to the lanes `to`, row by row. */
const keccakRound = (from: string, to: string, round: number): string => {
  const lines = upTo(5).map((x) => set(`c${x}`, xor(...upTo(5).map((y) => get(`${from}${x + 5 * y}`)))))
  for (const x of upTo(5)) lines.push(set(`d${x}`, xor(get(`c${(x + 4) % 5}`), rotated(`c${(x + 1) % 5}`, 1))))
  for (const y of upTo(5)) {
    for (const x of upTo(5)) {
      // pi: lane (x, y) comes from (x + 3 y, x).
      const column = (x + 3 * y) % 5
      const lane = column + 5 * x
      lines.push(set('t', xor(get(`${from}${lane}`), get(`d${column}`))))
      lines.push(set(`b${x}`, rotated('t', ROTATIONS[lane]!)))
    }
    for (const x of upTo(5)) {
      const chi = xor(get(`b${x}`), `(v128.andnot ${get(`b${(x + 2) % 5}`)} ${get(`b${(x + 1) % 5}`)})`)
      const iota = `(v128.load64_splat offset=${CONSTANTS + 8 * round} ${get('round')})`
      lines.push(set(`${to}${x + 5 * y}`, x + y === 0 ? xor(chi, iota) : chi))
    }
  }
  return lines.join('\n')
}

const PERMUTATION = `
  (func $permute (param $state i32) (local $round i32)
    ${[...upTo(25).flatMap((n) => [`a${n}`, `e${n}`]), ...upTo(5).flatMap((n) => [`b${n}`, `c${n}`, `d${n}`]), 't']
      .map((name) => `(local $${name} v128)`)
      .join(' ')}
    ${upTo(25)
      .map((n) => set(`a${n}`, `(v128.load offset=${16 * n} ${get('state')})`))
      .join('\n')}
    (loop $turn
      ${keccakRound('a', 'e', 0)}
      ${keccakRound('e', 'a', 1)}
      ${set('round', `(i32.add ${get('round')} (i32.const ${8 * ROUNDS_PER_TURN}))`)}
      (br_if $turn (i32.lt_u ${get('round')} (i32.const ${8 * ROUNDS}))))
    ${upTo(25)
      .map((n) => `(v128.store offset=${16 * n} ${get('state')} ${get(`a${n}`)})`)
      .join('\n')})`

/**
 * A half is 25 lanes, 16 bytes apart, and these words at its own first byte:
 *
 * 400   the message in it; -1: none       416   its next byte
 * 432   bytes of it that are left         448   1: its last block is absorbed
 */
const MODULE = `(module
  (memory (import "host" "memory") 1 65536 shared)
  (data (i32.const ${CONSTANTS}) "${roundConstants().map(littleEndian).join('')}")
  ${PERMUTATION}

  ;; Adds 8 bytes to a lane.
  (func $add (param $lane i32) (param $word i64)
    (i64.store (local.get $lane) (i64.xor (i64.load (local.get $lane)) (local.get $word))))

  ;; Adds the next block of a half's message to its lanes, with the padding of keccak where it is the last one.
  ;; Reads up to 7 bytes past the message.
  (func $absorb (param $half i32) (local $at i32) (local $left i32) (local $bits i64)
    (local.set $at (i32.load offset=416 (local.get $half)))
    (local.set $left (i32.load offset=432 (local.get $half)))
    (if (i32.ge_u (local.get $left) (i32.const 136))
      (then
        ${upTo(17)
          .map(
            (n) =>
              `(call $add (i32.add (local.get $half) (i32.const ${16 * n})) (i64.load offset=${8 * n} (local.get $at)))`,
          )
          .join('\n')}
        (i32.store offset=416 (local.get $half) (i32.add (local.get $at) (i32.const 136)))
        (i32.store offset=432 (local.get $half) (i32.sub (local.get $left) (i32.const 136))))
      (else
        (call $add (i32.add (local.get $half) (i32.const 256)) (i64.const 0x8000000000000000))
        (i32.store offset=448 (local.get $half) (i32.const 1))
        (block $short
          (loop $word
            (br_if $short (i32.lt_u (local.get $left) (i32.const 8)))
            (call $add (local.get $half) (i64.load (local.get $at)))
            (local.set $half (i32.add (local.get $half) (i32.const 16)))
            (local.set $at (i32.add (local.get $at) (i32.const 8)))
            (local.set $left (i32.sub (local.get $left) (i32.const 8)))
            (br $word)))
        (local.set $bits (i64.shl (i64.const 1) (i64.extend_i32_u (i32.shl (local.get $left) (i32.const 3)))))
        (call $add (local.get $half)
          (i64.or
            (i64.and (i64.load (local.get $at)) (i64.sub (local.get $bits) (i64.const 1)))
            (local.get $bits))))))

  ;; Copies digests into the holes of message m.
  (func $fill (param $m i32) (param $holeStart i32) (param $holeAt i32) (param $holeOf i32) (param $digests i32)
    (local $hole i32) (local $end i32) (local $to i32) (local $from i32)
    (local.set $holeStart (i32.add (local.get $holeStart) (i32.shl (local.get $m) (i32.const 2))))
    (local.set $hole (i32.shl (i32.load (local.get $holeStart)) (i32.const 2)))
    (local.set $end (i32.shl (i32.load offset=4 (local.get $holeStart)) (i32.const 2)))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $hole) (local.get $end)))
        (local.set $to (i32.load (i32.add (local.get $holeAt) (local.get $hole))))
        (local.set $from (i32.add (local.get $digests)
          (i32.shl (i32.load (i32.add (local.get $holeOf) (local.get $hole))) (i32.const 5))))
        (v128.store (local.get $to) (v128.load (local.get $from)))
        (v128.store offset=16 (local.get $to) (v128.load offset=16 (local.get $from)))
        (local.set $hole (i32.add (local.get $hole) (i32.const 4)))
        (br $next))))

  ;; Messages [first, end) of a chunk (host/primitives/keccak_chunk.ts). Message m is the chunk's; its digest is number
  ;; own + m of all. state: 464 bytes that no other call uses, a multiple of 16.
  (func (export "hash") (param $state i32) (param $first i32) (param $end i32) (param $at i32) (param $lengths i32)
    (param $holeStart i32) (param $holeAt i32) (param $holeOf i32) (param $digests i32) (param $own i32)
    (local $half i32) (local $m i32) (local $busy i32) (local $n i32)
    (i32.store offset=400 (local.get $state) (i32.const -1))
    (i32.store offset=408 (local.get $state) (i32.const -1))
    (loop $block
      (local.set $busy (i32.const 0))
      (local.set $half (local.get $state))
      (loop $take
        (if (i32.and
              (i32.eq (i32.load offset=400 (local.get $half)) (i32.const -1))
              (i32.lt_u (local.get $first) (local.get $end)))
          (then
            (local.set $m (local.get $first))
            (local.set $first (i32.add (local.get $first) (i32.const 1)))
            (call $fill (local.get $m) (local.get $holeStart) (local.get $holeAt) (local.get $holeOf)
              (local.get $digests))
            (i32.store offset=400 (local.get $half) (local.get $m))
            (i32.store offset=416 (local.get $half)
              (i32.load (i32.add (local.get $at) (i32.shl (local.get $m) (i32.const 2)))))
            (i32.store offset=432 (local.get $half)
              (i32.load (i32.add (local.get $lengths) (i32.shl (local.get $m) (i32.const 2)))))
            (i32.store offset=448 (local.get $half) (i32.const 0))
            (local.set $n (i32.const 0))
            (loop $clear
              (i64.store (i32.add (local.get $half) (local.get $n)) (i64.const 0))
              (local.set $n (i32.add (local.get $n) (i32.const 16)))
              (br_if $clear (i32.lt_u (local.get $n) (i32.const 400))))))
        (if (i32.ne (i32.load offset=400 (local.get $half)) (i32.const -1))
          (then
            (local.set $busy (i32.const 1))
            (call $absorb (local.get $half))))
        (local.set $half (i32.add (local.get $half) (i32.const 8)))
        (br_if $take (i32.lt_u (local.get $half) (i32.add (local.get $state) (i32.const 16)))))
      (if (local.get $busy)
        (then
          (call $permute (local.get $state))
          (local.set $half (local.get $state))
          (loop $give
            (local.set $m (i32.load offset=400 (local.get $half)))
            (if (i32.and (i32.ne (local.get $m) (i32.const -1)) (i32.load offset=448 (local.get $half)))
              (then
                (local.set $m (i32.add (local.get $digests)
                  (i32.shl (i32.add (local.get $own) (local.get $m)) (i32.const 5))))
                ${upTo(4)
                  .map(
                    (n) => `(i64.store offset=${8 * n} (local.get $m) (i64.load offset=${16 * n} (local.get $half)))`,
                  )
                  .join('\n')}
                (i32.store offset=400 (local.get $half) (i32.const -1))))
            (local.set $half (i32.add (local.get $half) (i32.const 8)))
            (br_if $give (i32.lt_u (local.get $half) (i32.add (local.get $state) (i32.const 16)))))
          (br $block))))))`

export const keccakModule = async (): Promise<string> => {
  const { parseWat } = await wabt()
  const parsed = parseWat('keccak.wat', MODULE, { simd: true, threads: true })
  const { buffer } = parsed.toBinary({})
  parsed.destroy()
  const lines = Buffer.from(buffer)
    .toString('base64')
    .match(/.{1,100}/g)!
  return [
    '// Generated by scripts/keccak_module.ts. Do not edit.',
    '',
    '/** The module of keccak_chunk.ts, base64: imports a shared memory, exports `hash`. */',
    `export const KECCAK_MODULE: string = [`,
    ...lines.map((line) => `  '${line}',`),
    "].join('')",
    '',
  ].join('\n')
}
