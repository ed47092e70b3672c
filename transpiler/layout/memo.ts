/**
 * Memoised look-ups: what a path needs and no kernel computes (results of precompiles, hashes of ancestor blocks)
 * stands in the slot table, where the host puts it after a miss.
 *
 * The slots of memo m belong to the account id MEMO_OWNERS + m, which no account has (ids are dense), so they are
 * never a contract's storage. They are written once and by the host alone: no footprint, no version, no commit has
 * them.
 *
 * m = address of the precompile   key = keccak-256 of the input bytes, plus the index of the word
 *   ONE_WORD                      word 0: the output as a word, 0 where it is empty (no account has address 0)
 *   the others                    word 0: 0 = failed, else 1 + bytes of output; word 1 + i: the output, big-endian,
 *                                 zero padded
 * m = MEMO_BLOCK_HASH             key = number of the block, value = its hash
 */
export const MEMO_OWNERS = 0xffff_fc00
export const MEMO_BLOCK_HASH = 0

/** ecrecover, sha256, ripemd160: 32 bytes of output or none; they never fail. */
export const ONE_WORD_PRECOMPILES: ReadonlySet<number> = new Set([1, 2, 3])

const LAST_MEMO = 0x1ff

/** The memo that an account id stands for, or undefined for the id of an account. */
export const memoOf = (owner: bigint | number): number | undefined => {
  const memo = Number(owner) - MEMO_OWNERS
  return memo >= 0 && memo <= LAST_MEMO ? memo : undefined
}

/**
 * What a precompile made of its input. `gas`: what it uses where it succeeds; a failure takes all that it was given.
 *
 * Example: {@link recordPath}.
 */
export interface PrecompileResult {
  readonly success: boolean
  readonly output: Uint8Array
  readonly gas: number
}

const wordAt = (bytes: Uint8Array, at: number): bigint => {
  let word = 0n
  for (let i = at; i < at + 32; i++) word = (word << 8n) | BigInt(bytes[i] ?? 0)
  return word
}

/** The words of a memo, from its key on. */
export const memoWords = (precompile: number, { success, output }: PrecompileResult): bigint[] => {
  if (ONE_WORD_PRECOMPILES.has(precompile)) return [output.length === 0 ? 0n : wordAt(output, 0)]
  if (!success) return [0n]
  const words = [BigInt(output.length + 1)]
  for (let at = 0; at < output.length; at += 32) words.push(wordAt(output, at))
  return words
}
