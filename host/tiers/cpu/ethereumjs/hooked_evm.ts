import {
  type EVM,
  EVMError,
  type EVMOpts,
  type EVMResult,
  type EVMRunCallOpts,
  type ExecResult,
  type Message,
} from '@ethereumjs/evm'
import type { Address } from '@ethereumjs/util'
import type { Fork } from '../../../../transpiler/spec/forks.ts'
import type { EvmHooks } from '../../../batch/evm_hooks.ts'
import type { OpFork } from '../../../chain/op/op_forks.ts'
import { bytesToHex } from '../../../primitives/hex.ts'
import { type ChargeTerms, chargedStep, opcodeWord } from './charged_step.ts'
import { createdAddress, saltedAddress } from './created_address.ts'
import { type CommonOptions, evmOptionsOf } from './evm_options.ts'
import type { Operation, RunState } from './instructions.ts'
import { SpecifiedEvm } from './specified_evm.ts'

/** Told in turn with other work of the thread: undefined where it is not yet time. */
export type Pause = () => Promise<void> | undefined

/** Who is told of what. */
export interface HookTerms {
  readonly fork: Fork
  readonly hooks: EvmHooks
  readonly pause: Pause
}

const STOP = 0x00
const CALLDATACOPY = 0x37
const SLOAD = 0x54
const CREATE = 0xf0
const CALL = 0xf1
const CALLCODE = 0xf2
const DELEGATECALL = 0xf4
const CREATE2 = 0xf5
const STATICCALL = 0xfa
const SELFDESTRUCT = 0xff
const FRAMES: ReadonlySet<number> = new Set([CREATE, CALL, CALLCODE, DELEGATECALL, CREATE2, STATICCALL])
/** After them no STOP is run. */
const ENDS: ReadonlySet<number> = new Set([STOP, 0xf3, SELFDESTRUCT])
const MOST_DEPTH = 1024

const NOTHING = new Uint8Array(0)

/** An open frame of code. */
interface OpenFrame {
  /** The opcode that runs, and what it asks for, where it opens a frame. */
  op: number
  /** Whether that frame was opened. */
  isOpened: boolean
}

/**
 * @ethereumjs/evm with its stock loop, which tells hooks of each opcode, frame and log where go-ethereum does, and with
 * its numbers and words. For people: many times slower than the CPU tier's own.
 */
class HookedEvm extends SpecifiedEvm {
  readonly #hooks: EvmHooks
  readonly #pause: Pause
  readonly #frames: OpenFrame[] = []
  /** Errors whose words say more than they do. */
  readonly #words = new WeakMap<object, string>()
  /** Code that has run to its end: what fails later fails to be kept. */
  readonly #ran = new WeakSet<object>()

  constructor(options: EVMOpts, { fork, hooks, pause }: HookTerms) {
    super(options)
    this.#hooks = hooks
    this.#pause = pause
    const operations = this._opcodeMap as Operation[]
    const copyGas = operations[CALLDATACOPY]!.gasHandler
    for (let op = 0; op < 256; op++) operations[op] = this.#hooked({ fork, op, stock: operations[op]!, copyGas })
  }

  /** Every opcode has a gas handler, which is where its step is told. */
  #hooked(terms: ChargeTerms): Operation {
    const { op, stock } = terms
    return {
      opcodeInfo: { ...stock.opcodeInfo, code: op, dynamicGas: true, isAsync: true },
      gasHandler: (runState, base, common) => this.#charge(terms, runState, base, common),
      opHandler: async (runState, common) => {
        if (FRAMES.has(op)) await this.#open(op, stock, runState, common)
        else if (op === SELFDESTRUCT) await this.#destroy(stock, runState, common)
        else await stock.opHandler(runState, common)
        if (op >= 0xa0 && op <= 0xa4) this.#log(runState)
      },
    }
  }

  async #charge(
    terms: ChargeTerms,
    runState: RunState,
    base: bigint,
    common: Parameters<Operation['gasHandler']>[2],
  ): Promise<bigint> {
    await this.#pause()
    const gas = runState.interpreter.getGasLeft()
    const memoryBytes = 32 * Number(runState.memoryWordCount)
    const { op } = terms
    const charged = await chargedStep(terms, runState, base, common)
    if (charged.fault !== undefined && charged.words !== undefined) this.#words.set(charged.fault, charged.words)
    this.#hooks.step?.({
      pc: runState.programCounter,
      op,
      name: opcodeWord(terms.fork, op),
      gas,
      cost: charged.told,
      depth: runState.env.depth + 1,
      refund: runState.gasRefund,
      stack: runState.stack.getStack(),
      memoryBytes,
      memory: () => runState.memory.read(0, memoryBytes),
      returnData: runState.returnBytes,
      address: runState.env.address.toString(),
      loaded: op === SLOAD && runState.stack.length > 0 ? await loadedBy(runState) : undefined,
      error: charged.isTold ? charged.words : undefined,
    })
    if (charged.fault !== undefined) throw charged.fault
    return charged.gas
  }

  /** A call or a creation. The stock handler answers one that cannot begin with zero. */
  async #open(
    op: number,
    stock: Operation,
    runState: RunState,
    common: Parameters<Operation['opHandler']>[1],
  ): Promise<void> {
    const frame = this.#frames.at(-1)!
    frame.op = op
    frame.isOpened = false
    const { env, messageGasLimit: gasLimit = 0n } = runState
    const words = [...runState.stack.getStack()].reverse()
    await stock.opHandler(runState, common)
    if (frame.isOpened) return
    const asked = askedOf(op, words, gasLimit, Number(common.param('callStipendGas')), runState)
    const { nonce = 0n, balance = 0n } = (await this.stateManager.getAccount(env.address)) ?? {}
    const to = op === CREATE || op === CREATE2 ? createdBy(op, words, asked.input, env.address, nonce) : asked.to
    const isPoor = balance < (asked.value ?? 0n)
    const kept = isPoor ? 'insufficient balance for transfer' : 'nonce uint64 overflow'
    const error = env.depth >= MOST_DEPTH ? 'max call depth exceeded' : kept
    const depth = env.depth + 1
    this.#hooks.enter?.({ op, depth, from: env.address.toString(), ...asked, to })
    this.#hooks.exit?.({ depth, output: NOTHING, gasUsed: 0n, error })
  }

  async #destroy(stock: Operation, runState: RunState, common: Parameters<Operation['opHandler']>[1]): Promise<void> {
    const { env, stack } = runState
    const to = addressOfWord(stack.peek()[0]!)
    const value = (await this.stateManager.getAccount(env.address))?.balance ?? 0n
    const depth = env.depth + 1
    this.#hooks.enter?.({ op: SELFDESTRUCT, depth, from: env.address.toString(), to, input: NOTHING, gas: 0n, value })
    this.#hooks.exit?.({ depth, output: NOTHING, gasUsed: 0n, error: undefined })
    await stock.opHandler(runState, common)
  }

  #log({ interpreter }: RunState): void {
    const { logs } = (interpreter as unknown as { readonly _result: { readonly logs: EvmLog[] } })._result
    const [address, topics, data] = logs.at(-1)!
    this.#hooks.log?.({ address: bytesToHex(address), topics: topics.map(bytesToHex), data: bytesToHex(data) })
  }

  override async runCall(options: EVMRunCallOpts): Promise<EVMResult> {
    const parent = this.#frames.at(-1)
    if (parent !== undefined) parent.isOpened = true
    const asked = options.message ?? options
    const depth = options.message?.depth ?? 0
    const gas = asked.gasLimit ?? 0n
    const op = depth === 0 ? (asked.to === undefined ? CREATE : CALL) : parent!.op
    const input = Uint8Array.from(asked.data ?? NOTHING)
    const from = (op === DELEGATECALL ? asked.to : asked.caller)!.toString()
    const to = await this.#calledBy(options)
    const value = op === STATICCALL ? undefined : (asked.value ?? 0n)
    this.#hooks.enter?.({ op, depth, from, to: to.toString(), input, gas, value })
    const result = await super.runCall(options)
    const { exceptionError, executionGasUsed, returnValue } = result.execResult
    const error = exceptionError === undefined ? undefined : this.#wordsOf(exceptionError, options.message)
    this.#hooks.exit?.({ depth, output: returnValue, gasUsed: executionGasUsed, error })
    return result
  }

  /** The account whose code runs; of a creation the new one. */
  async #calledBy({ message, caller, to }: EVMRunCallOpts): Promise<Address> {
    if (message === undefined) return to ?? this._generateAddress({ caller: caller! } as Message)
    return message.to === undefined
      ? this._generateAddress({ ...message, code: message.data } as Message)
      : message.codeAddress
  }

  protected override async runInterpreter(message: Message, options?: object): Promise<ExecResult> {
    const code = message.code as Uint8Array
    this.#frames.push({ op: STOP, isOpened: false })
    try {
      const result = await super.runInterpreter(message, options)
      if (result.exceptionError === undefined) this.#ran.add(message)
      const { runState, exceptionError, gasRefund = 0n } = result
      if (runState !== undefined && exceptionError === undefined) this.#stop(code, runState, gasRefund)
      return result
    } finally {
      this.#frames.pop()
    }
  }

  /** The STOP after the code is a step. */
  #stop({ length }: Uint8Array, runState: RunState, refund: bigint): void {
    if (runState.programCounter < length || ENDS.has(runState.opCode)) return
    const memoryBytes = 32 * Number(runState.memoryWordCount)
    this.#hooks.step?.({
      pc: length,
      op: STOP,
      name: 'STOP',
      gas: runState.gasLeft,
      cost: 0n,
      depth: runState.env.depth + 1,
      refund,
      stack: runState.stack.getStack(),
      memoryBytes,
      memory: () => runState.memory.read(0, memoryBytes),
      returnData: runState.returnBytes,
      address: runState.env.address.toString(),
      loaded: undefined,
      error: undefined,
    })
  }

  #wordsOf(fault: EVMError, message: Message | undefined): string {
    const words = this.#words.get(fault)
    if (words !== undefined) return words
    const { error } = fault
    // It says where, too.
    if (error.startsWith(EVMError.errorMessages.INVALID_JUMP)) return 'invalid jump destination'
    const isDeposit = message !== undefined && this.#ran.has(message) && error === EVMError.errorMessages.OUT_OF_GAS
    return isDeposit ? GETH_WORDS['code store out of gas']! : (GETH_WORDS[error] ?? error)
  }
}

/** A log as @ethereumjs/evm has it: address, topics, data. */
type EvmLog = [Uint8Array, Uint8Array[], Uint8Array]

/** What go-ethereum says, where @ethereumjs/evm has other words. */
const GETH_WORDS: Readonly<Record<string, string>> = {
  revert: 'execution reverted',
  'static state change': 'write protection',
  'create collision': 'contract address collision',
  'code store out of gas': 'contract creation code storage out of gas',
  'code size to deposit exceeds maximum code size': 'max code size exceeded',
  'invalid bytecode deployed': 'invalid code: must not begin with 0xef',
  'insufficient balance': 'insufficient balance for transfer',
}

const ADDRESS_BITS = 160

const addressOfWord = (word: bigint): string => `0x${BigInt.asUintN(ADDRESS_BITS, word).toString(16).padStart(40, '0')}`

const loadedBy = async ({ stack, interpreter }: RunState): Promise<bigint> => {
  const value = await interpreter.storageLoad(bytesOfWord(stack.peek()[0]!))
  return value.length === 0 ? 0n : BigInt(bytesToHex(value))
}

/** The contract that a creation would have made. */
const createdBy = (op: number, words: readonly bigint[], input: Uint8Array, from: Address, nonce: bigint): string =>
  bytesToHex(
    op === CREATE ? createdAddress(from.bytes, nonce) : saltedAddress(from.bytes, bytesOfWord(words[3]!), input),
  )

const bytesOfWord = (word: bigint): Uint8Array =>
  new Uint8Array(Buffer.from(word.toString(16).padStart(64, '0'), 'hex'))

/** What a call or a creation asks for; `words`: the top comes first. */
const askedOf = (
  op: number,
  words: readonly bigint[],
  gasLimit: bigint,
  stipend: number,
  { memory, env }: RunState,
): { readonly to: string; readonly input: Uint8Array; readonly gas: bigint; readonly value: bigint | undefined } => {
  const isCreate = op === CREATE || op === CREATE2
  const hasValue = op === CALL || op === CALLCODE
  const [offset, length] = (isCreate ? words.slice(1) : words.slice(hasValue ? 3 : 2)) as [bigint, bigint]
  const value = isCreate ? words[0]! : hasValue ? words[2]! : op === DELEGATECALL ? env.callValue : undefined
  return {
    to: addressOfWord(words[1]!),
    input: length === 0n ? NOTHING : memory.read(Number(offset), Number(length)),
    gas: gasLimit + (hasValue && value !== 0n ? BigInt(stipend) : 0n),
    value,
  }
}

/** `opFork`: on a chain of the OP stack. */
export const createHookedEvm = (options: CommonOptions, terms: HookTerms, opFork: OpFork | undefined): EVM =>
  new HookedEvm(evmOptionsOf(options, opFork), terms)
