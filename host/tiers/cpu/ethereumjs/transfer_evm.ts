import type { EVMResult, EVMRunCallOpts } from '@ethereumjs/evm'
import { Address } from '@ethereumjs/util'
import type { RunState } from './instructions.ts'
import { LeanEvm } from './lean_evm.ts'

/** A log as @ethereumjs/evm has it: address, topics, data. */
type EvmLog = [Uint8Array, Uint8Array[], Uint8Array]

/** What transfers of wei are logged as: an ERC-20 transfer of this address (ERC-7528, eth_simulateV1). */
const WEI_ADDRESS = new Uint8Array(20).fill(0xee)
const TRANSFER_TOPIC = new Uint8Array(
  Buffer.from('ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef', 'hex'),
)
const SELFDESTRUCT = 0xff

/**
 * An EVM that logs every transfer of wei where it happens: calls and creations with a value, and SELFDESTRUCT. Such a
 * log goes with its frame where that fails, like any other. `transfers` knows them from those of the code.
 */
export class TransferEvm extends LeanEvm {
  readonly transfers = new WeakSet<object>()

  constructor(options: ConstructorParameters<typeof LeanEvm>[0]) {
    super(options)
    const stock = this._opcodeMap[SELFDESTRUCT]!
    const { opHandler } = stock
    this._opcodeMap[SELFDESTRUCT] = {
      ...stock,
      opHandler: async (runState, common) => {
        await this.#logDestruction(runState as unknown as RunState)
        await opHandler(runState, common)
      },
    }
  }

  override async runCall(options: EVMRunCallOpts): Promise<EVMResult> {
    const result = await super.runCall(options)
    const { execResult } = result
    const message = options.message ?? options
    const { value = 0n, caller, to, delegatecall } = message
    if (execResult.exceptionError !== undefined || value === 0n || delegatecall === true) return result
    const codeAddress = options.message?.to === undefined ? undefined : options.message.codeAddress
    const receiver = result.createdAddress ?? codeAddress ?? to
    if (caller === undefined || receiver === undefined) return result
    execResult.logs = [this.#transfer(caller.bytes, receiver.bytes, value), ...(execResult.logs ?? [])]
    return result
  }

  async #logDestruction({ env, stack, interpreter }: RunState): Promise<void> {
    if (stack.length === 0 || env.isStatic) return
    const balance = (await this.stateManager.getAccount(env.address))?.balance ?? 0n
    if (balance === 0n) return
    const beneficiary = new Uint8Array(Buffer.from(stack.peek()[0]!.toString(16).padStart(64, '0').slice(24), 'hex'))
    const { logs } = (interpreter as unknown as { readonly _result: { readonly logs: EvmLog[] } })._result
    logs.push(this.#transfer(env.address.bytes, new Address(beneficiary).bytes, balance))
  }

  #transfer(from: Uint8Array, to: Uint8Array, value: bigint): EvmLog {
    const log: EvmLog = [WEI_ADDRESS, [TRANSFER_TOPIC, wordOf(from), wordOf(to)], wordOf(bytesOf(value))]
    this.transfers.add(log)
    return log
  }
}

const bytesOf = (value: bigint): Uint8Array => new Uint8Array(Buffer.from(value.toString(16).padStart(64, '0'), 'hex'))

/** Bytes at the end of a word. */
const wordOf = (bytes: Uint8Array): Uint8Array => {
  const word = new Uint8Array(32)
  word.set(bytes, 32 - bytes.length)
  return word
}
