/** Numbers of 32 bits in the order in which they came. */
export class IntList {
  values = new Int32Array(64)
  count = 0

  push(value: number): void {
    if (this.count === this.values.length) {
      const values = new Int32Array(2 * this.values.length)
      values.set(this.values)
      this.values = values
    }
    this.values[this.count++] = value
  }

  clear(): void {
    this.count = 0
  }
}
