import { expect, test } from 'vitest'
import { createRandom } from '../../bench/random.ts'
import { BlockGas } from '../../host/settle/block_gas.ts'

const EXACT = 1n << 53n

test('a block’s gas is what bigints say, whatever the widths of its limit and of what uses it', () => {
  const random = createRandom(7, 'block gas')
  const around = (value: bigint): bigint => {
    const moved = value + BigInt(random.below(9)) - 4n
    return moved < 0n ? 0n : moved
  }
  const widths = [1n << 20n, 1n << 32n, EXACT >> 1n, EXACT, 1n << 54n, 1n << 60n, 1n << 63n]
  for (let block = 0; block < 300; block++) {
    let left = around(widths[random.below(widths.length)]! * BigInt(1 + random.below(3)))
    const gas = new BlockGas(left)
    for (let n = 0; n < 20; n++) {
      const wished = random.below(3) === 0 ? left : widths[random.below(widths.length)]!
      const gasLimit = around(wished)
      const fits = gas.used + Number(gasLimit) <= gas.sure || gas.fits(gasLimit)
      expect(fits, `${gasLimit} of ${left}`).toBe(gasLimit <= left)
      if (!fits) continue
      // Lanes use up to 2^53 - 1 and are added as doubles; anything goes through `add`.
      const used = random.below(2) === 0 ? gasLimit : gasLimit >> 1n
      if (used < EXACT && random.below(2) === 0) gas.used += Number(used)
      else gas.add(used)
      left -= used
    }
  }
})
