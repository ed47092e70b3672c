import { type Block, createBlock, createBlockFromRLP } from '@ethereumjs/block'
import { type Common, createCustomCommon, Mainnet } from '@ethereumjs/common'
import { createEVM, EVM, type EVMResult } from '@ethereumjs/evm'
import { Caches, MerkleStateManager } from '@ethereumjs/statemanager'
import { createFeeMarket1559Tx } from '@ethereumjs/tx'
import {
  type Address,
  createAccount,
  createAddressFromPrivateKey,
  createAddressFromString,
  createZeroAddress,
  setLengthLeft,
} from '@ethereumjs/util'
import { createVM, type RunBlockOpts, runBlock, type VM } from '@ethereumjs/vm'
import { flushInBulk } from '../host/adapters/ethereumjs/bulk_flush.ts'
import { createGpuEvm, GpuEvm } from '../host/adapters/ethereumjs/gpu_evm.ts'
import { fillCrypto } from '../host/adapters/ethereumjs/vm_crypto.ts'
import { openDevice } from '../host/device/device.ts'
import { CUSTOM_CRYPTO } from '../host/precompiles/common.ts'
import { hexToBytes } from '../host/primitives/hex.ts'
import { keccak256 } from '../host/primitives/keccak.ts'
import { selector } from './contracts/abi.ts'
import { openZeppelinToken, type Token } from './contracts/tokens.ts'
import { collectGarbage } from './garbage.ts'
import { commitOfCheckout, machine } from './machine.ts'
import type { BenchReport } from './report/schema.ts'
import { median, spread } from './report/statistics.ts'
import { rounded } from './report/text.ts'

export interface DropInOptions {
  /** Token payments of a block, each by another sender. */
  readonly transactions: number
  /** Blocks that are measured, after one that is not. */
  readonly blocks: number
  readonly adapter?: string
  readonly onSample?: (side: string, block: number, ms: number) => void
}

/** What an unchanged `runBlock` takes with each EVM. */
export interface DropInReport {
  readonly schema: 'wgevm-drop-in/1'
  readonly commit: string
  readonly date: string
  readonly machine: BenchReport['machine']
  readonly adapter: { readonly kind: string; readonly name: string; readonly driver: string }
  readonly node: string
  readonly transactions: number
  /** Milliseconds of `runBlock`, one sample a block. */
  readonly sides: readonly { readonly name: DropInSide; readonly samplesMs: readonly number[] }[]
  /** Calls that createGpuEvm served from ahead, those of the first block included. */
  readonly served: number
}

export type DropInSide =
  | 'createEVM'
  | 'createEVM, native cryptography'
  | 'createGpuEvm'
  | 'an EVM that does nothing, the same tries and cryptography'

/** A block from elsewhere, as it comes in. */
type EncodedBlock = Uint8Array

/**
 * Side, milliseconds of `runBlock`, half the range, milliseconds per transaction, and how many times createGpuEvm is
 * faster.
 */
export const dropInRows = ({ sides, transactions }: DropInReport): readonly (readonly string[])[] => {
  const ours = median(sides.find(({ name }) => name === 'createGpuEvm')!.samplesMs)
  return sides.map(({ name, samplesMs }) => {
    const ms = median(samplesMs)
    return [
      name,
      rounded(ms),
      `${rounded(100 * spread(samplesMs))} %`,
      rounded(ms / transactions),
      name === 'createGpuEvm' ? '-' : rounded(ms / ours),
    ]
  })
}

/** How many times the stock EVM's time it takes. */
export const dropInRatio = ({ sides }: DropInReport): number => {
  const ms = (side: DropInSide): number => median(sides.find(({ name }) => name === side)!.samplesMs)
  return ms('createEVM') / ms('createGpuEvm')
}

interface Side {
  readonly name: DropInSide
  readonly common: Common
  readonly vm: VM
}

const BALANCE = 10n ** 12n
const GAS_LIMIT = 100_000n

/**
 * `runBlock` of @ethereumjs/vm, unchanged, over blocks of ERC-20 payments: with the stock EVM, with this package's, and
 * with one that executes nothing: what that takes, without a log or a slot to write, is the least that any EVM leaves
 * to `runBlock`. It checks receipts, bloom, gas and state root against the header; an EVM that executes nothing has
 * blocks with headers of its own.
 *
 * Blocks come as RLP, so every side recovers senders. Throws where a block is not what its header says.
 */
export const measureDropIn = async (options: DropInOptions): Promise<DropInReport> => {
  const { transactions: count, blocks, adapter } = options
  const device = await openDevice(adapter === undefined ? {} : { adapter })
  const token = await openZeppelinToken('prague')
  const keys = Array.from({ length: count }, (_, n) => wordOf(BigInt(n + 1)))
  const people = keys.map((key) => createAddressFromPrivateKey(key))
  const gpuEvm = async (common: Common, stateManager: MerkleStateManager): Promise<GpuEvm> =>
    createGpuEvm({ common, stateManager, device, executor: { compile: 'wait', recordFrom: 1, pathStore: false } })
  const builder = await sideOf('createGpuEvm', commonOf(), gpuEvm, token, people)
  const idleBuilder = await sideOf(IDLE, commonOf(), idleEvm, token, people)
  const sides = [
    await sideOf('createEVM', commonOf(), stockEvm, token, people),
    await sideOf('createEVM, native cryptography', commonOf(CUSTOM_CRYPTO), stockEvm, token, people),
    await sideOf('createGpuEvm', commonOf(), gpuEvm, token, people),
    await sideOf(IDLE, commonOf(), idleEvm, token, people),
  ]
  const samples = sides.map((): number[] => [])
  try {
    for (let number = 0; number <= blocks; number++) {
      const made = await build(builder, number, keys, people, token)
      const idle = await build(idleBuilder, number, keys, people, token)
      for (const [s, side] of sides.entries()) {
        const ms = await importBlock(side, side.name === IDLE ? idle : made)
        if (number === 0) continue
        samples[s]!.push(ms)
        options.onSample?.(side.name, number, ms)
      }
    }
    const served = Math.max(...sides.map(({ vm }) => (vm.evm instanceof GpuEvm ? vm.evm.report.served : 0)))
    if (served === 0) throw new Error('createGpuEvm served no call: its side measures the stock EVM')
    return {
      schema: 'wgevm-drop-in/1',
      commit: commitOfCheckout(),
      date: new Date().toISOString(),
      machine: machine(),
      adapter: { kind: device.kind, name: device.name, driver: device.driver },
      node: process.version,
      transactions: count,
      sides: sides.map(({ name }, s) => ({ name, samplesMs: samples[s]! })),
      served,
    }
  } finally {
    for (const { vm } of [builder, ...sides]) if (vm.evm instanceof GpuEvm) await vm.evm.close()
    device.destroy()
  }
}

const IDLE: DropInSide = 'an EVM that does nothing, the same tries and cryptography'

const commonOf = (customCrypto?: typeof CUSTOM_CRYPTO): Common =>
  createCustomCommon({ chainId: 1 }, Mainnet, {
    hardfork: 'prague',
    ...(customCrypto === undefined ? {} : { customCrypto }),
  })

const stockEvm = async (common: Common, stateManager: MerkleStateManager): Promise<EVM> =>
  createEVM({ common, stateManager })

/** Every call succeeds at once, without gas, logs or writes. */
class IdleEvm extends EVM {
  override async runCall(): Promise<EVMResult> {
    return { execResult: { returnValue: new Uint8Array(0), executionGasUsed: 0n, gas: GAS_LIMIT, logs: [] } }
  }
}

const idleEvm = async (common: Common, stateManager: MerkleStateManager): Promise<EVM> => {
  const { blockchain } = await createEVM({ common, stateManager })
  fillCrypto(common)
  flushInBulk(stateManager)
  return new IdleEvm({ common, stateManager, blockchain })
}

const sideOf = async (
  name: DropInSide,
  common: Common,
  makeEvm: (common: Common, manager: MerkleStateManager) => Promise<EVM>,
  token: Token,
  people: readonly Address[],
): Promise<Side> => {
  const manager = new MerkleStateManager({ common, caches: new Caches() })
  await manager.checkpoint()
  for (const person of people) await manager.putAccount(person, createAccount({ balance: 10n ** 18n }))
  for (const { address: hex, code } of token.programs) {
    const address = createAddressFromString(hex)
    await manager.putAccount(address, createAccount({ nonce: 1n }))
    await manager.putCode(address, code)
  }
  const contract = createAddressFromString(token.address)
  const evm = await makeEvm(common, manager)
  for (const person of people) await manager.putStorage(contract, balanceKey(person, token), wordOf(BALANCE))
  await manager.commit()
  return { name, common, vm: await createVM({ common, stateManager: manager, evm }) }
}

const HEADER_CHECKS = { skipHeaderValidation: true } as const satisfies Partial<RunBlockOpts>

/** A block in which each account pays another, a tenth of them one that held nothing; with its header filled in. */
const build = async (
  { common, vm }: Side,
  number: number,
  keys: readonly Uint8Array[],
  people: readonly Address[],
  token: Token,
): Promise<EncodedBlock> => {
  const to = createAddressFromString(token.address)
  const transactions = keys.map((key, n) => {
    const payee =
      n % 10 === 9 ? stranger(n + number * keys.length) : people[(7 * n + 13 * number + 1) % people.length]!.bytes
    const data = new Uint8Array(68)
    data.set(TRANSFER)
    data.set(payee, 16)
    data.set(wordOf(BigInt(n + 1)), 36)
    const fees = { maxFeePerGas: 20n, maxPriorityFeePerGas: 2n }
    const nonce = BigInt(number)
    return createFeeMarket1559Tx({ chainId: 1, nonce, gasLimit: GAS_LIMIT, ...fees, to, data }, { common }).sign(key)
  })
  const header = {
    number: BigInt(number + 1),
    timestamp: BigInt(1_000 + number),
    gasLimit: 2n ** 40n,
    baseFeePerGas: 7n,
    coinbase: createZeroAddress(),
  }
  const built: Block[] = []
  vm.events.on('afterBlock', (event, resolve) => {
    built.push(event.block)
    resolve?.()
  })
  const block = createBlock({ header, transactions }, { common, skipConsensusFormatValidation: true })
  await runBlock(vm, { block, generate: true, skipBlockValidation: true, ...HEADER_CHECKS })
  vm.events.removeAllListeners('afterBlock')
  return built[0]!.serialize()
}

/** Milliseconds. */
const importBlock = async ({ common, vm }: Side, encoded: EncodedBlock): Promise<number> => {
  const block = createBlockFromRLP(encoded, { common, skipConsensusFormatValidation: true })
  collectGarbage()
  const startedMs = performance.now()
  await runBlock(vm, { block, ...HEADER_CHECKS })
  return performance.now() - startedMs
}

const TRANSFER = hexToBytes(`0x${selector('transfer(address,uint256)').toString(16).padStart(8, '0')}`)

const wordOf = (value: bigint): Uint8Array => setLengthLeft(hexToBytes(`0x${value.toString(16).padStart(64, '0')}`), 32)

const stranger = (n: number): Uint8Array => keccak256(wordOf(BigInt(n))).subarray(12)

/** Solidity's place of a mapping's value. */
const balanceKey = (holder: Address, { balanceSlot }: Token): Uint8Array => {
  const preimage = new Uint8Array(64)
  preimage.set(holder.bytes, 12)
  preimage.set(wordOf(BigInt(balanceSlot)), 32)
  return keccak256(preimage)
}
