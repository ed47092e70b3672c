import { compactVerify } from 'jose'

/** Bytes of the secret that both sides share. */
const SECRET_BYTES = 32
/** How far the time of a token may be from ours (execution-apis src/engine/authentication.md). */
const MOST_SECONDS = 60

/** A secret as its file has it: 64 hex digits, with or without 0x. Undefined where it is none. */
export const readSecret = (text: string): Uint8Array | undefined => {
  const digits = /^\s*(?:0x)?([0-9a-fA-F]{64})\s*$/.exec(text)?.[1]
  return digits === undefined ? undefined : Uint8Array.from(Buffer.from(digits, 'hex')).subarray(0, SECRET_BYTES)
}

/** Why a request is refused, in one line; undefined where it may pass. */
export type Authorize = (authorization: string | undefined) => Promise<string | undefined>

/**
 * Checks the token of a request: HS256 with the secret, and a claim `iat` at most 60 s from now. Other claims are not
 * looked at, `exp` among them.
 */
export const jwtAuthorize =
  (secret: Uint8Array, now: () => number = Date.now): Authorize =>
  async (authorization) => {
    const token = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1]
    if (token === undefined) return 'missing token'
    let claims: unknown
    try {
      const { payload } = await compactVerify(token, secret, { algorithms: ['HS256'] })
      claims = JSON.parse(new TextDecoder().decode(payload))
    } catch {
      return 'invalid token'
    }
    const iat = typeof claims === 'object' && claims !== null && 'iat' in claims ? claims.iat : undefined
    if (typeof iat !== 'number' || !Number.isFinite(iat)) return 'missing issued-at'
    const seconds = now() / 1000 - iat
    if (seconds > MOST_SECONDS) return 'stale token'
    return seconds < -MOST_SECONDS ? 'future token' : undefined
  }
