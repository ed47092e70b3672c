import { describe, expect, test } from 'vitest'
import { liftCode } from '../../transpiler/lift/lift.ts'
import type { LiftForm } from '../../transpiler/lift/lifted_code.ts'
import { printLifted } from '../../transpiler/lift/text.ts'
import type { Fork } from '../../transpiler/spec/forks.ts'
import { assemble } from '../fixtures/assembler.ts'

const textOf = (source: string, form: LiftForm = 'fused', fork: Fork = 'cancun'): string[] =>
  printLifted(liftCode(assemble(source), fork, form))
    .trimEnd()
    .split('\n')

const TRANSFER = `
  PUSH 0x40 MLOAD PUSH 0xffffffffffffffffffffffffffffffffffffffff PUSH 4 CALLDATALOAD AND
  DUP1 PUSH 0 MSTORE PUSH 0 PUSH 32 MSTORE
  CALLER PUSH 0 MSTORE PUSH 64 PUSH 0 KECCAK256 DUP1 SLOAD
  PUSH 36 CALLDATALOAD DUP1 DUP3 LT ISZERO PUSH @enough JUMPI
  PUSH 0 PUSH 0 REVERT
  enough:
  SWAP1 DUP2 SWAP1 SUB DUP3 SSTORE
  DUP1 PUSH 0 MSTORE DUP3 CALLER
  PUSH32 0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef
  PUSH 32 PUSH 0 LOG3
  PUSH 1 PUSH 0 MSTORE PUSH 32 PUSH 0 RETURN`

describe('printLifted', () => {
  test('a token transfer reads as its operations, with the stack moves gone', () => {
    expect(textOf(TRANSFER)).toEqual([
      'block 0: need 0, growth 7, above 5, plain block 3',
      '  s0 = mload 0x40  gas 6',
      '  s2 = calldataLoad 0x4  gas 9',
      '  s1 = and s2, 0xffffffffffffffffffffffffffffffffffffffff  gas 3',
      '  mstore 0, s1  gas 9',
      '  mstore 0x20, 0  gas 9',
      '  s2 = caller  gas 2',
      '  mstore 0, s2  gas 6',
      '  s2 = keccak 0, 0x40  gas 36',
      '  s3 = sload s2  gas 3',
      '  s4 = calldataLoad 0x24  gas 6',
      '  not.branch lt s3, s4 ? block 2 : block 1  height +5  gas 25',
      'block 1: need 0, growth 2, above 0',
      '  revert 0, 0  gas 6',
      'block 2: need 4, growth 4, above 2, plain block 3',
      '  s0 = sub s-2, s-1  gas 13',
      '  sstore s-3, s0  gas 3',
      '  mstore 0, s-1  gas 9',
      '  s0 = caller  gas 5',
      '  s1, s-1 = copy i0, s-4',
      '  log3 0, 0x20, s1  gas 1509',
      '  mstore 0, 0x1  gas 9',
      '  return 0, 0x20  gas 6',
      'block 3: need 0, growth 0, above 0',
      '  refuse  opcode 0x101',
    ])
  })
})

describe('lowering', () => {
  test('moves of words alone vanish, and their gas stays', () => {
    expect(textOf('CALLER CALLVALUE SWAP1 POP PUSH 0 SSTORE')).toEqual([
      'block 0: need 0, growth 2, above 1',
      '  s0 = callvalue  gas 4',
      '  sstore 0, s0  gas 8',
      '  stop',
    ])
  })

  test('GT and SGT are comparisons the other way round, NOT is XOR with all ones', () => {
    expect(textOf('CALLER ORIGIN GT NOT CALLVALUE SGT PUSH 0 SSTORE')).toEqual([
      'block 0: need 0, growth 2, above 2',
      '  s0 = caller  gas 2',
      '  s1 = origin  gas 2',
      '  s1 = lt s0, s1  gas 3',
      '  s1 = xor s1, 0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff  gas 3',
      '  s0 = callvalue  gas 2',
      '  s0 = slt s1, s0  gas 3',
      '  sstore 0, s0  gas 3',
      '  stop',
    ])
  })

  test('ISZERO negates the comparison in front, unless that has another reader', () => {
    expect(textOf('CALLER ORIGIN LT ISZERO ISZERO ISZERO PUSH 0 SSTORE')).toEqual([
      'block 0: need 0, growth 2, above 2',
      '  s0 = caller  gas 2',
      '  s1 = origin  gas 2',
      '  s0 = not.lt s1, s0  gas 3',
      '  sstore 0, s0  gas 12',
      '  stop',
    ])
    expect(textOf('CALLER ORIGIN LT DUP1 ISZERO SSTORE')).toEqual([
      'block 0: need 0, growth 2, above 2',
      '  s0 = caller  gas 2',
      '  s1 = origin  gas 2',
      '  s0 = lt s1, s0  gas 3',
      '  s1 = eq s0, 0  gas 6',
      '  sstore s1, s0',
      '  stop',
    ])
  })

  test('ISZERO before JUMPI negates the branch', () => {
    expect(textOf('CALLVALUE ISZERO PUSH @on JUMPI INVALID on: STOP')).toEqual([
      'block 0: need 0, growth 2, above 1',
      '  s0 = callvalue  gas 2',
      '  not.branch s0 ? block 2 : block 1  height +0  gas 16',
      'block 1: need 0, growth 0, above 0',
      '  halt',
      'block 2: need 0, growth 0, above 0',
      '  stop  gas 1',
    ])
    expect(textOf('CALLVALUE ISZERO ISZERO PUSH @on JUMPI INVALID on: STOP')).toEqual([
      'block 0: need 0, growth 2, above 1',
      '  s0 = callvalue  gas 2',
      '  branch s0 ? block 2 : block 1  height +0  gas 19',
      'block 1: need 0, growth 0, above 0',
      '  halt',
      'block 2: need 0, growth 0, above 0',
      '  stop  gas 1',
    ])
  })

  test('a branch tests what nothing else reads', () => {
    const testOf = (source: string): string => textOf(`${source} PUSH @on JUMPI INVALID on: STOP`)[3]!
    expect(testOf('CALLER ORIGIN SLT')).toBe('  branch slt s1, s0 ? block 2 : block 1  height +0  gas 16')
    expect(testOf('CALLER ORIGIN EQ ISZERO')).toBe('  not.branch eq s1, s0 ? block 2 : block 1  height +0  gas 19')
    expect(testOf('CALLER ORIGIN AND')).toBe('  branch bits s1, s0 ? block 2 : block 1  height +0  gas 16')
    expect(testOf('CALLER ORIGIN AND ISZERO')).toBe('  not.branch bits s1, s0 ? block 2 : block 1  height +0  gas 19')
    expect(textOf('CALLER CALLVALUE LT DUP1 PUSH @on JUMPI INVALID on: STOP').slice(3, 5)).toEqual([
      '  s0 = lt s1, s0  gas 3',
      '  branch s0 ? block 2 : block 1  height +1  gas 16',
    ])
    expect(textOf('CALLER CALLVALUE LT CALLER JUMPI').slice(3, 6)).toEqual([
      '  s1 = lt s1, s0  gas 3',
      '  branch.dynamic s1 ? s0 : block 1  height +0  gas 12',
      'block 1: need 0, growth 0, above 0',
    ])
  })

  test('a sum with a constant goes into the address, unless something else reads it', () => {
    expect(textOf('CALLVALUE PUSH 32 ADD DUP1 MLOAD SWAP1 PUSH 4 ADD PUSH 5 ADD MSTORE')).toEqual([
      'block 0: need 0, growth 3, above 2',
      '  s0 = callvalue  gas 2',
      '  s1 = mload s0  offset 0x20  gas 12',
      '  mstore s0, s1  offset 0x29  gas 18',
      '  stop',
    ])
    expect(textOf('CALLVALUE PUSH 32 ADD DUP1 MSTORE')).toEqual([
      'block 0: need 0, growth 2, above 1',
      '  s0 = callvalue  gas 2',
      '  s0 = add 0x20, s0  gas 6',
      '  mstore s0, s0  gas 6',
      '  stop',
    ])
    expect(textOf('CALLVALUE PUSH3 0x010000 ADD MLOAD PUSH 0 SSTORE')[2]).toBe('  s0 = add 0x10000, s0  gas 6')
  })

  test('products, quotients and remainders of powers of two are shifts and masks, for the gas of what they were', () => {
    const operationOf = (source: string): string => textOf(`CALLER ${source} PUSH 0 SSTORE`)[2]!
    expect(operationOf('PUSH 0x0100 SWAP1 DIV')).toBe('  s0 = shr 0x8, s0  gas 11')
    expect(operationOf('PUSH 0x0100 SWAP1 MOD')).toBe('  s0 = and 0xff, s0  gas 11')
    expect(operationOf('PUSH 32 MUL')).toBe('  s0 = shl 0x5, s0  gas 8')
    expect(operationOf('PUSH 32 SWAP1 MUL')).toBe('  s0 = shl 0x5, s0  gas 11')
    expect(operationOf('PUSH 0x0100 DIV')).toBe('  s0 = div 0x100, s0  gas 8')
    expect(operationOf('PUSH 0x0100 SWAP1 SDIV')).toBe('  s0 = sdiv s0, 0x100  gas 11')
    expect(operationOf('PUSH 96 SWAP1 DIV')).toBe('  s0 = div s0, 0x60  gas 11')
    expect(operationOf('PUSH 0 SWAP1 DIV')).toBe('  s0 = div s0, 0  gas 11')
  })

  test('constant operands fold; a large exponent is left to the device', () => {
    expect(textOf('PUSH 18 PUSH 10 EXP PUSH 3 MUL PUSH 0 SSTORE')).toEqual([
      'block 0: need 0, growth 2, above 0',
      '  sstore 0, 0x29a2241af62c0000  gas 77',
      '  stop',
    ])
    expect(textOf('PUSH 256 PUSH 10 EXP PUSH 0 SSTORE')).toEqual([
      'block 0: need 0, growth 2, above 1',
      '  s0 = exp 0xa, 0x100  gas 16',
      '  sstore 0, s0  gas 3',
      '  stop',
    ])
  })

  test('what is not read goes, unless it costs', () => {
    expect(textOf('CALLER ORIGIN ADD POP PUSH 0 SLOAD POP PUSH 0 MLOAD POP CALLER CALLER EXP POP')).toEqual([
      'block 0: need 0, growth 2, above 1, plain block 1',
      '  s0 = caller  gas 2',
      '  sload 0  gas 10',
      '  mload 0  gas 8',
      '  exp s0, s0  gas 16',
      '  stop  gas 2',
      'block 1: need 0, growth 0, above 0',
      '  refuse  opcode 0x101',
    ])
  })

  test('a jump to a constant that is no JUMPDEST halts; a branch to one only where it is taken', () => {
    expect(textOf('PUSH 1 JUMP')).toEqual(['block 0: need 0, growth 1, above 0', '  halt  gas 11'])
    expect(textOf('CALLER PUSH 1 JUMPI')).toEqual([
      'block 0: need 0, growth 2, above 1',
      '  s0 = caller  gas 2',
      '  branch.dynamic s0 ? 0x1 : block 1  height +0  gas 13',
      'block 1: need 0, growth 0, above 0',
      '  stop',
    ])
  })

  test('a branch on a constant is a jump', () => {
    expect(textOf('PUSH 1 PUSH @on JUMPI INVALID on: PUSH 0 PUSH @on JUMPI')).toEqual([
      'block 0: need 0, growth 2, above 0',
      '  jump block 2  height +0  gas 16',
      'block 1: need 0, growth 0, above 0',
      '  halt',
      'block 2: need 0, growth 2, above 0',
      '  jump block 3  height +0  gas 17',
      'block 3: need 0, growth 0, above 0',
      '  stop',
    ])
  })

  test('two words that change places do it at once; more go through a temporary', () => {
    expect(textOf('on: SWAP1 PUSH @on JUMP')).toEqual([
      'block 0: need 2, growth 1, above 1',
      '  s-2, s-1 = copy s-1, s-2',
      '  jump block 0  height +0  gas 15',
    ])
    expect(textOf('on: SWAP1 SWAP2 CALLER JUMP')).toEqual([
      'block 0: need 3, growth 1, above 2',
      '  s0 = caller  gas 9',
      '  s1, s-3 = copy s-3, s-2',
      '  s-2, s-1 = copy s-1, s1',
      '  jump.dynamic s0  height +0  gas 8',
    ])
  })

  test('a result goes straight to where the next block wants it', () => {
    expect(textOf('on: PUSH 1 ADD PUSH @on JUMP')).toEqual([
      'block 0: need 1, growth 1, above 0',
      '  s-1 = add 0x1, s-1  gas 7',
      '  jump block 0  height +0  gas 11',
    ])
    expect(textOf('on: DUP2 SWAP1 ADD SWAP1 PUSH @on JUMP')).toEqual([
      'block 0: need 2, growth 1, above 1',
      '  s0 = add s-1, s-2  gas 10',
      '  s-1, s-2 = copy s-2, s0',
      '  jump block 0  height +0  gas 14',
    ])
  })

  test('the destination of a return outlives the result that takes its place', () => {
    expect(textOf('on: CALLVALUE ADD SWAP1 JUMP')).toEqual([
      'block 0: need 2, growth 1, above 2',
      '  s0 = callvalue  gas 3',
      '  s1 = copy s-2',
      '  s-2 = add s0, s-1  gas 3',
      '  jump.dynamic s1  height -1  gas 11',
    ])
    expect(textOf('on: SWAP1 JUMP')).toEqual([
      'block 0: need 2, growth 0, above 1',
      '  s0 = copy s-2',
      '  s-2 = s-1, jump.dynamic s0  height -1  gas 12',
    ])
  })

  test('a word that is wanted elsewhere makes room for a result', () => {
    expect(textOf('on: DUP1 CALLVALUE ADD SWAP1 PUSH @on JUMP')).toEqual([
      'block 0: need 1, growth 2, above 2',
      '  s1 = callvalue  gas 6',
      '  s0 = copy s-1',
      '  s-1 = add s1, s0  gas 3',
      '  jump block 0  height +1  gas 14',
    ])
  })

  test('operands of a call stand in the stack', () => {
    expect(textOf('PUSH 0 PUSH 0 PUSH 0 PUSH 0 CALLVALUE CALLER GAS CALL POP')).toEqual([
      'block 0: need 0, growth 7, above 7',
      '  s4 = callvalue  gas 14',
      '  s5 = caller  gas 2',
      '  s6 = gas  gas 2',
      '  s0, s1 = copy 0, 0',
      '  s2, s3 = copy 0, 0',
      '  s0 = call s6  then block 1  height +1',
      'block 1: need 1, growth 0, above 0',
      '  stop  gas 2',
    ])
  })

  test('topics and the address of EXTCODECOPY stand in the stack', () => {
    expect(textOf('CALLER PUSH 7 PUSH 32 PUSH 0 LOG2')).toEqual([
      'block 0: need 0, growth 4, above 2',
      '  s0 = caller  gas 2',
      '  s1 = copy 0x7',
      '  log2 0, 0x20, s1  gas 1134',
      '  stop',
    ])
    expect(textOf('PUSH 1 PUSH 2 PUSH 3 ADDRESS EXTCODECOPY')).toEqual([
      'block 0: need 0, growth 4, above 4',
      '  s3 = address  gas 11',
      '  copy.accountCode 0x3, 0x2, 0x1  of s3',
      '  stop',
    ])
    expect(textOf('PUSH 1 PUSH 2 PUSH 3 PUSH 9 EXTCODECOPY')).toEqual([
      'block 0: need 0, growth 4, above 4',
      '  s3 = copy 0x9',
      '  copy.accountCode 0x3, 0x2, 0x1  of s3  gas 12',
      '  stop',
    ])
  })

  test('what the device does not execute is refused with its code', () => {
    expect(textOf('PUSH 0 PUSH 0 PUSH 0 CREATE PUSH 0 SSTORE')).toEqual([
      'block 0: need 0, growth 3, above 0',
      '  refuse  opcode 0xf0  gas 32009',
    ])
  })

  test('PUSH20 and PUSH32 immediates that differ between instances are instance operands', () => {
    expect(textOf('PUSH20 0x71c7656ec7ab88b098defb751b7401b5f6d8976f PUSH 0 SSTORE')).toEqual([
      'block 0: need 0, growth 2, above 0',
      '  sstore 0, i0  gas 6',
      '  stop',
    ])
  })

  test('gas that passes 16 bits is charged in front', () => {
    expect(textOf(`PUSH0 ${'ISZERO '.repeat(30_000)} POP`)).toEqual([
      'block 0: need 0, growth 1, above 0',
      '  copy 0  gas 65535',
      '  stop  gas 24469',
    ])
  })

  test('a block that no stack survives halts', () => {
    expect(textOf('PUSH0 '.repeat(1025))).toEqual(['block 0: need 0, growth 0, above 0', '  halt'])
    expect(textOf('POP '.repeat(1025))).toEqual(['block 0: need 0, growth 0, above 0', '  halt'])
  })

  test('code that ends within a push, and no code at all, stop', () => {
    expect(textOf('0x61ff', 'traced')).toEqual([
      'block 0: need 0, growth 1, above 1',
      '  s0 = 0xff00, jump block 1  height +1  gas 3',
      'block 1: need 0, growth 0, above 0',
      '  stop',
    ])
    expect(textOf('')).toEqual(['block 0: need 0, growth 0, above 0', '  stop'])
  })

  test('the traced form has a block for each opcode', () => {
    expect(textOf('PUSH 1 DUP1 SWAP1 POP on: PC JUMP', 'traced')).toEqual([
      'block 0: need 0, growth 1, above 1',
      '  s0 = 0x1, jump block 1  height +1  gas 3',
      'block 1: need 1, growth 1, above 1',
      '  s0 = s-1, jump block 2  height +1  gas 3',
      'block 2: need 2, growth 0, above 1',
      '  s-2, s-1 = copy s-1, s-2',
      '  jump block 3  height +0  gas 3',
      'block 3: need 1, growth 0, above 0',
      '  jump block 4  height -1  gas 2',
      'block 4: need 0, growth 0, above 0',
      '  jump block 5  height +0  gas 1',
      'block 5: need 0, growth 1, above 1',
      '  s0 = 0x6, jump block 6  height +1  gas 2',
      'block 6: need 1, growth 0, above 0',
      '  jump.dynamic s-1  height -1  gas 8',
    ])
  })

  test('DIFFICULTY reads the word that PREVRANDAO does', () => {
    expect(textOf('DIFFICULTY PUSH 0 SSTORE', 'fused', 'berlin')).toEqual([
      'block 0: need 0, growth 2, above 1',
      '  s0 = prevrandao  gas 2',
      '  sstore 0, s0  gas 3',
      '  stop',
    ])
    expect(textOf('PUSH0', 'fused', 'london')).toEqual(['block 0: need 0, growth 0, above 0', '  halt'])
  })
})

describe('superblocks', () => {
  test('go on through jumps, calls of functions and the likely side of branches; the other side gets its words', () => {
    const source = `
      PUSH @back CALLER PUSH @double JUMP
      back: CALLVALUE ISZERO PUSH @fine JUMPI PUSH 0 PUSH 0 REVERT
      fine: PUSH 0 SSTORE STOP
      double: DUP1 ADD SWAP1 JUMP`
    expect(textOf(source, 'superblocks').slice(0, 6)).toEqual([
      'block 0: need 0, growth 3, above 2',
      '  s0 = caller  gas 5',
      '  s0 = add s0, s0  gas 18',
      '  s1 = callvalue  gas 14',
      '  branch s1 ? block 2 : on  height +1  gas 16',
      '  sstore 0, s0  gas 4',
    ])
  })

  test('an exit brings its words into place in a block of its own', () => {
    const source = `
      CALLER CALLVALUE DUP1 CALLDATASIZE ADD SWAP1 PUSH @out JUMPI
      PUSH 0 SSTORE STOP
      out: SSTORE STOP`
    const text = textOf(source, 'superblocks')
    expect(text.slice(3, 7)).toEqual([
      '  s2 = calldatasize  gas 5',
      '  s2 = add s2, s1  gas 3',
      '  branch s1 ? block 4 : on  height +0  gas 16',
      '  sstore 0, s2  gas 3',
    ])
    expect(text.slice(-2)).toEqual(['block 4: need 0, growth 4, above 3', '  s1 = s2, jump block 2  height +2  gas 0'])
  })

  test('what is known of a word goes: masks of shorter words, additions of 0, what was computed or decided before', () => {
    const source = `
      CALLER PUSH20 0xffffffffffffffffffffffffffffffffffffffff AND PUSH 0 ADD
      DUP1 PUSH @some JUMPI INVALID
      some: DUP1 PUSH @more JUMPI INVALID
      more: CALLER CALLVALUE ADD CALLVALUE CALLER ADD SSTORE STOP`
    expect(textOf(source, 'superblocks').slice(0, 7)).toEqual([
      'block 0: need 0, growth 4, above 2, plain block 5',
      '  s0 = caller  gas 2',
      '  not.branch s0 ? block 1 : on  height +1  gas 28',
      '  s1 = callvalue  gas 22',
      '  s0 = add s1, s0  gas 3',
      '  sstore s0, s0  gas 7',
      '  stop',
    ])
  })
})
