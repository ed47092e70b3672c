import type { OpenBatch } from '../batch/open_batch.ts'
import { type TransactionBatch, TYPE_DEPOSIT } from '../chain/batch.ts'
import type { BlockEnvironment } from '../chain/environment.ts'
import { ChargePass } from '../chain/op/charge_pass.ts'
import { chargeRules } from '../chain/op/charge_rules.ts'
import { opChargesOf } from '../chain/op/charges.ts'
import { l1Measures, readL1Attributes } from '../chain/op/l1_fees.ts'
import type { OpFork } from '../chain/op/op_forks.ts'
import { L1_BLOCK } from '../chain/op/predeploys.ts'
import { type SignedTransactions, signedCount } from '../chain/packed.ts'
import type { TransactionRules } from '../chain/rules.ts'
import type { RulesPass } from '../chain/rules_pass.ts'
import { InputError } from '../primitives/input.ts'
import { OutcomeEntry } from '../settle/outcome_entry.ts'
import type { Sweep } from '../settle/sweep.ts'
import type { RunningState } from '../state/running_state.ts'
import type { StateSnapshot } from '../state/snapshot.ts'
import type { CpuTier } from '../tiers/cpu/ethereumjs/transaction.ts'
import { CpuExecutions } from '../tiers/cpu/executions.ts'

/** Deposits that a batch begins with: what the transactions after them pay is read from the state that they leave. */
export const leadingDeposits = ({ count, type }: TransactionBatch): number => {
  let n = 0
  while (n < count && type[n] === TYPE_DEPOSIT) n++
  return n
}

/** Executes the first `count` transactions, which are deposits, at their places. */
export const executeDeposits = async (
  openBatch: OpenBatch,
  count: number,
  { cpu, running }: { readonly cpu: CpuTier; readonly running: RunningState },
  sweep: Sweep,
): Promise<void> => {
  const { batch, env, rules } = openBatch
  const executions = new CpuExecutions()
  const entry = new OutcomeEntry(openBatch, running, sweep, () => {})
  for (let index = 0; index < count; index++) {
    const refusal = sweep.depositRefusal(index)
    if (refusal !== 0) {
      entry.reject(index, refusal)
      continue
    }
    const outcome = await cpu.execute({ env, batch, index, rules, snapshot: running })
    if ('rejected' in outcome) entry.reject(index, outcome.rejected)
    else {
      executions.add(openBatch, index, outcome)
      await entry.enter(index, outcome)
    }
  }
}

/**
 * Adds to rules what the transactions of a batch pay by the L1Block contract as it stands now: op-geth and op-revm read
 * it before the first transaction of a block that is no deposit. `pass`: the one that has ruled the batch.
 */
export const chargeBatch = async (
  rules: TransactionRules,
  { batch, env, signed }: ChargedBatch,
  fork: OpFork,
  running: Pick<StateSnapshot, 'storage'>,
  pass?: RulesPass,
): Promise<TransactionRules> => {
  const l1 = await readL1Attributes(fork, (key) => running.storage(L1_BLOCK, key))
  const measures = measuresOf(batch, signed, fork)
  if (pass !== undefined) return new ChargePass(pass).apply(rules, batch, env, measures, l1, fork)
  return chargeRules(rules, batch, env, opChargesOf(batch, measures, l1, fork))
}

interface ChargedBatch {
  readonly batch: TransactionBatch
  readonly env: BlockEnvironment
  readonly signed: SignedTransactions | undefined
}

const measuresOf = (batch: TransactionBatch, signed: SignedTransactions | undefined, fork: OpFork): Uint32Array => {
  if (signed === undefined) {
    if (leadingDeposits(batch) === batch.count) return new Uint32Array(batch.count)
    throw new InputError('signed must be the bytes of the transactions, which pay for them on this chain', 'signed')
  }
  const count = signedCount(signed)
  if (count !== batch.count)
    throw new InputError(`signed must be as many as the ${batch.count} transactions, got ${count}`, 'signed', count)
  return l1Measures(signed, fork)
}
