/**
 * The hash indices of MemoryState: open addressing with linear probing, 0 is empty. The index of accounts has a u32 for
 * each bucket (id + 1), that of slots two (id + 1, storage name).
 */

export const insertAccount = (index: Uint32Array, hash: number, id: number): void => {
  const mask = index.length - 1
  let bucket = hash & mask
  while (index[bucket] !== 0) bucket = (bucket + 1) & mask
  index[bucket] = id + 1
}

export const insertSlot = (index: Uint32Array, hash: number, id: number, owner: number): void => {
  const mask = index.length - 2
  let bucket = (2 * hash) & mask
  while (index[bucket] !== 0) bucket = (bucket + 2) & mask
  index[bucket] = id + 1
  index[bucket + 1] = owner
}

export const sameAddress = (a: Uint32Array, ai: number, b: Uint32Array, bi: number): boolean =>
  a[ai] === b[bi] &&
  a[ai + 1] === b[bi + 1] &&
  a[ai + 2] === b[bi + 2] &&
  a[ai + 3] === b[bi + 3] &&
  a[ai + 4] === b[bi + 4]
