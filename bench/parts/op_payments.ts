import type { TransactionBatch } from '../../host/chain/batch.ts'
import { fastLzLengths } from '../../host/chain/op/fast_lz.ts'
import { estimatedSize } from '../../host/chain/op/l1_fees.ts'
import { opRulesAt } from '../../host/chain/op/op_chain.ts'
import { L1_BLOCK, VAULTS } from '../../host/chain/op/predeploys.ts'
import { type PackedTransactions, packTransactions } from '../../host/chain/packed.ts'
import { createExecutor } from '../../host/flows/executor.ts'
import type { Executor } from '../../host/flows/executor_interface.ts'
import { addressToHex } from '../../host/primitives/word.ts'
import { MemoryState } from '../../host/state/memory_state.ts'
import { signBatch } from '../block/sign_batch.ts'
import { collectGarbage } from '../garbage.ts'
import { createRandom, type Random } from '../random.ts'
import { median } from '../report/statistics.ts'
import { VerificationError, verifyBlock } from '../verify.ts'
import { transfers } from '../workloads/transfers.ts'
import type { Scenario, WorkloadBlock } from '../workloads/workload.ts'
import { type Part, type PartOptions, type PartRow, partRow } from './part.ts'

const FORK = 'osaka'
const WARM_UP_BLOCKS = 6
/** What the L1Block contract says: fees as on OP Mainnet, and an operator who takes something. */
const L1 = { baseFee: 9_000_000_000n, blobBaseFee: 11n, baseFeeScalar: 5_227n, blobBaseFeeScalar: 1_014_213n }
const OPERATOR = { scalar: 3n, constant: 987_654n }
const FOOTPRINT_SCALAR = 400n

const CHAIN = opRulesAt(
  {
    kind: 'op',
    forks: [{ fork: 'karst', timestamp: 0n }],
    baseFee: { elasticity: 6n, denominator: 50n, denominatorCanyon: 250n },
  },
  0n,
)

const hex = (value: bigint): string => `0x${value.toString(16)}`

/** The L1's attributes in the slots of their contract (op_fees: SCALARS, FEES). */
const L1_SLOTS = {
  '0x1': hex(L1.baseFee),
  '0x3': hex((L1.baseFeeScalar << 96n) | (L1.blobBaseFeeScalar << 64n)),
  '0x7': hex(L1.blobBaseFee),
  '0x8': hex((FOOTPRINT_SCALAR << 96n) | (OPERATOR.scalar << 64n) | OPERATOR.constant),
}

/** No code checks them here: senders are given. */
const anySignature = (random: Random) => ({
  sign: () => ({
    signature: Uint8Array.from({ length: 64 }, () => 1 + random.below(255)),
    recid: random.below(2),
  }),
})

interface Form {
  readonly name: 'ethereum' | 'op stack'
  readonly state: MemoryState
  readonly executor: Executor
  readonly samplesMs: number[]
  readonly userMs: number[]
}

const openForm = (name: Form['name'], scenario: Scenario, { device }: PartOptions): Form => {
  const state = new MemoryState()
  state.commit(scenario.genesis)
  state.setAccount(L1_BLOCK, { nonce: 1n, balance: 0n, storage: L1_SLOTS })
  const { chainId } = scenario
  const chain = name === 'op stack' ? { chain: CHAIN } : {}
  const executor = createExecutor({ fork: FORK, chainId, state, compile: 'wait', device, ...chain })
  return { name, state, executor, samplesMs: [], userMs: [] }
}

interface SignedBlock extends WorkloadBlock {
  readonly signed: PackedTransactions
}

const nextBlock = (scenario: Scenario, random: Random): SignedBlock => {
  const block = scenario.next()
  // Room for the data of all of them.
  const env = {
    ...block.env,
    gasLimit: block.env.gasLimit + FOOTPRINT_SCALAR * 200n * BigInt(block.transactions.count),
  }
  const signed = packTransactions(signBatch(block.transactions, scenario.chainId, anySignature(random)))
  return { ...block, env, signed }
}

/** What the payments of all blocks have paid beside gas, in bigints. */
class Paid {
  readonly #bySender = new Map<string, bigint>()
  readonly #vaults = [0n, 0n, 0n]

  add({ env, transactions, signed }: SignedBlock, gasUsed: (i: number) => bigint): void {
    const lengths = fastLzLengths(signed)
    const weighted = 16n * L1.baseFee * L1.baseFeeScalar + L1.blobBaseFee * L1.blobBaseFeeScalar
    for (let i = 0; i < transactions.count; i++) {
      const gas = gasUsed(i)
      const l1Fee = (BigInt(estimatedSize(lengths[i]!)) * weighted) / 10n ** 12n
      const operatorFee = gas * OPERATOR.scalar * 100n + OPERATOR.constant
      const sender = senderOf(transactions, i)
      this.#bySender.set(sender, (this.#bySender.get(sender) ?? 0n) + l1Fee + operatorFee)
      for (const [n, fee] of [gas * env.baseFeePerGas, l1Fee, operatorFee].entries()) this.#vaults[n]! += fee
    }
  }

  /** Throws where a state of the OP stack is not the other one after these fees, account by account. */
  compare(ethereum: MemoryState, op: MemoryState): void {
    const [before, after] = [ethereum.dump(), op.dump()]
    for (const [n, vault] of VAULTS.entries()) {
      if (after[vault]?.balance !== this.#vaults[n])
        throw new VerificationError(`vault ${vault} has ${after[vault]?.balance} wei, was paid ${this.#vaults[n]}`)
      delete after[vault]
    }
    if (Object.keys(after).length !== Object.keys(before).length)
      throw new VerificationError(`${Object.keys(after).length} accounts, expected ${Object.keys(before).length}`)
    for (const [address, { nonce, balance }] of Object.entries(before)) {
      const expected = balance - (this.#bySender.get(address) ?? 0n)
      const found = after[address]
      if (found?.nonce !== nonce || found.balance !== expected)
        throw new VerificationError(`${address} has ${found?.balance} wei at ${found?.nonce}, expected ${expected}`)
    }
  }
}

const senderOf = ({ from }: TransactionBatch, i: number): string => addressToHex(from, 5 * i)

const runForm = async ({ name, executor, samplesMs, userMs }: Form, block: SignedBlock) => {
  const { env, transactions, signed } = block
  collectGarbage()
  const [started, user] = [performance.now(), process.cpuUsage().user]
  const { receipts } = await executor.execute({ env, transactions, ...(name === 'ethereum' ? {} : { signed }) })
  samplesMs.push(performance.now() - started)
  userMs.push((process.cpuUsage().user - user) / 1000)
  return receipts
}

const VERIFIED =
  'every balance and nonce of both states after all blocks: that of Ethereum less L1 fees and operator fees in bigints, which with base fees are the vaults'

const run = async (options: PartOptions): Promise<readonly PartRow[]> => {
  const { size, samples, seed, step } = options
  step(`building ${size} payments per block`)
  const scenario = await transfers.build({ fork: FORK, size, seed, blocks: WARM_UP_BLOCKS + samples })
  const random = createRandom(seed, 'op payments')
  const forms = [openForm('ethereum', scenario, options), openForm('op stack', scenario, options)] as const
  const [ethereum, op] = forms
  const paid = new Paid()
  let verified = ''
  try {
    for (let n = 0; n < WARM_UP_BLOCKS + samples; n++) {
      step(n < WARM_UP_BLOCKS ? 'warming up' : `sample ${n - WARM_UP_BLOCKS + 1} of ${samples}`)
      const block = nextBlock(scenario, random)
      const isLast = n === WARM_UP_BLOCKS + samples - 1
      const before = isLast ? ethereum.state.clone() : undefined
      // What else runs on the machine meets both.
      const turns = n % 2 === 0 ? forms : [op, ethereum]
      for (const form of turns) {
        const receipts = await runForm(form, block)
        if (form === op) paid.add(block, (i) => receipts.gasUsedOf(i))
        else if (before !== undefined) {
          const { shares } = transfers
          const executed = { scenario, shares, block, receipts, before, after: form.state }
          verified = `${(await verifyBlock(executed, seed)).count} of the last block equal serial @ethereumjs/vm`
        }
      }
    }
    step('comparing both states')
    paid.compare(ethereum.state, op.state)
    return forms.map(({ name, samplesMs, userMs }) => {
      const user = median(userMs.slice(WARM_UP_BLOCKS))
      const ratio = median(ethereum.userMs.slice(WARM_UP_BLOCKS)) / user
      return partRow({
        form: name,
        isPeer: false,
        count: size,
        samplesMs: samplesMs.slice(WARM_UP_BLOCKS),
        verified: name === 'ethereum' ? verified : VERIFIED,
        note: `${user.toFixed(1)} ms of user time${name === 'ethereum' ? '' : `, ${ratio.toFixed(2)} times the rate by it`}`,
      })
    })
  } finally {
    for (const { executor } of forms) executor.close()
  }
}

/** Whole calls of plain payments, with what a chain of the OP stack charges and without. */
export const opPaymentsPart: Part = {
  name: 'op-payments',
  title: 'plain payments on a chain of the OP stack, L1 and operator fees charged, beside the same without',
  unit: 'payments',
  size: 65_536,
  run,
}
