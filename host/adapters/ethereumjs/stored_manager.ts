import type { StateManagerInterface } from '@ethereumjs/common'

/**
 * A state manager as the MerkleStateManager of @ethereumjs/statemanager, to use parts of it that it does not promise.
 * Undefined where it is another class, also one that is made from that one, or where this method was replaced.
 */
export const storedManagerOf = <Parts extends StateManagerInterface>(
  manager: StateManagerInterface,
  method: 'flush' | 'putStorage',
): Parts | undefined => {
  const own = Object.getPrototypeOf(manager)
  if (own.constructor.name !== 'MerkleStateManager' || Object.getPrototypeOf(own) !== Object.prototype) return undefined
  return (manager as Parts & { flush: unknown })[method] === own[method] ? (manager as Parts) : undefined
}
