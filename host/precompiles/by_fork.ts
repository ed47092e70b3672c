import type { Common } from '@ethereumjs/common'
import { type EVMOpts, getActivePrecompiles, type PrecompileFunc } from '@ethereumjs/evm'
import type { OpFork } from '../chain/op/op_forks.ts'
import { bn254Curve, type Curve } from './curves.ts'
import { kzgCurve } from './kzg.ts'
import { modexpOver } from './modexp.ts'
import { addOpRules } from './op_precompiles.ts'

/** The curve that each of these asks for. */
const CURVES: ReadonlyMap<number, Curve> = new Map([
  [0x05, bn254Curve],
  [0x06, bn254Curve],
  [0x07, bn254Curve],
  [0x08, bn254Curve],
  [0x0a, kzgCurve],
])

/**
 * The precompiles of a fork by address (20 bytes, hex): the reference's own functions, those of curves behind their
 * curve's loading. `opFork`: on a chain of the OP stack.
 */
export const precompilesOf = (common: Common, opFork?: OpFork): Map<string, PrecompileFunc> => {
  const functions = getActivePrecompiles(common) as Map<string, PrecompileFunc>
  for (const [address, curve] of CURVES) {
    const key = address.toString(16).padStart(40, '0')
    const reference = functions.get(key)
    if (reference === undefined) continue
    const run = address === 0x05 ? modexpOver(reference) : reference
    functions.set(key, (input) => (curve.isTried ? run(input) : curve.load().then(() => run(input))))
  }
  if (opFork !== undefined) addOpRules(functions, opFork)
  return functions
}

/** The same as an EVM takes them. */
export const customPrecompiles = (common: Common, opFork?: OpFork): Required<Pick<EVMOpts, 'customPrecompiles'>> => ({
  customPrecompiles: [...precompilesOf(common, opFork)].map(([address, run]) => ({
    address: `0x${address}` as const,
    function: run,
  })),
})
