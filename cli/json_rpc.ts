/** A node that does not answer, or not what was asked for. One line, which names the node by its host alone. */
export class RpcError extends Error {
  override readonly name = 'RpcError'
}

export interface RpcCall {
  readonly method: string
  readonly params: readonly unknown[]
}

/** Calls in one request; nodes that serve the public take at least as many. */
const CALLS_PER_REQUEST = 100
const TIMEOUT_MS = 60_000

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null

/** JSON-RPC 2.0 over HTTP, several calls in a request. */
export class JsonRpc {
  readonly #url: URL

  constructor(url: URL) {
    this.#url = url
  }

  async call(method: string, params: readonly unknown[]): Promise<unknown> {
    const [result] = await this.batch([{ method, params }])
    return result
  }

  /** The results in the order of the calls. Throws RpcError. */
  async batch(calls: readonly RpcCall[]): Promise<readonly unknown[]> {
    const results: unknown[] = []
    for (let at = 0; at < calls.length; at += CALLS_PER_REQUEST) {
      results.push(...(await this.#request(calls.slice(at, at + CALLS_PER_REQUEST))))
    }
    return results
  }

  async #request(calls: readonly RpcCall[]): Promise<readonly unknown[]> {
    const what = calls[0]!.method
    const body = JSON.stringify(calls.map((call, id) => ({ jsonrpc: '2.0', id, ...call })))
    let answer: unknown
    try {
      const response = await fetch(this.#url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
        signal: AbortSignal.timeout(TIMEOUT_MS),
      })
      const text = await response.text()
      if (!response.ok) throw new RpcError(`HTTP status ${response.status}`)
      answer = JSON.parse(text)
    } catch (thrown) {
      const { message, cause } = thrown as Error
      const reason = isObject(cause) && typeof cause['code'] === 'string' ? cause['code'] : message
      throw new RpcError(`${this.#url.host}: ${what}: ${reason}`, { cause: thrown })
    }
    // A request that the node refuses as a whole has one answer.
    if (!Array.isArray(answer)) throw this.#refusal(what, answer)
    const byId = new Map<unknown, unknown>(
      answer.map((each: unknown) => [isObject(each) ? each['id'] : undefined, each]),
    )
    return calls.map(({ method }, id) => {
      const each = byId.get(id)
      if (!isObject(each) || each['error'] !== undefined || !Object.hasOwn(each, 'result'))
        throw this.#refusal(method, each)
      return each['result']
    })
  }

  #refusal(method: string, answer: unknown): RpcError {
    const error = isObject(answer) ? answer['error'] : undefined
    const message =
      isObject(error) && typeof error['message'] === 'string' ? error['message'] : 'no answer to this call'
    return new RpcError(`${this.#url.host}: ${method}: ${message}`)
  }
}
