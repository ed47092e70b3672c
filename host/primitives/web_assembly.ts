/** What is used of WebAssembly's interface; its types come with the DOM library, which wgevm does without. */

/** A compiled module: an object that only `Instance` reads. */
export type WasmModule = object

export interface WasmMemory {
  readonly buffer: SharedArrayBuffer
  /** Throws a RangeError where there is no such memory. */
  grow(pages: number): number
}

interface WasmInterface {
  readonly Module: new (bytes: Uint8Array) => WasmModule
  readonly Memory: new (size: { initial: number; maximum: number; shared: true }) => WasmMemory
  readonly Instance: new (
    module: WasmModule,
    imports: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
  ) => { readonly exports: Readonly<Record<string, unknown>> }
}

/** Undefined where the platform has no WebAssembly. */
export const wasm: WasmInterface = (globalThis as unknown as { readonly WebAssembly: WasmInterface }).WebAssembly

export const hasWasm = wasm !== undefined && typeof SharedArrayBuffer !== 'undefined'
