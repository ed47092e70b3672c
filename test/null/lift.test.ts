import { describe, expect, test } from 'vitest'
import { VM_BLOCK_LIMBS } from '../../transpiler/layout/lane_vm.ts'
import { cutBlocks } from '../../transpiler/lift/blocks.ts'
import { liftCode } from '../../transpiler/lift/lift.ts'
import { type LiftForm, REFUSED_STACK } from '../../transpiler/lift/lifted_code.ts'
import { rulesAt } from '../../transpiler/lift/rules.ts'
import { verifyLifted } from '../../transpiler/lift/verify.ts'
import { codeSkeleton } from '../../transpiler/skeleton.ts'
import type { Fork } from '../../transpiler/spec/forks.ts'
import { assemble } from '../fixtures/assembler.ts'
import { runModelEvm, runModelLane } from '../fixtures/lane_vm_model.ts'
import { randomCode } from '../fixtures/random_code.ts'
import { Random, randomProgram, sourceOf } from '../fixtures/random_programs.ts'

const FORMS: readonly LiftForm[] = ['superblocks', 'fused', 'traced']

const REFUSED = `refuse ${REFUSED_STACK}`
const isLook = (event: string): boolean =>
  /^(BALANCE|EXTCODE\w+|SLOAD|SSTORE|CALL|CALLCODE|DELEGATECALL|STATICCALL)\b/.test(event)

/** Runs code opcode by opcode and lifted, from an empty stack; both must tell the same. */
const expectSame = (code: Uint8Array, fork: Fork, gas: number, note = ''): string => {
  let status = ''
  for (const form of FORMS) {
    const lifted = liftCode(code, fork, form)
    const { constants } = codeSkeleton(code)
    verifyLifted(lifted, constants.length)
    const { list } = cutBlocks(code, rulesAt(fork), form)
    // A superblock does not begin where its blocks do.
    const starts = form === 'superblocks' ? [] : list.map(({ start }) => start)
    const refusing = list.some(({ looks }) => looks) ? 1 : 0
    if (form !== 'superblocks') expect(starts.length + refusing).toBe(lifted.blocks.length / VM_BLOCK_LIMBS)
    const serial = runModelEvm(code, fork, gas, new Set(starts))
    status = serial.status
    const lane = runModelLane(lifted, gas, starts, constants)
    const message = `${form} ${fork} gas ${gas} ${note}`
    if (status === 'halt') {
      // A block whose stack fails halts at its start, before what it would have done; where it would have looked at
      // state, it refuses.
      expect(serial.events.slice(0, lane.events.length), message).toEqual(lane.events)
      if (lane.status !== REFUSED) {
        expect(lane.status, message).toBe('halt')
        expect(serial.events.slice(lane.events.length).filter(isLook), message).toEqual([])
        expect(lane.entries, message).toEqual(serial.entries)
      }
    } else expect(lane, message).toEqual(serial)
  }
  return status
}

const RUNS = Number(process.env['WGEVM_RUNS'] ?? 300)
const SEED = 20_261

describe('liftCode', () => {
  test('random code ends as it does opcode by opcode, with the same stack and gas wherever a block begins', () => {
    const ends = new Map<string, number>()
    for (let run = 0; run < RUNS; run++) {
      const random = new Random(SEED + run)
      const fork = random.pick(['berlin', 'london', 'shanghai', 'cancun', 'osaka'] as const)
      const code = randomCode(random, fork)
      const status = expectSame(code, fork, 100 + random.below(6_000), `seed ${SEED + run}`)
      ends.set(status, (ends.get(status) ?? 0) + 1)
    }
    for (const status of ['halt', 'STOP', 'RETURN', 'REVERT']) expect(ends.get(status), status).toBeGreaterThan(0)
  })

  test('random contracts with calls, logs and branches do the same in the same order', () => {
    for (let run = 0; run < RUNS; run++) {
      const random = new Random(SEED + run)
      const { fork, contracts } = randomProgram(random)
      for (const contract of contracts) {
        expectSame(assemble(sourceOf(contract)), fork, 500 + random.below(30_000), `seed ${SEED + run}`)
      }
    }
  })

  test('a stack that faults after a look refuses, one that faults before any look halts', () => {
    const endOf = (source: string, form: LiftForm): string =>
      runModelLane(liftCode(assemble(source), 'osaka', form), 100_000, [], []).status
    for (const form of ['superblocks', 'fused'] as const) {
      expect(endOf('PUSH 7 SLOAD POP POP', form), form).toBe(REFUSED)
      expect(endOf(`PUSH 7 SLOAD ${'ADDRESS '.repeat(1025)}`, form), form).toBe(REFUSED)
      // The first block fits and looks; the second has no look of its own.
      expect(endOf('CALLER BALANCE PUSH @on JUMP on: POP POP', form), form).toBe('halt')
      expect(endOf('SLOAD', form), form).toBe('halt')
      expect(endOf('PUSH 7 TLOAD POP POP', form), form).toBe('halt')
    }
  })

  test('an exit keeps words that a later block reaches, where what stands on top of them comes to lie', () => {
    const call = 'PUSH0 PUSH0 PUSH0 PUSH0 PUSH0 PUSH0 PUSH0 CALL POP'
    const statuses = new Set<string>()
    for (let offset = 0; offset < 8; offset++) {
      const code = assemble(`
        PUSH 5 PUSH 6 PUSH 7 ${call}
        PUSH ${offset} CALLDATALOAD
        PUSH 0x1000000 PUSH ${offset + 32} CALLDATALOAD AND PUSH @exit JUMPI
        SWAP3 POP ${call}
        PUSH0 MSTORE PUSH0 MSTORE PUSH0 MSTORE STOP
        exit: PUSH0 MSTORE PUSH0 MSTORE PUSH0 MSTORE PUSH0 MSTORE PUSH0 PUSH0 REVERT`)
      statuses.add(expectSame(code, 'osaka', 100_000, `offset ${offset}`))
    }
    expect([...statuses].sort()).toEqual(['REVERT', 'STOP'])
  })
})
