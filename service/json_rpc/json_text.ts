/** A value of JSON that is text already: bytes of UTF-8, one part after another. */
export class JsonText {
  readonly parts: readonly Uint8Array[]

  constructor(parts: readonly Uint8Array[]) {
    this.parts = parts
  }
}
