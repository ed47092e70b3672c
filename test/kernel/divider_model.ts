/**
 * What u256_divide_digit does for one digit of n / d, counted over bigint: the cases of algorithm D that an operand set
 * must take for a test of the divider to mean something.
 */
export type DigitCase = 'exact' | 'short' | 'long by one' | 'long by two' | 'added back' | 'clamped'

const bitLength = (x: bigint): number => (x === 0n ? 0 : x.toString(2).length)

export const countDigitCases = (pairs: readonly (readonly bigint[])[]): Record<DigitCase, number> => {
  const counts = { exact: 0, short: 0, 'long by one': 0, 'long by two': 0, 'added back': 0, clamped: 0 }
  for (const [n, d] of pairs) for (const digitCase of digitCases(n!, d!)) counts[digitCase]++
  return counts
}

const digitCases = (n: bigint, d: bigint): DigitCase[] => {
  if (d === 0n || bitLength(n) < bitLength(d)) return []
  const digitCount = ((bitLength(n) - bitLength(d)) >> 4) + 1
  const shift = BigInt(256 - bitLength(d))
  const divisor = d << shift
  const top = divisor >> 240n
  const second = (divisor >> 224n) & 0xffffn
  const reciprocal = 0xffffffffn / top
  const cases: DigitCase[] = []
  let remainder = (n << shift) >> BigInt(16 * digitCount)
  for (let i = digitCount - 1; i >= 0; i--) {
    const before = cases.length
    const dividend = (remainder << 16n) | (((n << shift) >> BigInt(16 * i)) & 0xffffn)
    const pair = dividend >> 240n
    const estimate = (pair * reciprocal) >> 32n
    let digit = estimate > 0xffffn ? 0xffffn : estimate
    let rest = pair - digit * top
    if (estimate > 0xffffn) cases.push('clamped')
    if (rest >= top && digit < 0xffffn) {
      cases.push('short')
      digit += 1n
      rest -= top
    }
    let steps = 0
    while (steps < 2 && rest < 0x10000n && digit * second > ((rest << 16n) | ((dividend >> 224n) & 0xffffn))) {
      steps++
      digit -= 1n
      rest += top
    }
    if (steps > 0) cases.push(steps === 1 ? 'long by one' : 'long by two')
    if (digit * divisor > dividend) {
      cases.push('added back')
      digit -= 1n
    } else if (cases.length === before) cases.push('exact')
    remainder = dividend - digit * divisor
  }
  return cases
}
