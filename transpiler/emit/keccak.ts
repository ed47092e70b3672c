import type { Value } from '../ir/path_ir.ts'
import { KECCAK_RATE_BYTES, KECCAK_RATE_LIMBS } from '../layout/word.ts'
import type { Expressions } from './expressions.ts'
import { keccakBlocks } from './schedule.ts'

const COMPONENTS = ['lo.x', 'lo.y', 'lo.z', 'lo.w', 'hi.x', 'hi.y', 'hi.z', 'hi.w'] as const

/**
 * WGSL that puts the state before permutation `block` of a hash into `keccak_state`: the padded input absorbed into the
 * state so far. One word and two words (a slot of an array, of a mapping) have a prelude function each; any other
 * length is absorbed block by block, u32 by u32 in byte order. `name` makes the locals of this block unique.
 */
export const keccakInput = (expressions: Expressions, value: Value, block: number, name: string): string[] => {
  const bytes = value.attribute as number
  const { args } = value
  if (bytes === 32) return [`keccak_state = keccak_init_32(${expressions.word(args[0]!)});`]
  if (bytes === 64) {
    return [`keccak_state = keccak_init_64(${expressions.word(args[0]!)}, ${expressions.word(args[1]!)});`]
  }
  const isLast = block === keccakBlocks(bytes) - 1
  const locals = new Map<number, string>()
  const limbs: string[] = []
  for (let i = 0; i < KECCAK_RATE_LIMBS; i++) {
    const at = block * KECCAK_RATE_BYTES + 4 * i
    const parts: string[] = []
    if (at < bytes) {
      const word = Math.floor(at / 32)
      locals.set(word, expressions.word(args[word]!))
      parts.push(`${name}_${word}.${COMPONENTS[(at % 32) / 4]}`)
    }
    if (bytes >= at && bytes < at + 4) parts.push(`${1 << (8 * (bytes - at))}u`)
    if (isLast && i === KECCAK_RATE_LIMBS - 1) parts.push('0x80000000u')
    limbs.push(parts.length === 0 ? '0u' : parts.join(' | '))
  }
  const from = block === 0 ? 'keccak_zero()' : 'keccak_state'
  return [
    ...[...locals].map(([word, text]) => `let ${name}_${word} = u256_reverse_bytes(${text});`),
    `keccak_state = keccak_absorb(${from}, KeccakBlock(array<u32, ${KECCAK_RATE_LIMBS}>(${limbs.join(', ')})));`,
  ]
}
