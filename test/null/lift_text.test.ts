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
    expect(textOf(TRANSFER)).toEqual([])
  })
})

describe('lowering', () => {
  test('moves of words alone vanish, and their gas stays', () => {
    expect(textOf('CALLER CALLVALUE SWAP1 POP PUSH 0 SSTORE')).toEqual([])
  })

  test('GT and SGT are comparisons the other way round, NOT is XOR with all ones', () => {
    expect(textOf('CALLER ORIGIN GT NOT CALLVALUE SGT PUSH 0 SSTORE')).toEqual([])
  })

  test('ISZERO negates the comparison in front, unless that has another reader', () => {
    expect(textOf('CALLER ORIGIN LT ISZERO ISZERO ISZERO PUSH 0 SSTORE')).toEqual([])
    expect(textOf('CALLER ORIGIN LT DUP1 ISZERO SSTORE')).toEqual([])
  })

  test('ISZERO in front of JUMPI negates the branch', () => {
    expect(textOf('CALLVALUE ISZERO PUSH @on JUMPI INVALID on: STOP')).toEqual([])
    expect(textOf('CALLVALUE ISZERO ISZERO PUSH @on JUMPI INVALID on: STOP')).toEqual([])
  })

  test('constant operands fold; a large exponent is left to the device', () => {
    expect(textOf('PUSH 18 PUSH 10 EXP PUSH 3 MUL PUSH 0 SSTORE')).toEqual([])
    expect(textOf('PUSH 256 PUSH 10 EXP PUSH 0 SSTORE')).toEqual([])
  })

  test('what nobody reads goes, unless it costs', () => {
    expect(textOf('CALLER ORIGIN ADD POP PUSH 0 SLOAD POP PUSH 0 MLOAD POP CALLER CALLER EXP POP')).toEqual([])
  })

  test('a jump to a constant that is no JUMPDEST halts; a branch to one only where it is taken', () => {
    expect(textOf('PUSH 1 JUMP')).toEqual([])
    expect(textOf('CALLER PUSH 1 JUMPI')).toEqual([])
  })

  test('a branch on a constant is a jump', () => {
    expect(textOf('PUSH 1 PUSH @on JUMPI INVALID on: PUSH 0 PUSH @on JUMPI')).toEqual([])
  })

  test('words that change places go through a temporary', () => {
    expect(textOf('on: SWAP1 PUSH @on JUMP')).toEqual([])
    expect(textOf('on: SWAP1 SWAP2 CALLER JUMP')).toEqual([])
  })

  test('a result goes straight to where the next block wants it', () => {
    expect(textOf('on: PUSH 1 ADD PUSH @on JUMP')).toEqual([])
    expect(textOf('on: DUP2 SWAP1 ADD SWAP1 PUSH @on JUMP')).toEqual([])
  })

  test('operands of a call stand in the stack', () => {
    expect(textOf('PUSH 0 PUSH 0 PUSH 0 PUSH 0 CALLVALUE CALLER GAS CALL POP')).toEqual([])
  })

  test('topics and the address of EXTCODECOPY stand in the stack', () => {
    expect(textOf('CALLER PUSH 7 PUSH 32 PUSH 0 LOG2')).toEqual([])
    expect(textOf('PUSH 1 PUSH 2 PUSH 3 ADDRESS EXTCODECOPY')).toEqual([])
    expect(textOf('PUSH 1 PUSH 2 PUSH 3 PUSH 9 EXTCODECOPY')).toEqual([])
  })

  test('what the device does not execute is refused with its code', () => {
    expect(textOf('PUSH 0 PUSH 0 PUSH 0 CREATE PUSH 0 SSTORE')).toEqual([])
  })

  test('PUSH20 and PUSH32 immediates that differ between instances are instance operands', () => {
    expect(textOf('PUSH20 0x71c7656ec7ab88b098defb751b7401b5f6d8976f PUSH 0 SSTORE')).toEqual([])
  })

  test('gas that passes 16 bits is charged in front', () => {
    expect(textOf(`PUSH0 ${'ISZERO '.repeat(30_000)} POP`)).toEqual([])
  })

  test('a block that no stack survives halts', () => {
    expect(textOf('PUSH0 '.repeat(1025))).toEqual([])
    expect(textOf('POP '.repeat(1025))).toEqual([])
  })

  test('code that ends within a push, and no code at all, stop', () => {
    expect(textOf('0x61ff', 'traced')).toEqual([])
    expect(textOf('')).toEqual([])
  })

  test('the traced form has a block for each opcode', () => {
    expect(textOf('PUSH 1 DUP1 SWAP1 POP on: PC JUMP', 'traced')).toEqual([])
  })

  test('DIFFICULTY reads the word that PREVRANDAO does', () => {
    expect(textOf('DIFFICULTY PUSH 0 SSTORE', 'fused', 'berlin')).toEqual([])
    expect(textOf('PUSH0', 'fused', 'london')).toEqual([])
  })
})
