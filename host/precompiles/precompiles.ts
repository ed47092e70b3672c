import { EVMError, NobleBLS, type PrecompileFunc, type PrecompileInput, paramsEVM } from '@ethereumjs/evm'
import type { PrecompileResult } from '../../transpiler/layout/memo.ts'
import type { Fork } from '../../transpiler/spec/forks.ts'
import type { OpFork } from '../chain/op/op_forks.ts'
import { wasmBn254 } from './bn254.ts'
import { precompilesOf } from './by_fork.ts'
import { commonOf } from './common.ts'
import { ECRECOVER, type RecoverSigners, recoverAll } from './ecrecover.ts'

/**
 * Inputs that cost more are left to the CPU tier, where the transaction pays: one input of blake2f can ask for 2^32
 * rounds.
 */
const MOST_GAS = 500_000n

/** The precompiles of a fork by address: the reference's own functions over the primitives of common.ts. */
export class Precompiles {
  readonly #common: ReturnType<typeof commonOf>
  readonly #byAddress: ReadonlyMap<string, PrecompileFunc>
  readonly #recover: RecoverSigners | undefined
  /** What these functions ask of an EVM: the curves. */
  #evm: PrecompileInput['_EVM'] | undefined

  /** `recover`: for the signatures of many inputs at once. `opFork`: on a chain of the OP stack. */
  constructor(fork: Fork, chainId: bigint, recover?: RecoverSigners, opFork?: OpFork) {
    this.#recover = recover
    this.#common = commonOf(fork, chainId)
    this.#common.updateParams(paramsEVM)
    this.#byAddress = precompilesOf(this.#common, opFork)
  }

  /**
   * Undefined where the fork has no precompile at this address, or for an input that costs much. At once where the
   * function answers at once.
   */
  run(address: number, input: Uint8Array): PrecompileResult | undefined | Promise<PrecompileResult | undefined> {
    const run = this.#byAddress.get(address.toString(16).padStart(40, '0'))
    if (run === undefined) return undefined
    this.#evm ??= { _bn254: wasmBn254, _bls: new NobleBLS() } as unknown as PrecompileInput['_EVM']
    const result = run({ data: input, gasLimit: MOST_GAS, common: this.#common, _EVM: this.#evm })
    return result instanceof Promise ? result.then(resultOf) : resultOf(result)
  }

  /** The same for many inputs. */
  async runAll(address: number, inputs: readonly Uint8Array[]): Promise<(PrecompileResult | undefined)[]> {
    if (address === ECRECOVER && inputs.length > 1 && this.#recover !== undefined)
      return recoverAll(inputs, Number(this.#common.param('ecRecoverGas')), this.#recover)
    const results: (PrecompileResult | undefined)[] = []
    for (const input of inputs) {
      const result = this.run(address, input)
      results.push(result instanceof Promise ? await result : result)
    }
    return results
  }
}

const resultOf = (result: Awaited<ReturnType<PrecompileFunc>>): PrecompileResult | undefined => {
  const { exceptionError, returnValue, executionGasUsed } = result
  if (exceptionError?.error === EVMError.errorMessages.OUT_OF_GAS) return undefined
  const success = exceptionError === undefined
  return { success, output: success ? returnValue : new Uint8Array(0), gas: Number(executionGasUsed) }
}
