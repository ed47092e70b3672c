import type { Common } from '@ethereumjs/common'
import { EVM, type Message } from '@ethereumjs/evm'
import { type Account, Address } from '@ethereumjs/util'
import { isDelegation } from '../../../../transpiler/spec/delegation.ts'
import { pushAncestorHash } from './ancestor_hash.ts'
import { createdAddress, saltedAddress } from './created_address.ts'
import type { Operation, RunState } from './instructions.ts'

/**
 * @ethereumjs/evm where it is not what the specification says (docs/conformance.md lists the places):
 *
 * - it takes any code that begins with 0xef0100 for a delegation, of whatever length (EIP-7702 wants 23 bytes), and
 *   throws where what follows is no address;
 * - it shows code that begins with 0xef00 as two bytes to EXTCODESIZE, EXTCODECOPY and EXTCODEHASH, and creates nothing
 *   from such initcode, as EIP-3540 would have it, which is part of no fork;
 * - it asks for the hash of a block by a double, and so for another block from 2^53 on (YP H.2).
 *
 * Opcodes that the options bring themselves stay as they are.
 */
export class SpecifiedEvm extends EVM {
  /** The creation that was last asked for its address. */
  #created: { readonly message: Message; readonly address: Address } | undefined

  override getActiveOpcodes(): ReturnType<EVM['getActiveOpcodes']> {
    const opcodes = super.getActiveOpcodes()
    if (this.common.isActivatedEIP(3540)) return opcodes
    const operations = this._opcodeMap as Operation[]
    for (const name of Object.keys(SPECIFIED)) {
      const code = Number(name)
      const stock = operations[code]!
      const isCustom = this._customOpcodes?.some(({ opcode }) => opcode === code) ?? false
      if (!isCustom && !stock.opcodeInfo.isInvalid) operations[code] = { ...stock, ...SPECIFIED[code]!(stock) }
    }
    return opcodes
  }

  protected override async _loadCode(message: Message): Promise<void> {
    if (!message.code && this.getPrecompile(message.codeAddress) === undefined) {
      const code = await this.stateManager.getCode(message.codeAddress)
      if (!isDelegation(code)) {
        message.code = code
        message.isCompiled = false
        message.chargeCodeAccesses = true
        return
      }
    }
    await super._loadCode(message)
  }

  /** As the stock one, which hashes in JavaScript. The stock `runCall` asks twice for each creation. */
  protected override async _generateAddress(message: Message): Promise<Address> {
    if (this.#created?.message === message) return this.#created.address
    const { caller, salt, code } = message
    let bytes: Uint8Array
    if (salt) bytes = saltedAddress(caller.bytes, salt, code as Uint8Array)
    else bytes = createdAddress(caller.bytes, ((await this.stateManager.getAccount(caller))?.nonce ?? 0n) - 1n)
    const address = new Address(bytes)
    const state = this.stateManager as CreatingState
    state.willCreate?.(bytes)
    this.#created = { message, address }
    return address
  }
}

/** A state manager that wants to know. */
interface CreatingState {
  willCreate?(address: Uint8Array): void
}

type Handlers = Partial<Pick<Operation, 'opHandler' | 'gasHandler'>>

const CALLS = [0xf1, 0xf2, 0xf4, 0xfa]

/** By opcode: the handlers in place of the stock ones. */
const SPECIFIED: Readonly<Record<number, (stock: Operation) => Handlers>> = {
  59: () => ({ opHandler: pushCodeSize }),
  60: () => ({ opHandler: copyCode }),
  63: () => ({ opHandler: pushCodeHash }),
  64: (stock) => ({ opHandler: pushAncestorHash(stock.opHandler) }),
  240: (stock) => ({ opHandler: create(3, stock.opHandler) }),
  245: (stock) => ({ opHandler: create(4, stock.opHandler) }),
  ...Object.fromEntries(CALLS.map((code) => [code, (stock: Operation) => ({ gasHandler: callGas(stock.gasHandler) })])),
}

const ADDRESS_BITS = 160
const addressOf = (word: bigint): Address =>
  new Address(new Uint8Array(Buffer.from(BigInt.asUintN(ADDRESS_BITS, word).toString(16).padStart(40, '0'), 'hex')))

const pushCodeSize = async ({ stack, stateManager }: RunState): Promise<void> => {
  const code = await stateManager.getCode(addressOf(stack.pop()))
  stack.push(BigInt(code.length))
}

const copyCode = async ({ stack, stateManager, memory }: RunState): Promise<void> => {
  const [address, to, from, length] = stack.popN(4) as [bigint, bigint, bigint, bigint]
  if (length === 0n) return
  const code = await stateManager.getCode(addressOf(address))
  const bytes = new Uint8Array(Number(length))
  if (from < BigInt(code.length)) bytes.set(code.subarray(Number(from), Number(from) + bytes.length))
  memory.write(Number(to), bytes.length, bytes)
}

const pushCodeHash = async ({ stack, stateManager }: RunState): Promise<void> => {
  const account = await stateManager.getAccount(addressOf(stack.pop()))
  const isAbsent = account === undefined || account.isEmpty()
  stack.push(isAbsent ? 0n : BigInt(`0x${Buffer.from(account.codeHash).toString('hex')}`))
}

/** What the stock gas handlers of calls ask of the state. */
interface CalledState {
  getAccount(address: Address): Promise<Account | undefined>
  getCode(address: Address): Promise<Uint8Array>
}

const NO_CODE = new Uint8Array(0)

/** The stock price, asked with a state in which code that only looks like a delegation is none. */
const callGas =
  (stock: Operation['gasHandler']): Operation['gasHandler'] =>
  async (runState, gas, common) => {
    if (!common.isActivatedEIP(7702)) return stock(runState, gas, common)
    const whole = runState.stateManager
    const called: CalledState = {
      getAccount: (address) => whole.getAccount(address),
      getCode: async (address) => {
        const code = await whole.getCode(address)
        return isDelegation(code) ? code : NO_CODE
      },
    }
    runState.stateManager = called as RunState['stateManager']
    try {
      return await stock(runState, gas, common)
    } finally {
      runState.stateManager = whole
    }
  }

/** CREATE takes three words, CREATE2 a salt besides. */
const create =
  (pops: 3 | 4, stock: Operation['opHandler']): Operation['opHandler'] =>
  async (runState, common) => {
    if (!startsAsContainer(runState, pops, common)) return stock(runState, common)
    const { stack, memory, interpreter } = runState
    const [value, offset, length, salt] = stack.popN(pops) as [bigint, bigint, bigint, bigint | undefined]
    const gasLimit = runState.messageGasLimit as bigint
    delete runState.messageGasLimit
    const initcode = memory.read(Number(offset), Number(length), true)
    stack.push(
      salt === undefined
        ? await interpreter.create(gasLimit, value, initcode)
        : await interpreter.create2(gasLimit, value, initcode, bytesOfWord(salt)),
    )
  }

/** Whether the stock handler would get as far as the initcode, and refuse it for its first two bytes. */
const startsAsContainer = ({ stack, memory, env }: RunState, pops: 3 | 4, common: Common): boolean => {
  if (stack.length < pops || env.isStatic) return false
  const [, offset, length] = stack.peek(3) as [bigint, bigint, bigint]
  if (length < 2n || (common.isActivatedEIP(3860) && length > common.param('maxInitCodeSize'))) return false
  const head = memory.read(Number(offset), 2)
  return head[0] === 0xef && head[1] === 0x00
}

const bytesOfWord = (word: bigint): Uint8Array =>
  new Uint8Array(Buffer.from(word.toString(16).padStart(64, '0'), 'hex'))
