import { hostname } from 'node:os'

/** Whether a page of this origin may open a connection; programs that are no browser name none. */
export type AllowsOrigin = (origin: string | undefined) => boolean

interface OriginParts {
  readonly scheme: string
  readonly host: string
  readonly port: string
}

const partsOf = (text: string): OriginParts => {
  const [, scheme = '', host = '', port = ''] =
    /^(?:([a-z][a-z0-9+.-]*):\/\/)?(\[[^\]]*\]|[^:/]*)(?::(\d+))?/.exec(text.toLowerCase()) ?? []
  return { scheme, host, port }
}

/**
 * Rules as go-ethereum's `--ws.origins` has them: `*`, or a host with its scheme and its port where they count. Without
 * rules pages of this machine may.
 */
export const originRule = (rules: readonly string[]): AllowsOrigin => {
  if (rules.includes('*')) return () => true
  const wanted = (rules.length === 0 ? ['http://localhost', `http://${hostname()}`] : rules).map(partsOf)
  return (origin) => {
    if (origin === undefined) return true
    const given = partsOf(origin)
    return wanted.some(
      ({ scheme, host, port }) =>
        host === given.host && (scheme === '' || scheme === given.scheme) && (port === '' || port === given.port),
    )
  }
}
