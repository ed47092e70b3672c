import { describe, expect, test } from 'vitest'
import { KernelCache } from '../../host/device/kernel.ts'

const SOURCE = { label: 'slow', wgsl: '', entryPoint: 'slow', bindings: [] } as const

/** A driver whose compiler never ends, or whose first dispatch never does. */
const cacheOn = (never: 'pipeline' | 'dispatch', compileLimitMs: number): KernelCache => {
  const forever = new Promise<never>(() => undefined)
  const gpu = {
    pushErrorScope: () => undefined,
    popErrorScope: async () => null,
    createShaderModule: () => ({}),
    createBindGroupLayout: () => ({}),
    createPipelineLayout: () => ({}),
    createBindGroup: () => ({}),
    createComputePipelineAsync: () => (never === 'pipeline' ? forever : Promise.resolve({})),
  }
  return new KernelCache({
    gpu: gpu as unknown as GPUDevice,
    wait: (pending) => pending,
    dispatchOnce: () => forever,
    compileLimitMs,
  })
}

describe('a compilation past its limit', () => {
  const refusal = {
    name: 'ShaderCompileError',
    message: 'kernel slow: not compiled after 0.01 s, the limit for one kernel',
  }

  test('is refused by the pipeline, once for all', async () => {
    const cache = cacheOn('pipeline', 10)
    const first = cache.kernel(SOURCE)
    await expect(first).rejects.toMatchObject(refusal)
    expect(cache.kernel(SOURCE)).toBe(first)
  })

  test('is refused by the first dispatch, once for all', async () => {
    const kernel = await cacheOn('dispatch', 10).kernel(SOURCE)
    const first = kernel.warmUp()
    await expect(first).rejects.toMatchObject(refusal)
    expect(kernel.warmUp()).toBe(first)
  })
})
