import { EVMError, type ExecResult, getActivePrecompiles, type PrecompileFunc } from '@ethereumjs/evm'
import { P256_ADDRESS } from '../../transpiler/spec/precompiles.ts'
import { isOpAtLeast, type OpFork } from '../chain/op/op_forks.ts'
import { commonOf } from './common.ts'

/** Longest input that a precompile takes, by (first fork, bytes), ascending: a longer one halts. */
const MOST_BYTES: readonly (readonly [address: number, limits: readonly (readonly [OpFork, number])[]])[] = [
  [
    0x08,
    [
      ['granite', 112_687],
      ['jovian', 81_984],
      ['karst', 57_600],
    ],
  ],
  [
    0x0c,
    [
      ['isthmus', 513_760],
      ['jovian', 288_960],
    ],
  ],
  [
    0x0e,
    [
      ['isthmus', 488_448],
      ['jovian', 278_784],
    ],
  ],
  [
    0x0f,
    [
      ['isthmus', 235_008],
      ['jovian', 156_672],
    ],
  ],
]

/** Gas of P256VERIFY before Karst, which brings Ethereum's (RIP-7212; EIP-7951: 6900). */
const P256_GAS = 3450n

/** Whether a fork has P256VERIFY. */
export const hasP256 = (fork: OpFork | undefined): boolean => fork !== undefined && isOpAtLeast(fork, 'fjord')

/** Changes the precompiles of the fork's EVM, by address (20 bytes, hex), to those of a fork of the OP stack. */
export const addOpRules = (functions: Map<string, PrecompileFunc>, fork: OpFork): void => {
  for (const [address, limits] of MOST_BYTES) {
    const key = keyOf(address)
    const run = functions.get(key)
    const most = limits.findLast(([since]) => isOpAtLeast(fork, since))?.[1]
    if (run !== undefined && most !== undefined) functions.set(key, limited(run, most))
  }
  if (hasP256(fork) && !isOpAtLeast(fork, 'karst')) functions.set(keyOf(P256_ADDRESS), cheapP256)
}

const keyOf = (address: number): string => address.toString(16).padStart(40, '0')

type Halt = (typeof EVMError.errorMessages)[keyof typeof EVMError.errorMessages]

/** All gas is gone. */
const halted = (gasLimit: bigint, reason: Halt): ExecResult => ({
  returnValue: new Uint8Array(0),
  executionGasUsed: gasLimit,
  exceptionError: new EVMError(reason),
})

const limited =
  (run: PrecompileFunc, most: number): PrecompileFunc =>
  (input) =>
    input.data.length > most ? halted(input.gasLimit, EVMError.errorMessages.INVALID_INPUT_LENGTH) : run(input)

/** Ethereum's own, which has another price. */
const ownP256 = getActivePrecompiles(commonOf('osaka', 1n)).get(keyOf(P256_ADDRESS))!
const PLENTY = 1_000_000n

const cheapP256: PrecompileFunc = async (input) => {
  if (input.gasLimit < P256_GAS) return halted(input.gasLimit, EVMError.errorMessages.OUT_OF_GAS)
  return { ...(await ownP256({ ...input, gasLimit: PLENTY })), executionGasUsed: P256_GAS }
}
