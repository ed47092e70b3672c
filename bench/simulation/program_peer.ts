import type { Program } from '../../conformance/program_file.ts'
import { emptyBatch, type TransactionBatch } from '../../host/chain/batch.ts'
import { encodeBatch } from '../../host/chain/encode_batch.ts'
import { hexToBytes } from '../../host/primitives/hex.ts'
import type { StateWrites } from '../../host/state/state.ts'
import { runAnvil } from '../peers/anvil.ts'
import type { PeerResult } from '../report/schema.ts'
import { Genesis } from '../workloads/genesis.ts'

/** From Osaka on a transaction has at most 2^24 gas (EIP-7825), which the longer programs pass. */
const HARDFORK = 'prague'
const GAS = 300_000_000
const MOST_TRANSACTIONS = 1_000
const WEALTH = 10n ** 30n

/**
 * Native revm on the program's own calls, in turn, as transactions of one block. Each finds what those before it wrote;
 * where a file expects gas, so many that they use about 300 Mgas. Throws AnvilError.
 */
export const programPeer = async (binary: string, program: Program): Promise<PeerResult> => {
  const { env, chainId, calls, expected } = program
  const gas = expected.reduce((sum, { gasUsed }) => sum + Number(gasUsed) + 21_000, 0)
  const turns = Math.ceil(Math.min(MOST_TRANSACTIONS / calls.length, GAS / Math.max(gas, 21_000)))
  const transactions = transactionsOf(program, turns)
  const gasLimit = calls.reduce((sum, call) => sum + call.gas, 0n) * BigInt(turns)
  const block = { genesis: genesisOf(program), env: { ...env, gasLimit }, chainId, transactions, hardfork: HARDFORK }
  const peer = await runAnvil(binary, block)
  return { ...peer, note: `${HARDFORK}, ${peer.note}` }
}

const transactionsOf = ({ calls, env }: Program, turns: number): TransactionBatch => {
  const nonces = new Map<string, bigint>()
  const all = Array.from({ length: turns }, () => calls).flat()
  if (all.length === 0) return emptyBatch(0, { dataBytes: 0, accessEntries: 0, accessKeys: 0 })
  return encodeBatch(
    all.map(({ from, to, data, value = 0n, gas }) => {
      const nonce = nonces.get(from) ?? 0n
      nonces.set(from, nonce + 1n)
      const fee = { maxFeePerGas: env.baseFeePerGas, maxPriorityFeePerGas: 0n }
      return { from, to, data, value, nonce, gasLimit: gas, ...fee }
    }),
  )
}

const genesisOf = ({ pre, calls }: Program): StateWrites => {
  const genesis = new Genesis()
  const senders = new Set(calls.map(({ from }) => from))
  for (const [address, { balance = 0n, code = '0x', storage = {} }] of Object.entries(pre)) {
    const wealth = senders.has(address) ? WEALTH : balance
    senders.delete(address)
    const bytes = typeof code === 'string' ? hexToBytes(code) : code
    if (bytes.length === 0) genesis.account(address, wealth)
    else {
      const hex = (number: string | bigint): string => `0x${BigInt(number).toString(16)}`
      const slots = Object.entries(storage).map(([key, value]) => [hex(key), hex(value)] as const)
      genesis.program({ address, code: bytes, storage: new Map(slots), origin: '' }, wealth)
    }
  }
  for (const sender of senders) genesis.account(sender, WEALTH)
  return genesis.writes()
}
