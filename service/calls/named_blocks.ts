import type { ChainView } from '../../host/index.ts'

const HASH = /^0x[0-9a-f]{64}$/

/** The blocks that a value of a call names by hash: the value itself, its member `hash`, or that of its member `at`. */
const hashesIn = (value: unknown): readonly string[] => {
  if (typeof value === 'string') return HASH.test(value) ? [value] : []
  if (typeof value !== 'object' || value === null) return []
  const { hash, at } = value as { readonly hash?: unknown; readonly at?: unknown }
  return [...hashesIn(hash), ...(at === undefined ? [] : hashesIn(at))]
}

type Calls = Readonly<Record<string, (...values: readonly unknown[]) => Promise<unknown>>>

/** The same calls; blocks that they name, and that are not on disk, are asked for first. */
export const learned = <Room extends object>(room: Room, view: Pick<ChainView, 'learn'>): Room =>
  new Proxy(room, {
    get:
      (_, name) =>
      async (...values: readonly unknown[]) => {
        for (const hash of values.flatMap(hashesIn)) await view.learn(hash)
        return (room as Calls)[String(name)]!(...values)
      },
  })
