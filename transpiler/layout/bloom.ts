/**
 * The uniform of kernels/entry/bloom.wgsl, in vectors.
 *
 * [0]      (lane count, item count, output stride, 0)
 * [1] ..   item k in component k mod 4 of vector 1 + k / 4: the first column of its word; with BLOOM_ADDRESS the low 20
 *          bytes of the word are hashed, else all 32
 */
export const BLOOM_MAX_ITEMS = 16
export const BLOOM_ADDRESS = 0x80000000
export const BLOOM_PARAMETER_VECTORS = 1 + BLOOM_MAX_ITEMS / 4
