import { EVMError, Message } from '@ethereumjs/evm'
import { bytesOfWord, type Operation, type RunState } from './instructions.ts'
import { SeenAccount } from './seen_account.ts'

const CREATE = 0xf0
const CREATE2 = 0xf5
const NO_BYTES = new Uint8Array(0)
const { REVERT, CODESTORE_OUT_OF_GAS } = EVMError.errorMessages

/** The operation with the handler of this file, where it creates a contract. */
export const leanCreation = (operation: Operation): Operation => {
  const { opcodeInfo, opHandler } = operation
  if (opcodeInfo.isInvalid) return operation
  if (opcodeInfo.code === CREATE) return { ...operation, opHandler: creation(3, opHandler) }
  return opcodeInfo.code === CREATE2 ? { ...operation, opHandler: creation(4, opHandler) } : operation
}

/**
 * CREATE (three words) and CREATE2 (a salt besides) as the stock handlers, which find the address of the contract once
 * more, hashing in JavaScript, and look at the creator's nonce for that, whether the address follows from it or not.
 *
 * In:  gas charged, not a static frame. What is refused before anything is done goes to the stock handler.
 */
const creation =
  (pops: 3 | 4, stock: Operation['opHandler']): Operation['opHandler'] =>
  async (runState, common) => {
    const { stack, env, memory } = runState
    const creator = env.contract
    if (stack.length < pops || env.isStatic || !(creator instanceof SeenAccount)) return stock(runState, common)
    const [value, offset, length] = stack.peek(3) as [bigint, bigint, bigint]
    if (common.isActivatedEIP(3860) && length > common.param('maxInitCodeSize')) return stock(runState, common)
    const salt = (stack.popN(pops) as bigint[])[3]
    const gasLimit = runState.messageGasLimit as bigint
    delete runState.messageGasLimit
    const data = length === 0n ? NO_BYTES : memory.read(Number(offset), Number(length), true)
    runState.returnBytes = NO_BYTES
    const isDeep = env.depth >= Number(common.param('stackLimit'))
    if (isDeep || creator.isBelow(value) || !creator.countUp()) {
      stack.push(0n)
      return
    }
    await runState.interpreter.journal.putAccount(env.address, creator)
    const created = resultOf(runState)
    const selfdestruct = new Map(created.selfdestruct)
    const message = new Message({
      caller: env.address,
      gasLimit,
      value,
      data,
      ...(salt === undefined ? {} : { salt: bytesOfWord(salt) }),
      depth: env.depth + 1,
      selfdestruct,
      gasRefund: runState.gasRefund,
      blobVersionedHashes: env.blobVersionedHashes,
      ...(common.isActivatedEIP(6780) ? { createdAddresses: new Set(created.createdAddresses) } : {}),
    })
    stack.push(await create(runState, message, created))
  }

/** What a frame has come to so far, and the creation that runs in it. */
interface FrameResult {
  logs: NonNullable<Creation['execResult']['logs']>
  readonly selfdestruct: NonNullable<Message['selfdestruct']>
  readonly createdAddresses?: Message['createdAddresses']
}

type Creation = Awaited<ReturnType<RunState['interpreter']['_evm']['runCall']>>

const resultOf = ({ interpreter }: RunState): FrameResult =>
  (interpreter as unknown as { readonly _result: FrameResult })._result

/** Runs the creation and takes it over into the frame. The word that the instruction pushes. */
const create = async (runState: RunState, message: Message, frame: FrameResult): Promise<bigint> => {
  const { env, interpreter, stateManager } = runState
  const { execResult, createdAddress } = await interpreter._evm.runCall({ message })
  const { logs, exceptionError, executionGasUsed, returnValue, gasRefund } = execResult
  if (logs !== undefined && logs.length > 0) frame.logs = frame.logs.concat(logs)
  interpreter.useGas(executionGasUsed)
  if (exceptionError?.error === REVERT) runState.returnBytes = returnValue
  if (exceptionError !== undefined && exceptionError.error !== CODESTORE_OUT_OF_GAS) return 0n
  for (const [address, beneficiary] of message.selfdestruct!) frame.selfdestruct.set(address, beneficiary)
  for (const address of message.createdAddresses ?? []) frame.createdAddresses?.add(address)
  env.contract = (await stateManager.getAccount(env.address))!
  runState.gasRefund = gasRefund ?? 0n
  return BigInt(createdAddress!.toString())
}
