import { describe, expect, test } from 'vitest'
import { importCircles, layerViolations } from '../../scripts/layers.ts'

const installed = { dependencies: new Set(['webgpu', '@ethereumjs/evm', '@noble/curves']), peers: new Set(['vega']) }
const violations = (path: string, text: string): readonly string[] => layerViolations([{ path, text }], installed)

describe('layers', () => {
  test('forbid an import up the table, with its line', () => {
    expect(violations('transpiler/emit/emit.ts', "\nimport { word } from '../../host/primitives/word.ts'\n")).toEqual([
      'transpiler/emit/emit.ts:2: transpiler may not import host/primitives/word.ts',
    ])
  })

  test('forbid the same import in each of its forms', () => {
    const forms = [
      "import '../host/index.ts'",
      "import * as host from '../host/index.ts'",
      "import type { Executor } from '../host/index.ts'",
      "export { createExecutor } from '../host/index.ts'",
      "export * from '../host/index.ts'",
      "const host = () => import('../host/index.ts')",
      "type Executor = import('../host/index.ts').Executor",
    ]
    for (const form of forms) expect(violations('transpiler/index.ts', form), form).toHaveLength(1)
  })

  test('allow imports inside a layer and down the table', () => {
    expect(violations('transpiler/passes/fold.ts', "import { x } from '../ir/ops.ts'")).toEqual([])
    expect(violations('host/tiers/path/waves.ts', "import { x } from '../../device/device.ts'")).toEqual([])
    expect(violations('host/device/kernel.ts', "import { PRELUDE } from '../../kernels/linked.generated.ts'")).toEqual(
      [],
    )
  })

  test('keep state and chain apart, and both off the device', () => {
    expect(violations('host/chain/x.ts', "import { MemoryState } from '../state/memory_state.ts'")).toHaveLength(1)
    expect(violations('host/state/x.ts', "import { type Block } from '../chain/batch.ts'")).toHaveLength(1)
    expect(violations('host/chain/x.ts', "import { wordAdd } from '../primitives/word.ts'")).toEqual([])
    expect(violations('host/state/x.ts', "import { openDevice } from '../device/device.ts'")).toHaveLength(1)
    expect(violations('host/primitives/x.ts', "import { type State } from '../state/state.ts'")).toHaveLength(1)
  })

  test('keep tiers apart from each other, from settling and from the flows', () => {
    const imports = (path: string): string => `import { x } from '${path}'`
    for (const tier of ['path', 'lane_vm', 'cpu']) {
      const file = `host/tiers/${tier}/x.ts`
      const others = ['path', 'lane_vm', 'cpu'].filter((name) => name !== tier)
      for (const other of others) expect(violations(file, imports(`../${other}/x.ts`)), tier).toHaveLength(1)
      expect(violations(file, imports('../../settle/x.ts')), tier).toHaveLength(1)
      expect(violations(file, imports('../../flows/x.ts')), tier).toHaveLength(1)
      expect(violations(file, imports('../../batch/x.ts')), tier).toEqual([])
      expect(violations('host/settle/x.ts', imports(`../tiers/${tier}/x.ts`)), tier).toHaveLength(1)
      expect(violations('host/flows/x.ts', imports(`../tiers/${tier}/x.ts`)), tier).toEqual([])
    }
    expect(violations('host/tiers/cpu/x.ts', imports('../../device/device.ts'))).toHaveLength(1)
    expect(violations('host/tiers/cpu/x.ts', imports('../../session/mirror.ts'))).toHaveLength(1)
  })

  test('let nothing in host import adapters, traces or conformance, and know every file', () => {
    for (const target of ['../adapters/ethereumjs/gpu_evm.ts', '../trace/trace.ts', '../../conformance/fork_name.ts']) {
      expect(violations('host/flows/x.ts', `import { x } from '${target}'`), target).toHaveLength(1)
    }
    expect(violations('conformance/x.ts', "import { x } from '../host/flows/executor.ts'")).toEqual([])
    expect(violations('host/attic/x.ts', "import { x } from '../flows/executor.ts'")).toEqual([
      'host/attic/x.ts:1: is in no room of the table',
    ])
  })

  test('let nothing import bench and test, except the two commands that need workloads', () => {
    const fromBench = "import { WORKLOADS } from '../../bench/workloads.ts'"
    expect(violations('cli/commands/doctor.ts', fromBench)).toHaveLength(1)
    expect(violations('cli/commands/bench.ts', fromBench)).toEqual([])
    expect(violations('host/index.ts', "import { x } from '../bench/oracle.ts'")).toHaveLength(1)
    expect(violations('bench/oracle.ts', "import { x } from '../test/fixtures/edge_words.ts'")).toHaveLength(1)
    expect(violations('scripts/generate.ts', "import { x } from '../test/fixtures/edge_words.ts'")).toHaveLength(1)
  })

  test('forbid an await at the top level of the library, which require() could not load, but not in a worker', () => {
    const awaiting = 'export const x = await y\nfor await (const z of x) use(z)\n'
    expect(violations('host/primitives/keccak.ts', awaiting)).toEqual([
      'host/primitives/keccak.ts:1: a top-level await: require() refuses such a module',
      'host/primitives/keccak.ts:2: a top-level await: require() refuses such a module',
    ])
    expect(violations('transpiler/keccak256.ts', 'class A { static x = await y }')).toHaveLength(1)
    expect(
      violations('host/index.ts', 'export const f = async () => { await x; for await (const y of x) f(y) }'),
    ).toEqual([])
    expect(violations('host/tiers/cpu/pool/worker.ts', awaiting)).toEqual([])
    expect(violations('cli/main.ts', awaiting)).toEqual([])
  })

  test('forbid packages that users do not install, and packages of another layer', () => {
    expect(violations('host/index.ts', "import fc from 'fast-check'")).toHaveLength(1)
    expect(violations('bench/random.ts', "import fc from 'fast-check'")).toHaveLength(1)
    expect(violations('bench/report/charts.ts', "const charts = () => import('vega')")).toEqual([])
    expect(violations('cli/main.ts', "const charts = () => import('vega')")).toHaveLength(1)
    expect(violations('test/null/random.test.ts', "import fc from 'fast-check'")).toEqual([])
    expect(violations('host/index.ts', "import { sha } from '@noble/curves/secp256k1.js'")).toEqual([])
    expect(violations('host/state/trie/root.ts', "import { create } from 'webgpu'")).toHaveLength(1)
    expect(violations('host/device/instance.ts', "const dawn = () => import('webgpu')")).toEqual([])
    expect(violations('host/chain/rules.ts', "import { createEVM } from '@ethereumjs/evm'")).toHaveLength(1)
    expect(violations('host/tiers/cpu/x.ts', "import { createEVM } from '@ethereumjs/evm'")).toHaveLength(1)
    expect(violations('host/tiers/cpu/ethereumjs/x.ts', "import { createEVM } from '@ethereumjs/evm'")).toEqual([])
    expect(violations('host/flows/x.ts', "import { createServer } from 'node:http'")).toHaveLength(1)
    expect(violations('service/x.ts', "import { createServer } from 'node:http'")).toEqual([])
    expect(violations('transpiler/index.ts', "import { readFileSync } from 'node:fs'")).toHaveLength(1)
    expect(violations('transpiler/index.ts', "import { readFileSync } from 'fs'")).toHaveLength(1)
    expect(violations('test/null/x.test.ts', "import fc from 'fast-check'")).toEqual([])
  })

  test('let types of a package be imported only where the package may be', () => {
    const type = "import type { EVM } from '@ethereumjs/evm'"
    expect(violations('host/tiers/cpu/x.ts', type)).toEqual([
      "host/tiers/cpu/x.ts:1: '@ethereumjs/evm' may be imported by host/tiers/cpu/ethereumjs, host/precompiles, " +
        'host/adapters/ethereumjs, bench, test only',
    ])
    expect(violations('host/adapters/ethereumjs/x.ts', type)).toEqual([])
    for (const database of ['classic-level', 'node:sqlite'])
      expect(violations('host/state/x.ts', `import type { Db } from '${database}'`), database).toHaveLength(1)
  })

  test('find a circle of imports, of types too, and name it in one line', () => {
    const circle = [
      { path: 'host/chain/a.ts', text: "import { b } from './b.ts'" },
      { path: 'host/chain/b.ts', text: "import type { C } from './c.ts'" },
      { path: 'host/chain/c.ts', text: "export type A = import('./a.ts').A" },
      { path: 'host/chain/d.ts', text: "import { a } from './a.ts'" },
    ]
    expect(importCircles(circle)).toEqual([
      'host/chain/a.ts: a circle of imports: host/chain/a.ts -> host/chain/b.ts -> host/chain/c.ts -> host/chain/a.ts',
    ])
    expect(importCircles(circle.filter(({ path }) => path !== 'host/chain/c.ts'))).toEqual([])
  })

  test('forbid a WGSL library to import an entry', () => {
    expect(violations('kernels/u256/add.wgsl', 'import package::entry::bloom::bloom;')).toHaveLength(1)
    expect(violations('kernels/u256/add.wgsl', 'import package::u256::u256::U256;')).toEqual([])
    expect(violations('kernels/entry/bloom.wgsl', 'import package::u256::u256::U256;')).toEqual([])
  })
})
