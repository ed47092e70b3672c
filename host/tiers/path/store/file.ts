import { createHash } from 'node:crypto'
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import type { PathKernel, PathKey } from '../../../../transpiler/path_kernel.ts'
import { programFault } from '../../../../transpiler/program/verify.ts'

/**
 * One recorded path as bytes:
 *
 * magic      8 bytes
 * digest     32 bytes   sha-256 of all that follows
 * manifest   u32, little-endian: length of the manifest; then the manifest, raw deflate of JSON
 * wgsl       the rest: raw deflate of JSON, the texts of the path's own kernels, inflated only when one is compiled
 *
 * In the JSON a bigint is { "$n": hex } and a Uint32Array is { "$u": base64 }.
 */
const MAGIC = Buffer.from('wgevmP1\n', 'latin1')
const DIGEST_AT = MAGIC.length
const LENGTH_AT = DIGEST_AT + 32
const BODY_AT = LENGTH_AT + 4
/** A text that inflates to more is not one of ours. */
const MOST_TEXT_BYTES = 1 << 26

interface Manifest {
  readonly version: string
  readonly kernel: Omit<PathKernel, 'parts' | 'hintedParts'>
}

interface Texts {
  readonly parts: readonly string[]
  readonly hintedParts: readonly string[]
}

/** Equal for equal keys, whatever the order of their fields. */
export const pathKeyHash = (key: PathKey): string =>
  createHash('sha256')
    .update(JSON.stringify(Object.entries(key).sort(([a], [b]) => (a < b ? -1 : 1))))
    .digest('hex')
    .slice(0, 32)

export const encodePath = (kernel: PathKernel, version: string): Buffer => {
  const { parts, hintedParts, ...rest } = kernel
  const manifest = deflateRawSync(JSON.stringify({ version, kernel: rest } satisfies Manifest, packed), FAST)
  const texts = deflateRawSync(JSON.stringify({ parts, hintedParts } satisfies Texts), FAST)
  const length = Buffer.alloc(4)
  length.writeUInt32LE(manifest.length)
  const body = Buffer.concat([length, manifest, texts])
  return Buffer.concat([MAGIC, createHash('sha256').update(body).digest(), body])
}

const FAST = { level: 1 }

/** The path in these bytes. Throws, saying what is wrong, where they are not a whole path of this version. */
export const decodePath = (bytes: Buffer, version: string): PathKernel => {
  if (bytes.length < BODY_AT || !bytes.subarray(0, DIGEST_AT).equals(MAGIC)) throw new Error('is not a recorded path')
  const digest = createHash('sha256').update(bytes.subarray(LENGTH_AT)).digest()
  if (!digest.equals(bytes.subarray(DIGEST_AT, LENGTH_AT))) throw new Error('is damaged')
  const end = BODY_AT + bytes.readUInt32LE(LENGTH_AT)
  if (end > bytes.length) throw new Error('is damaged')
  const manifest = JSON.parse(inflate(bytes.subarray(BODY_AT, end)), unpacked) as Manifest
  if (manifest.version !== version) throw new Error('was written by another version')
  const { program } = manifest.kernel
  // The kernel that runs programs has no index checks.
  const fault = program === undefined ? undefined : programFault(program, manifest.kernel)
  if (fault !== undefined) throw new Error(`has no sound program: ${fault}`)
  let texts: Texts | undefined
  const inflated = (): Texts => {
    texts ??= JSON.parse(inflate(bytes.subarray(end))) as Texts
    return texts
  }
  return {
    ...manifest.kernel,
    get parts() {
      return inflated().parts
    },
    get hintedParts() {
      return inflated().hintedParts
    },
  }
}

const inflate = (bytes: Uint8Array): string =>
  inflateRawSync(bytes, { maxOutputLength: MOST_TEXT_BYTES }).toString('utf8')

const packed = (_: string, value: unknown): unknown => {
  if (typeof value === 'bigint') return { $n: value.toString(16) }
  if (value instanceof Uint32Array)
    return { $u: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64') }
  return value
}

const unpacked = (_: string, value: unknown): unknown => {
  if (typeof value !== 'object' || value === null) return value
  if ('$n' in value && typeof value.$n === 'string') return BigInt(`0x${value.$n}`)
  if ('$u' in value && typeof value.$u === 'string') {
    const bytes = Buffer.from(value.$u, 'base64')
    return new Uint32Array(Uint8Array.from(bytes).buffer, 0, bytes.length >>> 2)
  }
  return value
}
