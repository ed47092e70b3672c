import type { Builder } from '../ir/builder.ts'
import { describeValue } from '../ir/text.ts'
import { keccak256 } from '../keccak256.ts'
import { bytesToWord } from '../skeleton.ts'
import { isAtLeast } from '../spec/forks.ts'
import {
  GAS_COLD_ACCOUNT,
  GAS_COPY_WORD,
  GAS_EXP_BYTE,
  GAS_KECCAK_WORD,
  GAS_LOG_BYTE,
  GAS_WARM,
  MAX_STACK_WORDS,
  memoryGas,
} from '../spec/gas.ts'
import type { Opcode } from '../spec/opcodes.ts'
import type { PathAccount, PathAccounts } from './accounts.ts'
import { callFrame } from './calls.ts'
import { pushedWord, symbolicCode } from './code.ts'
import { type Frame, type FrameResult, HALT } from './frame.ts'
import { OutOfGas } from './gas.ts'
import type { Guards } from './guards.ts'
import { type Instruction, instructionsAt, operationOf } from './instruction.ts'
import type { Journal } from './journal.ts'
import { type Bytes, bytesOfWord, EMPTY_BYTES, sliceBytes, type Word, wordAt, wordsOfBytes } from './memory.ts'
import { blockHash } from './precompiles.ts'
import type { Recording } from './recording.ts'
import { StorageAccess } from './storage.ts'
import { type RecordedTransaction, type RecordState, type TraceStep, Unsupported } from './transaction.ts'

/** Bounds that keep recording cheap on hostile input; past them the transaction is simply not transpiled. */
const MAX_STEPS = 50_000
const MAX_MEMORY_BYTES = 1 << 18
/**
 * Bytes that memory grows by and that copies, hashes, logs and calls move, in all; each is a symbolic byte of its own.
 */
const MAX_MOVED_BYTES = 1 << 20

/**
 * The concolic interpreter: runs one concrete transaction over the opcode table and builds the symbolic values beside
 * it.
 *
 * What the concrete run takes for granted becomes a guard: branches, jump and call targets, lengths and memory offsets
 * that were symbolic, aliasing, gas. So control flow, memory layout, warm and cold are constants of the path.
 */
export class Recorder implements Recording {
  readonly builder: Builder
  readonly guards: Guards
  readonly accounts: PathAccounts
  readonly journal: Journal
  readonly transaction: RecordedTransaction
  readonly state: RecordState
  readonly trace: TraceStep[] = []
  /** Skeleton keys in the order met; position = index that a `skeleton` value carries. */
  readonly skeletons: string[] = []
  readonly precompiles = new Set<number>()
  /** Whether a frame ran out of gas: how far a lane gets in it depends on its gas. */
  ranOut = false
  private movedBytes = 0
  private readonly table: readonly (Instruction | undefined)[]
  private readonly hasAccessGas: boolean
  private readonly storage: StorageAccess

  constructor(
    builder: Builder,
    guards: Guards,
    accounts: PathAccounts,
    journal: Journal,
    transaction: RecordedTransaction,
    state: RecordState,
  ) {
    this.builder = builder
    this.guards = guards
    this.accounts = accounts
    this.journal = journal
    this.transaction = transaction
    this.state = state
    this.table = instructionsAt(transaction.fork)
    this.hasAccessGas = isAtLeast(transaction.fork, 'berlin')
    this.storage = new StorageAccess(this, transaction.fork)
  }

  constant(value: bigint): Word {
    return { concrete: value, value: this.builder.constant(value) }
  }

  leaf(op: string, concrete: bigint, attribute?: string): Word {
    return { concrete, value: this.builder.make(op, [], attribute) }
  }

  /** Awaits only where the state answers late: most instructions ask it nothing. */
  async run(frame: Frame): Promise<FrameResult> {
    for (;;) {
      if (this.trace.length >= MAX_STEPS) throw new Unsupported('step bound', frame.pc)
      let result: FrameResult | undefined
      try {
        const step = this.step(frame)
        result = step instanceof Promise ? await step : step
      } catch (error) {
        if (!(error instanceof OutOfGas)) throw error
        return this.runOut(frame, error.margin)
      }
      if (result !== undefined) {
        this.guards.require(frame.context.gas.sufficient(), `gas covers the frame at depth ${frame.context.depth}`)
        return result
      }
    }
  }

  /**
   * The frame halts for want of gas. Whatever a lane with less than the frame asked for up to here did before, it ends
   * the same way: the frame's gas is gone, and so are its effects.
   */
  private runOut(frame: Frame, margin: number): FrameResult {
    this.ranOut = true
    const { gas, depth } = frame.context
    this.guards.position = { pc: frame.pc, depth }
    this.guards.requireNot(gas.sufficient(margin), `the frame at depth ${depth} runs out of gas`)
    return HALT
  }

  private step(frame: Frame): FrameResult | undefined | Promise<FrameResult | undefined> {
    const { pc, stack, context } = frame
    const instruction = this.table[frame.code[pc] ?? 0]
    this.guards.position = { pc, depth: context.depth }
    if (instruction === undefined) {
      this.trace.push({ depth: context.depth, pc, mnemonic: 'INVALID' })
      return HALT
    }
    const { row, form } = instruction
    this.trace.push({ depth: context.depth, pc, mnemonic: row.mnemonic })
    if (row.ends === 'invalid' || stack.length < row.pops) return HALT
    if (stack.length - row.pops + row.pushes > MAX_STACK_WORDS) return HALT
    if (row.staticForbidden === true && context.isStatic) return HALT
    context.gas.charge(instruction.gas)
    context.gas.check()
    if (form === 'dup') {
      stack.push(stack[stack.length - row.pops]!)
    } else if (form === 'swap') {
      const at = stack.length - row.pops
      const top = stack.length - 1
      const word = stack[at]!
      stack[at] = stack[top]!
      stack[top] = word
    } else {
      const operands: Word[] = []
      for (let n = 0; n < row.pops; n++) operands.push(stack.pop()!)
      this.chargeDynamic(frame, row, operands)
      const result = this.execute(frame, row, operands)
      if (result instanceof Promise) return result.then((late) => this.finish(frame, pc, row, late))
      return this.finish(frame, pc, row, result)
    }
    frame.pc = pc + 1
    return undefined
  }

  private finish(
    frame: Frame,
    pc: number,
    row: Opcode,
    result: Word | FrameResult | undefined,
  ): FrameResult | undefined {
    if (result !== undefined) {
      if ('status' in result) return result
      frame.stack.push(result)
    }
    if (frame.pc === pc) frame.pc = pc + 1 + row.immediateBytes
    return undefined
  }

  private chargeDynamic(frame: Frame, row: Opcode, operands: readonly Word[]): void {
    if (row.memory === undefined && row.dynamicGas === undefined) return
    const { gas } = frame.context
    let length = 0
    for (const range of row.memory ?? []) {
      const bytes = 'length' in range ? this.pinLength(operands[range.length]!, row, frame.pc) : range.lengthBytes
      length = bytes
      this.move(bytes, frame.pc)
      if (bytes > 0) this.expandMemory(frame, this.pinLength(operands[range.offset]!, row, frame.pc) + bytes)
    }
    const words = Math.ceil(length / 32)
    for (const tag of row.dynamicGas ?? []) {
      if (tag === 'copyWord') gas.charge(words * GAS_COPY_WORD)
      else if (tag === 'keccakWord') gas.charge(words * GAS_KECCAK_WORD)
      else if (tag === 'logByte') gas.charge(length * GAS_LOG_BYTE)
      else if (tag === 'expByte') this.chargeExponent(frame, operands[1]!)
    }
    frame.context.gas.check()
  }

  private move(bytes: number, pc: number): void {
    this.movedBytes += bytes
    if (this.movedBytes > MAX_MOVED_BYTES) throw new Unsupported('memory bound', pc)
  }

  private pinLength(word: Word, row: Opcode, pc: number): number {
    const value = this.guards.pin(word, `${row.mnemonic} offset or length`)
    if (value > BigInt(MAX_MEMORY_BYTES)) throw new Unsupported('memory bound', pc)
    return Number(value)
  }

  private expandMemory(frame: Frame, end: number): void {
    const words = Math.ceil(end / 32)
    if (words <= frame.memory.words) return
    frame.context.gas.charge(memoryGas(words) - memoryGas(frame.memory.words))
    frame.context.gas.check()
    this.move(32 * (words - frame.memory.words), frame.pc)
    frame.memory.expand(words)
  }

  private chargeExponent(frame: Frame, exponent: Word): void {
    const bytes = exponent.concrete === 0n ? 0 : Math.ceil(exponent.concrete.toString(2).length / 8)
    const length = this.builder.make('bytelength', [exponent.value])
    const price = this.builder.make('mul32', [length, this.builder.constant(BigInt(GAS_EXP_BYTE))])
    frame.context.gas.chargeDynamic(price, bytes * GAS_EXP_BYTE)
  }

  accessGas(isCold: boolean, cold: number): number {
    if (!this.hasAccessGas) return 0
    return isCold ? cold : GAS_WARM
  }

  async accessAccount(frame: Frame, address: Word): Promise<PathAccount> {
    const account = await this.accounts.resolve(address, frame.pc)
    frame.context.gas.charge(this.accessGas(this.journal.touchAccount(account), GAS_COLD_ACCOUNT))
    frame.context.gas.check()
    return account
  }

  async codeOf(frame: Frame | undefined, account: PathAccount): Promise<PathAccount> {
    if (account.delegate === undefined) return account
    const target = await this.accounts.resolve(this.constant(account.delegate), this.guards.position.pc)
    const isCold = this.journal.touchAccount(target)
    frame?.context.gas.charge(isCold ? GAS_COLD_ACCOUNT : GAS_WARM)
    frame?.context.gas.check()
    this.guardCode(target)
    return target
  }

  guardCode(account: PathAccount): void {
    if (account.skeleton === undefined) {
      this.guards.requireNot(this.builder.make('hascode', [account.id]), 'the account has no code')
      return
    }
    const index = this.skeletonIndex(account.skeleton.key)
    this.guards.require(this.builder.make('skeleton', [account.id], index), 'the account runs the recorded code')
  }

  skeletonIndex(key: string): number {
    const known = this.skeletons.indexOf(key)
    return known >= 0 ? known : this.skeletons.push(key) - 1
  }

  private codeBytes(account: PathAccount): Bytes {
    this.move(account.code.length, this.guards.position.pc)
    return symbolicCode(this.builder, account)
  }

  private keccak(bytes: Bytes): Word {
    const concrete = bytesToWord(keccak256(bytes.concrete))
    if (bytes.cells.every((cell) => typeof cell === 'number')) return this.constant(concrete)
    return { concrete, value: this.builder.make('keccak', wordsOfBytes(this.builder, bytes), bytes.cells.length) }
  }

  private jump(frame: Frame, target: Word): FrameResult | undefined {
    const to = this.guards.pin(target, 'jump target')
    if (to >= BigInt(frame.code.length) || frame.jumpDestinations[Number(to)] !== 1) return HALT
    frame.pc = Number(to)
    return undefined
  }

  private branch(frame: Frame, target: Word, condition: Word): FrameResult | undefined {
    const taken = condition.concrete !== 0n
    const name = (): string => describeValue(this.builder.values, condition.value)
    const zero = this.builder.make('iszero', [condition.value])
    if (taken) this.guards.requireNot(zero, () => `branch taken: ${name()}`)
    else this.guards.require(zero, () => `branch not taken: ${name()}`)
    return taken ? this.jump(frame, target) : undefined
  }

  private copy(frame: Frame, source: Bytes, to: Word, from: Word, length: Word): void {
    const count = Number(length.concrete)
    if (count === 0) return
    const start = this.guards.pin(from, 'copy source offset')
    const at = start > BigInt(source.cells.length) ? source.cells.length : Number(start)
    frame.memory.write(Number(to.concrete), sliceBytes(source, at, count))
  }

  // biome-ignore lint/complexity/noExcessiveLinesPerFunction: a table, with a case for each opcode
  private execute(
    frame: Frame,
    row: Opcode,
    operands: readonly Word[],
  ): Word | FrameResult | undefined | Promise<Word | FrameResult | undefined> {
    const { builder, transaction } = this
    const { context, memory } = frame
    const [a, b, c, d] = operands as [Word, Word, Word, Word]
    if (row.eval !== undefined) {
      const name = operationOf(row)
      if (name === undefined) throw new Unsupported(`opcode ${row.mnemonic}`, frame.pc)
      const concrete = row.eval(operands.map((word) => word.concrete))
      const values = operands.map((word) => word.value)
      return { concrete, value: builder.make(name, values) }
    }
    if (row.immediateBytes > 0) return pushedWord(builder, frame, row.immediateBytes)
    switch (row.mnemonic) {
      case 'STOP':
        return { status: 'success', output: EMPTY_BYTES }
      case 'RETURN':
      case 'REVERT': {
        const output = memory.read(Number(a.concrete), Number(b.concrete))
        return { status: row.mnemonic === 'RETURN' ? 'success' : 'revert', output }
      }
      case 'KECCAK256':
        return this.keccak(memory.read(Number(a.concrete), Number(b.concrete)))
      case 'ADDRESS':
        return context.self.address
      case 'ORIGIN':
        return this.leaf('caller', transaction.from)
      case 'CALLER':
        return context.caller
      case 'CALLVALUE':
        return context.value
      case 'GASPRICE':
        return this.leaf('gasprice', transaction.gasPrice)
      case 'COINBASE':
      case 'TIMESTAMP':
      case 'NUMBER':
      case 'PREVRANDAO':
      case 'GASLIMIT':
      case 'CHAINID':
      case 'BASEFEE':
      case 'BLOBBASEFEE': {
        const name = row.mnemonic.toLowerCase() as keyof typeof transaction.environment
        return this.leaf('environment', transaction.environment[name], name)
      }
      case 'DIFFICULTY':
        return this.leaf('environment', transaction.environment.prevrandao, 'prevrandao')
      case 'BLOCKHASH':
        return blockHash(this, a)
      case 'PUSH0':
        return this.constant(0n)
      case 'CALLDATALOAD': {
        const offset = this.guards.pin(a, 'calldata offset')
        return offset >= BigInt(context.calldata.cells.length)
          ? this.constant(0n)
          : wordAt(builder, context.calldata, Number(offset))
      }
      case 'CALLDATASIZE':
        return this.constant(BigInt(context.calldata.cells.length))
      case 'CALLDATACOPY':
        return void this.copy(frame, context.calldata, a, b, c)
      case 'CODESIZE':
        return this.constant(BigInt(frame.code.length))
      case 'CODECOPY':
        return void this.copy(frame, this.codeBytes(context.codeAccount), a, b, c)
      case 'RETURNDATASIZE':
        return this.constant(BigInt(frame.returnData.cells.length))
      case 'RETURNDATACOPY': {
        const end = this.guards.pin(b, 'returndata offset') + c.concrete
        if (end > BigInt(frame.returnData.cells.length)) return HALT
        return void this.copy(frame, frame.returnData, a, b, c)
      }
      case 'BALANCE':
        return this.accessAccount(frame, a).then((account) => this.balance(frame, account))
      case 'SELFBALANCE':
        return this.balance(frame, context.self)
      case 'EXTCODESIZE':
        return this.accessAccount(frame, a).then((account) => {
          this.guardCode(account)
          return this.constant(BigInt(account.code.length))
        })
      case 'EXTCODEHASH':
        return this.accessAccount(frame, a).then((account) => this.codeHash(account))
      case 'EXTCODECOPY':
        return this.accessAccount(frame, a).then((account) => {
          this.guardCode(account)
          this.copy(frame, this.codeBytes(account), b, c, d)
          return undefined
        })
      case 'POP':
      case 'JUMPDEST':
        return undefined
      case 'MLOAD':
        return memory.readWord(builder, Number(a.concrete))
      case 'MSTORE':
        return void memory.writeWord(builder, Number(a.concrete), b)
      case 'MSTORE8':
        return void memory.write(Number(a.concrete), sliceBytes(bytesOfWord(builder, b), 31, 1))
      case 'MCOPY':
        if (c.concrete > 0n) {
          memory.write(Number(a.concrete), memory.read(Number(b.concrete), Number(c.concrete)))
        }
        return undefined
      case 'SLOAD':
        return this.storage.load(frame, a)
      case 'SSTORE':
        return this.storage.store(frame, a, b)
      case 'TLOAD':
        return this.journal.loadTransient(context.self, a)
      case 'TSTORE':
        return void this.journal.storeTransient(context.self, a, b)
      case 'JUMP':
        return this.jump(frame, a)
      case 'JUMPI':
        return this.branch(frame, a, b)
      case 'PC':
        return this.constant(BigInt(frame.pc))
      case 'MSIZE':
        return this.constant(BigInt(memory.words * 32))
      case 'GAS':
        return { concrete: BigInt(context.gas.left), value: context.gas.remaining() }
      case 'LOG0':
      case 'LOG1':
      case 'LOG2':
      case 'LOG3':
      case 'LOG4': {
        const bytes = memory.read(Number(a.concrete), Number(b.concrete))
        this.journal.logs.push({
          kind: 'log',
          emitter: context.self.id,
          topics: operands.slice(2).map((word) => word.value),
          bytes: bytes.cells.length,
          data: wordsOfBytes(builder, bytes),
        })
        return undefined
      }
      case 'CALL':
      case 'STATICCALL':
      case 'DELEGATECALL':
        return callFrame(this, frame, row.mnemonic, operands)
      default:
        throw new Unsupported(`opcode ${row.mnemonic}`, frame.pc)
    }
  }

  /** The entry account already holds the transaction's value; the sender has paid for gas, which no lane knows. */
  private balance(frame: Frame, account: PathAccount): Word {
    if (account.isSender) throw new Unsupported('balance of the sender', frame.pc)
    const value = this.builder.make('balance', [account.id])
    if (account !== this.accounts.all[0]) {
      return this.journal.balance(account, { concrete: account.balance, value })
    }
    const sent = this.entryValue()
    return this.journal.balance(account, {
      concrete: account.balance + sent.concrete,
      value: this.builder.make('add', [value, sent.value]),
    })
  }

  concreteBalance(account: PathAccount): bigint {
    const sent = account === this.accounts.all[0] ? this.transaction.value : 0n
    return this.journal.concreteBalance(account, account.balance + sent)
  }

  guardExistence(account: PathAccount): boolean {
    if (account.isSender || account.skeleton !== undefined) return true
    const exists = this.builder.make('exists', [account.id])
    if (account.exists) this.guards.require(exists, 'the account exists')
    else this.guards.requireNot(exists, 'the account does not exist')
    return account.exists
  }

  entryValue(): Word {
    return this.transaction.value === 0n ? this.constant(0n) : this.leaf('value', this.transaction.value)
  }

  private codeHash(account: PathAccount): Word {
    this.guardCode(account)
    if (account.skeleton !== undefined) {
      return { concrete: account.skeleton.codeHash, value: this.builder.make('instance', [account.id], 0) }
    }
    const exists = this.journal.isFunded(account) || this.guardExistence(account)
    return this.constant(exists ? bytesToWord(keccak256(new Uint8Array(0))) : 0n)
  }
}
