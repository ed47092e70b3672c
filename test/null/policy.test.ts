import { describe, expect, test } from 'vitest'
import { SOFTWARE_COSTS } from '../../host/batch/cost.ts'
import type { ExecutorOptions } from '../../host/flows/executor_interface.ts'
import { policyOf } from '../../host/flows/policy.ts'
import { MemoryState } from '../../host/state/memory_state.ts'

const state = new MemoryState()
const policy = (options: Partial<ExecutorOptions>) => policyOf({ fork: 'prague', chainId: 1n, state, ...options })

describe('the policy of an executor', () => {
  test('is complete without options', () => {
    expect(policy({})).toEqual({
      fork: 'prague',
      chain: undefined,
      chainId: 1n,
      compile: 'background',
      paths: true,
      ownKernels: true,
      programs: true,
      hasP256: false,
      hostPrograms: true,
      laneVm: 'paying',
      waves: 'paying',
      settle: 'paying',
      costs: SOFTWARE_COSTS,
      recordFrom: undefined,
      range: 16_384,
      invalid: 'skip',
    })
  })

  test('has nothing that compiles where nothing may', () => {
    const { paths, ownKernels, programs, hostPrograms, laneVm } = policy({ compile: 'never', laneVm: 'always' })
    expect({ paths, ownKernels, programs, hostPrograms, laneVm }).toEqual({
      paths: true,
      ownKernels: false,
      programs: false,
      hostPrograms: false,
      laneVm: 'never',
    })
  })

  test('leaves the lane VM every call that it takes always, and paths the calls of forks that it does not run', () => {
    expect(policy({ laneVm: 'always' })).toMatchObject({ laneVm: 'always', paths: false })
    expect(policy({ laneVm: 'always', fork: 'istanbul' })).toMatchObject({ laneVm: 'never', paths: true })
    expect(policy({ laneVm: 'always', fork: 'berlin' })).toMatchObject({ laneVm: 'always', paths: false })
    expect(policy({ paths: 'never', laneVm: 'never' })).toMatchObject({ laneVm: 'never', paths: false })
  })

  test('runs no program on the host where every wave goes to the device, or where programs are off', () => {
    expect(policy({ waves: 'always' })).toMatchObject({ waves: 'always', programs: true, hostPrograms: false })
    expect(policy({ programs: 'never' })).toMatchObject({ programs: false, hostPrograms: false, ownKernels: true })
    expect(policy({ kernels: 'never' })).toMatchObject({ programs: true, hostPrograms: true, ownKernels: false })
  })
})
