import { existsSync, readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import type { TransactionObject } from '../../host/block/batch.ts'
import { bytesToHex, hexToBytes } from '../../host/block/encode_batch.ts'
import type { BlockEnvironment } from '../../host/block/environment.ts'
import { createCpuTier } from '../../host/execute/cpu_tier.ts'
import { MemoryState } from '../../host/state/memory_state.ts'
import { type Fork, isAtLeast } from '../../transpiler/spec/forks.ts'
import { runOnCpuTier } from '../fixtures/cpu_run.ts'

/** Real mainnet blocks with their pre-state, outside the project; its README names the format. */
const FOLDER = new URL('../../../shared/data/blocks/', import.meta.url)
const BLOCKS = [
  116525, 1796867, 2641321, 2688148, 4370000, 6137495, 8038679, 9069000, 10760440, 12522062, 13287210, 15537394,
  17034869, 18988207, 19929064, 19933597,
] as const

interface Fixture {
  readonly chainId: number
  readonly fork: Fork
  readonly header: Readonly<Record<string, string | undefined>>
  readonly transactions: readonly Readonly<
    Record<string, string | undefined> & { accessList?: TransactionObject['accessList'] }
  >[]
  readonly expected: { readonly gasUsed: string; readonly logsBloom: string }
  readonly pre: Readonly<
    Record<string, { balance: string; nonce: string; codeHash: string; storage: Record<string, string> }>
  >
  readonly code: Readonly<Record<string, string>>
  readonly blockHashes: Readonly<Record<string, string>>
}

const load = (number: number): Fixture =>
  JSON.parse(gunzipSync(readFileSync(new URL(`mainnet-${number}.json.gz`, FOLDER))).toString())

const environmentOf = ({ fork, header }: Fixture): BlockEnvironment => ({
  number: BigInt(header['number']!),
  timestamp: BigInt(header['timestamp']!),
  coinbase: header['miner']!.toLowerCase(),
  gasLimit: BigInt(header['gasLimit']!),
  baseFeePerGas: BigInt(header['baseFeePerGas'] ?? 0),
  prevRandao: BigInt((isAtLeast(fork, 'paris') ? header['mixHash'] : header['difficulty'])!),
})

const stateOf = ({ pre, code, blockHashes }: Fixture): MemoryState => {
  const state = new MemoryState()
  for (const bytes of Object.values(code)) state.addCode(hexToBytes(bytes))
  for (const [address, { balance, nonce, codeHash, storage }] of Object.entries(pre)) {
    state.setAccount(address, { balance: BigInt(balance), nonce: BigInt(nonce), code: code[codeHash] ?? '0x', storage })
  }
  for (const [number, hash] of Object.entries(blockHashes)) state.setBlockHash(BigInt(number), hash)
  return state
}

const transactionOf = (rpc: Fixture['transactions'][number]): TransactionObject => {
  const type = Number(rpc['type'] ?? 0) as 0 | 1 | 2
  return {
    type,
    from: rpc['from']!,
    ...(rpc['to'] ? { to: rpc['to'] } : {}),
    nonce: BigInt(rpc['nonce']!),
    gasLimit: BigInt(rpc['gas']!),
    ...(type === 2
      ? { maxFeePerGas: BigInt(rpc['maxFeePerGas']!), maxPriorityFeePerGas: BigInt(rpc['maxPriorityFeePerGas']!) }
      : { gasPrice: BigInt(rpc['gasPrice']!) }),
    value: BigInt(rpc['value']!),
    data: rpc['input']!,
    ...(type > 0 && rpc.accessList ? { accessList: rpc.accessList } : {}),
  }
}

describe.skipIf(!existsSync(FOLDER))(
  'the CPU tier on real blocks (skipped where ../shared/data/blocks is absent)',
  () => {
    it.each(BLOCKS)('uses the gas and sets the bloom of mainnet block %i', async (number) => {
      const fixture = load(number)
      const tier = await createCpuTier({ fork: fixture.fork, chainId: BigInt(fixture.chainId) })
      const transactions = fixture.transactions.map(transactionOf)
      const receipts = await runOnCpuTier(tier, fixture.fork, environmentOf(fixture), stateOf(fixture), transactions)
      expect(BigInt(receipts.totalGasUsed)).toBe(BigInt(fixture.expected.gasUsed))
      expect(bytesToHex(receipts.blockBloom())).toBe(fixture.expected.logsBloom)
      expect(transactions.map((_, i) => receipts.rejection(i)).filter((code) => code !== 0)).toEqual([])
    })
  },
)
