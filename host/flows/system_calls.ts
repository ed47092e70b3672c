import { type Fork, isAtLeast } from '../../transpiler/spec/forks.ts'
import type { BlockEnvironment } from '../chain/environment.ts'
import {
  BEACON_ROOTS_CONTRACT,
  CONSOLIDATIONS_CONTRACT,
  HISTORY_CONTRACT,
  WITHDRAWALS_CONTRACT,
} from '../chain/system_contracts.ts'
import { hexToBytes } from '../primitives/hex.ts'
import { EMPTY_CODE_HASH, keccak256Hex } from '../primitives/keccak.ts'
import type { SnapshotReads, SnapshotWrites } from '../state/snapshot.ts'
import type { WorkGround } from './block_steps.ts'

/** Nothing taken from the state, and nothing done to it. */
const NO_READS: SnapshotReads = { accounts: [], seen: [], slots: [], code: [], blockHashes: [] }
const NO_WRITES: SnapshotWrites = { accounts: [], slots: [], code: new Map() }
const NOTHING = new Uint8Array(0)

/** A contract that the rules of the fork call is missing or fails: such a block is invalid (EIP-7002, EIP-7251). */
class SystemContractError extends Error {
  override readonly name = 'SystemContractError'
}

/**
 * EIP-4788 and EIP-2935: the parent's beacon root and hash go into their contracts, where they are known. A contract
 * that is not there is left out.
 */
export const callBeforeTransactions = async (
  ground: WorkGround,
  fork: Fork,
  env: BlockEnvironment,
  { parentHash, parentBeaconBlockRoot }: { readonly parentHash?: string; readonly parentBeaconBlockRoot?: string },
): Promise<void> => {
  if (env.number === 0n) return
  if (isAtLeast(fork, 'cancun') && parentBeaconBlockRoot !== undefined)
    await systemCall(ground, fork, env, BEACON_ROOTS_CONTRACT, hexToBytes(parentBeaconBlockRoot))
  if (isAtLeast(fork, 'prague') && parentHash !== undefined)
    await systemCall(ground, fork, env, HISTORY_CONTRACT, hexToBytes(parentHash))
}

/** EIP-7002 and EIP-7251: what these contracts have queued goes out as requests. */
export const takeRequests = async (
  ground: WorkGround,
  fork: Fork,
  env: BlockEnvironment,
): Promise<{ readonly withdrawals: Uint8Array; readonly consolidations: Uint8Array }> => ({
  withdrawals: await checkedCall(ground, fork, env, WITHDRAWALS_CONTRACT),
  consolidations: await checkedCall(ground, fork, env, CONSOLIDATIONS_CONTRACT),
})

const checkedCall = async (
  ground: WorkGround,
  fork: Fork,
  env: BlockEnvironment,
  contract: string,
): Promise<Uint8Array> => {
  const outcome = await systemCall(ground, fork, env, contract, NOTHING)
  if (outcome === undefined) throw new SystemContractError(`system contract ${contract} has no code`)
  if (!outcome.succeeded) throw new SystemContractError(`the call of system contract ${contract} failed`)
  return outcome.output
}

/** Undefined where the contract is not there. */
const systemCall = async (ground: WorkGround, fork: Fork, env: BlockEnvironment, to: string, data: Uint8Array) => {
  const { cpu, running, sink, recorder } = ground
  const outcome = await cpu.systemCall({ env, to, data, snapshot: running })
  await recorder?.openOutcome(outcome?.reads ?? NO_READS, outcome?.writes ?? NO_WRITES, [to])
  if (outcome !== undefined) await running.apply(outcome.writes, sink)
  // A call of an account without code does nothing but touch it (EIP-161).
  else await creditAccount(ground, fork, to, 0n)
  return outcome
}

/**
 * Gives an account wei from nowhere: a withdrawal, or a reward. None at all still touches it: an empty account ceases
 * to exist (EIP-161); before that fork, one that is not there comes into being.
 */
export const creditAccount = async (ground: WorkGround, fork: Fork, address: string, wei: bigint): Promise<void> => {
  const { running, sink, recorder } = ground
  const before = await running.account(address)
  const codeHash = before?.codeHash
  const isEmpty = before === undefined || (before.nonce === 0n && before.balance === 0n && codeHash === EMPTY_CODE_HASH)
  const account =
    wei === 0n && isEmpty && isAtLeast(fork, 'spuriousDragon')
      ? undefined
      : {
          nonce: before?.nonce ?? 0n,
          balance: (before?.balance ?? 0n) + wei,
          codeHash: codeHash ?? EMPTY_CODE_HASH,
        }
  const writes = { ...NO_WRITES, accounts: [{ address, account, cleared: false }] }
  await recorder?.openOutcome(NO_READS, writes, [])
  if (before !== undefined || account !== undefined) await running.apply(writes, sink)
}

/** Gives an account a code in place of its own; nonce, balance and storage stay. */
export const putCode = async (ground: WorkGround, address: string, code: Uint8Array): Promise<void> => {
  const { running, sink, recorder } = ground
  const before = await running.account(address)
  const codeHash = keccak256Hex(code)
  const account = { nonce: before?.nonce ?? 0n, balance: before?.balance ?? 0n, codeHash }
  const writes = { ...NO_WRITES, accounts: [{ address, account, cleared: false }], code: new Map([[codeHash, code]]) }
  await recorder?.openOutcome(NO_READS, writes, [])
  await running.apply(writes, sink)
}
