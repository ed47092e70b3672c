import {
  type L1Attributes,
  LEAST_SIZE_BYTES,
  l1FeeOf,
  l1Measures,
  operatorFee,
  operatorFeeOf,
  readL1Attributes,
} from '../../host/chain/op/l1_fees.ts'
import { isOpAtLeast, type OpFork } from '../../host/chain/op/op_forks.ts'
import { L1_BLOCK } from '../../host/chain/op/predeploys.ts'
import { addressFromHex, type Chain, wordFromBigInt, wordToBigInt } from '../../host/index.ts'
import type { PoolEntry } from './pool_entry.ts'
import { nextBlock } from './pool_rules.ts'

/**
 * What a transaction of the pool pays beside gas and value on a chain of the OP stack: L1 fee and operator fee, by the
 * L1's attributes after the head. Those of the next block come with its first deposit; the pools of op-geth and op-reth
 * take those of the head as well.
 */
export class Surcharge {
  readonly #chain: Chain
  #head: string | undefined
  #terms: { readonly fork: OpFork; readonly l1: L1Attributes } | undefined
  /** What was reckoned by these terms. */
  #costs = new WeakMap<PoolEntry, bigint>()

  constructor(chain: Chain) {
    this.#chain = chain
  }

  /** Reads the attributes after the head, where it is another one. */
  async renew(): Promise<void> {
    const { head, config } = this.#chain
    if (config.op === undefined || head.hash === this.#head) return
    const { fork } = nextBlock(this.#chain, head).chain!
    const state = this.#chain.stateAt(head.hash)!
    const address = new Uint32Array(5)
    addressFromHex(address, 0, L1_BLOCK)
    const l1 = await readL1Attributes(fork, async (slot) => {
      const key = new Uint32Array(8)
      wordFromBigInt(key, 0, slot)
      return wordToBigInt(await state.readSlots(address, key, 1), 0)
    })
    this.#head = head.hash
    this.#terms = { fork, l1 }
    this.#costs = new WeakMap()
  }

  /** Wei that an entry may take from its sender, by the attributes that were read last. */
  costOf(entry: PoolEntry): bigint {
    if (this.#terms === undefined) return entry.cost
    const known = this.#costs.get(entry)
    if (known !== undefined) return known
    const { fork, l1 } = this.#terms
    const cost = entry.cost + l1FeeOf(l1, fork, measureOf(entry.bytes, fork)) + this.#operatorFee(entry)
    this.#costs.set(entry, cost)
    return cost
  }

  #operatorFee({ transaction }: PoolEntry): bigint {
    const { fork, l1 } = this.#terms!
    const operator = operatorFeeOf(l1, fork)
    return operator === undefined ? 0n : operatorFee(operator, transaction.gasLimit)
  }
}

/** As in `l1Measures`. */
const measureOf = (bytes: Uint8Array, fork: OpFork): number =>
  isOpAtLeast(fork, 'fjord') && bytes.length <= LEAST_SIZE_BYTES ? 0 : l1Measures([bytes], fork)[0]!
