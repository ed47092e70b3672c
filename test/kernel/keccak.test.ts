import { keccak } from 'hash-wasm'
import { expect, it } from 'vitest'
import { KERNELS, PRELUDE } from '../../kernels/linked.generated.ts'
import { EDGE_WORDS, randomWords } from '../fixtures/edge_words.ts'
import {
  columnsOf,
  describeOnAdapters,
  environmentOf,
  laneBuffers,
  laneEntry,
  laneWord,
  type Rig,
  wordAt,
} from './rig.ts'

const SEED = 11

/** Bytes of a word, most significant first. */
const bytesOf = (word: bigint, sizeBytes: number): Uint8Array =>
  Uint8Array.from(Buffer.from(word.toString(16).padStart(64, '0'), 'hex').subarray(32 - sizeBytes))

const hashOf = async (bytes: Uint8Array): Promise<bigint> => BigInt(`0x${await keccak(bytes, 256)}`)

const randomBytes = (seed: number, sizeBytes: number): Uint8Array => {
  const bytes = new Uint8Array(sizeBytes)
  randomWords(seed, 3 * Math.ceil(sizeBytes / 32)).forEach((word, i) => {
    // Only the uniform words: the others have runs of equal bytes.
    if (i % 3 === 0) bytes.set(bytesOf(word, 32).subarray(0, sizeBytes - (i / 3) * 32), (i / 3) * 32)
  })
  return bytes
}

/** Digests of messages packed one after another, the first at byte `start`, with `gap` bytes between them. */
const digestsOf = async (
  rig: Rig,
  messages: readonly Uint8Array[],
  { start = 0, gap = 0 } = {},
): Promise<readonly bigint[]> => {
  const total = messages.reduce((sum, { length }) => sum + length + gap, start)
  // What lies between and after messages must not matter.
  const bytes = new Uint8Array(Math.max(4, Math.ceil(total / 4) * 4)).fill(0xa5)
  const places = new Uint32Array(2 * messages.length)
  let offset = start
  messages.forEach((message, i) => {
    bytes.set(message, offset)
    places.set([offset, message.length], 2 * i)
    offset += message.length + gap
  })
  const [digests] = await rig.run({
    label: 'keccak256',
    wgsl: KERNELS['keccak256']!,
    entryPoint: 'keccak256',
    buffers: [
      { binding: 0, type: 'uniform', data: Uint32Array.of(messages.length, 0, 0, 0) },
      { binding: 1, type: 'read-only-storage', data: new Uint32Array(bytes.buffer) },
      { binding: 2, type: 'read-only-storage', data: places },
      { binding: 3, type: 'storage', sizeBytes: 32 * messages.length, output: true },
    ],
    invocations: messages.length,
  })
  return messages.map((_, i) => wordAt(digests!, 8 * i))
}

/** Published digests: the empty string, 'abc', and the 112-byte message of the NIST examples. */
const VECTORS: readonly (readonly [string, bigint])[] = [
  ['', 0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470n],
  ['abc', 0x4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45n],
  [
    'abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu',
    0xf519747ed599024f3882238e5ab43960132572b7345fbeb9a90769dafd21ad67n,
  ],
]

describeOnAdapters('keccak', (rig) => {
  it('keccak256 gives the published digests', async () => {
    const digests = await digestsOf(
      rig,
      VECTORS.map(([text]) => Buffer.from(text)),
    )
    expect(digests).toEqual(VECTORS.map(([, digest]) => digest))
  })

  it('keccak256 hashes every length from 0 to 300 bytes at any alignment', async () => {
    const messages = Array.from({ length: 301 }, (_, length) => randomBytes(SEED + length, length))
    const want = await Promise.all(messages.map(hashOf))
    for (const placing of [{ start: 0 }, { start: 3, gap: 0 }, { start: 1, gap: 2 }]) {
      expect(await digestsOf(rig, messages, placing)).toEqual(want)
    }
  })

  it('keccak256 hashes messages of many blocks up to the end of the buffer', async () => {
    const messages = [24_576, 13_600, 13_599, 5].map((length) => randomBytes(SEED, length))
    expect(await digestsOf(rig, messages)).toEqual(await Promise.all(messages.map(hashOf)))
  })

  it('keccak_init_32, keccak_init_64 and keccak_init_20 hash words as the EVM does', async () => {
    const words = [...EDGE_WORDS, ...randomWords(SEED, 200)]
    const others = [...words].reverse()
    const laneCount = words.length
    const [lanesOut] = await rig.run({
      label: 'one-block hashes',
      // One site: the permutation dominates the time to compile.
      wgsl:
        PRELUDE +
        laneEntry(`
          let a = lane_in_word(0u, lane);
          let b = lane_in_word(2u, lane);
          for (var i = 0u; i < 3u; i++) {
            var state = keccak_init_32(a);
            if (i == 1u) {
              state = keccak_init_64(a, b);
            }
            if (i == 2u) {
              state = keccak_init_20(a);
            }
            lane_out_word(2u * i, lane, keccak_digest(keccak_f(state)));
          }`),
      entryPoint: 'test',
      buffers: laneBuffers(environmentOf({ laneCount }), columnsOf([words, others]), 6),
      invocations: laneCount,
    })
    for (const [lane, word] of words.entries()) {
      const both = Uint8Array.of(...bytesOf(word, 32), ...bytesOf(others[lane]!, 32))
      expect(laneWord(lanesOut!, laneCount, 0, lane)).toBe(await hashOf(bytesOf(word, 32)))
      expect(laneWord(lanesOut!, laneCount, 2, lane)).toBe(await hashOf(both))
      expect(laneWord(lanesOut!, laneCount, 4, lane)).toBe(await hashOf(bytesOf(word, 20)))
    }
  })
})
