import type { Common } from '@ethereumjs/common'
import { type EVM, EVMError, type EVMOpts, type ExecResult, type Message } from '@ethereumjs/evm'
import { Account, type Address, createZeroAddress, MAX_INTEGER } from '@ethereumjs/util'
import type { OpFork } from '../../../chain/op/op_forks.ts'
import { type CommonOptions, evmOptionsOf } from './evm_options.ts'
import { leanOperation, type Operation, type RunState } from './instructions.ts'
import { leanCreation } from './lean_creation.ts'
import { isBelow, moveBalance, SeenAccount } from './seen_account.ts'
import { SpecifiedEvm } from './specified_evm.ts'
import { stateAccess } from './state_access.ts'

type Interpreter = RunState['interpreter']
type InterpreterClass = new (
  evm: EVM,
  stateManager: EVM['stateManager'],
  blockchain: EVM['blockchain'],
  env: RunState['env'],
  gasLeft: bigint,
  journal: EVM['journal'],
  performanceLogs: LeanEvm['performanceLogger'],
) => Interpreter

/** Of one code: where a jump may go, and the words that its pushes push, filled as they are met. */
interface Analysis {
  readonly jumps: Uint8Array
  readonly pushes: bigint[]
}

/**
 * @ethereumjs/evm with a leaner loop around its instruction and gas handlers, of which the simplest are ours
 * (instructions.ts). The stock loop awaits every instruction, asks the fork about six future EIPs at each, and finds
 * the jump destinations of a code again in every frame.
 *
 * In:  forks up to Osaka, legacy code, no tracing (`step` listeners are not called) and no profiler.
 * Out: what `EVM.runInterpreter` returns, `runState` left out, which no caller reads.
 *
 * The Interpreter class is not exported; it is taken from the run state of the first frame, which the stock loop runs.
 * Where the package has another shape, all frames stay with the stock loop, and a process warning says so once.
 */
export class LeanEvm extends SpecifiedEvm {
  readonly #analyses = new WeakMap<Uint8Array, Analysis>()
  #loop: ((frame: Interpreter, code: Uint8Array) => Promise<EVMError | undefined>) | undefined
  #interpreter: InterpreterClass | undefined

  protected override async runInterpreter(message: Message, options?: object): Promise<ExecResult> {
    if (this.#interpreter === undefined) {
      const result = await super.runInterpreter(message, options)
      this.#adopt(result.runState?.interpreter)
      return result
    }
    const address = message.to ?? createZeroAddress()
    const frame = new this.#interpreter(
      this,
      this.stateManager,
      this.blockchain,
      await this.#environment(message, address),
      message.gasLimit,
      this.journal,
      this.performanceLogger,
    )
    const result = frame._result
    if (message.selfdestruct) result.selfdestruct = message.selfdestruct
    if (message.createdAddresses) result.createdAddresses = message.createdAddresses
    const error = await this.#loop!(frame, message.code as Uint8Array)
    const { gasLeft, gasRefund } = stateOf(frame)
    const halted = error !== undefined
    const consumesAll = halted && error.error !== EVMError.errorMessages.REVERT
    return {
      logs: halted ? [] : result.logs,
      selfdestruct: halted ? new Map() : result.selfdestruct,
      ...(halted
        ? { createdAddresses: new Set<never>(), exceptionError: error }
        : result.createdAddresses === undefined
          ? {}
          : { createdAddresses: result.createdAddresses }),
      gas: gasLeft,
      executionGasUsed: consumesAll ? message.gasLimit : message.gasLimit - gasLeft,
      gasRefund,
      returnValue: result.returnValue ?? new Uint8Array(0),
    }
  }

  /** Like the stock ones (EIP-7928 left out), but they do not look at balances: a credit depends on nothing. */
  protected override async _reduceSenderBalance(account: Account, message: Message): Promise<void> {
    if (isBelow(account, message.value)) throw new EVMError(EVMError.errorMessages.INSUFFICIENT_BALANCE)
    moveBalance(account, -message.value)
    return this.journal.putAccount(message.caller, account)
  }

  protected override async _addToBalance(account: Account, message: Message & { to: Address }): Promise<void> {
    if (!isBelow(account, MAX_INTEGER + 1n - message.value)) throw new EVMError(EVMError.errorMessages.VALUE_OVERFLOW)
    moveBalance(account, message.value)
    return this.journal.putAccount(message.to, account)
  }

  async #environment(message: Message, address: RunState['env']['address']): Promise<RunState['env']> {
    return {
      address,
      caller: message.caller,
      callData: message.data,
      callValue: message.value,
      code: message.code as Uint8Array,
      isStatic: message.isStatic,
      isCreate: (message as { isCreate?: boolean }).isCreate ?? false,
      depth: message.depth,
      gasPrice: this._tx!.gasPrice,
      origin: this._tx!.origin ?? message.caller,
      block: this._block!,
      contract: (await this.stateManager.getAccount(address)) ?? new Account(),
      codeAddress: message.codeAddress,
      gasRefund: message.gasRefund,
      blobVersionedHashes: message.blobVersionedHashes ?? [],
      ...(message.createdAddresses === undefined ? {} : { createdAddresses: message.createdAddresses }),
    }
  }

  #adopt(frame: Interpreter | undefined): void {
    const missing = missingPart(frame)
    if (frame === undefined || missing !== undefined) {
      warnOfStockLoop(missing ?? 'runState')
      return
    }
    const { common } = this
    const sstoreSentry = common.gteHardfork('istanbul') ? common.param('sstoreSentryEIP2200Gas') : -1n
    this.#interpreter = frame.constructor as InterpreterClass
    const operations = Array.from({ length: 256 }, (_, code) =>
      leanCreation(leanOperation(frame.lookupOpInfo(code) as Operation, common)),
    )
    const accesses = Array.from({ length: 256 }, (_, code) => stateAccess(code, common))
    this.#loop = async (frame, code) => {
      const runState = stateOf(frame)
      const { jumps, pushes } = this.#analyse(code)
      runState.code = code
      runState.validJumps = jumps
      runState.cachedPushes = pushes
      runState.shouldDoJumpAnalysis = false
      const end = code.length
      try {
        while (runState.programCounter < end) {
          const { opcodeInfo, opHandler, gasHandler } = operations[code[runState.programCounter]!]!
          const { code: opCode } = opcodeInfo
          runState.opCode = opCode
          const payer = opCode >= CREATE && opCode <= CREATE2 ? payerOf(runState, opCode) : undefined
          let gas = opcodeInfo.feeBigInt
          if (opcodeInfo.dynamicGas) {
            // EIP-2200 refuses before it looks at the slot, which then is not among what the transaction read.
            if (opCode === SSTORE && runState.gasLeft <= sstoreSentry)
              return new EVMError(EVMError.errorMessages.OUT_OF_GAS)
            const access = accesses[opCode]
            if (access !== undefined && !opcodeInfo.isInvalid) {
              const demand = access.demand(runState, gas)
              if (demand !== undefined && demand > runState.gasLeft)
                return new EVMError(EVMError.errorMessages.OUT_OF_GAS)
              if (demand !== undefined) await access.look(runState)
            }
            const charged = gasHandler(runState, gas, common)
            gas = typeof charged === 'bigint' ? charged : await charged
          }
          if (opcodeInfo.isInvalid) return new EVMError(EVMError.errorMessages.INVALID_OPCODE)
          runState.gasLeft -= gas
          if (runState.gasLeft < 0n) {
            runState.gasLeft = 0n
            return new EVMError(EVMError.errorMessages.OUT_OF_GAS)
          }
          runState.programCounter++
          const pending = opHandler(runState, common)
          if (pending !== undefined) await pending
          if (payer !== undefined) payer.comparesWith = undefined
        }
      } catch (thrown) {
        if (!(thrown instanceof EVMError)) throw thrown
        return thrown.error === EVMError.errorMessages.STOP ? undefined : thrown
      }
      return undefined
    }
  }

  #analyse(code: Uint8Array): Analysis {
    let analysis = this.#analyses.get(code)
    if (analysis === undefined) {
      analysis = { jumps: jumpDestinations(code), pushes: new Array<bigint>(code.length + 1) }
      this.#analyses.set(code, analysis)
    }
    return analysis
  }
}

/** 1 at every JUMPDEST that is not an operand of a push (YP 9.4.3). */
const jumpDestinations = (code: Uint8Array): Uint8Array => {
  const jumps = new Uint8Array(code.length)
  for (let at = 0; at < code.length; at++) {
    const opcode = code[at]!
    if (opcode === 0x5b) jumps[at] = 1
    else if (opcode >= 0x60 && opcode <= 0x7f) at += opcode - 0x5f
  }
  return jumps
}

const SSTORE = 0x55
const CREATE = 0xf0
const CALL = 0xf1
const CALLCODE = 0xf2
const CREATE2 = 0xf5

/**
 * The frame's own account at an instruction that sends value: all that the instruction does with its balance is to
 * compare it with the value. Undefined where the stack has none.
 */
const payerOf = ({ env, stack }: RunState, opCode: number): SeenAccount | undefined => {
  const { contract } = env
  if (!(contract instanceof SeenAccount)) return undefined
  const depth = opCode === CREATE || opCode === CREATE2 ? 1 : opCode === CALL || opCode === CALLCODE ? 3 : 0
  if (depth === 0 || stack.length < depth) return undefined
  contract.comparesWith = stack.peek(depth)[depth - 1]
  return contract
}

/** Of what the loop takes from a frame, and instructions.ts from its stack and memory: the first that is not there. */
const missingPart = (frame: Interpreter | undefined): string | undefined => {
  const state: unknown = frame === undefined ? undefined : stateOf(frame)
  if (frame === undefined || !isRecord(state)) return 'runState'
  const { stack, memory } = state
  const parts: readonly (readonly [name: string, isThere: boolean])[] = [
    ['_result', isRecord(frame._result)],
    ['lookupOpInfo', typeof frame.lookupOpInfo === 'function'],
    ['programCounter', typeof state['programCounter'] === 'number'],
    ['gasLeft', typeof state['gasLeft'] === 'bigint'],
    ['gasRefund', typeof state['gasRefund'] === 'bigint'],
    ['validJumps', state['validJumps'] instanceof Uint8Array],
    ['cachedPushes', isRecord(state['cachedPushes'])],
    ['shouldDoJumpAnalysis', typeof state['shouldDoJumpAnalysis'] === 'boolean'],
    ['stack', isRecord(stack) && Array.isArray(stack['_store']) && typeof stack['_len'] === 'number'],
    ['memory', isRecord(memory) && memory['_store'] instanceof Uint8Array],
  ]
  return parts.find(([, isThere]) => !isThere)?.[0]
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null

let isWarned = false
/** Once a thread: results stay the same, calls of the CPU tier take several times as long. */
const warnOfStockLoop = (missing: string): void => {
  if (isWarned) return
  isWarned = true
  process.emitWarning(
    `@ethereumjs/evm has another shape (no ${missing} in a frame): the CPU tier runs its loop, at its speed`,
    { type: 'WgevmWarning', code: 'WGEVM_STOCK_LOOP' },
  )
}

/** The run state of a frame; the declaration calls it protected. */
const stateOf = (frame: Interpreter): RunState => (frame as unknown as { readonly _runState: RunState })._runState

/** An EVM like `createEVM` of @ethereumjs/evm makes it, with the loop of LeanEvm and the curves of curves.ts. */
export const createLeanEvm = (
  options: CommonOptions,
  Evm: new (options: EVMOpts) => LeanEvm = LeanEvm,
  opFork?: OpFork,
): LeanEvm => {
  const evm = new Evm(evmOptionsOf(options, opFork))
  memoise(options.common)
  return evm
}

/**
 * Remembers the answers of a Common whose fork will not change: it finds them again by going through lists, several
 * times for each instruction.
 */
const memoise = (common: Common): void => {
  const activated = common.isActivatedEIP.bind(common)
  const answers = new Map<number, boolean>()
  common.isActivatedEIP = (eip) => {
    let answer = answers.get(eip)
    if (answer === undefined) {
      answer = activated(eip)
      answers.set(eip, answer)
    }
    return answer
  }
  const paramOf = common.param.bind(common)
  const params = new Map<string, bigint>()
  common.param = (name) => {
    let value = params.get(name)
    if (value === undefined) {
      value = paramOf(name)
      params.set(name, value)
    }
    return value
  }
  const reaches = common.gteHardfork.bind(common)
  const reached = new Map<string, boolean>()
  common.gteHardfork = (hardfork) => {
    let answer = reached.get(hardfork)
    if (answer === undefined) {
      answer = reaches(hardfork)
      reached.set(hardfork, answer)
    }
    return answer
  }
}
