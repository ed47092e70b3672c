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
/** Of a thread: the state and two blocks. */
const STATE_BYTES = 672

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

/** Lanes of a block. */
const RATE_LANES = 17

/** A lane of the state with what is kept of it, and with the lane of both blocks that is added to it. */
const absorbed = (n: number): string => {
  const kept = `(v128.and (v128.load offset=${16 * n} ${get('state')}) ${get('kept')})`
  if (n >= RATE_LANES) return kept
  const block = `(v128.load64_zero offset=${8 * n} ${get('block0')})`
  return xor(kept, `(v128.load64_lane offset=${8 * n} 1 ${get('block1')} ${block})`)
}

/** Adds a block to each half of the state, or to zeros where `keep` of the half is 0 and not -1, and permutes. */
const PERMUTATION = `
  (func $permute (param $state i32) (param $block0 i32) (param $block1 i32) (param $keep0 i64) (param $keep1 i64)
    (local $round i32) (local $kept v128)
    ${[...upTo(25).flatMap((n) => [`a${n}`, `e${n}`]), ...upTo(5).flatMap((n) => [`b${n}`, `c${n}`, `d${n}`]), 't']
      .map((name) => `(local $${name} v128)`)
      .join(' ')}
    (local.set $kept (i64x2.replace_lane 1 (i64x2.splat (local.get $keep0)) (local.get $keep1)))
    ${upTo(25)
      .map((n) => set(`a${n}`, absorbed(n)))
      .join('\n')}
    (loop $turn
      ${keccakRound('a', 'e', 0)}
      ${keccakRound('e', 'a', 1)}
      ${set('round', `(i32.add ${get('round')} (i32.const ${8 * ROUNDS_PER_TURN}))`)}
      (br_if $turn (i32.lt_u ${get('round')} (i32.const ${8 * ROUNDS}))))
    ${upTo(25)
      .map((n) => `(v128.store offset=${16 * n} ${get('state')} ${get(`a${n}`)})`)
      .join('\n')})`

/** Where a half's last block is padded, after the 25 lanes of both halves. */
const padOf = (half: number): string => `(i32.add (local.get $state) (i32.const ${400 + 136 * half}))`

/** Gives a half that has no message the next one, and any half its next block. */
const nextBlock = (half: number): string => `
  (local.set $keep${half} (i64.const -1))
  (if (i32.and (i32.eq (local.get $m${half}) (i32.const -1)) (i32.lt_u (local.get $first) (local.get $end)))
    (then
      (local.set $m${half} (local.get $first))
      (local.set $first (i32.add (local.get $first) (i32.const 1)))
      (call $fill (local.get $m${half}) (local.get $holeStart) (local.get $holeAt) (local.get $holeOf)
        (local.get $digests))
      (local.set $next${half}
        (i32.load (i32.add (local.get $at) (i32.shl (local.get $m${half}) (i32.const 2)))))
      (local.set $left${half}
        (i32.load (i32.add (local.get $lengths) (i32.shl (local.get $m${half}) (i32.const 2)))))
      (local.set $keep${half} (i64.const 0))))
  (if (i32.ne (local.get $m${half}) (i32.const -1))
    (then
      (local.set $isLast${half} (i32.lt_u (local.get $left${half}) (i32.const 136)))
      (local.set $block${half} (local.get $next${half}))
      (if (local.get $isLast${half})
        (then
          (local.set $block${half} ${padOf(half)})
          (call $pad (local.get $block${half}) (local.get $next${half}) (local.get $left${half})))
        (else
          (local.set $next${half} (i32.add (local.get $next${half}) (i32.const 136)))
          (local.set $left${half} (i32.sub (local.get $left${half}) (i32.const 136)))))))`

/** Writes the digest of a half whose message has ended. */
const giveDigest = (half: number): string => `
  (if (i32.and (i32.ne (local.get $m${half}) (i32.const -1)) (local.get $isLast${half}))
    (then
      (local.set $to (i32.add (local.get $digests)
        (i32.shl (i32.add (local.get $own) (local.get $m${half})) (i32.const 5))))
      ${upTo(4)
        .map(
          (n) =>
            `(i64.store offset=${8 * n} (local.get $to) (i64.load offset=${16 * n + 8 * half} (local.get $state)))`,
        )
        .join('\n')}
      (local.set $m${half} (i32.const -1))))`

const MODULE = `(module
  (memory (import "host" "memory") 1 65536 shared)
  (data (i32.const ${CONSTANTS}) "${roundConstants().map(littleEndian).join('')}")
  ${PERMUTATION}

  ;; Writes the last block of a message, of which less than 136 bytes are left, with the padding of keccak. Reads up to
  ;; 7 bytes past the message.
  (func $pad (param $to i32) (param $from i32) (param $left i32) (local $end i32) (local $bits i64)
    (local.set $end (i32.add (local.get $to) (i32.const 136)))
    (block $short
      (loop $word
        (br_if $short (i32.lt_u (local.get $left) (i32.const 8)))
        (i64.store (local.get $to) (i64.load (local.get $from)))
        (local.set $to (i32.add (local.get $to) (i32.const 8)))
        (local.set $from (i32.add (local.get $from) (i32.const 8)))
        (local.set $left (i32.sub (local.get $left) (i32.const 8)))
        (br $word)))
    (local.set $bits (i64.shl (i64.const 1) (i64.extend_i32_u (i32.shl (local.get $left) (i32.const 3)))))
    (i64.store (local.get $to)
      (i64.or
        (i64.and (i64.load (local.get $from)) (i64.sub (local.get $bits) (i64.const 1)))
        (local.get $bits)))
    (block $full
      (loop $zero
        (local.set $to (i32.add (local.get $to) (i32.const 8)))
        (br_if $full (i32.ge_u (local.get $to) (local.get $end)))
        (i64.store (local.get $to) (i64.const 0))
        (br $zero)))
    (i64.store offset=0 (i32.sub (local.get $end) (i32.const 8))
      (i64.or (i64.load (i32.sub (local.get $end) (i32.const 8))) (i64.const 0x8000000000000000))))

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

  ;; Messages [first, end) of a chunk (host/primitives/keccak_memory.ts). Message m is the chunk's; its digest is number
  ;; own + m of all. state: ${STATE_BYTES} bytes that no other call uses, a multiple of 16: 25 lanes of both halves, 16
  ;; bytes each, and the last block of each half.
  (func (export "hash") (param $state i32) (param $first i32) (param $end i32) (param $at i32) (param $lengths i32)
    (param $holeStart i32) (param $holeAt i32) (param $holeOf i32) (param $digests i32) (param $own i32)
    (local $to i32)
    ${[0, 1]
      .map((half) =>
        ['m', 'next', 'left', 'isLast', 'block']
          .map((name) => `(local $${name}${half} i32)`)
          .join(' ')
          .concat(` (local $keep${half} i64)`),
      )
      .join(' ')}
    ${[0, 1].map((half) => `(local.set $m${half} (i32.const -1)) (local.set $block${half} ${padOf(half)})`).join('\n')}
    (loop $block
      ${nextBlock(0)}
      ${nextBlock(1)}
      (if (i32.ne (i32.and (local.get $m0) (local.get $m1)) (i32.const -1))
        (then
          (call $permute (local.get $state) (local.get $block0) (local.get $block1) (local.get $keep0)
            (local.get $keep1))
          ${giveDigest(0)}
          ${giveDigest(1)}
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
