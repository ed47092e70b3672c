import type { BlockHeader } from './header.ts'

/** A field of a header that is not what it must be; `actual` is what was worked out, in words. */
export interface HeaderFault {
  readonly field: keyof BlockHeader
  readonly stated: string
  readonly actual: string
}
