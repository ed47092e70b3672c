import { Agent, request } from 'node:http'
import { SignJWT } from 'jose'

/** A secret of tokens; each of its ports is on this machine and closes with its script. */
export const SECRET: Uint8Array = new Uint8Array(32).fill(7)

/** Headers of a request with a token that is made now. */
export const authorized = async (): Promise<Readonly<Record<string, string>>> => {
  const token = await new SignJWT({ iat: Math.floor(Date.now() / 1000) })
    .setProtectedHeader({ alg: 'HS256' })
    .sign(SECRET)
  return { authorization: `Bearer ${token}` }
}

/** Posts JSON to ports of this machine, over connections that are kept. */
export class HttpClient {
  readonly #agent = new Agent({ keepAlive: true })

  /** The bytes of the reply; rejects where there is none. */
  post(port: number, body: string | Buffer, headers: Readonly<Record<string, string>> = {}): Promise<Buffer> {
    const options = { port, host: '127.0.0.1', method: 'POST', agent: this.#agent }
    return new Promise((resolve, reject) => {
      const sent = request({ ...options, headers: { 'content-type': 'application/json', ...headers } }, (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('end', () => resolve(Buffer.concat(chunks)))
        response.on('error', reject)
      })
      sent.on('error', reject)
      sent.end(body)
    })
  }

  close(): void {
    this.#agent.destroy()
  }
}
