import { BINDINGS } from '../../transpiler/layout/environment.ts'

/** One buffer binding of group 0, visible to compute. The type must be that of the WGSL variable. */
export interface Binding {
  readonly binding: number
  readonly type: 'uniform' | 'storage' | 'read-only-storage'
}

/**
 * Group 0 of every execution kernel (transpiler/layout/environment.ts): the environment is uniform, the lanes' results
 * are written, all else is read.
 */
export const EXECUTION_BINDINGS: readonly Binding[] = Object.values(BINDINGS).map((binding) => ({
  binding,
  type: binding === BINDINGS.environment ? 'uniform' : binding === BINDINGS.lanesOut ? 'storage' : 'read-only-storage',
}))

/** Equal for equal layouts, whatever the order of the list. */
export const layoutKey = (bindings: readonly Binding[]): string =>
  bindings
    .map(({ binding, type }) => `${binding}:${type}`)
    .sort()
    .join(',')
