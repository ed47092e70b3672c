import {
  addressFromHex,
  type BlockEnvironment,
  type CallBatches,
  type CallObject,
  type ChainBlock,
  type ChainReads,
  EMPTY_CODE_HASH,
  InputError,
  quantityToBigInt,
  type SimulatedCall,
  type SimulateRequest,
  type Simulation,
  type State,
  StoreError,
  wordFromBigInt,
  wordToBigInt,
  wordToHex,
} from '../../host/index.ts'
import { carrying } from '../call_port.ts'
import type { BlockName } from '../json_rpc/codec.ts'
import { RPC_CODE, RpcError } from '../rpc_error.ts'
import { type Rules, rulesOf } from './block_place.ts'
import type { BlockReader } from './block_reader.ts'
import { BlockSimulator } from './block_simulator.ts'
import { callEnvironment } from './call_environment.ts'
import type { Executors } from './executors.ts'
import { placeBlocks } from './simulated_chain.ts'
import type {
  BlockStateCall,
  CallRequest,
  CreatedAccessList,
  SimulatedBlockText,
  SimulatedBlockView,
  SimulateTerms,
  StateCalls,
} from './state_calls.ts'
import type { AccountView, ProofView } from './views.ts'

const LIMBS_PER_ADDRESS = 5
const LIMBS_PER_WORD = 8

/** A block whose state is known. */
interface Ground extends Rules {
  readonly block: ChainBlock
  readonly state: State
}

/** Reads accounts and slots after a block, and simulates calls there. */
export class StateReader implements StateCalls {
  readonly #chain: ChainReads
  readonly #blocks: BlockReader
  readonly #executors: Executors
  /** Gas that a call has at most, and where it names none. */
  readonly #gasCap: bigint
  readonly #batches: CallBatches | undefined

  /** `batches`: executes simulated blocks of many calls. */
  constructor(chain: ChainReads, blocks: BlockReader, executors: Executors, gasCap: bigint, batches?: CallBatches) {
    this.#batches = batches
    this.#chain = chain
    this.#blocks = blocks
    this.#executors = executors
    this.#gasCap = gasCap
  }

  #ground(at: BlockName): Ground {
    const block = this.#blocks.known(at)
    const state = this.#chain.stateAt(block.hash)
    if (state === undefined)
      throw new RpcError(RPC_CODE.server, `the state after block ${block.header.number} is not kept`)
    return { block, ...rulesOf(this.#chain.config, block.header), state }
  }

  async account(address: string, at: BlockName): Promise<AccountView> {
    const { state } = this.#ground(at)
    const { nonce, balance, codeHash } = await kept(async () => state.readAccounts(addressOf(address), 1))
    return { nonce: quantityToBigInt(nonce, 0), balance: wordToBigInt(balance, 0), codeHash: wordToHex(codeHash, 0) }
  }

  async code(address: string, at: BlockName): Promise<Uint8Array> {
    const { state } = this.#ground(at)
    return kept(async () => {
      const { codeHash } = await state.readAccounts(addressOf(address), 1)
      return state.readCode(wordToHex(codeHash, 0))
    })
  }

  async storage(address: string, keys: readonly bigint[], at: BlockName): Promise<readonly bigint[]> {
    const { state } = this.#ground(at)
    const addresses = new Uint32Array(LIMBS_PER_ADDRESS * keys.length)
    const words = new Uint32Array(LIMBS_PER_WORD * keys.length)
    for (const [i, key] of keys.entries()) {
      addressFromHex(addresses, LIMBS_PER_ADDRESS * i, address)
      wordFromBigInt(words, LIMBS_PER_WORD * i, key)
    }
    const values = await kept(async () => state.readSlots(addresses, words, keys.length))
    return keys.map((_, i) => wordToBigInt(values, LIMBS_PER_WORD * i))
  }

  async proof(address: string, keys: readonly bigint[], at: BlockName): Promise<ProofView> {
    const { block } = this.#ground(at)
    return { address, proof: await kept(() => this.#chain.proof(block.hash, address, keys)) }
  }

  async call(request: CallRequest): Promise<Uint8Array> {
    const { ground, env } = this.#place(request)
    const call = this.#capped(request.call, this.#gasCap)
    return this.#simulate(ground, async (simulate) => {
      const simulation = await simulate(requestOf(request, call, env))
      throwFault(simulation.get(0), call.gas)
      return simulation.output(0)
    })
  }

  async estimateGas(request: CallRequest): Promise<bigint> {
    const { ground, env } = this.#place(request)
    return this.#simulate(ground, (simulate) => this.#estimate(request, ground, env, simulate))
  }

  /** The least gas limit with which the call succeeds, to 1.5 %, as go-ethereum finds it. */
  async #estimate(request: CallRequest, ground: Ground, env: BlockEnvironment, simulate: Simulate): Promise<bigint> {
    const run = async (gas: bigint): Promise<SimulatedCall> =>
      (await simulate(requestOf(request, { ...request.call, gas }, env))).get(0)
    let most = await this.#mostGas(request, ground, env)
    if (most >= LEAST_GAS && (await isPlain(request.call, ground)) && (await run(LEAST_GAS)).status === 1)
      return LEAST_GAS
    const first = await run(most)
    if (first.status !== 1) {
      throwRevert(first, most)
      throw new RpcError(RPC_CODE.server, first.rejection ?? `gas required exceeds allowance (${most})`)
    }
    let least = first.gasUsed - 1n
    // What the innermost call leaves aside (EIP-150) and is refunded is not in the gas used.
    const likely = ((first.gasUsed + CALL_STIPEND) * 64n) / 63n
    if (likely < most) {
      if ((await run(likely)).status === 1) most = likely
      else least = likely
    }
    while (least + 1n < most) {
      if ((most - least) * 1000n < most * 15n) break
      let middle = (most + least) / 2n
      // Most calls need hardly more than what they use.
      if (middle > least * 2n) middle = least * 2n
      if ((await run(middle)).status === 1) most = middle
      else least = middle
    }
    return most
  }

  async #mostGas({ call }: CallRequest, { fork, state }: Ground, env: BlockEnvironment): Promise<bigint> {
    let most = call.gas !== undefined && call.gas >= LEAST_GAS ? call.gas : env.gasLimit
    const price = call.maxFeePerGas ?? call.gasPrice ?? 0n
    if (price > 0n) {
      const { balance } = await state.readAccounts(addressOf(call.from ?? NOBODY), 1)
      const left = wordToBigInt(balance, 0) - (call.value ?? 0n)
      if (left < 0n) throw new RpcError(RPC_CODE.server, 'insufficient funds for transfer')
      if (left / price < most) most = left / price
    }
    if (most > this.#gasCap) most = this.#gasCap
    return fork === 'osaka' && most > MOST_TRANSACTION_GAS ? MOST_TRANSACTION_GAS : most
  }

  async createAccessList(request: CallRequest): Promise<CreatedAccessList> {
    const { ground, env } = this.#place(request)
    return this.#simulate(ground, async (simulate) => {
      let call = this.#capped(request.call, this.#gasCap)
      for (;;) {
        const simulation = await simulate(requestOf(request, call, env))
        const { rejection, gasUsed, status, revertReason } = simulation.get(0)
        if (rejection !== undefined) throw new RpcError(RPC_CODE.server, rejection)
        const size = countOf(call.accessList)
        const accessList = joined(call.accessList ?? [], await simulation.accessList(0))
        call = { ...call, accessList }
        // What is in the list changes what the call does only by its gas: the next round may go further.
        if (countOf(accessList) > size) continue
        const error = status === 1 ? undefined : textOf(revertReason)
        return { accessList, gasUsed, error }
      }
    })
  }

  async simulateBlocks(
    blocks: readonly BlockStateCall[],
    at: BlockName,
    terms: SimulateTerms,
  ): Promise<readonly (SimulatedBlockView | SimulatedBlockText)[]> {
    const { block, state } = this.#ground(at)
    const placed = placeBlocks(block.header, blocks)
    const ground = { state, gas: this.#gasCap, batches: this.#batches }
    const views = await kept(() => new BlockSimulator(this.#chain, block, ground, terms).run(placed))
    return carrying(
      views,
      views.flatMap((view) => ('text' in view ? view.text : [])),
    )
  }

  #place(request: CallRequest): { readonly ground: Ground; readonly env: BlockEnvironment } {
    const ground = this.#ground(request.at)
    return { ground, env: callEnvironment(this.#chain.config, ground.block.header, request).env }
  }

  #capped(call: CallObject, cap: bigint): CallObject & { readonly gas: bigint } {
    return { ...call, gas: call.gas === undefined || call.gas > cap ? cap : call.gas }
  }

  #simulate<Result>(
    { block, state, ...rules }: Ground,
    work: (simulate: Simulate) => Promise<Result>,
  ): Promise<Result> {
    return readable(() => kept(() => this.#executors.simulate(rules, { state, at: block.hash }, work)))
  }
}

type Simulate = (request: SimulateRequest) => Promise<Simulation>

const NOBODY = `0x${'0'.repeat(40)}`
const LEAST_GAS = 21_000n
const CALL_STIPEND = 2300n
/** EIP-7825. */
const MOST_TRANSACTION_GAS = 1n << 24n

const addressOf = (address: string): Uint32Array => {
  const limbs = new Uint32Array(LIMBS_PER_ADDRESS)
  addressFromHex(limbs, 0, address)
  return limbs
}

/** Whether a call does no more than pay an account without code. */
const isPlain = async ({ to, data, input }: CallObject, { state }: Ground): Promise<boolean> => {
  if (to === undefined || (data ?? input ?? '0x') !== '0x') return false
  return wordToHex((await state.readAccounts(addressOf(to), 1)).codeHash, 0) === EMPTY_CODE_HASH
}

const requestOf = ({ overrides }: CallRequest, call: CallObject, at: BlockEnvironment): SimulateRequest => ({
  at,
  calls: [call],
  ...(overrides === undefined ? {} : { overrides }),
})

const countOf = (list: CallObject['accessList'] = []): number =>
  list.reduce((count, { storageKeys }) => count + 1 + storageKeys.length, 0)

/** Both lists in one: what a call is given in its list, it does not say again. */
const joined = (
  one: NonNullable<CallObject['accessList']>,
  other: NonNullable<CallObject['accessList']>,
): NonNullable<CallObject['accessList']> => {
  const keys = new Map<string, Set<string>>()
  for (const { address, storageKeys } of [...one, ...other]) {
    const found = keys.get(address) ?? new Set()
    for (const key of storageKeys) found.add(key)
    keys.set(address, found)
  }
  return [...keys].map(([address, found]) => ({ address, storageKeys: [...found] }))
}

const textOf = (reason: string | undefined): string =>
  reason === undefined ? 'execution reverted' : `execution reverted: ${reason}`

/** What halts has used all its gas and says nothing; a revert leaves gas, but for one that had none left. */
const throwRevert = ({ status, output, revertReason, gasUsed }: SimulatedCall, gas: bigint): void => {
  if (status === 0 && (output !== '0x' || gasUsed < gas))
    throw new RpcError(RPC_CODE.reverted, textOf(revertReason), output)
}

const throwFault = (result: SimulatedCall, gas: bigint): void => {
  if (result.rejection !== undefined) throw new RpcError(RPC_CODE.server, `err: ${result.rejection}`)
  throwRevert(result, gas)
  if (result.status === 0) throw new RpcError(RPC_CODE.server, 'out of gas, or another exceptional halt')
}

/** A call that no transaction can stand for, or an override that is none, is told as such: a matter of the caller's. */
const readable = async <Value>(simulate: () => Promise<Value>): Promise<Value> => {
  try {
    return await simulate()
  } catch (thrown) {
    if (thrown instanceof InputError) throw new RpcError(RPC_CODE.invalidParams, thrown.message)
    throw thrown
  }
}

/** A state that has fallen out of what is kept is told as such. */
const kept = async <Value>(read: () => Promise<Value>): Promise<Value> => {
  try {
    return await read()
  } catch (thrown) {
    if (thrown instanceof StoreError && thrown.fault === 'depth') throw new RpcError(RPC_CODE.server, thrown.message)
    throw thrown
  }
}
