import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { keccak_256 } from '@noble/hashes/sha3.js'
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js'
import { describe, expect, test } from 'vitest'
import type { PathIr } from '../../transpiler/ir/path_ir.ts'
import { verifyPath } from '../../transpiler/ir/verify.ts'
import { recordPath } from '../../transpiler/record/record.ts'
import type { RecordedTransaction } from '../../transpiler/record/transaction.ts'
import { isFork } from '../../transpiler/spec/forks.ts'
import { PASSES } from '../../transpiler/transpile.ts'
import { callOracle } from '../fixtures/call_oracle.ts'
import { evaluatePath } from '../fixtures/evaluate_path.ts'
import { Random } from '../fixtures/random_programs.ts'
import { account, ENVIRONMENT, recordState, type World } from '../fixtures/world.ts'

const FOLDER = join(import.meta.dirname, '../../../shared/data/programs')
const VARIANTS = Number(process.env['WGEVM_RUNS'] ?? 8)

interface Program {
  readonly name: string
  readonly fork: string
  readonly env: Readonly<Record<'number' | 'timestamp' | 'gasLimit' | 'baseFee' | 'coinbase' | 'prevRandao', string>>
  readonly pre: Readonly<
    Record<string, { balance: string; nonce: string; code: string; storage: Readonly<Record<string, string>> }>
  >
  readonly calls: readonly { label: string; from: string; to: string; value: string; data: string; gasLimit: string }[]
  readonly expected: readonly { status: string; output?: string; outputKeccak?: string; logs: number }[]
}

const bytes = (hex: string): Uint8Array => hexToBytes(hex.slice(2))

const worldOf = ({ pre }: Program): World =>
  new Map(
    Object.entries(pre).map(([address, { balance, nonce, code, storage }]) => [
      BigInt(address),
      account({
        balance: BigInt(balance),
        nonce: BigInt(nonce),
        code: bytes(code),
        storage: new Map(Object.entries(storage).map(([key, value]) => [BigInt(key), BigInt(value)])),
      }),
    ]),
  )

const transactionsOf = ({ fork, env, calls }: Program): RecordedTransaction[] => {
  const name = fork.toLowerCase()
  if (!isFork(name)) throw new Error(`unknown fork ${fork}`)
  return calls.map(({ from, to, value, data, gasLimit }) => ({
    fork: name,
    environment: {
      ...ENVIRONMENT,
      number: BigInt(env.number),
      timestamp: BigInt(env.timestamp),
      gaslimit: BigInt(env.gasLimit),
      basefee: BigInt(env.baseFee),
      coinbase: BigInt(env.coinbase),
      prevrandao: BigInt(env.prevRandao),
    },
    from: BigInt(from),
    to: BigInt(to),
    value: BigInt(value),
    gasPrice: 10n,
    data: bytes(data),
    gas: Number(gasLimit),
  }))
}

/** The call by another caller, with another word of calldata, another value, or on another state of its contract. */
const varied = (
  random: Random,
  world: World,
  call: RecordedTransaction,
): { world: World; call: RecordedTransaction } => {
  const people = [...world].filter(([, { code }]) => code.length === 0).map(([address]) => address)
  const words = Math.floor((call.data.length - 4) / 32)
  const choice = random.below(6)
  if (choice === 0 && people.length > 0) return { world, call: { ...call, from: random.pick(people) } }
  if (choice === 1 && call.value > 0n)
    return { world, call: { ...call, value: call.value + BigInt(random.below(1000)) } }
  if (choice <= 4 && words > 0) {
    const data = call.data.slice()
    const at = 4 + 32 * random.below(words)
    if (random.chance(40) && people.length > 0) {
      data.set(bytes(`0x${random.pick(people).toString(16).padStart(64, '0')}`), at)
    } else data[at + 31] = random.below(256)
    return { world, call: { ...call, data } }
  }
  const [address, record] = random.pick([...world].filter(([, { storage }]) => storage.size > 0)) ?? [...world][0]!
  const slots = [...record.storage]
  const [key, value] = slots.length > 0 ? random.pick(slots) : ([0n, 0n] as const)
  const storage = new Map([...slots, [key, BigInt.asUintN(256, random.pick([0n, value + 1n, value >> 1n]))]] as const)
  return { world: new Map([...world, [address, account({ ...record, storage })]]), call }
}

const tally = { calls: 0, held: 0, exited: 0 }

const checkVariant = async (path: PathIr, world: World, call: RecordedTransaction): Promise<void> => {
  const { outcome, failed } = evaluatePath(path, world, call)
  if (failed.length > 0) {
    tally.exited++
    return
  }
  tally.held++
  expect(outcome).toEqual(await callOracle(world, call))
}

const files = existsSync(FOLDER)
  ? readdirSync(FOLDER).filter((name) => name.endsWith('.json') && name.split('.').length > 2)
  : []
if (files.length === 0) console.warn(`skipped: the benchmark programs are not at ${FOLDER}`)

describe.skipIf(files.length === 0)('paths of the benchmark programs', () => {
  test.each(files)('%s: hold on its calls and on calls like them', async (file) => {
    const program = JSON.parse(readFileSync(join(FOLDER, file), 'utf8')) as Program
    const world = worldOf(program)
    const random = new Random(file.length)
    for (const [index, call] of transactionsOf(program).entries()) {
      const recorded = await recordPath(call, recordState(world, call.fork))
      if (recorded.kind === 'unsupported') {
        console.info(`${file}, ${program.calls[index]!.label}: ${recorded.reason} at pc ${recorded.pc}`)
        continue
      }
      tally.calls++
      const path = PASSES.reduce((stage, pass) => {
        const next = pass.run(stage)
        verifyPath(next)
        return next
      }, recorded.path)
      const { outcome, failed } = evaluatePath(path, world, call)
      expect(failed).toEqual([])
      // The expected gas was taken without the warm accounts of a transaction: gas is the oracle's to say.
      const { output, outputKeccak, logs, status } = program.expected[index]!
      expect(outcome.status === 'halt' || outcome.status === status, `${outcome.status} for ${status}`).toBe(true)
      if (output !== undefined) expect(outcome.output).toBe(output)
      else expect(`0x${bytesToHex(keccak_256(bytes(outcome.output)))}`).toBe(outputKeccak)
      expect(outcome.logs.length).toBe(logs)
      await checkVariant(path, world, call)
      for (const gas of [
        outcome.gas,
        outcome.gas - 1,
        outcome.gas + 2301,
        Math.floor((outcome.gas * 64) / 63) + 3000,
      ]) {
        await checkVariant(path, world, { ...call, gas })
      }
      for (let i = 0; i < VARIANTS; i++) {
        const variant = varied(random, world, call)
        await checkVariant(path, variant.world, variant.call)
      }
    }
  })

  test('most of the lanes hold, and some exit', () => {
    console.info(`${tally.calls} calls have a path; ${tally.held} lanes held, ${tally.exited} exited`)
    expect(tally.calls).toBeGreaterThan(30)
    expect(tally.held).toBeGreaterThan(tally.calls * 3)
    expect(tally.exited).toBeGreaterThan(tally.calls)
  })
})
