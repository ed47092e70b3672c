/** The exits of a batch by transaction, kept only where the explanation is asked for. @internal */
export class ExplainLog {
  readonly #exits = new Map<number, string[]>()

  exit(i: number, text: string): void {
    const list = this.#exits.get(i)
    if (list === undefined) this.#exits.set(i, [text])
    else list.push(text)
  }

  exits(i: number): readonly string[] {
    return this.#exits.get(i) ?? []
  }
}
