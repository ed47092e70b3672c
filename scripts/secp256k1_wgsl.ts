import { fieldText } from './secp256k1/field.ts'
import { limbsText } from './secp256k1/limbs.ts'
import { scalarText } from './secp256k1/scalar.ts'

/**
 * The unrolled WGSL of kernels/secp256k1: numbers modulo the field's prime p and the group's order n. Path from the
 * root of the repository, and text.
 */
export const SECP256K1_FILES: readonly { readonly path: string; readonly text: () => string }[] = [
  { path: 'kernels/secp256k1/limbs.generated.wgsl', text: limbsText },
  { path: 'kernels/secp256k1/modulo_p.generated.wgsl', text: fieldText },
  { path: 'kernels/secp256k1/modulo_n.generated.wgsl', text: scalarText },
]
