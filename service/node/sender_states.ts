import {
  addressFromHex,
  EMPTY_CODE_HASH,
  quantityToBigInt,
  type State,
  wordFromHex,
  wordToBigInt,
  wordToHex,
} from '../../host/index.ts'

/** What a sender has in a state. */
export interface SenderState {
  readonly nonce: bigint
  readonly balance: bigint
  /** Of an account that has code: 0x-hex. */
  readonly codeHash: string | undefined
}

const LIMBS_PER_ADDRESS = 5
const LIMBS_PER_WORD = 8
const EMPTY_CODE = new Uint32Array(LIMBS_PER_WORD)
wordFromHex(EMPTY_CODE, 0, EMPTY_CODE_HASH)
const DELEGATION_PREFIX = [0xef, 0x01, 0x00] as const

/** Senders (0x-hex in lower case) in a state, read at once. */
export const readSenders = async (
  state: State,
  senders: Iterable<string>,
): Promise<ReadonlyMap<string, SenderState>> => {
  const addresses = [...new Set(senders)]
  const limbs = new Uint32Array(LIMBS_PER_ADDRESS * addresses.length)
  for (let i = 0; i < addresses.length; i++) addressFromHex(limbs, LIMBS_PER_ADDRESS * i, addresses[i]!)
  const { nonce, balance, codeHash } = await state.readAccounts(limbs, addresses.length)
  const found = new Map<string, SenderState>()
  for (let i = 0; i < addresses.length; i++)
    found.set(addresses[i]!, {
      nonce: quantityToBigInt(nonce, 2 * i),
      balance: wordToBigInt(balance, LIMBS_PER_WORD * i),
      codeHash: hasCode(codeHash, i) ? wordToHex(codeHash, LIMBS_PER_WORD * i) : undefined,
    })
  return found
}

const hasCode = (hashes: Uint32Array, i: number): boolean =>
  EMPTY_CODE.some((limb, n) => limb !== hashes[LIMBS_PER_WORD * i + n])

/** Hashes of codes that are no delegations (EIP-7702): an account that has one sends nothing (EIP-3607). */
export const contractCodes = async (
  state: State,
  senders: ReadonlyMap<string, SenderState>,
): Promise<ReadonlySet<string>> => {
  const hashes = new Set<string>()
  for (const { codeHash } of senders.values()) if (codeHash !== undefined) hashes.add(codeHash)
  const isContract = async (hash: string): Promise<boolean> => {
    const code = await state.readCode(hash)
    return DELEGATION_PREFIX.some((byte, i) => code[i] !== byte)
  }
  const found = await Promise.all([...hashes].map(async (hash) => ((await isContract(hash)) ? [hash] : [])))
  return new Set(found.flat())
}
