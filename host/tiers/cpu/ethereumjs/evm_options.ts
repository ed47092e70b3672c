import type { Common } from '@ethereumjs/common'
import type { EVMOpts } from '@ethereumjs/evm'
import type { OpFork } from '../../../chain/op/op_forks.ts'
import { wasmBn254 } from '../../../precompiles/bn254.ts'
import { customPrecompiles } from '../../../precompiles/by_fork.ts'

export type CommonOptions = EVMOpts & { readonly common: Common }

/**
 * What every EVM here is made with: the precompiles of the fork, with those of `opFork` on a chain of the OP stack, and
 * the curve that they ask the EVM for. Only `createEVM` of @ethereumjs/evm brings one by itself; without it calls of
 * EIP-196 and EIP-197 fail.
 */
export const evmOptionsOf = (options: CommonOptions, opFork: OpFork | undefined): CommonOptions => ({
  ...options,
  ...customPrecompiles(options.common, opFork),
  bn254: wasmBn254,
})
