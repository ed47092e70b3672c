import { keccak256 } from '../../host/primitives/keccak.ts'
import { createRandom, type Random } from '../random.ts'

const WORD_BITS = 256n
const wrapped = (value: bigint): bigint => BigInt.asUintN(256, value)

/** One statement of a variant: in Solidity, and what it makes of `value` and the argument. */
interface Step {
  readonly text: string
  readonly apply: (value: bigint, x: bigint) => bigint
}

/** A contract whose `turn(uint256 x)` changes the caller's cell, mapping slot 0, by steps of its own. */
export interface Variant {
  /** Of the contract, in VARIANTS_FILE. */
  readonly name: string
  /** The cell after the call. */
  readonly turn: (value: bigint, x: bigint) => bigint
}

const hashOf = (value: bigint, x: bigint): bigint => {
  const bytes = Buffer.from(value.toString(16).padStart(64, '0') + x.toString(16).padStart(64, '0'), 'hex')
  return BigInt(`0x${Buffer.from(keccak256(bytes)).toString('hex')}`)
}

const STEPS: readonly ((random: Random) => Step)[] = [
  (random) => {
    const factor = BigInt(random.u32()) * 2n + 1n
    return { text: `value = value * ${factor} + x`, apply: (value, x) => wrapped(value * factor + x) }
  },
  (random) => {
    const shift = BigInt(1 + random.below(255))
    return { text: `value ^= value >> ${shift}`, apply: (value) => value ^ (value >> shift) }
  },
  (random) => {
    const shift = BigInt(1 + random.below(255))
    return {
      text: `value = (value << ${shift}) | (value >> ${WORD_BITS - shift})`,
      apply: (value) => wrapped(value << shift) | (value >> (WORD_BITS - shift)),
    }
  },
  (random) => {
    const divisor = BigInt(3 + random.below(1_000_000))
    return {
      text: `value += x / ${divisor} + value % ${divisor}`,
      apply: (v, x) => wrapped(v + x / divisor + (v % divisor)),
    }
  },
  () => ({ text: 'value ^= uint256(keccak256(abi.encode(value, x)))', apply: (value, x) => value ^ hashOf(value, x) }),
  (random) => {
    const limit = BigInt(random.u32())
    return {
      text: `if (value & 0xffffffff < ${limit}) value = ~value`,
      apply: (v) => ((v & 0xffff_ffffn) < limit ? wrapped(~v) : v),
    }
  },
]

const MOST_STEPS = 8
const MOST_TURNS = 6

/** The contracts are the same whatever the seed of the traffic: their code stands in compiled.generated.ts. */
export const VARIANTS = 64
const VARIANTS_SEED = 1
export const VARIANTS_FILE = 'Variants.sol'

const drawVariants = () => {
  const random = createRandom(VARIANTS_SEED, 'variants')
  return Array.from({ length: VARIANTS }, () => ({
    turns: 1 + random.below(MOST_TURNS),
    steps: Array.from({ length: 2 + random.below(MOST_STEPS - 1) }, () => STEPS[random.below(STEPS.length)]!(random)),
  }))
}

/** Their Solidity, for the compiler. */
export const variantsSource = (): string => {
  const contracts = drawVariants().map(
    ({ turns, steps }, n) => `
contract Variant${n} {
    mapping(address => uint256) private cells;

    event Turned(address indexed by, uint256 value);

    function turn(uint256 x) external returns (uint256 value) {
        unchecked {
            value = cells[msg.sender];
            for (uint256 i = 0; i < ${turns}; i++) {
${steps.map(({ text }) => `                ${text};`).join('\n')}
            }
            cells[msg.sender] = value;
        }
        emit Turned(msg.sender, value);
    }
}
`,
  )
  return `// SPDX-License-Identifier: MIT\npragma solidity ^0.8.0;\n${contracts.join('')}`
}

/** Contracts with a code of their own each. */
export const variants = (): readonly Variant[] =>
  drawVariants().map(({ turns, steps }, n) => ({
    name: `Variant${n}`,
    turn: (value, x) => {
      let turned = value
      for (let i = 0; i < turns; i++) for (const { apply } of steps) turned = apply(turned, x)
      return turned
    },
  }))
